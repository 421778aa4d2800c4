"""Derivatives as functions of functions: what PyTorch offers as torch.func.

Arguments and results may be nested tuples, lists and dicts of Tensors. Transforms nest: the derivative of a derivative
is `grad(grad(f))`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from . import errors, state
from .autograd.functional import Pushing, along, by_columns, by_rows, captures, or_zeros, own, pulled
from .batching.draws import Together
from .batching.mapping import all_at_once, left
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
from .slices import Apart, called_again
from .state.contexts import holding
from .tensor import Tensor

Argnums = int | tuple[int, ...]
F = TypeVar("F", bound=Callable[..., Any])


def grad(func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False) -> Callable[..., Any]:
    """A function that gives the gradient of `func`, whose result is a scalar, by the arguments named.

    With `has_aux`, `func` gives a pair, and what its second part is comes beside the gradient. Source: torch.func.grad.

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
    """The same with the value beside the gradient: (gradient, value), or (gradient, (value, aux)).

    Source: torch.func.grad_and_value.

    >>> torch.func.grad_and_value(lambda x: x * x)(torch.tensor(3.0))
    (tensor(6.), tensor(9.))
    """

    @functools.wraps(func)
    def both(*args: Any, **kwargs: Any) -> Any:
        place = _Place("grad", args, argnums)
        value, aux = place.call(func, kwargs, has_aux)
        if not isinstance(value, Tensor) or value.ndim:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise errors.ShapeError(f"grad: expected the function to return a scalar tensor, got {shape}")
        place.real("results", [value])
        found = place.rebuilt(place.pulled([value], [ones_like(value).detach()]))
        return found, ((place.released(value), aux) if has_aux else place.released(value))

    return both


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """`func(*primals)`, and a function that gives for cotangents of its results those of the primals, one each.

    The graph is kept for further calls of that unless it is told retain_graph=False. Source: torch.func.vjp.

    >>> y, pull = torch.func.vjp(torch.sin, torch.tensor(0.0))
    >>> pull(torch.tensor(2.0))
    (tensor(2.),)
    """
    place = _Place("vjp", primals)
    outputs, rebuild, aux = place.results(func, {}, has_aux)

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given = cotangents[0] if len(cotangents) == 1 else cotangents
        seeds, _ = flatten(given)
        if len(seeds) != len(outputs):
            raise errors.ArgumentError(
                f"vjp: expected {len(outputs)} cotangents, one for each result, got {len(seeds)}"
            )
        return place.rebuilt(place.pulled(outputs, seeds, retain_graph))

    result = rebuild([place.released(y) for y in outputs])
    return (result, pull, aux) if has_aux else (result, pull)


