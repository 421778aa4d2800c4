"""torch.compile and torch.compiler. Nothing is compiled: programs run as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ContextDecorator
from typing import Any, TypedDict, TypeVar, Unpack, overload

from ...errors.notices import once as _once
from ...nn import Module as _Module
from .optimized_module import OptimizedModule as _OptimizedModule

F = TypeVar("F", bound=Callable[..., Any])


class _Options(TypedDict, total=False):
    fullgraph: bool
    dynamic: bool | None
    backend: str | Callable[..., Any] | None
    mode: str | None
    options: dict[str, Any] | None
    name: str | None
    disable: bool
    recompile_limit: int | None
    isolate_recompiles: bool
    shapes_spec: Any


@overload
def compile(model: F, **given: Unpack[_Options]) -> F: ...
@overload
def compile(model: None = None, **given: Unpack[_Options]) -> Callable[[F], F]: ...
def compile(
    model: Any = None, *, fullgraph: bool = False, dynamic: bool | None = None,
    backend: str | Callable[..., Any] | None = None, mode: str | None = None, options: dict[str, Any] | None = None,
    name: str | None = None, disable: bool = False, recompile_limit: int | None = None,
    isolate_recompiles: bool = False, shapes_spec: Any = None,
) -> Any:  # fmt: skip
    """Return the function unchanged, after a warning, once per process. Also usable as a decorator with options.

    A module is wrapped in one that computes the same and has PyTorch's names: the keys of its state_dict begin with
    "_orig_mod.", and `_orig_mod` is the module itself. `module.compile()` keeps the names.

    Source: torch.compile.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     torch.compile(torch.relu) is torch.relu
    True
    """
    _once("torch.compile: microgad runs programs as they are; nothing is compiled")
    if model is None:
        return compile
    return _OptimizedModule(model) if isinstance(model, _Module) else model


def disable(fn: Any = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Return the function unchanged; also as a decorator. Source: torch.compiler.disable."""
    return (lambda fn: fn) if fn is None else fn


_disable_dynamo = disable


def nested_compile_region(fn: Any = None, **options: Any) -> Any:
    """Return the function unchanged; also as a decorator. Source: torch.compiler.nested_compile_region."""
    return disable(fn)


def allow_in_graph(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function unchanged. Source: torch.compiler.allow_in_graph."""
    return fn


def wrap_numpy(fn: F) -> F:
    """Return the function unchanged: NumPy functions take Tensors, and are recorded. Source: torch.compiler.wrap_numpy.

    >>> import numpy as np
    >>> torch.compiler.wrap_numpy(lambda x: np.sum(x * x))(torch.tensor([1.0, 2.0]))
    tensor(5.)
    """
    return fn


def is_compiling() -> bool:
    """Return False. Source: torch.compiler.is_compiling."""
    return False


def reset() -> None:
    """Do nothing: there is no compiled code. Source: torch.compiler.reset."""


def cudagraph_mark_step_begin() -> None:
    """Do nothing: there are no CUDA graphs. Source: torch.compiler.cudagraph_mark_step_begin."""


def list_backends(exclude_tags: Sequence[str] = ()) -> list[str]:
    """Return an empty list. Source: torch.compiler.list_backends."""
    return []


class set_stance(ContextDecorator):
    """Do nothing, as a function, a context and a decorator. Source: torch.compiler.set_stance."""

    def __init__(self, stance: str = "default", **options: Any) -> None:
        self.stance = stance

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


assume_constant_result = allow_in_graph
is_dynamo_compiling = is_exporting = is_compiling
