"""Function transforms: PyTorch's torch.func, with grad, vjp, jvp, Jacobians, Hessians and vmap.

Arguments and results may be nested tuples, lists and dicts of Tensors. Transforms can be nested: `grad(grad(f))` is the
second derivative.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, ParamSpec, TypeVar

from .. import errors
from ..autograd import functional
from ..autograd.forward_mode import observing
from ..generator.vmap_randomness import VmapDraws
from ..lazy import define_getattr as _define_getattr
from ..nn.stateless import functional_call as functional_call
from ..nn.stateless import replace_all_batch_norm_modules_ as replace_all_batch_norm_modules_
from ..nn.stateless import stack_module_state as stack_module_state
from ..ops.creation import eye, ones_like
from ..ops.movement import clone
from ..tensor import Tensor
from ..utils._pytree import tree_flatten, tree_map, tree_structure, tree_unflatten, treespec_pprint
from .call import API, TransformCall, recording, writable
from .mapping import vmap as vmap
from .rearranging import rearrange as rearrange

__all__ = [
    "debug_unwrap", "functional_call", "functionalize", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp",
    "linearize", "rearrange", "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip

Argnums = int | tuple[int, ...]
F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")


def grad(func: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[P, Any]:
    """Return a function that computes the gradient of a scalar function with respect to the arguments at `argnums`.

    With `has_aux`, `func` returns a pair (output, aux), and the gradient is returned as (gradient, aux). The gradient
    has the argument's shape. Raises RuntimeError unless the function is scalar and the argument floating-point.
    Source: torch.func.grad.

    >>> torch.func.grad(torch.func.grad(torch.sin))(torch.tensor(0.5))
    tensor(-0.4794)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def grad_and_value(func: Callable[P, Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[P, tuple[Any, Any]]:
    """Return a function that computes (gradient, value), or (gradient, (value, aux)) with `has_aux`: see `grad`.

    Raises as grad does. Source: torch.func.grad_and_value.

    >>> torch.func.grad_and_value(lambda x: x * x)(torch.tensor(3.0))
    (tensor(6.), tensor(9.))
    """

    @recording
    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        call = TransformCall("grad", args, argnums)
        value, aux = call.run(func, kwargs, has_aux)
        expected = f"{API['grad']}: Expected f(*args) to return a"
        if not isinstance(value, Tensor):
            raise errors.DtypeError(f"{expected} Tensor, got {type(value)}")
        if value.ndim:
            raise errors.ShapeError(
                f"{expected} scalar Tensor, got tensor with {value.ndim} dims. Maybe you wanted to use the vjp or "
                "jacrev APIs instead?"
            )
        call.check_real("outputs", [value])
        found = call.like_wanted(call.derivatives(call.vjp([value], [ones_like(value).detach()]), ()))
        (value,) = call.off_graph([value])
        return found, ((value, aux) if has_aux else value)

    return both


@recording
def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Return `func(*primals)`, and a function from cotangents of the results to a tuple of cotangents of the primals.

    That function can be called again, unless it is called with retain_graph=False. Raises RuntimeError for cotangents
    of other shapes. Source: torch.func.vjp.

    >>> y, vjp_fn = torch.func.vjp(torch.sin, torch.tensor(0.0))
    >>> vjp_fn(torch.tensor(2.0))
    (tensor(2.),)
    """
    call = TransformCall("vjp", primals)
    outputs, spec, aux = call.results(func, {}, has_aux)
    _check_differentiable(outputs)
    call.end()

    @recording
    def vjp_fn(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        seeds, given_spec = tree_flatten(given)
        if given_spec != spec:
            raise errors.ArgumentError(
                "Expected pytree structure of cotangents to be the same as pytree structure of outputs to the "
                f"function. cotangents: {treespec_pprint(given_spec)}, primal output: {treespec_pprint(spec)}"
            )
        return call.like_wanted(call.derivatives(call.vjp(outputs, seeds, retain_graph), seeds))

    result = tree_unflatten(call.off_graph(outputs), spec)
    return (result, vjp_fn, aux) if has_aux else (result, vjp_fn)


def _check_differentiable(outputs: list[Tensor]) -> None:
    for y in outputs:
        if not (y.is_floating_point() or y.is_complex()):
            raise errors.DtypeError(
                "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got Tensor with dtype "
                f"{y.dtype}"
            )


@recording
def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """Return `func(*primals)` and its directional derivative along `tangents`, which are shaped like the primals.

    `func` may write to its arguments, and the primals see it. What it computes under `no_grad` has a tangent, but
    no gradients; the same holds for `linearize` and `jacfwd`. Raises RuntimeError unless both are tuples of Tensors of
    the same shapes. Source: torch.func.jvp.

    >>> torch.func.jvp(torch.sin, (torch.tensor(0.0),), (torch.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    if not isinstance(primals, tuple):
        raise errors.DtypeError(
            f"{API['jvp']}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    (points, spec), (directions, given_spec) = tree_flatten(primals), tree_flatten(tangents)
    if spec != given_spec:
        raise errors.ArgumentError(
            f"{API['jvp']}: Expected primals and tangents to have the same python structure. For example, if primals "
            f"is a tuple of 3 tensors, tangents also must be. Got primals with structure {spec} and tangents with "
            f"structure {given_spec}"
        )
    for name, given in (("primals", points), ("tangents", directions)):
        if not given:
            raise errors.ArgumentError(f"{API['jvp']}: Expected {name} to contain at least one Tensor.")
        for x in given:
            if not isinstance(x, Tensor):
                raise errors.DtypeError(f"{API['jvp']}: Expected {name} to only contain Tensors, got {type(x)}")
    if [tuple(v.shape) for v in directions] != [tuple(x.shape) for x in points]:
        raise errors.ShapeError("jvp: tangents must have the shapes of primals")
    if [v.device for v in directions] != [x.device for x in points]:
        raise errors.DeviceError("jvp: tangents must be on the devices of primals")
    call = TransformCall("jvp", primals, given=writable)
    with observing():
        outputs, spec, aux = call.results(func, {}, has_aux)
    if strict and not all(y.node is not None for y in outputs):
        raise errors.GraphError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. This is not allowed "
            "with strict=True."
        )
    pushed = functional.jvp_of(outputs, call.wanted, directions, call.needs_graph(directions))
    result = tree_unflatten(call.off_graph(outputs), spec), tree_unflatten(call.derivatives(pushed, directions), spec)
    return (*result, aux) if has_aux else result


@recording
def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Return `func(*primals)`, and a function from tangents of the primals to the derivative along them.

    The graph is kept: each direction costs one more backward pass. The function raises ValueError for tangents of
    another structure, shape, dtype or device. Source: torch.func.linearize.

    >>> y, jvp_fn = torch.func.linearize(torch.sin, torch.tensor(0.0))
    >>> jvp_fn(torch.tensor(2.0))
    tensor(2.)
    """
    call = TransformCall("linearize", primals, given=lambda x, entry: clone(entry))
    with observing():
        outputs, spec, _ = call.results(func, {}, False)
    call.end()
    primals_spec = tree_structure(primals)
    double_backward = functional.DoubleBackward(outputs, call.wanted)

    @recording
    def jvp_fn(*tangents: Any) -> Any:
        directions, given_spec = tree_flatten(tangents)
        if given_spec != primals_spec:
            raise errors.ArgumentError(
                f"Expected the tangents {given_spec} to have the same argspec as the primals {primals_spec}"
            )
        for i, (v, x) in enumerate(zip(directions, call.wanted, strict=True)):
            for what, got, expected in (("shape", v.shape, x.shape), ("dtype", v.dtype, x.dtype)):
                if got != expected:
                    raise errors.ShapeError(
                        f"tangent:{i} with {what} {got} in flattened pytree doesn't match the {what} {expected} of the "
                        "corresponding primal."
                    )
        found = double_backward.jvp(directions, call.needs_graph(directions))
        return tree_unflatten(call.derivatives(functional.zeros_for_none(found, outputs), directions), spec)

    return tree_unflatten(call.off_graph(outputs), spec), jvp_fn


def functionalize(func: F, *, remove: str = "mutations") -> F:
    """Return the function itself: in-place writes are recorded as they are. Source: torch.func.functionalize.

    >>> torch.func.functionalize(torch.exp) is torch.exp
    True
    """
    return func


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """Return the Tensor itself: transforms wrap nothing. Source: torch.func.debug_unwrap.

    >>> torch.func.debug_unwrap(torch.ones(1))
    tensor([1.])
    """
    return tensor


def jacrev(
    func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:  # fmt: skip
    """Return a function that computes the Jacobian, of shape (*output, *input), in reverse mode.

    Each element of the results takes a backward pass; `chunk_size` of them, or all, run at once. Raises RuntimeError
    for a function of something other than floating-point and complex Tensors. Source: torch.func.jacrev.

    >>> torch.func.jacrev(lambda x: x * x)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if chunk_size is not None and chunk_size < 1:
        raise errors.ArgumentError("jacrev: `chunk_size` should be greater than 0.")

    def rows(call: TransformCall, outputs: list[Tensor]) -> list[list[Tensor]]:
        _check_differentiable(outputs)
        found = functional.jacobian_by_rows(outputs, call.wanted, call.vjp, chunk_size)
        every = [g for row in found for g in row]  # in PyTorch they are parts of one Tensor
        kept = call.nested and any(functional.depends_on_others(every, call.wanted))
        return found if kept else [[g.detach() for g in row] for row in found]

    return _jacobian(func, rows, "jacrev", argnums, has_aux)


def jacfwd(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian, of shape (*output, *input), in forward mode.

    `func` is called once, and differentiated along each element of the arguments. Drawing random numbers in it raises
    RuntimeError, unless `randomness` is "same", or "different": then each derivative has draws of its own.
    Source: torch.func.jacfwd.

    >>> torch.func.jacfwd(lambda x: x * x)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    if randomness == "different":
        return functools.wraps(func)(
            lambda *args, **kwargs: _jacfwd_with_draws_each(func, args, kwargs, argnums, has_aux)
        )

    @functools.wraps(func)
    def checking_draws(*args: Any, **kwargs: Any) -> Any:
        draws = VmapDraws(randomness).active() if randomness == "error" else nullcontext()
        with draws, observing():
            return func(*args, **kwargs)

    def columns(call: TransformCall, outputs: list[Tensor]) -> list[list[Tensor]]:
        return [call.off_graph(row) for row in functional.jacobian_by_columns(outputs, call.wanted, call.nested)]

    return _jacobian(checking_draws, columns, "jacfwd", argnums, has_aux, writable)


def _jacfwd_with_draws_each(func: Callable[..., Any], args: Any, kwargs: Any, argnums: Argnums, has_aux: bool) -> Any:
    """Compute `jacfwd` with fresh draws for each derivative: differentiate `vmap` of `func` along all elements."""
    call = TransformCall("jacfwd", args, argnums)
    leaves, sizes = call.leaves, [x.numel() for x in call.leaves]
    units = eye(sum(sizes), device=leaves[0].device).split(sizes, 1)
    tangents = [unit.reshape((-1, *x.shape)).to(x.dtype) for x, unit in zip(leaves, units, strict=True)]
    points = [x.expand(sum(sizes), *x.shape) for x in leaves]
    mapped = vmap(lambda *slices: func(*call.with_leaves(slices), **kwargs), randomness="different")
    _, columns, *aux = jvp(mapped, tuple(points), tuple(tangents), has_aux=has_aux)

    def by_argument(column: Tensor) -> Any:
        parts = zip(leaves, column.movedim(0, -1).split(sizes, -1), strict=True)
        return call.like_wanted([part.reshape((*column.shape[1:], *x.shape)) for x, part in parts])

    found = tree_map(by_argument, columns)
    return (found, tree_map(lambda x: x[0], aux[0])) if has_aux else found


def _jacobian(
    func: Callable[..., Any], rows: Callable[[TransformCall, list[Tensor]], list[list[Tensor]]], op: str,
    argnums: Argnums, has_aux: bool, given: Callable[[Tensor, Tensor], Tensor] | None = None,
) -> Callable[..., Any]:  # fmt: skip
    """Return a function that computes the Jacobian; `rows` computes the derivatives of each result by each argument."""

    @recording
    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        call = TransformCall(op, args, argnums, given)
        call.check_real("inputs", call.wanted)
        outputs, spec, aux = call.results(func, kwargs, has_aux)
        call.check_real("outputs", outputs)
        found = tree_unflatten([call.like_wanted(row) for row in rows(call, outputs)], spec)
        return (found, aux) if has_aux else found

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that computes the Hessian of a scalar function. Source: torch.func.hessian.

    >>> torch.func.hessian(lambda x: (x**3).sum())(torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


_define_getattr(globals())
