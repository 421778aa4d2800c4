"""torch.overrides: microgad calls no __torch_function__, which classes and modes that define one are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ...lazy import absent as _absent
from ...notices import once as _once
from ...tensor import Tensor


class TorchFunctionMode:
    """What PyTorch asks before each function. It can be entered, and isn't asked: says so once.

    Source: torch.overrides.TorchFunctionMode.

    >>> import warnings
    >>> with warnings.catch_warnings(record=True) as heard:
    ...     warnings.simplefilter("always")
    ...     with torch.overrides.TorchFunctionMode():
    ...         torch.zeros(2)
    tensor([0., 0.])
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError

    def __enter__(self) -> Any:
        _once(
            "torch.overrides: microgad calls no __torch_function__, of modes and of classes; functions do what they do"
        )
        return self

    def __exit__(self, *exception: Any) -> None:
        pass


class BaseTorchFunctionMode(TorchFunctionMode):
    """One that calls the function. Source: torch.overrides.BaseTorchFunctionMode."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function."""
        return func(*args, **(kwargs or {}))


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """False: there is nobody to ask. Source: torch.overrides.has_torch_function.

    >>> torch.overrides.has_torch_function((torch.ones(1),))
    False
    """
    return False


def has_torch_function_unary(x: Any) -> bool:
    """False. Source: torch.overrides.has_torch_function_unary."""
    return False


def has_torch_function_variadic(*args: Any) -> bool:
    """False. Source: torch.overrides.has_torch_function_variadic."""
    return False


def handle_torch_function(public_api: Callable[..., Any], relevant_args: Any, *args: Any, **kwargs: Any) -> Any:
    """Call the function. Source: torch.overrides.handle_torch_function."""
    return public_api(*args, **kwargs)


def is_tensor_like(inp: Any) -> bool:
    """Whether it is a Tensor, or says so by a __torch_function__. Source: torch.overrides.is_tensor_like.

    >>> torch.overrides.is_tensor_like(torch.ones(1)), torch.overrides.is_tensor_like(1)
    (True, False)
    """
    return isinstance(inp, Tensor) or hasattr(inp, "__torch_function__")


_absent(globals())
