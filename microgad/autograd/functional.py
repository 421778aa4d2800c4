"""torch.autograd.functional: Jacobians and Hessians of functions of Tensors, and products with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any
from weakref import WeakSet

from .. import errors, state
from ..batching.vmap import map_slices
from ..engine import Identity
from ..engine.transforms import computing_jvp
from ..function import Function
from ..gradients import grad
from ..lazy import define_getattr as _define_getattr
from ..ops.creation import ones_like, zeros, zeros_like
from ..ops.movement import cat, movedim, view_as
from ..state.contexts import binding
from ..tensor import Tensor
from .forward_mode import gradient_edges
from .grad_mode import enable_grad, in_forward_mode

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def vjp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return `func(*inputs)` and the vector-Jacobian product vᵀ J, one Tensor of each input's shape.

    `v` has the structure and shapes of the outputs; a scalar output needs none. Raises RuntimeError for other objects
    than Tensors, and without `v` unless the function is scalar. Source: torch.autograd.functional.vjp.

    >>> x = torch.tensor([1.0, 2.0])
    >>> torch.autograd.functional.vjp(lambda x: x * x, x, torch.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    call = _Call("vjp", func, inputs, create_graph, strict)
    grads = call.vjp(call.outputs, call.cotangents(v), create_graph)
    return call.returned_outputs(), call.like_inputs(grads)


def jvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return `func(*inputs)` and the Jacobian-vector product J v, the derivative along `v`.

    It takes a backward pass through the backward pass. Raises RuntimeError for other objects than Tensors, and without
    `v` unless there is one number. Source: torch.autograd.functional.jvp.

    >>> x = torch.tensor([1.0, 2.0])
    >>> torch.autograd.functional.jvp(lambda x: x * x, x, torch.tensor([1.0, 10.0]))
    (tensor([1., 4.]), tensor([ 2., 40.]))
    """
    call = _Call("jvp", func, inputs, create_graph, strict)
    return call.returned_outputs(), call.like_outputs(call.jvp(call.outputs, call.tangents(v)))