def jvp(func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """`func(*primals)` and its derivative along tangents, like the primals. Source: torch.func.jvp.

    `func` may write to its arguments, which are copies. Unlike in PyTorch, what it computes under `no_grad` is a
    constant, as operations are recorded to find the derivative: so for `linearize` and `jacfwd`.

    >>> torch.func.jvp(torch.sin, (torch.tensor(0.0),), (torch.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise errors.DtypeError("jvp: expected primals and tangents to be tuples")
    place = _Place("jvp", primals, written=True)
    outputs, rebuild, aux = place.results(func, {}, has_aux)
    directions, _ = flatten(tangents)
    if [tuple(v.shape) for v in directions] != [tuple(x.shape) for x in place.wanted]:
        raise errors.ShapeError("jvp: tangents must have the structure and the shapes of primals")
    if strict and not all(y.node is not None for y in outputs):
        raise errors.GraphError(
            "jvp: the output of f is independent of the inputs. This is not allowed with strict=True."
        )
    pushed = rebuild(along(outputs, place.wanted, directions, place.recorded(directions)))
    result = rebuild([place.released(y) for y in outputs])
    return (result, pushed, aux) if has_aux else (result, pushed)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """`func(*primals)`, and a function that gives for tangents of the primals the derivative along them.

    The graph is kept: each further direction costs a backward pass. Source: torch.func.linearize.

    >>> y, push = torch.func.linearize(torch.sin, torch.tensor(0.0))
    >>> push(torch.tensor(2.0))
    tensor(2.)
    """
    place = _Place("linearize", primals, written=True)
    outputs, rebuild, _ = place.results(func, {}, False)
    pushing = Pushing(outputs, place.wanted)

    def push(*tangents: Any) -> Any:
        directions, _ = flatten(tangents)
        if [(tuple(v.shape), v.dtype) for v in directions] != [(tuple(x.shape), x.dtype) for x in place.wanted]:
            raise errors.ShapeError("linearize: tangents must have the structure, the shapes and the dtypes of primals")
        return rebuild(or_zeros(pushing.along(directions, place.recorded(directions)), outputs))

    return rebuild([place.released(y) for y in outputs]), push


def functionalize(func: F, *, remove: str = "mutations") -> F:
    """The function itself: what it writes in place is recorded as it is. Source: torch.func.functionalize."""
    return func


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """The Tensor itself: transforms wrap nothing. Source: torch.func.debug_unwrap."""
    return tensor


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """A function that gives the Jacobian, a backward pass for each element of the results: (*output, *input).

    All of them at once, or `chunk_size`.
    Source: torch.func.jacrev.

    >>> torch.func.jacrev(lambda x: x * x)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if chunk_size is not None and chunk_size < 1:
        raise errors.ArgumentError("jacrev: `chunk_size` should be greater than 0.")

    return _jacobian(func, lambda p, ys: by_rows(ys, p.wanted, p.pulled, chunk_size), "jacrev", argnums, has_aux)


def jacfwd(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """The same, a derivative along each element of the arguments, for all of which `func` is called once.

    Where it draws raises RuntimeError, unless `randomness` is "same", or "different": then each derivative is of draws
    of its own. Source: torch.func.jacfwd.

    >>> torch.func.jacfwd(lambda x: x * x)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    if randomness == "different":
        return functools.wraps(func)(lambda *args, **kwargs: _columns_apart(func, args, kwargs, argnums, has_aux))

    @functools.wraps(func)
    def drawing(*args: Any, **kwargs: Any) -> Any:
        with VmapDraws(randomness).active() if randomness == "error" else nullcontext():
            return func(*args, **kwargs)

    return _jacobian(
        drawing, lambda p, ys: by_columns(ys, p.wanted, p.nested), "jacfwd", argnums, has_aux, written=True
    )


def _columns_apart(func: Callable[..., Any], args: Any, kwargs: Any, argnums: Argnums, has_aux: bool) -> Any:
    """`jacfwd` where each derivative is of a call of its own: the mapped function's, along all elements at once."""
    place = _Place("jacfwd", args, argnums)
    leaves, sizes = place.leaves, [x.numel() for x in place.leaves]
    units = eye(sum(sizes), device=leaves[0].device).split(sizes, 1)
    tangents = [unit.reshape((-1, *x.shape)).to(x.dtype) for x, unit in zip(leaves, units, strict=True)]
    points = [x.expand(sum(sizes), *x.shape) for x in leaves]
    mapped = vmap(lambda *slices: func(*place.filled(slices), **kwargs), randomness="different")
    _, columns, *aux = jvp(mapped, tuple(points), tuple(tangents), has_aux=has_aux)

    def by_argument(column: Tensor) -> Any:
        parts = zip(leaves, column.movedim(0, -1).split(sizes, -1), strict=True)
        return place.rebuilt([part.reshape((*column.shape[1:], *x.shape)) for x, part in parts])

    found = tree_map(by_argument, columns)
    return (found, tree_map(lambda x: x[0], aux[0])) if has_aux else found


def _jacobian(
    func: Callable[..., Any], rows: Callable[[_Place, list[Tensor]], list[list[Tensor]]], op: str, argnums: Argnums,
    has_aux: bool, written: bool = False,
) -> Callable[..., Any]:  # fmt: skip
    """A function that gives the Jacobian, made of `rows`: the derivatives of each result by each argument."""

    @functools.wraps(func)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        place = _Place(op, args, argnums, written)
        place.real("arguments", place.wanted)
        outputs, rebuild, aux = place.results(func, kwargs, has_aux)
        place.real("results", outputs)
        found = rebuild([place.rebuilt(row) for row in rows(place, outputs)])
        return (found, aux) if has_aux else found

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that gives the Hessian of `func`. Source: torch.func.hessian.

    >>> torch.func.hessian(lambda x: (x**3).sum())(torch.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that maps `func` over a dimension of its arguments, and stacks what it gives.

    `in_dims` is a dimension, None for what isn't mapped over, or a structure of those like the arguments; `out_dims`
    says where the dimension goes, with None for what no slice has a part in; keyword arguments aren't mapped over. It
    calls `func` once, for all slices or for `chunk_size` of them. Where it then finds that they can't be computed
    together it calls `func` for each of them, so that whatever `func` does is allowed: an `if` by a slice's values,
    their conversion to numbers, a write of these into what all have in common. With `randomness` "different" each slice
    has draws of its own, PyTorch's, which makes one of all slices' shape; "same" gives all the same draws, "error"
    raises RuntimeError where one is made. Source: torch.func.vmap.

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
        dims = _spread(in_dims, args, "in_dims")
        size = _size_mapped(leaves, dims)
        if not size:  # of no slice, one of zeros tells what it would be
            leaves = [x if d is None else x.sum(d, True).to(x.dtype) for x, d in zip(leaves, dims, strict=True)]

        def call(slices: Sequence[Any]) -> Any:
            return func(*rebuild(slices), **kwargs)

        if chunk_size is None or chunk_size >= size:
            found = _of_slices(call, leaves, dims, out_dims, size or 1, randomness)
        else:
            before, results = default_generator.snapshot(), []
            for start in range(0, size, chunk_size):
                if randomness == "same":
                    default_generator.set_state(before)
                count = min(chunk_size, size - start)
                chunk = [x if d is None else x.narrow(d, start, count) for x, d in zip(leaves, dims, strict=True)]
                results.append(_of_slices(call, chunk, dims, out_dims, count, randomness))
            found = _joined(results, out_dims, cat)
        return found if size else _joined([found], out_dims, lambda parts, at: parts[0].narrow(at, 0, 0))

    return mapped


def _size_mapped(leaves: Sequence[Any], dims: Sequence[int | None]) -> int:
    """How many slices there are: the one size of the dimensions that are mapped over."""
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


def _of_slices(
    func: Callable[[Sequence[Any]], Any], leaves: Sequence[Any], dims: Sequence[int | None], out_dims: Any, size: int,
    randomness: str,
) -> Any:  # fmt: skip
    """What a function gives of all slices: called once, if that can be, or for each."""

    def outside(slices: Sequence[Any]) -> Any:
        result = func(slices)
        parts, rebuild = flatten(result, tensors_only=False)
        return rebuild([left(y, d) for y, d in zip(parts, _places(out_dims, result), strict=True)])

    if size > 1 and state.current().observer is None:
        try:
            return all_at_once(outside, leaves, dims, size, Together(randomness))
        except (Apart, Exception):  # which is raised again, if it is the function's
            pass
    every, results = SequentialDraws(randomness, size), []
    for i in range(size):
        slices = [x if d is None else x.select(d, i) for x, d in zip(leaves, dims, strict=True)]
        pairs = [(x, s) for x, s, d in zip(leaves, slices, dims, strict=True) if d is not None]
        again = called_again.get() or i + 1 < size
        with every.at(i), holding(vmapped_inputs, (*vmapped_inputs.get(), pairs)), holding(called_again, again):
            results.append(func(slices))
    return _joined(results, out_dims, stack)


def _joined(results: list[Any], out_dims: Any, join: Callable[[list[Any], int], Any]) -> Any:
    """What a function gave for each slice, or some of them: Tensors joined where `out_dims` has their dimension."""
    every = [flatten(result, tensors_only=False)[0] for result in results]
    joined = []
    for parts, at in zip(zip(*every, strict=True), _places(out_dims, results[0]), strict=True):
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


def _places(out_dims: Any, result: Any) -> list[Any]:
    """For each leaf of a result where it has the slices' dimension."""
    if isinstance(result, Tensor) and isinstance(out_dims, tuple) and len(out_dims) == 1:
        (out_dims,) = out_dims
    return _spread(out_dims, result, "out_dims")


def _same(a: Any, b: Any) -> bool:
    """Whether two results are one value."""
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        return True
    x, y = a.array, b.array
    return x.shape == y.shape and bool(((x == y) | ((x != x) & (y != y))).all())


def flatten(tree: Any, tensors_only: bool = True) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """The leaves of nested tuples, lists and dicts, and a function that builds the same of other leaves.

    With `tensors_only`, whatever isn't a Tensor stays what it is.
    """
    leaves: list[Any] = []
    return leaves, flatten_into(tree, leaves, Tensor if tensors_only else object)


class _Place:
    """Arguments of a call of a transform, whose own are those named by `argnums`: all, unless given.

    Where they may be written to, as in PyTorch's forward mode, the function is given others, made of them.
    """

    def __init__(self, op: str, args: tuple[Any, ...], argnums: Argnums | None = None, written: bool = False) -> None:
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
        # whether somebody outside wants a gradient: then results stay on the graph
        self.recording = state.current().grad_enabled
        self.nested = self.recording and any(x.node is not None for x in flatten((args,))[0])
        with state.scope(grad_enabled=True):
            self.wanted = [own(x) for x in self.leaves]
            self.args = self.filled([clone(x) for x in self.wanted] if written else self.wanted)

    def filled(self, leaves: Sequence[Any]) -> list[Any]:
        """The call's arguments, with other Tensors for its own."""
        found = list(self._args)
        for n, x in zip(self._numbers, self._rebuild(leaves), strict=True):
            found[n] = x
        return found

    def call(self, func: Callable[..., Any], kwargs: dict[str, Any], has_aux: bool) -> tuple[Any, Any]:
        """What the function gives, and what it gives beside it."""
        with state.scope(grad_enabled=True):
            result = func(*self.args, **kwargs)
        self.nested |= self.recording and captures(flatten(result)[0], self.wanted)
        if not has_aux:
            return result, None
        if not (isinstance(result, tuple) and len(result) == 2):
            raise errors.ArgumentError(f"{self.op}: with has_aux the function must return a tuple (output, aux)")
        leaves, rebuild = flatten(result[1])
        return result[0], rebuild([self.released(x) for x in leaves])

    def pulled(self, outputs: Sequence[Tensor], seeds: Sequence[Tensor], retain_graph: bool = True) -> list[Tensor]:
        """The gradients of the wanted arguments, zeros where there are none."""
        found = pulled(outputs, self.wanted, seeds, self.recorded(seeds), retain_graph)
        return or_zeros(found, self.wanted)

    def recorded(self, seeds: Sequence[Tensor]) -> bool:
        """Whether derivatives by, or along, these are to have derivatives."""
        return state.current().grad_enabled and (self.nested or any(s.node is not None for s in seeds))

    def rebuilt(self, found: Sequence[Any]) -> Any:
        """One thing for each wanted argument, in the form in which these came."""
        made = self._rebuild(list(found))
        return made[0] if self.single else tuple(made)

    def results(
        self, func: Callable[..., Any], kwargs: dict[str, Any], has_aux: bool
    ) -> tuple[list[Tensor], Callable[[Sequence[Any]], Any], Any]:
        """`flatten` of what the function gives, and what it gives beside. Raises where there is more than Tensors."""
        value, aux = self.call(func, kwargs, has_aux)
        outputs, rebuild = flatten(value, tensors_only=False)
        if not outputs:
            raise errors.ArgumentError(f"{self.op}: expected the function to return a tensor, got {value!r}")
        for y in outputs:
            if not isinstance(y, Tensor):
                raise errors.DtypeError(
                    f"{self.op}: expected the function to return only tensors, got unsupported type {type(y)}"
                )
        return outputs, rebuild, aux

    def real(self, what: str, tensors: Sequence[Tensor]) -> None:
        """Refuse what such a derivative isn't defined for."""
        if any(x.is_complex() for x in tensors):
            raise errors.DtypeError(f"{self.op}: expected real {what}, but one is complex: see torch.view_as_real")

    def released(self, y: Tensor) -> Tensor:
        """A result, off the graph unless an outer derivative wants it."""
        return y if self.nested else y.detach()


def _spread(dims: Any, tree: Any, name: str) -> list[Any]:
    """For each leaf of a tree its dimension: `dims` has the tree's structure; one for a part is for all in it."""
    if not isinstance(tree, (tuple, list, dict)):
        if isinstance(dims, (tuple, list, dict)):
            raise errors.ArgumentError(f"vmap: {name} has {dims} for one {type(tree).__name__}")
        if not isinstance(dims, (int, type(None))):
            raise errors.ArgumentError(f"vmap: {name} must be dimensions, or None, but has {dims!r} in it")
        return [dims]
    places = tree if isinstance(tree, dict) else range(len(tree))
    if not isinstance(dims, (tuple, list, dict)):
        dims = dict.fromkeys(places, dims)
    elif isinstance(dims, dict) != isinstance(tree, dict) or len(dims) != len(tree):
        raise errors.ArgumentError(f"vmap: {name} is not compatible with the structure of what it is for: {dims}")
    return [d for place in places for d in _spread(dims[place], tree[place], name)]


_define_getattr(globals())
