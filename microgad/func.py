"""Function transforms: PyTorch's torch.func, with grad, vjp, jvp, Jacobians, Hessians and vmap.

Arguments and results may be nested tuples, lists and dicts of Tensors. Transforms can be nested: `grad(grad(f))` is the
second derivative.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from . import errors, state
from .autograd import functional
from .batching.randomness import BatchedDraws
from .batching.vmap import call_batched, remove_batch_dim
from .duck_arrays import Fallback, called_again
from .errors import wording
from .generator import default_generator
from .generator.vmap_randomness import SequentialDraws, VmapDraws
from .lazy import define_getattr as _define_getattr
from .nn.stateless import functional_call as functional_call
from .nn.stateless import replace_all_batch_norm_modules_ as replace_all_batch_norm_modules_
from .nn.stateless import stack_module_state as stack_module_state
from .ops.creation import eye, ones_like
from .ops.movement import cat, clone, stack
from .ops.movement.strided import vmapped_inputs
from .pytree import flatten_into, tree_map
from .state.contexts import binding
from .tensor import Tensor

Argnums = int | tuple[int, ...]
F = TypeVar("F", bound=Callable[..., Any])


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes the gradient of a scalar function with respect to the arguments at `argnums`.

    With `has_aux`, `func` returns a pair (output, aux), and the gradient is returned as (gradient, aux).
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


def grad_and_value(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes (gradient, value), or (gradient, (value, aux)) with `has_aux`: see `grad`.

    Source: torch.func.grad_and_value.

    >>> torch.func.grad_and_value(lambda x: x * x)(torch.tensor(3.0))
    (tensor(6.), tensor(9.))
    """

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        call = _TransformCall("grad", args, argnums)
        value, aux = call.run(func, kwargs, has_aux)
        if not isinstance(value, Tensor) or value.ndim:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise errors.ShapeError(f"grad: expected the function to return a scalar tensor, got {shape}")
        call.check_real("results", [value])
        found = call.like_wanted(call.vjp([value], [ones_like(value).detach()]))
        return found, ((call.off_graph(value), aux) if has_aux else call.off_graph(value))

    return both


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Return `func(*primals)`, and a function from cotangents of the results to a tuple of cotangents of the primals.

    That function can be called again, unless it is called with retain_graph=False. Source: torch.func.vjp.

    >>> y, vjp_fn = torch.func.vjp(torch.sin, torch.tensor(0.0))
    >>> vjp_fn(torch.tensor(2.0))
    (tensor(2.),)
    """
    call = _TransformCall("vjp", primals)
    outputs, rebuild, aux = call.results(func, {}, has_aux)

    def vjp_fn(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        seeds, _ = flatten(given)
        if len(seeds) != len(outputs):
            raise errors.ArgumentError(
                f"vjp: expected {len(outputs)} cotangents, one for each result, got {len(seeds)}"
            )
        return call.like_wanted(call.vjp(outputs, seeds, retain_graph))

    result = rebuild([call.off_graph(y) for y in outputs])
    return (result, vjp_fn, aux) if has_aux else (result, vjp_fn)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """Return `func(*primals)` and its directional derivative along `tangents`, which are shaped like the primals.

    `func` may write to its arguments, which are copies. The derivative is found from the recorded graph, so unlike in
    PyTorch what `func` computes under `no_grad` is a constant; the same holds for `linearize` and `jacfwd`.
    Source: torch.func.jvp.

    >>> torch.func.jvp(torch.sin, (torch.tensor(0.0),), (torch.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise errors.DtypeError("jvp: expected primals and tangents to be tuples")
    call = _TransformCall("jvp", primals, copies=True)
    outputs, rebuild, aux = call.results(func, {}, has_aux)
    directions, _ = flatten(tangents)
    if [tuple(v.shape) for v in directions] != [tuple(x.shape) for x in call.wanted]:
        raise errors.ShapeError("jvp: tangents must have the structure and the shapes of primals")
    if strict and not all(y.node is not None for y in outputs):
        raise errors.GraphError(
            "jvp: the output of f is independent of the inputs. This is not allowed with strict=True."
        )
    pushed = rebuild(functional.jvp_of(outputs, call.wanted, directions, call.needs_graph(directions)))
    result = rebuild([call.off_graph(y) for y in outputs])
    return (result, pushed, aux) if has_aux else (result, pushed)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """Return `func(*primals)`, and a function from tangents of the primals to the derivative along them.

    The graph is kept: each direction costs one more backward pass. Source: torch.func.linearize.

    >>> y, jvp_fn = torch.func.linearize(torch.sin, torch.tensor(0.0))
    >>> jvp_fn(torch.tensor(2.0))
    tensor(2.)
    """
    call = _TransformCall("linearize", primals, copies=True)
    outputs, rebuild, _ = call.results(func, {}, False)
    double_backward = functional.DoubleBackward(outputs, call.wanted)

    def jvp_fn(*tangents: Any) -> Any:
        directions, _ = flatten(tangents)
        if [(tuple(v.shape), v.dtype) for v in directions] != [(tuple(x.shape), x.dtype) for x in call.wanted]:
            raise errors.ShapeError("linearize: tangents must have the structure, the shapes and the dtypes of primals")
        return rebuild(
            functional.zeros_for_none(double_backward.jvp(directions, call.needs_graph(directions)), outputs)
        )

    return rebuild([call.off_graph(y) for y in outputs]), jvp_fn


def functionalize(func: F, *, remove: str = "mutations") -> F:
    """Return the function itself: in-place writes are recorded as they are. Source: torch.func.functionalize."""
    return func


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """Return the Tensor itself: transforms wrap nothing. Source: torch.func.debug_unwrap."""
    return tensor


def jacrev(
    func: Callable[..., Any], argnums: Argnums = 0, *, has_aux: bool = False, chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:  # fmt: skip
    """Return a function that computes the Jacobian, of shape (*output, *input), in reverse mode.

    Each element of the results takes a backward pass; `chunk_size` of them, or all, run at once.
    Source: torch.func.jacrev.

    >>> torch.func.jacrev(lambda x: x * x)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if chunk_size is not None and chunk_size < 1:
        raise errors.ArgumentError("jacrev: `chunk_size` should be greater than 0.")

    return _jacobian(
        func, lambda p, ys: functional.jacobian_by_rows(ys, p.wanted, p.vjp, chunk_size), "jacrev", argnums, has_aux
    )


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
        with VmapDraws(randomness).active() if randomness == "error" else nullcontext():
            return func(*args, **kwargs)

    def columns(call: _TransformCall, outputs: list[Tensor]) -> list[list[Tensor]]:
        return functional.jacobian_by_columns(outputs, call.wanted, call.nested)

    return _jacobian(checking_draws, columns, "jacfwd", argnums, has_aux, copies=True)


def _jacfwd_with_draws_each(func: Callable[..., Any], args: Any, kwargs: Any, argnums: Argnums, has_aux: bool) -> Any:
    """Compute `jacfwd` with fresh draws for each derivative: differentiate `vmap` of `func` along all elements."""
    call = _TransformCall("jacfwd", args, argnums)
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
    func: Callable[..., Any], rows: Callable[[_TransformCall, list[Tensor]], list[list[Tensor]]], op: str,
    argnums: Argnums, has_aux: bool, copies: bool = False,
) -> Callable[..., Any]:  # fmt: skip
    """Return a function that computes the Jacobian; `rows` computes the derivatives of each result by each argument."""

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        call = _TransformCall(op, args, argnums, copies)
        call.check_real("arguments", call.wanted)
        outputs, rebuild, aux = call.results(func, kwargs, has_aux)
        call.check_real("results", outputs)
        found = rebuild([call.like_wanted(row) for row in rows(call, outputs)])
        return (found, aux) if has_aux else found

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that computes the Hessian of a scalar function. Source: torch.func.hessian.

    >>> torch.func.hessian(lambda x: (x**3).sum())(torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


def vmap(
    func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:  # fmt: skip
    """Return a function that maps `func` over a dimension of its arguments, and stacks the results.

    `in_dims` is the dimension to map over, None for what isn't mapped, or a structure of these like the arguments;
    `out_dims` is where the dimension goes in the results, None for what doesn't depend on the slice. Keyword arguments
    aren't mapped over. `func` is called once, for all slices or for each `chunk_size` of them. If something
    can't be computed for all slices at once, it is called again, slice by slice. So `func` may do anything: branch on
    a slice's values, convert them to Python numbers, write them into a Tensor that the slices share.

    With `randomness` "different" each slice gets its part of one draw of the batch's shape, as in PyTorch; with "same"
    all slices get the same draws; with "error" drawing raises RuntimeError. Source: torch.func.vmap.

    >>> torch.func.vmap(torch.dot)(torch.ones(3, 2), torch.arange(6.0).reshape(3, 2))
    tensor([1., 5., 9.])
    """

    if randomness not in ("error", "different", "same"):
        raise errors.ArgumentError(f"vmap: randomness must be 'error', 'different' or 'same', got {randomness!r}")
    if chunk_size is not None and chunk_size < 1:
        raise errors.ArgumentError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, rebuild = flatten(args, tensors_only=False)
        dims = _broadcast_dims(in_dims, args, "in_dims")
        size = _batch_size(leaves, dims)
        if not size:  # one slice of zeros tells the shapes and dtypes of the empty results
            leaves = [x if d is None else x.sum(d, True).to(x.dtype) for x, d in zip(leaves, dims, strict=True)]

        def of_leaves(slices: Sequence[Any]) -> Any:
            return func(*rebuild(slices), **kwargs)

        if chunk_size is None or chunk_size >= size:
            found = _map_over_slices(of_leaves, leaves, dims, out_dims, size or 1, randomness)
        else:
            before, results = default_generator.snapshot(), []
            for start in range(0, size, chunk_size):
                if randomness == "same":
                    default_generator.set_state(before)
                count = min(chunk_size, size - start)
                chunk = [x if d is None else x.narrow(d, start, count) for x, d in zip(leaves, dims, strict=True)]
                results.append(_map_over_slices(of_leaves, chunk, dims, out_dims, count, randomness))
            found = _join_results(results, out_dims, cat)
        return found if size else _join_results([found], out_dims, lambda parts, at: parts[0].narrow(at, 0, 0))

    return mapped


def _batch_size(leaves: Sequence[Any], dims: Sequence[int | None]) -> int:
    """Return the number of slices, which is the size of every dimension that is mapped over."""
    for x, d in zip(leaves, dims, strict=True):
        if d is not None and not (isinstance(x, Tensor) and -x.ndim <= d < x.ndim):
            what = f"a Tensor of {x.ndim} dimensions" if isinstance(x, Tensor) else type(x).__name__
            raise errors.ArgumentError(f"vmap: in_dims has {d!r} for an argument that is {what}")
    sizes = {x.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None}
    if len(sizes) != 1:
        raise errors.ShapeError(
            f"vmap: the mapped dimensions must be of one size, got {sorted(sizes)}" if sizes
            else "vmap: at least one argument must be mapped over, but every in_dim is None"
        )  # fmt: skip
    return sizes.pop()


def _map_over_slices(
    func: Callable[[Sequence[Any]], Any], leaves: Sequence[Any], dims: Sequence[int | None], out_dims: Any, size: int,
    randomness: str,
) -> Any:  # fmt: skip
    """Map a function over the slices: call it once for all of them, or if that fails once for each."""

    def unbatched(slices: Sequence[Any]) -> Any:
        result = func(slices)
        parts, rebuild = flatten(result, tensors_only=False)
        return rebuild([remove_batch_dim(y, d) for y, d in zip(parts, _result_dims(out_dims, result), strict=True)])

    if size > 1 and state.current().observer is None:
        try:
            return call_batched(unbatched, leaves, dims, size, BatchedDraws(randomness))
        except (Fallback, Exception):  # an error of the function itself is raised again below
            pass
    draws, results = SequentialDraws(randomness, size), []
    for i in range(size):
        slices = [x if d is None else x.select(d, i) for x, d in zip(leaves, dims, strict=True)]
        pairs = [(x, s) for x, s, d in zip(leaves, slices, dims, strict=True) if d is not None]
        again = called_again.get() or i + 1 < size
        with draws.at(i), binding(vmapped_inputs, (*vmapped_inputs.get(), pairs)), binding(called_again, again):
            results.append(func(slices))
    return _join_results(results, out_dims, stack)


def _join_results(results: list[Any], out_dims: Any, join: Callable[[list[Any], int], Any]) -> Any:
    """Join the results of slices, or of chunks of them: Tensors along the dimension that `out_dims` has for them."""
    every = [flatten(result, tensors_only=False)[0] for result in results]
    joined = []
    for parts, at in zip(zip(*every, strict=True), _result_dims(out_dims, results[0]), strict=True):
        if at is None:
            if any(part is not parts[0] and not _same(part, parts[0]) for part in parts):
                raise errors.ArgumentError("vmap: out_dims has None for a result that isn't the same for each slice")
            joined.append(parts[0])
        elif isinstance(parts[0], Tensor):
            joined.append(join(list(parts), at))
        else:
            raise errors.ArgumentError(
                f"vmap: the function must only return Tensors, got {type(parts[0]).__name__}: did you mean to set "
                "out_dims to None for it?"
            )
    return flatten(results[0], tensors_only=False)[1](joined)


def _result_dims(out_dims: Any, result: Any) -> list[Any]:
    """Return for each leaf of a result the dimension along which the slices are stacked."""
    if isinstance(result, Tensor) and isinstance(out_dims, tuple) and len(out_dims) == 1:
        (out_dims,) = out_dims
    return _broadcast_dims(out_dims, result, "out_dims")


def _same(a: Any, b: Any) -> bool:
    """Whether two results are equal; NaN equals NaN."""
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        return True
    x, y = a.array, b.array
    return x.shape == y.shape and bool(((x == y) | ((x != x) & (y != y))).all())


def flatten(tree: Any, tensors_only: bool = True) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """Return the leaves of nested tuples, lists and dicts, and a function that rebuilds the tree from other leaves.

    With `tensors_only`, what isn't a Tensor is no leaf, and stays in the tree as it is.
    """
    leaves: list[Any] = []
    return leaves, flatten_into(tree, leaves, Tensor if tensors_only else object)


class _TransformCall:
    """One call of a transformed function: its arguments, and which of them (`argnums`, or all) to differentiate by.

    With `copies` the function is given copies of these, since it may write to its arguments in forward mode.
    """

    def __init__(self, op: str, args: tuple[Any, ...], argnums: Argnums | None = None, copies: bool = False) -> None:
        self.op, self.single = op, isinstance(argnums, int)
        if argnums is None:
            argnums = tuple(range(len(args)))
        numbers = argnums if isinstance(argnums, tuple) else (argnums,)
        for n in numbers:
            if not isinstance(n, int):
                raise errors.DtypeError(f"{op}: argnums must be an int or a tuple of them, got {argnums!r}")
            if not -len(args) <= n < len(args):
                there = wording.plural(len(args), "positional argument")
                raise errors.ArgumentError(f"{op}: argnums has {n}, but the call has {there}")
        if (args and argnums == ()) or len({n % len(args) for n in numbers}) != len(numbers):
            raise errors.ArgumentError(f"{op}: argnums must be non-empty, and each only once, got {argnums}")
        self._args, self._numbers = args, numbers
        self.leaves, self._rebuild = flatten([args[n] for n in numbers])
        # Nested in another transform, or on a graph outside: then results and derivatives stay on the graph.
        self.recording = state.current().grad_enabled
        self.nested = self.recording and any(x.node is not None for x in flatten((args,))[0])
        with state.scope(grad_enabled=True):
            self.wanted = [functional.private_copy(x) for x in self.leaves]
            self.args = self.with_leaves([clone(x) for x in self.wanted] if copies else self.wanted)

    def with_leaves(self, leaves: Sequence[Any]) -> list[Any]:
        """Return the call's arguments, with other Tensors in place of those to differentiate by."""
        found = list(self._args)
        for n, x in zip(self._numbers, self._rebuild(leaves), strict=True):
            found[n] = x
        return found

    def run(self, func: Callable[..., Any], kwargs: dict[str, Any], has_aux: bool) -> tuple[Any, Any]:
        """Call the function, and return its output and aux, which is None without `has_aux`."""
        with state.scope(grad_enabled=True):
            result = func(*self.args, **kwargs)
        self.nested |= self.recording and functional.depends_on_others(flatten(result)[0], self.wanted)
        if not has_aux:
            return result, None
        if not (isinstance(result, tuple) and len(result) == 2):
            raise errors.ArgumentError(f"{self.op}: with has_aux the function must return a tuple (output, aux)")
        leaves, rebuild = flatten(result[1])
        return result[0], rebuild([self.off_graph(x) for x in leaves])

    def vjp(self, outputs: Sequence[Tensor], seeds: Sequence[Tensor], retain_graph: bool = True) -> list[Tensor]:
        """Return the gradients of the wanted arguments, zeros where there are none."""
        found = functional.vjp_of(outputs, self.wanted, seeds, self.needs_graph(seeds), retain_graph)
        return functional.zeros_for_none(found, self.wanted)

    def needs_graph(self, seeds: Sequence[Tensor]) -> bool:
        """Whether the products with these cotangents or tangents have to be recorded, for derivatives of them."""
        return state.current().grad_enabled and (self.nested or any(s.node is not None for s in seeds))

    def like_wanted(self, found: Sequence[Any]) -> Any:
        """Return one item for each wanted argument, in the structure of the arguments."""
        made = self._rebuild(list(found))
        return made[0] if self.single else tuple(made)

    def results(
        self, func: Callable[..., Any], kwargs: dict[str, Any], has_aux: bool
    ) -> tuple[list[Tensor], Callable[[Sequence[Any]], Any], Any]:
        """Call the function; return its output's leaves, what rebuilds it, and aux. Raises unless all are Tensors."""
        value, aux = self.run(func, kwargs, has_aux)
        outputs, rebuild = flatten(value, tensors_only=False)
        if not outputs:
            raise errors.ArgumentError(f"{self.op}: expected the function to return a tensor, got {value!r}")
        for y in outputs:
            if not isinstance(y, Tensor):
                raise errors.DtypeError(
                    f"{self.op}: expected the function to return only tensors, got unsupported type {type(y)}"
                )
        return outputs, rebuild, aux

    def check_real(self, what: str, tensors: Sequence[Tensor]) -> None:
        """Raise TypeError for complex Tensors, for which this derivative isn't defined."""
        if any(x.is_complex() for x in tensors):
            raise errors.DtypeError(f"{self.op}: expected real {what}, but one is complex: see torch.view_as_real")

    def off_graph(self, y: Tensor) -> Tensor:
        """Detach a result, unless an outer derivative needs its graph."""
        return y if self.nested else y.detach()


def _broadcast_dims(dims: Any, tree: Any, name: str) -> list[Any]:
    """Return a dimension for each leaf of `tree`. One dimension in `dims` may stand for a whole part of the tree."""
    if not isinstance(tree, (tuple, list, dict)):
        if isinstance(dims, (tuple, list, dict)):
            raise errors.ArgumentError(f"vmap: {name} has {dims} for one {type(tree).__name__}")
        if not isinstance(dims, (int, type(None))):
            raise errors.ArgumentError(f"vmap: {name} must be dimensions, or None, but has {dims!r} in it")
        return [dims]
    keys = tree if isinstance(tree, dict) else range(len(tree))
    if not isinstance(dims, (tuple, list, dict)):
        dims = dict.fromkeys(keys, dims)
    elif isinstance(dims, dict) != isinstance(tree, dict) or len(dims) != len(tree):
        raise errors.ArgumentError(f"vmap: {name} is not compatible with the structure of what it is for: {dims}")
    return [d for key in keys for d in _broadcast_dims(dims[key], tree[key], name)]


_define_getattr(globals())
