"""Record calls of foreign functions, which don't know Tensors, as nodes: arrays among the arguments are inputs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ... import backend
from ...function import Function
from ...pytree import tree_leaves, tree_map
from ...tensor import Tensor
from .names import name_of


class _Placeholder:
    def __repr__(self) -> str:
        return "·"


_PLACEHOLDER = _Placeholder()


class Arguments:
    """The arguments of a call, with placeholders for the arrays, since a node keeps only what backward needs."""

    def __init__(self, args: tuple[Any, ...], settings: dict[str, Any]) -> None:
        self.template = tree_map(lambda x: _PLACEHOLDER if is_input(x) else x, (args, settings))

    def filled(self, arrays: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments with arrays in place of the placeholders."""
        waiting = iter(arrays)
        args, settings = tree_map(lambda x: next(waiting) if x is _PLACEHOLDER else x, self.template)
        return args, settings

    def __str__(self) -> str:
        args, settings = self.template
        return f"({', '.join([*map(repr, args), *(f'{name}={value!r}' for name, value in settings.items())])})"


def is_input(x: Any) -> bool:
    """Whether an argument is an input of the node; any other argument is a setting."""
    return isinstance(x, Tensor) or backend.is_array(x)


def arrays_of(args: tuple[Any, ...], settings: dict[str, Any]) -> list[Any]:
    """Return the Tensors and arrays among the arguments, also those in lists, tuples and dicts."""
    return [x for x in tree_leaves((args, settings)) if is_input(x)]


def packed(results: tuple[Any, ...]) -> Any:
    """Return the results as a forward returns them: a single floating-point one by itself, others as a tuple."""
    return results[0] if len(results) == 1 and results[0].dtype.kind in "fc" else results


def unpacked(results: Any) -> Any:
    """Return the results as the caller gets them: a tuple only if there are several."""
    return results[0] if type(results) is tuple and len(results) == 1 else results


def as_tuple(grad: Any) -> tuple[Any, ...]:
    """Return the gradients of the results as a tuple."""
    return grad if type(grad) is tuple else (grad,)


def node_class(f: Any, behavior: type, **attributes: Any) -> type[Function]:
    """Make a Function named after `f`, with the forward and derivative of the class `behavior`."""
    name = name_of(f).partition("(")[0].rpartition(".")[2]
    module = getattr(f, "__module__", None) or "numpy"
    return type(name, (behavior, Function), {"__module__": module, "__doc__": f.__doc__, **attributes})


def named_after(f: Callable[..., Any], wrapper: Callable[..., Any], adapter: str) -> Callable[..., Any]:
    """Give the wrapper the name of `f`, but keep its module, so that it doesn't count as a function of torch.

    Its attribute `adapter` says which adapter made it: see Finding.
    """
    wrapper.adapter = adapter  # type: ignore[attr-defined]
    return functools.update_wrapper(wrapper, f, ("__name__", "__qualname__", "__doc__"), ())
