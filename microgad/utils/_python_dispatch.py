"""torch.utils._python_dispatch: whether a Tensor wraps others, which huggingface_hub asks."""

from __future__ import annotations

from typing import Any

from ..tensor import Tensor


def is_traceable_wrapper_subclass(t: Any) -> bool:
    """Whether t is of a subclass of Tensor that can be taken apart, by `__tensor_flatten__`, and put together again."""
    parts = ("__tensor_flatten__", "__tensor_unflatten__")
    return isinstance(t, Tensor) and type(t) is not Tensor and all(hasattr(t, name) for name in parts)
