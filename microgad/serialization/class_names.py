"""PyTorch's class names in files: storages, legacy Tensor types, dtypes, and factories of defaultdicts."""

from collections import Counter, OrderedDict, defaultdict, deque

from .. import backend, dtypes
from ..dtypes.type_names import TYPE_NAMES
from ..parameter import Parameter
from ..size import Size
from ..tensor import Tensor

# A storage's class tells the dtype of its elements. Dtypes without such a class are saved in untyped storages.
_WITHOUT = (dtypes.uint16, dtypes.uint32, dtypes.uint64)
STORAGE_CLASS_OF = {dtype: f"{name}Storage" for dtype, name in TYPE_NAMES.items() if dtype not in _WITHOUT}
STORAGE_DTYPES = {name: dtype for dtype, name in STORAGE_CLASS_OF.items()}
TENSOR_DTYPES = {name.replace("Storage", "Tensor"): dtype for name, dtype in STORAGE_DTYPES.items()}  # legacy
UNTYPED = "torch.storage UntypedStorage"
DTYPES = {dtype.name: dtype for dtype in TYPE_NAMES}
# The types that may be the default_factory of a defaultdict.
FACTORIES = {f"__builtin__ {kind.__name__}": kind for kind in (list, dict, set, int, float, str, bool, tuple)}
# Those and others that a file may hold themselves, as values.
CLASSES = FACTORIES | {f"collections {kind.__name__}": kind for kind in (Counter, OrderedDict, defaultdict, deque)} | {
    "torch Size": Size, "torch device": backend.device, "torch Tensor": Tensor, "torch._tensor Tensor": Tensor,
    "torch.nn.parameter Parameter": Parameter,
}  # fmt: skip
