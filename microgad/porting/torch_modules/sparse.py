"""torch.sparse: all arrays are dense, so sparse constructors return dense Tensors of the same values."""

from __future__ import annotations

from typing import Any

from ... import dtypes
from ...errors import DimError
from ...errors.notices import once as _once
from ...ops.creation import as_tensor, zeros
from ...ops.linalg import addmm as addmm
from ...ops.linalg import mm as mm
from ...ops.reduction import sum as _sum
from ...ops.softmax import log_softmax as log_softmax
from ...ops.softmax import softmax as softmax
from ...tensor import Tensor


def sparse_coo_tensor(
    indices: Any = None, values: Any = None, size: Any = None, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, check_invariants: bool | None = None, is_coalesced: bool | None = None,
) -> Tensor:  # fmt: skip
    """Return the dense Tensor with values (n,) at indices (d, n) and zeros elsewhere. Warns once that it is dense.

    Values at the same index are added. The default size is the smallest that contains all indices. A size alone, also
    as the first argument, gives zeros. Raises IndexError for an index outside of the size, and TypeError for indices
    without values. Source: torch.sparse_coo_tensor.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     torch.sparse_coo_tensor([[0, 1, 1], [2, 0, 0]], [3.0, 4.0, 5.0], (2, 3))
    tensor([[0., 0., 3.],
            [9., 0., 0.]])
    """
    _once("torch.sparse: microgad keeps sparse tensors as dense ones")
    if values is None:
        if (indices is None) == (size is None):
            raise TypeError("sparse_coo_tensor() needs indices and values, or a size alone")
        size = indices if size is None else size
        return zeros(size, dtype=dtype, device=device, requires_grad=requires_grad)
    places, values = as_tensor(indices), as_tensor(values, dtype, device)
    if size is None:
        size = (*(int(row.max()) + 1 if len(row) else 0 for row in places), *values.shape[1:])
    if places.numel() and places.min() < 0:
        raise DimError(f"sparse_coo_tensor: found the negative index {int(places.min())}")
    made = zeros(size, dtype=values.dtype, device=values.device).index_put(tuple(places), values, accumulate=True)
    return made.detach().requires_grad_() if requires_grad else made


def sum(input: Tensor, dim: Any = None, dtype: Any = None) -> Tensor:
    """Sum over all dimensions, or over `dim`, which are removed. Source: torch.sparse.sum.

    >>> torch.sparse.sum(torch.ones(2, 3), 1, torch.float64)
    tensor([3., 3.], dtype=torch.float64)
    """
    return _sum(input, dim, dtype=dtype)


def _of(dtype: dtypes.dtype) -> Any:
    def make(*args: Any) -> Tensor:
        sizes = args and all(isinstance(x, int) for x in args)
        return sparse_coo_tensor(args, dtype=dtype) if sizes else sparse_coo_tensor(*args, dtype=dtype)

    make.__doc__ = f"sparse_coo_tensor of {dtype.name}, in the spelling of before 2018."
    return make


FloatTensor, DoubleTensor, LongTensor, IntTensor = map(
    _of, (dtypes.float32, dtypes.float64, dtypes.int64, dtypes.int32)
)
