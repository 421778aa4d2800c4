"""Derivatives of functions of Tensors: products with Jacobians and Hessians, and the matrices themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import errors, state
from ..batching.mapping import in_turn
from ..gradients import grad
from ..lazy import define_getattr as _define_getattr
from ..ops.creation import ones_like, zeros, zeros_like
from ..ops.movement import cat, clone, movedim
from ..state.contexts import holding
from ..tensor import Tensor
from .custom import pushing


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """`func(*inputs)` and the product of `v` with its Jacobian, vᵀ J: for each input in its shape.

    `v` is like the outputs; a scalar output needs none. Source: torch.autograd.functional.vjp.

    >>> x = torch.tensor([1.0, 2.0])
    >>> torch.autograd.functional.vjp(lambda x: x * x, x, torch.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    call = _Call("vjp", func, inputs, create_graph, strict)
    grads = call.pulled(call.outputs, call.like_outputs(v), create_graph)
    return call.given_outputs(), call.like_inputs(grads)


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """`func(*inputs)` and the product of its Jacobian with `v`, J v: the derivative along `v`.

    By a backward pass through the backward pass. Source: torch.autograd.functional.jvp.

    >>> x = torch.tensor([1.0, 2.0])
    >>> torch.autograd.functional.jvp(lambda x: x * x, x, torch.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    call = _Call("jvp", func, inputs, create_graph, strict)
    return call.given_outputs(), call.as_outputs(call.pushed(call.outputs, call.tangents(v)))


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """`func(*inputs)`, a scalar, and the product of `v` with its Hessian, vᵀ H. Source: torch.autograd.functional.vhp.

    >>> x = torch.tensor([1.0, 2.0])
    >>> torch.autograd.functional.vhp(lambda x: (x**3).sum(), x, torch.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    call = _Call("vhp", func, inputs, create_graph, strict, scalar=True)
    first = call.pulled(call.outputs, (None,), True)
    grads = call.pulled(first, call.tangents(v), create_graph)
    return call.given_outputs(), call.like_inputs(grads)


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """`func(*inputs)`, a scalar, and the product of its Hessian with `v`, H v. Source: torch.autograd.functional.hvp.

    >>> x = torch.tensor([1.0, 2.0])
    >>> torch.autograd.functional.hvp(lambda x: (x**3).sum(), x, torch.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    call = _Call("hvp", func, inputs, create_graph, strict, scalar=True)
    first = call.pulled(call.outputs, (None,), True)
    return call.given_outputs(), call.like_inputs(call.pushed(first, call.tangents(v)))


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of `func`: for each output and each input a Tensor of shape (*output, *input).

    A backward pass for each element of the outputs, or, with strategy "forward-mode", a derivative along each element
    of the inputs; all at once with `vectorize`. One output, or one input, stands for itself, several for tuples.
    Raises RuntimeError for `strict` beside `vectorize`. Source: torch.autograd.functional.jacobian.

    >>> torch.autograd.functional.jacobian(lambda x: x * x, torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise errors.ArgumentError(f"jacobian: strategy must be 'reverse-mode' or 'forward-mode', got '{strategy}'")
    if strict and vectorize:
        raise errors.ArgumentError("jacobian: strict=True and vectorize=True don't go together")
    call, chunk = _Call("jacobian", func, inputs, create_graph, strict), None if vectorize else 1
    if strategy == "forward-mode":
        rows = by_columns(call.outputs, call.inputs, create_graph, chunk)
    elif any(y.is_complex() for y in call.outputs):
        raise errors.GraphError("jacobian: expected real outputs, but one is complex: see torch.view_as_real")
    else:
        rows = by_rows(call.outputs, call.inputs, lambda ys, seeds: call.pulled(ys, seeds, create_graph), chunk)
    return call.as_outputs([call.like_inputs(row) for row in rows])


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of `func`, whose result is a scalar: for each two inputs a Tensor of shape (*one, *other).

    Source: torch.autograd.functional.hessian.

    >>> torch.autograd.functional.hessian(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    single = isinstance(inputs, Tensor)

    def gradient(*inputs: Any) -> Any:
        call = _Call("hessian", func, inputs, True, strict, scalar=True, fresh=False)
        grads = call.pulled(call.outputs, (None,), True)
        return grads[0] if single else tuple(grads)

    return jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)


Place = Any  # a Tensor, or where in the graph one was, as `grad` takes both


class Pushing:
    """Derivatives of outputs along tangents of inputs, each in one backward pass.

    Gradients are linear in what comes in, so their derivative by it, in the direction of the tangents, is J v. Custom
    Functions that have a jvp give it by that, if `by_jvp`.
    """

    def __init__(self, outputs: Sequence[Tensor], inputs: Sequence[Place], by_jvp: bool = True) -> None:
        self.outputs = outputs
        self.recorded = [y for y in outputs if y.node is not None]
        with state.scope(grad_enabled=True):
            self.seeds = [zeros_like(y).requires_grad_() for y in self.recorded]
        with holding(pushing, by_jvp):
            self.grads = pulled(self.recorded, inputs, self.seeds, True)

    def along(self, tangents: Sequence[Tensor], create_graph: bool) -> list[Tensor | None]:
        """One for each output, None where there is none."""
        pairs = [(g, v) for g, v in zip(self.grads, tangents, strict=True) if g is not None]
        found = pulled([g for g, _ in pairs], self.seeds, [v for _, v in pairs], create_graph)
        by_output = {id(y): t for y, t in zip(self.recorded, found, strict=True)}
        return [by_output.get(id(y)) for y in self.outputs]


def along(
    outputs: Sequence[Tensor], inputs: Sequence[Place], tangents: Sequence[Tensor], create_graph: bool
) -> list[Tensor]:
    """The derivatives of outputs along tangents of inputs."""
    return or_zeros(Pushing(outputs, inputs).along(tangents, create_graph), outputs)


def pulled(
    outputs: Sequence[Tensor], inputs: Sequence[Place], seeds: Sequence[Any], create_graph: bool,
    retain_graph: bool = True,
) -> Sequence[Tensor | None]:  # fmt: skip
    """The gradients of inputs, None where there is none."""
    pairs = [(y, s) for y, s in zip(outputs, seeds, strict=True) if y.node is not None]
    if not pairs:
        return (None,) * len(inputs)
    ys, given = zip(*pairs, strict=True)
    with state.scope(grad_enabled=True):
        return grad(ys, inputs, given, retain_graph, create_graph, allow_unused=True)


def or_zeros(found: Sequence[Tensor | None], likes: Sequence[Tensor]) -> list[Tensor]:
    """Derivatives, zeros like others where there are none."""
    return [zeros_like(x).detach() if g is None else g for g, x in zip(found, likes, strict=True)]


def captures(outputs: Sequence[Tensor], own: Sequence[Place]) -> bool:
    """Whether outputs depend on more that wants a gradient than a function's own inputs: on what it closes over.

    What came into being since isn't that: arguments of a transform inside, which is over. Whatever node is older than
    the inputs leads to a leaf that is.
    """
    seen = {x.node.number for x in own}
    start = min(seen, default=math.inf)
    stack = [y.node for y in outputs]
    while stack:
        node = stack.pop()
        if node is not None and node.number not in seen:
            if node.number < start:
                return True
            seen.add(node.number)
            stack.extend(node.edges)
    return False


def by_rows(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], pull: Callable[..., Sequence[Tensor]], chunk: int | None = None
) -> list[list[Tensor]]:
    """For each output its derivatives by each input, as (*output, *input): a backward pass an element of it.

    `chunk` of them at once; all without one.
    """

    def rows_of(y: Tensor) -> list[Tensor]:
        rows = _of_units(lambda unit: pull([y], (unit,)), y, chunk) or (None,) * len(inputs)
        return [_shaped(row, y, x) for row, x in zip(rows, inputs, strict=True)]

    return [rows_of(y) for y in outputs]


def by_columns(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], create_graph: bool, chunk: int | None = None
) -> list[list[Tensor]]:
    """The same, a derivative along each element of each input."""
    pushing = Pushing(outputs, inputs)

    def columns_of(x: Tensor) -> list[Tensor]:
        def along_unit(unit: Tensor) -> list[Tensor]:
            tangents = [unit if other is x else zeros_like(other).detach() for other in inputs]
            return or_zeros(pushing.along(tangents, create_graph), outputs)

        columns = _of_units(along_unit, x, chunk) or (None,) * len(outputs)
        return [_shaped(c if c is None else movedim(c, 0, -1), y, x) for c, y in zip(columns, outputs, strict=True)]

    return [list(row) for row in zip(*map(columns_of, inputs), strict=True)]


def _of_units(func: Callable[[Tensor], Sequence[Tensor]], x: Tensor, chunk: int | None) -> Sequence[Tensor | None]:
    """What func gives of 1 at one element and 0 at the others, for each element of x, stacked; [] where it has none."""
    count = x.numel()
    size = chunk or count or 1
    found = []
    for first in range(0, count, size):
        units = zeros(min(size, count - first), count, dtype=x.dtype, device=x.device)
        units.array.reshape(-1)[first :: count + 1] = 1
        found.append(in_turn(lambda given: func(given[0]), [units.reshape(-1, *x.shape)]))
    with state.scope(grad_enabled=True):
        return [parts[0] if len(parts) == 1 else cat(parts) for parts in zip(*found, strict=True)]


def _shaped(found: Tensor | None, y: Tensor, x: Tensor) -> Tensor:
    """Derivatives of all elements, as (*output, *input)."""
    shape = (*y.shape, *x.shape)
    with state.scope(grad_enabled=True):
        return zeros(shape, dtype=x.dtype, device=x.device) if found is None else found.reshape(shape)


class _Call:
    """A function called with inputs of its own, and what its results are compared with."""

    def __init__(
        self,
        name: str,
        func: Callable[..., Any],
        inputs: Any,
        create_graph: bool,
        strict: bool,
        scalar: bool = False,
        fresh: bool = True,
    ) -> None:
        self.name, self.strict, self.create_graph = name, strict, create_graph
        self.single = isinstance(inputs, Tensor)
        if not isinstance(inputs, (Tensor, tuple)):
            raise errors.DtypeError(f"{name}: inputs must be a Tensor or a tuple of them, got {type(inputs).__name__}")
        given = (inputs,) if self.single else inputs
        for i, x in enumerate(given):
            if not isinstance(x, Tensor):
                raise errors.DtypeError(f"{name}: inputs must be Tensors, but inputs[{i}] is {type(x).__name__}")
        with state.scope(grad_enabled=True):
            self.inputs = [own(x, create_graph) for x in given] if fresh else list(given)
            outputs = func(*self.inputs)
        self.several = not isinstance(outputs, Tensor)
        if self.several and not isinstance(outputs, (tuple, list)):
            raise errors.DtypeError(f"{name}: outputs must be Tensors, but they are {type(outputs).__name__}")
        self.outputs: list[Tensor] = list(outputs) if self.several else [outputs]
        for i, y in enumerate(self.outputs):
            if not isinstance(y, Tensor):
                raise errors.DtypeError(f"{name}: outputs must be Tensors, but outputs[{i}] is {type(y).__name__}")
            if strict and y.node is None:
                raise self.refused(i)
        if scalar and (self.several or self.outputs[0].numel() != 1):
            raise errors.ShapeError(f"{name}: the function must give a Tensor with a single element")

    def refused(self, i: int) -> Exception:
        """The error of an output that no input has a part in, where that isn't allowed."""
        return errors.GraphError(
            f"{self.name}: output {i} is independent of the inputs, which strict=True doesn't allow"
        )

    def pulled(self, outputs: Sequence[Tensor], seeds: Sequence[Tensor | None], create_graph: bool) -> list[Tensor]:
        """The gradients of the inputs, zeros where there are none."""
        found = pulled(outputs, self.inputs, seeds, create_graph)
        for i, g in enumerate(found):
            if self.strict and (g is None or (create_graph and g.node is None)):
                raise errors.GraphError(
                    f"{self.name}: the output, or its derivative, is independent of input {i}, which strict=True "
                    "doesn't allow"
                )
        return or_zeros(found, self.inputs)

    def pushed(self, outputs: Sequence[Tensor], tangents: Sequence[Tensor]) -> list[Tensor]:
        """The derivatives of outputs along tangents of the inputs, zeros where there are none."""
        twice = Pushing(outputs, self.inputs, by_jvp=False)
        found = twice.along(tangents, self.create_graph)
        if self.strict:
            for i, t in enumerate(found):
                if t is None or (self.create_graph and t.node is None):
                    raise self.refused(i)
            if any(g is None for g in twice.grads):
                raise self.refused(0)
        return or_zeros(found, outputs)

    def like_outputs(self, v: Any) -> list[Tensor]:
        """The vector given for the outputs; ones for a scalar."""
        return self._vector(v, self.outputs, "outputs")

    def tangents(self, v: Any) -> list[Tensor]:
        """The vector given for the inputs; ones for a scalar."""
        return self._vector(v, self.inputs, "inputs")

    def _vector(self, v: Any, likes: Sequence[Tensor], whose: str) -> list[Tensor]:
        if v is None:
            if len(likes) != 1 or likes[0].numel() != 1:
                raise errors.ArgumentError(f"{self.name}: v can be None only where the {whose} are a single element")
            return [ones_like(likes[0]).detach()]
        found = list(v) if isinstance(v, (tuple, list)) else [v]
        for x in found:
            if not isinstance(x, Tensor):
                raise errors.DtypeError(f"{self.name}: v must be a Tensor or a tuple of them, not {type(x).__name__}")
        shapes = [tuple(x.shape) for x in found], [tuple(x.shape) for x in likes]
        if shapes[0] != shapes[1]:
            raise errors.ShapeError(
                f"{self.name}: v must be like the {whose}: their shapes are {shapes[0]} and {shapes[1]}"
            )
        return found

    def given_outputs(self) -> Any:
        """What the function gave, on a graph only where one is to be made."""
        return self.as_outputs([y if self.create_graph else y.detach() for y in self.outputs])

    def as_outputs(self, found: Sequence[Any]) -> Any:
        """One thing for each output, in the form in which the function gave these."""
        return tuple(found) if self.several else found[0]

    def like_inputs(self, found: Sequence[Any]) -> Any:
        """One thing for each input, in the form in which they came."""
        return found[0] if self.single else tuple(found)


def own(x: Tensor, create_graph: bool = True) -> Tensor:
    """An input of a call's own: on the graph of the one that came, where derivatives are to have derivatives."""
    return clone(x) if create_graph and x.node is not None else clone(x.detach()).requires_grad_()


_define_getattr(globals())
