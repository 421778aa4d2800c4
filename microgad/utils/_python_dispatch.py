"""A question that libraries ask about subclasses of Tensor. Source: torch.utils._python_dispatch."""

from __future__ import annotations

from ..lazy import define_getattr as _define_getattr
from ..tensor import Tensor


def is_traceable_wrapper_subclass(t: object) -> bool:
    """Whether t is of a subclass of Tensor that takes itself apart into other Tensors, by PyTorch's two methods.

    >>> torch.utils._python_dispatch.is_traceable_wrapper_subclass(torch.ones(2))
    False
    """
    of_subclass = isinstance(t, Tensor) and type(t) is not Tensor
    return of_subclass and hasattr(t, "__tensor_flatten__") and hasattr(t, "__tensor_unflatten__")


def _get_current_dispatch_mode_stack() -> list[object]:
    """Return no modes."""
    return []


_define_getattr(globals())
