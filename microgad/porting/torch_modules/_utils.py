"""torch._utils: flattening of many Tensors into one, for example to communicate gradients in one piece."""

from __future__ import annotations

from collections.abc import Sequence

from ... import dtypes
from ...ops.movement import cat
from ...tensor import Tensor
from ...type_aliases import Dtype


def _element_size(dtype: Dtype) -> int:
    """Return the bytes of one element. Source: torch._utils._element_size.

    >>> from microgad.porting.torch_modules._utils import _element_size
    >>> _element_size(torch.float64)
    8
    """
    return dtypes.of(dtype).itemsize


def _flatten_dense_tensors(tensors: Sequence[Tensor]) -> Tensor:
    """Concatenate the elements of all Tensors to one Tensor (n,). For a single Tensor it is a view, if possible.

    Raises ValueError if there are no Tensors. Source: torch._utils._flatten_dense_tensors.

    >>> from microgad.porting.torch_modules._utils import _flatten_dense_tensors
    >>> _flatten_dense_tensors([torch.zeros(1, 2), torch.ones(2)])
    tensor([0., 0., 1., 1.])
    """
    pieces = [x.contiguous().view(-1) for x in tensors]
    return pieces[0] if len(pieces) == 1 else cat(pieces)


def _unflatten_dense_tensors(flat: Tensor, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return views of `flat` (n,) in the shapes of `tensors`.

    Raises RuntimeError if `flat` is too short. Source: torch._utils._unflatten_dense_tensors.

    >>> from microgad.porting.torch_modules._utils import _unflatten_dense_tensors
    >>> _unflatten_dense_tensors(torch.arange(3), [torch.zeros(1, 2), torch.zeros(1)])
    (tensor([[0, 1]]), tensor([2]))
    """
    pieces, start = [], 0
    for x in tensors:
        pieces.append(flat.narrow(0, start, x.numel()).view(x.shape) if x.numel() else flat.new_empty(0))
        start += x.numel()
    return tuple(pieces)
