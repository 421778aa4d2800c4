"""The dtypes' names in PyTorch's legacy classes: FloatTensor, FloatStorage, …"""

from __future__ import annotations

from .. import dtypes

TYPE_NAMES = {
    dtypes.float16: "Half", dtypes.float32: "Float", dtypes.float64: "Double", dtypes.complex64: "ComplexFloat",
    dtypes.complex128: "ComplexDouble", dtypes.uint8: "Byte", dtypes.int8: "Char", dtypes.int16: "Short",
    dtypes.int32: "Int", dtypes.int64: "Long", dtypes.bool_: "Bool", dtypes.uint16: "UInt16",
    dtypes.uint32: "UInt32", dtypes.uint64: "UInt64",
}  # fmt: skip
