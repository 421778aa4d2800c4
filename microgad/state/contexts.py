"""Binding a context variable to a value for a block, and contexts as decorators."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@contextmanager
def binding(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Set a context variable to `value` for a block.

    >>> from contextvars import ContextVar
    >>> depth = ContextVar("depth", default=0)
    >>> with binding(depth, 1):
    ...     depth.get()
    1
    >>> depth.get()
    0
    """
    before = variable.get()
    variable.set(value)
    try:
        yield
    finally:
        variable.set(before)  # no token, which couldn't be reset where another task ends the block


def decorate(scope: Callable[[], AbstractContextManager[Any]], function: F) -> F:
    """Wrap a function so that its calls run in a context that `scope` makes, each in a new one.

    The steps of a generator function run in the context, and the code between them in the caller's.
    """
    if inspect.isgeneratorfunction(function):  # its body runs at each step, not at the call
        return _decorate_generator(scope, function)

    @functools.wraps(function)
    def within(*args: Any, **kwargs: Any) -> Any:
        with scope():
            return function(*args, **kwargs)

    return within  # type: ignore[return-value]


def _decorate_generator(scope: Callable[[], AbstractContextManager[Any]], function: Any) -> Any:
    @functools.wraps(function)
    def within(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        resume, value = generator.send, None
        while True:
            try:
                with scope():
                    result = resume(value)
            except StopIteration as stop:
                return stop.value
            try:
                resume, value = generator.send, (yield result)
            except GeneratorExit:
                with scope():
                    generator.close()
                raise
            except BaseException as error:
                resume, value = generator.throw, error

    return within
