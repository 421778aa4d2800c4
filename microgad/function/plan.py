"""Plans: what a node keeps for backward, derived once from the signatures of its Function's methods."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..errors import UnsupportedError
from . import rules
from .rules import VARARGS

if TYPE_CHECKING:
    from . import Function

# `needs` of the node whose joint derivative runs. It isn't the node's own: another thread may run it for other inputs.
needed: ContextVar[tuple[bool, ...]] = ContextVar("microgad needs", default=())


def parameters(method: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a method's parameters after self; `*inputs` counts as one name."""
    code = method.__code__
    return code.co_varnames[1 : code.co_argcount + bool(code.co_flags & VARARGS)]


def argument(op: Any, i: int) -> str:
    """The name of input i of a Function or of a node: "weight", or "inputs[1]" where the Function is variadic."""
    further = i - len(op.inputs) + op.variadic  # the index within `*inputs`
    return op.inputs[i] if further < 0 else f"{op.inputs[-1]}[{further}]"


def read_signatures(cls: type[Function]) -> None:
    """Set the class attributes that follow from the methods' signatures; raise TypeError for impossible signatures."""
    rules.check_forward(cls)
    forward = cls.forward
    cls.inputs = parameters(forward)
    cls.variadic = bool(forward.__code__.co_flags & VARARGS)
    of_all = getattr(cls, f"grad_{cls.inputs[0]}", None) if cls.variadic and len(cls.inputs) == 1 else None
    cls.joint = getattr(cls, "backward", None) or of_all
    cls.derivatives = tuple(getattr(cls, f"grad_{name}", None) for name in cls.inputs)
    cls.decomposed = getattr(cls, "decomposition", None)
    cls.elementwise = cls.elementwise or (isinstance(cls.numpy, np.ufunc) and cls.numpy.signature is None)
    cls.differentiable = cls.joint is not None or any(cls.derivatives)
    cls.plans = {}
    methods = [f for f in (*cls.derivatives, cls.joint, cls.decomposed) if f is not None]
    reads = dict.fromkeys(name for f in methods for name in cls.reads(f))
    cls.intermediates = tuple(name for name in reads if name != "out" and name not in cls.inputs)
    rules.check_derivatives(cls)


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
                    raise UnsupportedError(rules.no_derivative(cls, names[i]))
                single.append((i, derivative))
        methods = [f for _, f in single] + [f for f in (cls.joint, cls.decomposed) if f]
        reads = {name for f in methods for name in cls.reads(f)}
        labels = [argument(cls, i) for i in range(len(wanted))]  # "weight", or "inputs[1]" of `*inputs`
        self.inputs = tuple(i for i, label in enumerate(labels) if label.partition("[")[0] in reads)
        order = [labels[i] for i in self.inputs]
        self.out = "out" in reads
        self.intermediates = tuple(name for name in cls.intermediates if name in reads)
        order += ["out"] * self.out + list(self.intermediates)
        self.keeps = bool(order)
        self.whole = len(order) == len(self.inputs) == len(wanted)
        self.hidden = tuple((name, name in cls.constants, name in self.intermediates) for name in cls.intermediates)

        def positions(f: Callable[..., Any]) -> tuple[int, ...]:
            return tuple(i for name in cls.reads(f) for i, kept in enumerate(order) if kept.partition("[")[0] == name)

        self.derivatives = tuple((i, f, positions(f)) for i, f in single)
        self.joint = (cls.joint, positions(cls.joint)) if cls.joint else None
        self.decomposition = (cls.decomposed, positions(cls.decomposed)) if cls.decomposed else None

    def hide(self, node: Function) -> None:
        """Move intermediates from the node's attributes into `kept`: derivatives read them by their signature only."""
        values, kept = node.__dict__, node.kept
        for name, constant, read in self.hidden:
            try:
                value = values.pop(name)
                wrong = constant and value is not None and value.dtype.kind not in "biu"
            except (KeyError, AttributeError):
                raise rules.never_set(type(node), name) from None
            if wrong:
                raise rules.not_constant(type(node), name, value.dtype)
            if read:
                kept.append(value)


class Packed(list[Any]):
    """An empty list in the place of `kept`, for values that hooks have packed: `unpack` brings them back.

    A list `values` has what is there of them: in packed form, numbers as they are, or None.
    """

    def unpack(self) -> list[Any]:
        """The list of kept values."""
        raise NotImplementedError
