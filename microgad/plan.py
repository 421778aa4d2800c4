"""What a Function keeps for backward: read off its methods' signatures, once."""

from __future__ import annotations

import dis  # NumPy has loaded it already
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .errors import GraphError

if TYPE_CHECKING:
    from .function import Function

VARARGS = 0x04  # a code object's flag for *inputs
_STORE_ATTR = dis.opmap["STORE_ATTR"]


def parameters(method: Callable[..., Any]) -> tuple[str, ...]:
    """Names of a method's parameters after self; of `*inputs`, that name alone."""
    code = method.__code__
    return code.co_varnames[1 : code.co_argcount + bool(code.co_flags & VARARGS)]


def stored(method: Callable[..., Any]) -> list[str]:
    """Names of the attributes that a method assigns."""
    code, names = method.__code__.co_code, method.__code__.co_names
    return [names[code[i + 1]] for i in range(0, len(code), 2) if code[i] == _STORE_ATTR]


class Plan:
    """What a Function does for one set of inputs that want a gradient: worked out once, at its first call."""

    __slots__ = ("computed", "decomposition", "derivatives", "hides", "inputs", "joint", "keeps", "out", "whole")

    inputs: tuple[int, ...]  # positions of the inputs that are kept
    out: bool  # whether the result is kept
    keeps: bool  # whether anything is
    whole: bool  # whether that is just every input
    hides: bool  # whether forward computes intermediates
    computed: tuple[str, ...]  # intermediates that are kept, after those two
    derivatives: tuple[tuple[int, Callable[..., Any], tuple[int, ...]], ...]  # input, grad_<input>, positions in `kept`
    joint: tuple[Callable[..., Any], tuple[int, ...]] | None  # `backward` or `grad_inputs` in their place
    decomposition: tuple[Callable[..., Any], tuple[int, ...]] | None

    def __init__(self, cls: type[Function], wanted: list[bool]) -> None:
        names = cls.inputs
        single: list[tuple[int, Callable[..., Any]]] = []
        for i, derivative in enumerate(() if cls.joint else cls.derivatives):
            if wanted[i]:
                if derivative is None:
                    raise GraphError(f"{cls.__name__} has no derivative for its input {names[i]}; detach it")
                single.append((i, derivative))
        methods = [f for _, f in single] + [f for f in (cls.joint, cls.decomposed) if f]
        reads = {name for f in methods for name in cls.reads(f)}
        if cls.variadic:
            self.inputs = tuple(range(len(wanted))) if names[0] in reads else ()
            order = [f"{names[0]}[{i}]" for i in self.inputs]
        else:
            self.inputs = tuple(i for i, name in enumerate(names) if name in reads)
            order = [names[i] for i in self.inputs]
        self.out = "out" in reads
        self.computed = tuple(name for name in cls.computed if name in reads)
        order += ["out"] * self.out + list(self.computed)
        self.keeps = bool(order)
        self.whole = len(order) == len(self.inputs) == len(wanted)
        self.hides = bool(cls.computed)

        def positions(f: Callable[..., Any]) -> tuple[int, ...]:
            read = cls.reads(f)
            if cls.variadic and names[0] in read:
                read = tuple(order[: len(self.inputs)]) + tuple(name for name in read if name != names[0])
            return tuple(order.index(name) for name in read)

        self.derivatives = tuple((i, f, positions(f)) for i, f in single)
        self.joint = (cls.joint, positions(cls.joint)) if cls.joint else None
        self.decomposition = (cls.decomposed, positions(cls.decomposed)) if cls.decomposed else None
