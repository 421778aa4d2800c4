"""PyTorch's names in files: of storages, and of what stands for itself."""

from __future__ import annotations

from .. import dtypes
from ..dtypes.type_names import TYPE_NAMES

# A storage's class says the dtype of its elements. The dtypes that have none lie in an untyped one.
_WITHOUT = (dtypes.uint16, dtypes.uint32, dtypes.uint64)
STORAGE_CLASS_OF = {dtype: f"{name}Storage" for dtype, name in TYPE_NAMES.items() if dtype not in _WITHOUT}
STORAGE_DTYPES = {name: dtype for dtype, name in STORAGE_CLASS_OF.items()}
TENSOR_DTYPES = {name.replace("Storage", "Tensor"): dtype for name, dtype in STORAGE_DTYPES.items()}  # of PyTorch 0.1
UNTYPED = "torch.storage UntypedStorage"
DTYPES = {dtype.name: dtype for dtype in TYPE_NAMES}
# What a defaultdict may make where it has nothing.
FACTORIES = {f"__builtin__ {kind.__name__}": kind for kind in (list, dict, set, int, float, str, bool, tuple)}