def vhp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return `func(*inputs)`, a scalar, and the vector-Hessian product vᵀ H.

    Raises RuntimeError unless the function is scalar. Source: torch.autograd.functional.vhp.

    >>> x = torch.tensor([1.0, 2.0])
    >>> torch.autograd.functional.vhp(lambda x: (x**3).sum(), x, torch.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    call = _Call("vhp", func, inputs, create_graph, strict, scalar=True)
    first = call.vjp(call.outputs, (None,), True)
    grads = call.vjp(first, call.tangents(v), create_graph)
    return call.returned_outputs(), call.like_inputs(grads)


def hvp(func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """Return `func(*inputs)`, a scalar, and the Hessian-vector product H v.

    Raises RuntimeError unless the function is scalar and `v` has the inputs' shapes.
    Source: torch.autograd.functional.hvp.

    >>> x = torch.tensor([1.0, 2.0])
    >>> torch.autograd.functional.hvp(lambda x: (x**3).sum(), x, torch.tensor([1.0, 10.0]))
    (tensor(9.), tensor([  6., 120.]))
    """
    call = _Call("hvp", func, inputs, create_graph, strict, scalar=True)
    first = call.vjp(call.outputs, (None,), True)
    return call.returned_outputs(), call.like_inputs(call.jvp(first, call.tangents(v)))


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian of `func`: for each output and each input a Tensor of shape (*output, *input).

    It takes a backward pass for each element of the outputs or, with strategy "forward-mode", a derivative along each
    element of the inputs; `vectorize` runs all of them at once. The result is a tuple over several outputs, of tuples
    over several inputs; a single output or input adds no tuple. Raises RuntimeError for `strict` with `vectorize`,
    AssertionError for another strategy.
    Source: torch.autograd.functional.jacobian.

    >>> torch.autograd.functional.jacobian(lambda x: x * x, torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("reverse-mode", "forward-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more outputs '
            'than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use "reverse-mode".'
        )
    if strict and vectorize:
        raise errors.ArgumentError(
            "jacobian: `strict=True` and `vectorized=True` are not supported together. Please either set "
            "`strict=False` or `vectorize=False`."
        )
    call, chunk = _Call("jacobian", func, inputs, create_graph, strict), None if vectorize else 1
    if strategy == "forward-mode":
        rows = jacobian_by_columns(call.outputs, call.inputs, create_graph, chunk)
    elif any(y.is_complex() for y in call.outputs):
        raise errors.GraphError("jacobian: expected real outputs, but one is complex: see torch.view_as_real")
    else:
        rows = jacobian_by_rows(call.outputs, call.inputs, lambda ys, seeds: call.vjp(ys, seeds, create_graph), chunk)
    return call.like_outputs([call.like_inputs(row) for row in rows])


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the Hessian of a scalar function: for each pair of inputs a Tensor of shape (*one, *other).

    Raises RuntimeError unless the function is scalar. Source: torch.autograd.functional.hessian.

    >>> torch.autograd.functional.hessian(lambda x: (x**3).sum(), torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    _, several = _as_list(inputs, "inputs", "hessian")

    def gradient(*inputs: Any) -> Any:
        call = _Call("hessian", func, inputs, True, strict, scalar=True)
        grads = call.vjp(call.outputs, (None,), True)
        return tuple(grads) if several else grads[0]

    return jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)


Place = Any  # a Tensor, or a GradientEdge: what `grad` takes as an input


class DoubleBackward:
    """Computes directional derivatives J v by the double-backward trick; each direction takes one backward pass.

    The gradients uᵀ J of the outputs are linear in the cotangents u, so the derivative of (uᵀ J) v with respect to u is
    J v. With `by_jvp`, a custom Function that has a static jvp is differentiated by it.
    """

    def __init__(self, outputs: Sequence[Tensor], inputs: Sequence[Place], by_jvp: bool = True) -> None:
        self.outputs = outputs
        self.recorded = [y for y in outputs if y.node is not None]
        with state.scope(grad_enabled=True):
            self.seeds = [ones_like(y).requires_grad_() for y in self.recorded]
        with binding(computing_jvp, by_jvp):
            self.grads = vjp_of(self.recorded, inputs, self.seeds, True)

    def jvp(self, tangents: Sequence[Tensor], create_graph: bool) -> list[Tensor | None]:
        """Return the derivative of each output along the tangents, None where there is none."""
        pairs = [(g, v) for g, v in zip(self.grads, tangents, strict=True) if g is not None]
        found = vjp_of([g for g, _ in pairs], self.seeds, [v for _, v in pairs], create_graph)
        by_output = {id(y): t for y, t in zip(self.recorded, found, strict=True)}
        return [by_output.get(id(y)) for y in self.outputs]


def jvp_of(
    outputs: Sequence[Tensor], inputs: Sequence[Place], tangents: Sequence[Tensor], create_graph: bool
) -> list[Tensor]:
    """Return the derivatives of outputs along tangents of inputs, zeros where there are none."""
    return zeros_for_none(DoubleBackward(outputs, inputs).jvp(tangents, create_graph), outputs)


def vjp_of(
    outputs: Sequence[Tensor], inputs: Sequence[Place], seeds: Sequence[Any], create_graph: bool,
    retain_graph: bool = True,
) -> Sequence[Tensor | None]:  # fmt: skip
    """Return the gradients of inputs, given the cotangents `seeds` of outputs; None where there is none."""
    pairs = [(y, s) for y, s in zip(outputs, seeds, strict=True) if y.node is not None]
    if not pairs or not inputs:
        return (None,) * len(inputs)
    ys, given = zip(*pairs, strict=True)
    with state.scope(grad_enabled=True):
        return grad(ys, inputs, given, retain_graph, create_graph, allow_unused=True)


def zeros_for_none(found: Sequence[Tensor | None], likes: Sequence[Tensor]) -> list[Tensor]:
    """Replace each None by zeros like the Tensor at its position in `likes`."""
    return [zeros_like(x).detach() if g is None else g for g, x in zip(found, likes, strict=True)]


# The leaves by which `vjp` and `linearize` differentiate while the functions that these have returned are alive.
ended: WeakSet[Function] = WeakSet()


def depends_on_others(outputs: Sequence[Tensor], own: Sequence[Place]) -> Iterator[bool]:
    """Yield whether each output depends on Tensors that require grad other than a function's own inputs.

    These are Tensors that it closes over, or that the inputs were copied from. A node older than the inputs leads to
    one, or to the arguments of a transform that has ended; younger leaves are arguments of inner transforms. What was
    computed under `no_grad` counts only where outer tangents are computed.
    """
    edges_of = attrgetter("edges") if in_forward_mode() else gradient_edges
    known: dict[float, bool] = {}
    start = min((x.node.number for x in own), default=math.inf)
    for y in outputs:
        path: list[float] = []  # from the output to the node that is visited
        stack: list[tuple[Function | None, bool]] = [(y.node, False)]
        while stack:
            node, left = stack.pop()
            if left:
                path.pop()
            elif node is not None and known.get(node.number, True):
                if node.number in known or (node.number < start and (not ended or not (node.edges or node in ended))):
                    known.update(dict.fromkeys(path, True))
                    yield True
                    break
                known[node.number] = False
                path.append(node.number)
                stack.append((node, True))
                stack += [(edge, False) for edge in edges_of(node)]
        else:
            yield False


def jacobian_by_rows(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], pull: Callable[..., Sequence[Tensor]], chunk: int | None
) -> list[list[Tensor]]:
    """Return a list for each output of its derivatives by each input, (*output, *input), in reverse mode.

    `pull` computes the gradients of one output. There is a backward pass for each of its elements; `chunk` of them, or
    all, run at once.
    """

    def rows_of(y: Tensor) -> list[Tensor]:
        rows = _map_units(lambda unit: pull([y], (unit,)), y, chunk) or (None,) * len(inputs)
        return [_reshape(row, y, x) for row, x in zip(rows, inputs, strict=True)]

    return [rows_of(y) for y in outputs]


def jacobian_by_columns(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], create_graph: bool, chunk: int | None = None
) -> list[list[Tensor]]:
    """Return the same as `jacobian_by_rows`, in forward mode: a derivative along each element of each input."""
    double_backward = DoubleBackward(outputs, inputs)

    def columns_of(x: Tensor) -> list[Tensor]:
        def along_unit(unit: Tensor) -> list[Tensor]:
            tangents = [unit if other is x else zeros_like(other).detach() for other in inputs]
            return zeros_for_none(double_backward.jvp(tangents, create_graph), outputs)

        columns = _map_units(along_unit, x, chunk) or (None,) * len(outputs)
        return [_reshape(c if c is None else movedim(c, 0, -1), y, x) for c, y in zip(columns, outputs, strict=True)]

    return [list(row) for row in zip(*map(columns_of, inputs), strict=True)]


def _map_units(func: Callable[[Tensor], Sequence[Tensor]], x: Tensor, chunk: int | None) -> Sequence[Tensor | None]:
    """Stack the results of `func` for all unit vectors of x's shape, `chunk` at once; [] if x has no elements."""
    count = x.numel()
    size = chunk or count or 1
    found = []
    for first in range(0, count, size):
        units = zeros(min(size, count - first), count, dtype=x.dtype, device=x.device)
        units.array.reshape(-1)[first :: count + 1] = 1
        found.append(map_slices(lambda given: func(given[0]), [units.reshape(-1, *x.shape)]))
    with state.scope(grad_enabled=True):
        return [parts[0] if len(parts) == 1 else cat(parts) for parts in zip(*found, strict=True)]


def _reshape(found: Tensor | None, y: Tensor, x: Tensor) -> Tensor:
    """Reshape the derivatives of all elements of y by those of x to (*y, *x); None becomes zeros."""
    shape = (*y.shape, *x.shape)
    with state.scope(grad_enabled=True):
        return zeros(shape, dtype=x.dtype, device=x.device) if found is None else found.reshape(shape)


class _Call:
    """One call of a function with Tensors on the memory of its inputs; checks inputs, outputs and vectors.

    Gradients then flow to this call's inputs alone.
    """

    def __init__(
        self, name: str, func: Callable[..., Any], inputs: Any, create_graph: bool, strict: bool, scalar: bool = False
    ) -> None:
        self.name, self.strict, self.create_graph, self.scalar = name, strict, create_graph, scalar
        given, self.several_inputs = _as_list(inputs, "inputs", name)
        with enable_grad():
            self.inputs = [_entering(x, create_graph and x.requires_grad) for x in given]
            outputs = func(*self.inputs)
        self.outputs, self.several = _as_list(outputs, "outputs of the user-provided function", name)
        for i, y in enumerate(self.outputs):
            if strict and y.node is None:
                raise self.independent_error(i)
        if scalar and self.several:
            raise errors.ShapeError(f"The function given to {name} should return a single Tensor")
        if scalar and self.outputs[0].numel() != 1:
            raise errors.ShapeError(
                f"The Tensor returned by the function given to {name} should contain a single element"
            )

    def independent_error(self, i: int) -> Exception:
        """Return the error to raise with strict=True where an output doesn't depend on the inputs."""
        return errors.GraphError(
            f"{self.name}: Output {i} of the user-provided function does not require gradients. The outputs must be "
            "computed in a differentiable manner from the input when running in strict mode."
        )

    def independent_of_input_error(self, i: int, what: str) -> Exception:
        """Return the error to raise with strict=True where the function's output or Jacobian has no input in it."""
        if self.name == "hessian" or (self.scalar and what == "The jacobian"):
            return errors.GraphError(
                f"{self.name}: While computing the hessian, found that the jacobian of the user-provided function with "
                f"respect to input {i} is independent of the input. This is not allowed in strict mode. You should "
                "ensure that your function is twice differentiable and that the jacobian depends on the inputs (this "
                "would be violated by a linear function for example)."
            )
        return errors.GraphError(
            f"{self.name}: {what} of the user-provided function is independent of input {i}. This is not allowed in "
            "strict mode."
        )

    def vjp(self, outputs: Sequence[Tensor], seeds: Sequence[Tensor | None], create_graph: bool) -> list[Tensor]:
        """Return the gradients of the inputs, zeros where there are none."""
        found = vjp_of(outputs, self.inputs, seeds, create_graph)
        for i, g in enumerate(found):
            if self.strict and (g is None or (create_graph and g.node is None)):
                own = next((f"Output {k}" for k, y in enumerate(self.outputs) if y is outputs[0]), "The output")
                output = own if self.name == "jacobian" else "The output"
                raise self.independent_of_input_error(i, output if g is None else "The jacobian")
        return zeros_for_none(found, self.inputs)

    def jvp(self, outputs: Sequence[Tensor], tangents: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the derivatives of outputs along tangents of the inputs, zeros where there are none."""
        double_backward = DoubleBackward(outputs, self.inputs, by_jvp=False)
        found = double_backward.jvp(tangents, self.create_graph)
        if self.strict:
            for i, g in enumerate(double_backward.grads):
                if g is None:
                    raise self.independent_of_input_error(i, "The output")
            for i, t in enumerate(found):
                if t is None or (self.create_graph and t.node is None):
                    raise self.independent_error(i)
        return self.off_graph(zeros_for_none(found, outputs))

    def cotangents(self, v: Any) -> list[Tensor]:
        """Return the vector `v` for the outputs, as a list; by default 1 for a scalar."""
        return self._vector(v, self.outputs, self.several, "user-provided function returns")

    def tangents(self, v: Any) -> list[Tensor]:
        """Return the vector `v` for the inputs, as a list; by default 1 for a scalar."""
        return self._vector(v, self.inputs, self.several_inputs, "input to the user-provided function is")

    def _vector(self, v: Any, likes: Sequence[Tensor], several: bool, whose: str) -> list[Tensor]:
        if v is None:
            if len(likes) != 1 or likes[0].numel() != 1:
                raise errors.ArgumentError(
                    f"{self.name}: The vector v can only be None if the {whose} a single Tensor with a single element."
                )
            return [ones_like(likes[0]).detach()]
        found, _ = _as_list(v, "v", self.name)
        if len(found) != len(likes):
            should = f"v is a tuple of invalid length: should be {len(likes)} but got {len(found)}."
            raise errors.ShapeError(
                f"{self.name}: {should if several else 'The given v should contain a single Tensor.'}"
            )
        for i, (x, like) in enumerate(zip(found, likes, strict=True)):
            if x.shape != like.shape:
                entry = f"Entry {i} in " if several else ""
                raise errors.ShapeError(
                    f"{self.name}: {entry}v has invalid size: should be {like.shape} but got {x.shape}."
                )
        return [x if x.requires_grad else x.detach() for x in found]

    def off_graph(self, found: Sequence[Tensor]) -> Sequence[Tensor]:
        """Detach results unless create_graph; then they have no tangents in forward mode either."""
        return found if self.create_graph else [x.detach() for x in found]

    def returned_outputs(self) -> Any:
        """Return the function's outputs."""
        return self.like_outputs(self.off_graph(self.outputs))

    def like_outputs(self, found: Sequence[Any]) -> Any:
        """Return one item for each output: a tuple if the function returned several."""
        return tuple(found) if self.several else found[0]

    def like_inputs(self, found: Sequence[Any]) -> Any:
        """Return one item for each input: a tuple if the inputs came as one."""
        found = self.off_graph(found)
        return tuple(found) if self.several_inputs else found[0]


def _as_list(given: Any, what: str, name: str) -> tuple[list[Tensor], bool]:
    """Return the Tensors of a Tensor or of a tuple, and whether it is a tuple. Raises TypeError for anything else."""
    several = isinstance(given, tuple)
    found = list(given) if several else [given]
    for i, x in enumerate(found):
        if not isinstance(x, Tensor):
            where = f"value at index {i}" if several else f"given {what}"
            raise errors.DtypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the {where} has type "
                f"{type(x)}."
            )
    return found, several


def _entering(x: Tensor, create_graph: bool) -> Tensor:
    """Return a Tensor on an input's memory that requires grad; with create_graph it stays on the input's graph."""
    return view_as(x, x) if create_graph and x.node is not None else x.detach().requires_grad_()


def on_memory_of(x: Tensor, source: Tensor) -> Tensor:
    """Return a Tensor on the memory of x that is computed from `source`, a Tensor like x, as far as the graph knows.

    Writes to it are seen in x, which isn't on a graph itself. The Tensor is no leaf and no view, so it may be written.
    """
    result = x.detach()
    result.node = Identity.recorded([source.node], x.array)
    return result


_define_getattr(globals())
