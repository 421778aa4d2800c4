"""torch.utils._contextlib: the base class of libraries' context managers that are decorators, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from ..state.contexts import decorate


class _DecoratorContextManager:
    """A context manager that also decorates functions, and generators: each call is a block of its own.

    A subclass defines `__enter__` and `__exit__`, and `clone` if its `__init__` takes arguments.
    Source: torch.utils._contextlib._DecoratorContextManager.
    """

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return decorate(self.clone, function)

    def __enter__(self) -> Any:
        raise NotImplementedError

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> Any:
        raise NotImplementedError

    def clone(self) -> Self:
        """Return another context manager of this kind, for a call."""
        return type(self)()


class _NoParamDecoratorContextManager(_DecoratorContextManager):
    """One that decorates without parentheses, too. Source: torch.utils._contextlib._NoParamDecoratorContextManager."""

    def __new__(cls, orig_func: Any = None) -> Any:
        return super().__new__(cls) if orig_func is None else cls()(orig_func)
