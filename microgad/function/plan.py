"""Plans: what a node keeps for backward, derived once from the signatures of its Function's methods."""

from __future__ import annotations

import dis  # NumPy has loaded it already
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import DtypeError, UnsupportedError

if TYPE_CHECKING:
    from . import Function

VARARGS = 0x04  # a code object's flag for *inputs
_STORE_ATTR = dis.opmap["STORE_ATTR"]


def parameters(method: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a method's parameters after self; `*inputs` counts as one name."""
    code = method.__code__
    return code.co_varnames[1 : code.co_argcount + bool(code.co_flags & VARARGS)]


def argument(op: Any, i: int) -> str:
    """The name of input i of a Function or of a node: "weight", or "inputs[1]" where the Function is variadic."""
    further = i - len(op.inputs) + op.variadic  # the index within `*inputs`
    name: str = op.inputs[i] if further < 0 else f"{op.inputs[-1]}[{further}]"
    return name


def stored(method: Callable[..., Any]) -> list[str]:
    """The names of the attributes that a method assigns: found in its bytecode."""
    code, names = method.__code__.co_code, method.__code__.co_names
    return [names[code[i + 1]] for i in range(0, len(code), 2) if code[i] == _STORE_ATTR]


def read_signatures(cls: type[Function]) -> None:
    """Set the class attributes that follow from the methods' signatures; raise TypeError for impossible signatures."""
    forward = cls.forward
    cls.inputs = parameters(forward)
    cls.variadic = bool(forward.__code__.co_flags & VARARGS)
    cls.joint = getattr(cls, "backward", None) or (
        getattr(cls, f"grad_{cls.inputs[0]}", None) if cls.variadic else None
    )
    cls.derivatives = tuple(getattr(cls, f"grad_{name}", None) for name in cls.inputs)
    cls.decomposed = getattr(cls, "decomposition", None)
    cls.elementwise = cls.elementwise or (isinstance(cls.numpy, np.ufunc) and cls.numpy.signature is None)
    cls.differentiable = cls.joint is not None or any(cls.derivatives)
    cls.plans = {}
    for name in vars(cls):
        if name.startswith("grad_") and name[5:] not in cls.inputs:
            given = ", ".join(cls.inputs)
            raise DtypeError(f"{cls.__name__}.{name} is no derivative: forward's inputs are {given}")
    methods = [f for f in (*cls.derivatives, cls.joint, cls.decomposed) if f is not None]
    reads = dict.fromkeys(name for f in methods for name in cls.reads(f))
    cls.intermediates = tuple(name for name in reads if name != "out" and name not in cls.inputs)
    for name in stored(forward):
        if name not in cls.intermediates:
            raise DtypeError(
                f"{cls.__name__}: forward sets self.{name}, but no derivative names {name} in its signature, "
                "which is the only way to read it"
            )
    dependent = [name for name in cls.intermediates if name not in cls.constants]
    if dependent and cls.decomposed is None:
        raise DtypeError(
            f"{cls.__name__}: a derivative reads {', '.join(dependent)}, which is neither an input "
            f"({', '.join(cls.inputs)}) nor out. If forward computes it and it is boolean or integer, name it in "
            "`constants`; if it depends on the inputs, write a `decomposition`, or second derivatives would be "
            "silently wrong"
        )


class Plan:
    """What to keep and which derivatives to call, for one set of inputs that want a gradient. Made at first use."""

    __slots__ = ("decomposition", "derivatives", "hidden", "inputs", "intermediates", "joint", "keeps", "out", "whole")
    fills: ClassVar[bool] = True  # whether unused results have gradients of zeros instead of None

    # `kept` has inputs, then the result, then intermediates. What follows says which of them.
    inputs: tuple[int, ...]  # positions of the inputs that are kept
    out: bool  # whether the result is kept
    keeps: bool  # whether anything is kept
    whole: bool  # whether exactly all inputs are kept
    intermediates: tuple[str, ...]  # names of the intermediates that are kept
    hidden: tuple[tuple[str, bool, bool], ...]  # all intermediates: name, whether it is a constant, whether it is kept
    derivatives: tuple[tuple[int, Callable[..., Any], tuple[int, ...]], ...]  # input, grad_<input>, positions in `kept`
    joint: tuple[Callable[..., Any], tuple[int, ...]] | None  # `backward` or `grad_inputs`, instead of `derivatives`
    decomposition: tuple[Callable[..., Any], tuple[int, ...]] | None

    def __init__(self, cls: type[Function], wanted: list[bool]) -> None:
        names = cls.inputs
        single: list[tuple[int, Callable[..., Any]]] = []
        for i, derivative in enumerate(() if cls.joint else cls.derivatives):
            if wanted[i]:
                if derivative is None:
                    raise UnsupportedError(f"{cls.__name__} has no derivative for its input {names[i]}; detach it")
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
        self.intermediates = tuple(name for name in cls.intermediates if name in reads)
        order += ["out"] * self.out + list(self.intermediates)
        self.keeps = bool(order)
        self.whole = len(order) == len(self.inputs) == len(wanted)
        self.hidden = tuple((name, name in cls.constants, name in self.intermediates) for name in cls.intermediates)

        def positions(f: Callable[..., Any]) -> tuple[int, ...]:
            read = cls.reads(f)
            if cls.variadic and names[0] in read:
                read = tuple(order[: len(self.inputs)]) + tuple(name for name in read if name != names[0])
            return tuple(order.index(name) for name in read)

        self.derivatives = tuple((i, f, positions(f)) for i, f in single)
        self.joint = (cls.joint, positions(cls.joint)) if cls.joint else None
        self.decomposition = (cls.decomposed, positions(cls.decomposed)) if cls.decomposed else None

    def hide(self, node: Function) -> None:
        """Move intermediates from the node's attributes into `kept`: derivatives read them by their signature only."""
        values, kept = node.__dict__, node.kept
        for name, constant, read in self.hidden:
            value = values.pop(name)
            if constant and value is not None and value.dtype.kind not in "biu":
                raise DtypeError(
                    f"{type(node).__name__}: {name} is {value.dtype}, but constants are boolean or integer; what "
                    "depends on the inputs' values needs a decomposition"
                )
            if read:
                kept.append(value)
