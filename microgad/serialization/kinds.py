"""PyTorch's names in files: of storages, and of what stands for itself."""

from __future__ import annotations

from .. import dtypes

# A storage's class says the dtype of its elements. The dtypes that have none lie in an untyped one.
STORAGES = {
    "FloatStorage": dtypes.float32,
    "DoubleStorage": dtypes.float64,
    "HalfStorage": dtypes.float16,
    "ComplexFloatStorage": dtypes.complex64,
    "ComplexDoubleStorage": dtypes.complex128,
    "LongStorage": dtypes.int64,
    "IntStorage": dtypes.int32,
    "ShortStorage": dtypes.int16,
    "CharStorage": dtypes.int8,
    "ByteStorage": dtypes.uint8,
    "BoolStorage": dtypes.bool_,
}
TENSORS = {name.replace("Storage", "Tensor"): dtype for name, dtype in STORAGES.items()}  # of PyTorch 0.1
CLASS_OF = {dtype: name for name, dtype in STORAGES.items()}
UNTYPED = "torch.storage UntypedStorage"
DTYPES = {
    name: getattr(dtypes, f"{name}_" if name == "bool" else name)
    for name in (
        "float16", "float32", "float64", "complex64", "complex128", "bool", "uint8", "uint16", "uint32", "uint64",
        "int8", "int16", "int32", "int64",
    )
}  # fmt: skip
