"""torch.overrides: overriding of public functions by __torch_function__."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from ... import torch_function as _protocol
from ...tensor import Tensor
from ...torch_function import wrappers as _wrappers


class TorchFunctionMode:
    """A context that intercepts calls of the library's functions, the innermost first.

    A subclass defines __torch_function__, inside which the mode itself is off. Source:
    torch.overrides.TorchFunctionMode.

    >>> class Named(torch.overrides.TorchFunctionMode):
    ...     def __torch_function__(self, func, types, args=(), kwargs=None):
    ...         print(torch.overrides.resolve_name(func))
    ...         return func(*args, **(kwargs or {}))
    >>> with Named():
    ...     _ = torch.zeros(2) + 1
    torch.zeros
    torch.Tensor.add
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise NotImplementedError

    def __enter__(self) -> Any:
        if isinstance(getattr(self.__torch_function__, "__self__", None), type):
            raise RuntimeError(
                "Defining your mode's `__torch_function__` as a classmethod is not supported, please make it a plain "
                "method"
            )
        _wrappers.install()
        self.__dict__.setdefault("_before", []).append(_protocol.push_mode(self))
        return self

    def __exit__(self, *exception: Any) -> None:
        _protocol.pop_mode(self.__dict__["_before"].pop())


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that only calls the function. Source: torch.overrides.BaseTorchFunctionMode."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the function."""
        return func(*args, **(kwargs or {}))


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether a mode or the class of an argument overrides functions. Source: torch.overrides.

    >>> torch.overrides.has_torch_function((torch.ones(1),))
    False
    """
    return _protocol.has_torch_function(relevant_args)


def has_torch_function_unary(x: Any) -> bool:
    """`has_torch_function` of one argument. Source: torch.overrides.has_torch_function_unary.

    >>> torch.overrides.has_torch_function_unary(torch.ones(1))
    False
    """
    return _protocol.has_torch_function((x,))


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of several arguments. Source: torch.overrides.has_torch_function_variadic.

    >>> torch.overrides.has_torch_function_variadic(torch.ones(1), 2)
    False
    """
    return _protocol.has_torch_function(args)


def handle_torch_function(public_api: Callable[..., Any], relevant_args: Any, *args: Any, **kwargs: Any) -> Any:
    """Call the overrides of public_api(*args, **kwargs). Source: torch.overrides.handle_torch_function.

    Raises TypeError if all of them return NotImplemented.

    >>> with torch.overrides.BaseTorchFunctionMode():
    ...     torch.overrides.handle_torch_function(torch.relu, (), torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    relevant_args = tuple(relevant_args)
    result = _protocol.handle_torch_function(public_api, relevant_args, args, kwargs)
    if result is NotImplemented:
        raise _protocol.not_implemented_error(public_api, relevant_args)
    return result


def wrap_torch_function(dispatcher: Callable[..., Any]) -> Callable[..., Any]:
    """Make a decorator of functions that can be overridden by the arguments which dispatcher returns.

    Source: torch.overrides.wrap_torch_function.
    """

    def decorated(func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def asking(*args: Any, **kwargs: Any) -> Any:
            relevant = dispatcher(*args, **kwargs)
            if _protocol.has_torch_function(relevant):
                return handle_torch_function(asking, relevant, *args, **kwargs)
            return func(*args, **kwargs)

        return asking

    return decorated


def is_tensor_like(inp: Any) -> bool:
    """Whether inp is a Tensor or has __torch_function__. Source: torch.overrides.is_tensor_like.

    >>> torch.overrides.is_tensor_like(torch.ones(1)), torch.overrides.is_tensor_like(1)
    (True, False)
    """
    return isinstance(inp, Tensor) or hasattr(inp, "__torch_function__")


def resolve_name(f: Any) -> str | None:
    """Return PyTorch's name of a function that can be overridden. Source: torch.overrides.resolve_name."""
    _wrappers.install()
    return _protocol.resolve_name(f)


def is_tensor_method_or_property(func: Any) -> bool:
    """Whether func is a method of Tensor or the getter of a property. Source: torch.overrides."""
    if isinstance(getattr(func, "__self__", None), property):
        return func.__name__ == "__get__"
    return (resolve_name(func) or "").startswith("torch.Tensor.")


def get_overridable_functions() -> dict[Any, list[Callable[..., Any]]]:
    """Return the functions that can be overridden, by module or class. Source: torch.overrides."""
    return _wrappers.overridable_functions()


def get_default_nowrap_functions() -> set[Any]:
    """Return the functions whose results aren't converted to subclasses. Source: torch.overrides."""
    return _protocol.functions_not_to_wrap()
