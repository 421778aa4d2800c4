"""torch.compile and torch.compiler: nothing is compiled, programs run as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...lazy import absent as _absent
from ...notices import once as _once


def compile(model: Any = None, **options: Any) -> Any:
    """Give the model, or the function, as it is; also as a decorator with options. Says so once.

    Source: torch.compile.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     torch.compile(torch.relu) is torch.relu
    True
    """
    _once("torch.compile: microgad runs programs as they are; nothing is compiled")
    return (lambda model: model) if model is None else model


def disable(fn: Any = None, recursive: bool = True, **options: Any) -> Any:
    """Give the function as it is; also as a decorator. Source: torch.compiler.disable."""
    return (lambda fn: fn) if fn is None else fn


def allow_in_graph(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Give the function as it is. Source: torch.compiler.allow_in_graph."""
    return fn


def is_compiling() -> bool:
    """False. Source: torch.compiler.is_compiling."""
    return False


def reset() -> None:
    """Nothing to forget. Source: torch.compiler.reset."""


is_dynamo_compiling = is_exporting = is_compiling

_absent(globals())
