"""Infer strategies for the settings of an operation, from their types and from names that settings usually have."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st

from ...errors import ArgumentError
from ...function import Function
from ..strategies import numbers
from .input_shapes import groups

Strategy = st.SearchStrategy[Any]

_axes: Strategy = st.sampled_from([-1, 0, 1, -2])
_factors = numbers(0.125, 2)
_sizes = st.integers(1, 3)

TYPED: dict[Any, Strategy] = {
    bool: st.booleans(),
    int: st.integers(0, 3),
    float: _factors,
    types.NoneType: st.none(),
}
NAMED: dict[str, Strategy] = {
    **dict.fromkeys(("axis", "dim"), _axes),
    **dict.fromkeys(("keepdims", "keepdim"), st.booleans()),
    **dict.fromkeys(("alpha", "beta", "gamma", "scale", "slope", "negative_slope", "eps", "p"), _factors),
    **dict.fromkeys(("stride", "dilation", "kernel", "kernel_size"), _sizes),
    "padding": st.integers(0, 2),
    "groups": st.just(1),
    "reduction": st.sampled_from(["mean", "sum", "none"]),
}


def infer_settings(op: Any, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given settings, and strategies for others for which the operation has no default.

    The settings of a Function are those that it annotates or that its forward reads; those of a function on Tensors are
    arguments with a usual name or type. Raises ValueError if neither name nor type says what a setting can be.
    """
    found = dict(given)
    if isinstance(op, type) and issubclass(op, Function):
        for setting, kind in _annotated(op):
            if setting not in found and not hasattr(op, setting):
                found[setting] = _strategy(setting, kind, name)
        while (missing := _missing(op, found)) is not None:
            found[missing] = _strategy(missing, None, name)
    else:
        try:
            arguments = arguments_of(op, name)
        except ArgumentError:
            return found
        for p in arguments[1:]:
            if p.default is p.empty and p.kind is not p.POSITIONAL_ONLY and (drawn := strategy_of(p)) is not None:
                found.setdefault(p.name, drawn)
    return found


def arguments_of(op: Any, name: str) -> list[inspect.Parameter]:
    """Return the parameters of a callable; for an autograd.Function those of its forward, without the context.

    Raises ValueError if it has no signature.
    """
    try:
        if not isinstance(op, type):  # of a module its forward's: its call has *args
            called = getattr(op, "forward", op)
            return list(inspect.signature(called).parameters.values())
        separate = any("setup_context" in vars(cls) for cls in op.__mro__ if not cls.__module__.startswith("torch."))
        return list(inspect.signature(op.forward).parameters.values())[not separate :]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ArgumentError(f"{name} has no signature: give its inputs") from None


def strategy_of(argument: inspect.Parameter) -> Strategy | None:
    """Return the strategy of an argument whose name or type is that of a setting; None for a Tensor."""
    kinds = {kind.__name__: kind for kind in TYPED}
    kind = kinds.get(argument.annotation, argument.annotation)  # an annotation may be a string
    return NAMED.get(argument.name, TYPED.get(kind)) if isinstance(kind, type) else NAMED.get(argument.name)


def _annotated(op: type[Function]) -> Iterator[tuple[str, Any]]:
    """Yield the settings that a Function or its bases annotate, with their types; None for an unknown type."""
    for cls in op.__mro__:
        if cls.__module__ == Function.__module__:  # whose annotations are the node's own attributes
            return
        for setting, kind in inspect.get_annotations(cls).items():
            if not _is_class_variable(kind):
                yield setting, _evaluated(kind, cls)


def _missing(op: type[Function], known: Mapping[str, Any]) -> str | None:
    """Return a setting that forward reads and that isn't in `known`, if any: found by calling forward without it."""
    n = 2 if op.variadic else len(op.inputs)
    for sizes in (sizes for group in groups(n) for family in group.families for sizes in family.examples):
        node = op()
        vars(node).update(dict.fromkeys(known, 1), x_shape=sizes[0] if n else ())
        try:
            with np.errstate(all="ignore"):
                node.forward(*map(np.ones, sizes))
        except AttributeError as error:
            if error.obj is node:
                return error.name
        except Exception:  # it failed for another reason: try other shapes
            continue
    return None


def _is_class_variable(kind: Any) -> bool:
    return "ClassVar" in kind if isinstance(kind, str) else typing.get_origin(kind) is ClassVar


def _evaluated(kind: Any, cls: type) -> Any:
    """Evaluate an annotation if it is a string; None if its names don't exist at run time."""
    if not isinstance(kind, str):
        return kind
    try:
        return eval(kind, vars(inspect.getmodule(cls)) if inspect.getmodule(cls) else {})
    except NameError:
        return None


def _strategy(setting: str, kind: Any, name: str) -> Strategy:
    """Return the strategy of a setting, by its name or else by its type."""
    if setting in NAMED:
        return st.none() | NAMED[setting] if "None" in str(kind) and kind is not None else NAMED[setting]
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if not all(kind in TYPED for kind in kinds):
        hint = "" if kind is None else f": {kind} doesn't say what it can be"
        raise ArgumentError(f"{name}: give settings={{{setting!r}: ...}}{hint}")
    return st.one_of([TYPED[kind] for kind in kinds])
