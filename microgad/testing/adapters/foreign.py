"""Calls of functions that know no Tensors, as nodes of the tape: of their arguments, arrays are the inputs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ... import backend
from ...function import Function
from ...pytree import tree_leaves, tree_map
from ...tensor import Tensor
from .names import name_of


class _Gap:
    def __repr__(self) -> str:
        return "·"


_GAP = _Gap()


class Arguments:
    """The arguments of a call, with gaps in place of the arrays: a node must not keep what backward may not need."""

    def __init__(self, args: tuple[Any, ...], settings: dict[str, Any]) -> None:
        self.around = tree_map(lambda x: _GAP if is_array(x) else x, (args, settings))

    def filled(self, arrays: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments again, with other arrays."""
        waiting = iter(arrays)
        args, settings = tree_map(lambda x: next(waiting) if x is _GAP else x, self.around)
        return args, settings

    def __str__(self) -> str:  # how pictures show it
        args, settings = self.around
        return f"({', '.join([*map(repr, args), *(f'{name}={value!r}' for name, value in settings.items())])})"


def is_array(x: Any) -> bool:
    """Whether it is an input of a node: any other argument is a setting."""
    return isinstance(x, Tensor) or backend.is_array(x)


def arrays_of(args: tuple[Any, ...], settings: dict[str, Any]) -> list[Any]:
    """Tensors and arrays among the arguments, also those in lists, tuples and dicts."""
    return [x for x in tree_leaves((args, settings)) if is_array(x)]


def packed(results: tuple[Any, ...]) -> Any:
    """What a forward returns: one result by itself, several as a tuple, as also one that can't have a gradient."""
    return results[0] if len(results) == 1 and results[0].dtype.kind in "fc" else results


def unpacked(results: Any) -> Any:
    """What the caller gets: a tuple only of several."""
    return results[0] if type(results) is tuple and len(results) == 1 else results


def several(grad: Any) -> tuple[Any, ...]:
    """The gradients of all results."""
    return grad if type(grad) is tuple else (grad,)


def node_class(f: Any, behaviour: type, **attributes: Any) -> type[Function]:
    """The Function whose nodes are calls of `f`, by the name of `f`. Its forward and derivative are in `behaviour`."""
    name = name_of(f).partition("(")[0].rpartition(".")[2]
    module = getattr(f, "__module__", None) or "numpy"
    return type(name, (behaviour, Function), {"__module__": module, "__doc__": f.__doc__, **attributes})


def named_after(f: Callable[..., Any], wrapper: Callable[..., Any], form: str) -> Callable[..., Any]:
    """The wrapper under the name of `f`. Its module and attributes stay its own: it is no function of torch.

    Of these is `form`, which says how it came to be: see Finding.
    """
    wrapper.form = form  # type: ignore[attr-defined]
    return functools.update_wrapper(wrapper, f, ("__name__", "__qualname__", "__doc__"), ())
