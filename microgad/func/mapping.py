"""torch.func.vmap: its arguments and results, which may be nested, and the two ways to compute it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import numpy as np

from .. import errors, state
from ..backend import owner
from ..backend.memory_layout import geometry
from ..batching.randomness import BatchedDraws
from ..batching.shared_writes import SharedWrites
from ..batching.vmap import call_batched, is_final, remove_batch_dim
from ..duck_arrays import Fallback, called_again
from ..generator import default_generator
from ..generator.vmap_randomness import SequentialDraws
from ..ops.movement import cat, movedim, stack
from ..ops.movement.strided import storage_view, vmapped_inputs
from ..state.contexts import binding
from ..tensor import Tensor
from ..utils._pytree import (
    TreeSpec,
    _broadcast_to_and_flatten,
    tree_flatten,
    tree_leaves,
    tree_structure,
    tree_unflatten,
)

P = ParamSpec("P")
R = TypeVar("R")


def vmap(
    func: Callable[P, R], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", *,
    chunk_size: int | None = None,
) -> Callable[P, R]:  # fmt: skip
    """Return a function that maps `func` over a dimension of its arguments, and stacks the results.

    `in_dims` is the dimension to map over, None for what isn't mapped, or a structure of these like the arguments;
    `out_dims` is where the dimension goes in the results, None for what doesn't depend on the slice. Keyword arguments
    aren't mapped over. `func` is called once, for all slices or for each `chunk_size` of them. If something
    can't be computed for all slices at once, it is called again, slice by slice. So `func` may branch on a slice's
    values, and convert them to Python numbers. What it writes into a Tensor that the slices share is written once, so
    RuntimeError is raised if slices write different values. A result that is an argument, or a view of one that doesn't
    require grad, lies in the argument's memory, as in PyTorch, but not with `chunk_size`. All other results are copies.

    With `randomness` "different" each slice gets its part of one draw of the batch's shape, as in PyTorch; with "same"
    all slices get the same draws; with "error" drawing raises RuntimeError. Source: torch.func.vmap.

    >>> torch.func.vmap(torch.dot)(torch.ones(3, 2), torch.arange(6.0).reshape(3, 2))
    tensor([1., 5., 9.])
    """

    if randomness not in ("error", "different", "same"):
        raise errors.ArgumentError(
            f"Only allowed values for randomness are 'error', 'different', or 'same'. Got {randomness}"
        )
    if chunk_size is not None and chunk_size < 1:
        raise errors.ArgumentError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")
    name = function_name(func)

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        for at in tree_leaves(out_dims):
            if not isinstance(at, (int, type(None))):
                raise errors.ArgumentError(
                    f"vmap({name}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a python collection "
                    "of ints representing where in the outputs the vmapped dimension should appear."
                )
        leaves, dims, spec = mapped_leaves(name, in_dims, args)
        (size,) = {x.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None}
        if not size:  # one slice of zeros tells the shapes and dtypes of the empty results
            leaves = [x if d is None else x.sum(d, True).to(x.dtype) for x, d in zip(leaves, dims, strict=True)]

        def of_leaves(slices: Sequence[Any]) -> Any:
            return func(*tree_unflatten(slices, spec), **kwargs)

        results_of = _Results(name, out_dims)
        if chunk_size is None or chunk_size >= size:
            found = _map_over_slices(of_leaves, leaves, dims, results_of, size or 1, randomness)
        else:
            before, results = default_generator.snapshot(), []
            for start in range(0, size, chunk_size):
                if randomness == "same":
                    default_generator.set_state(before)
                count = min(chunk_size, size - start)
                chunk = [x if d is None else x.narrow(d, start, count) for x, d in zip(leaves, dims, strict=True)]
                results.append(_map_over_slices(of_leaves, chunk, dims, results_of, count, randomness))
            found = results_of.joined(results, cat)
        return found if size else results_of.joined([found], lambda parts, at: parts[0].narrow(at, 0, 0))

    return mapped


def function_name(func: Any) -> str:
    """Return what errors call a function."""
    if isinstance(func, functools.partial):
        return f"functools.partial({function_name(func.func)}, ...)"
    return getattr(func, "__name__", repr(func))


def mapped_leaves(name: str, in_dims: Any, args: tuple[Any, ...]) -> tuple[list[Any], list[int | None], TreeSpec]:
    """Return the leaves of the arguments, the dimension of each that is mapped over, and the arguments' structure.

    Raises ValueError unless there are such dimensions, all of one size.
    """
    call = f"vmap({name}, in_dims={in_dims}, ...)(<inputs>)"
    if not isinstance(in_dims, (int, tuple)):
        raise errors.ArgumentError(
            f"{call}: expected `in_dims` to be int or a (potentially nested) tuple matching the structure of inputs, "
            f"got: {type(in_dims)}."
        )
    if not args:
        raise errors.ArgumentError(
            f"vmap({name})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you are trying to vmap over a "
            "function with no inputs. The latter is unsupported."
        )
    leaves, spec = tree_flatten(args)
    dims = _broadcast_to_and_flatten(in_dims, spec)
    if dims is None:
        raise errors.ArgumentError(
            f"{call}: in_dims is not compatible with the structure of `inputs`. in_dims has structure "
            f"{tree_structure(in_dims)} but inputs has structure {spec}."
        )
    for x, d in zip(leaves, dims, strict=True):
        _check_dim(call, x, d)
    sizes = [x.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None]
    if not sizes:
        raise errors.ArgumentError("vmap: Expected at least one Tensor to vmap over")
    if len(set(sizes)) > 1:
        raise errors.ShapeError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return leaves, dims, spec


def _check_dim(call: str, x: Any, d: Any) -> None:
    """Raise ValueError unless d is a dimension of the input x, or None."""
    if not isinstance(d, (int, type(None))):
        raise errors.ArgumentError(
            f"{call}: Got in_dim={d} for an input but in_dim must be either an integer dimension or None."
        )
    if d is not None and not isinstance(x, Tensor):
        raise errors.ArgumentError(
            f"{call}: Got in_dim={d} for an input but the input is of type {type(x)}. We cannot vmap over "
            "non-Tensor arguments, please use None as the respective in_dim"
        )
    if d is not None and not -x.ndim <= d < x.ndim:
        raise errors.ArgumentError(
            f"{call}: Got in_dim={d} for some input, but that input is a Tensor of dimensionality {x.ndim} so "
            f"expected in_dim to satisfy -{x.ndim} <= in_dim < {x.ndim}."
        )


def _map_over_slices(
    func: Callable[[Sequence[Any]], Any], leaves: Sequence[Any], dims: Sequence[int | None], results_of: _Results,
    size: int, randomness: str,
) -> Any:  # fmt: skip
    """Map a function over the slices: call it once for all of them, or if that fails once for each."""

    def unbatched(slices: Sequence[Any]) -> Any:
        parts, places, spec = results_of.flattened(func(slices))
        mapped = [(x, s, d) for x, s, d in zip(leaves, slices, dims, strict=True) if d is not None]
        joined = [_view_of_argument(y, at, mapped) for y, at in zip(parts, places, strict=True)]
        found = zip(joined, parts, places, strict=True)
        return tree_unflatten([remove_batch_dim(y, at) if x is None else x for x, y, at in found], spec)

    if all(observer.takes_batches for observer in state.observers()):
        try:
            return call_batched(unbatched, leaves, dims, size, BatchedDraws(randomness))
        except (Fallback, Exception) as error:  # an error of the function itself is raised again below
            if is_final(error):
                raise
    results, given = _one_by_one(func, leaves, dims, size, randomness)

    def join(parts: list[Tensor], at: int) -> Tensor:
        for x, dim, *slices in zip(leaves, dims, *given, strict=True):
            if dim is not None and _fits(at, x) and all(y is s for y, s in zip(parts, slices, strict=True)):
                return _moved(x, dim, at)
        return stack(parts, at)

    return results_of.joined(results, join)


def _fits(at: Any, x: Any) -> bool:
    return type(at) is int and -x.ndim <= at < x.ndim


def _moved(x: Tensor, dim: int, at: int) -> Tensor:
    """Return an argument as a result: itself, or a view with the dimension of the slices elsewhere."""
    return x if at % x.ndim == dim % x.ndim else movedim(x, dim, at)


def _view_of_argument(y: Any, at: Any, mapped: Sequence[tuple[Tensor, Tensor, int]]) -> Tensor | None:
    """Return a result as a view of the argument in whose memory it lies, or as that argument; None for other results.

    `mapped` has each argument, what stands for its slices, and their dimension. Views that are on a graph, or of slices
    of a mapping around, are copied.
    """
    for x, slices, dim in mapped:
        if y is slices and (x.node is None) == (y.node is None) and _fits(at, x):
            return _moved(x, dim, at)
        nested = hasattr(x.array, "level")
        if x.node is None and not nested and getattr(getattr(y, "array", None), "level", None) is slices.array.level:
            whole = y.array.whole
            if y.node is None and owner(whole) is owner(x.array) and whole.dtype == x.array.dtype and _fits(at, whole):
                shown = np.moveaxis(whole, 0, at)
                strides = [step // shown.itemsize for step in shown.strides]
                return None if min(strides) < 0 else storage_view(x, shown.shape, strides, geometry(shown)[2])
    return None


def _one_by_one(
    func: Callable[[Sequence[Any]], Any], leaves: Sequence[Any], dims: Sequence[int | None], size: int, randomness: str
) -> tuple[list[Any], list[list[Any]]]:
    """Call a function once for each slice. Return the results, and what it was given for each."""
    draws, results, given, writes, i = SequentialDraws(randomness, size), [], [], SharedWrites(), 0
    while i < size:
        slices = [x if d is None else x.select(d, i) for x, d in zip(leaves, dims, strict=True)]
        pairs = [(x, s) for x, s, d in zip(leaves, slices, dims, strict=True) if d is not None]
        again = binding(called_again, called_again.get() or i + 1 < size)
        with draws.at(i), writes.by_slice(i), again, binding(vmapped_inputs, (*vmapped_inputs.get(), pairs)):
            results.append(func(slices))
        given.append(slices)
        i += 1
        if writes.start_again:
            draws.undo()
            draws, i = SequentialDraws(randomness, size), 0
            results.clear()
            given.clear()
    return results, given


class _Results:
    """What is known of the results of a mapped function, whose name is for errors: where the slices go in each."""

    def __init__(self, name: str, out_dims: Any) -> None:
        self.name, self.out_dims = name, out_dims

    def flattened(self, result: Any) -> tuple[list[Any], list[int | None], TreeSpec]:
        """Return the leaves of a result, the dimension of each along which slices are stacked, and the structure."""
        out_dims, (parts, spec) = self.out_dims, tree_flatten(result)
        if isinstance(result, Tensor) and isinstance(out_dims, tuple) and len(out_dims) == 1:
            (out_dims,) = out_dims
        dims = _broadcast_to_and_flatten(out_dims, spec)
        if dims is None:
            raise errors.ArgumentError(
                f"vmap({self.name}, ..., out_dims={self.out_dims})(<inputs>): out_dims is not compatible with the "
                f"structure of `outputs`. out_dims has structure {tree_structure(self.out_dims)} but outputs has "
                f"structure {spec}."
            )
        return parts, dims, spec

    def joined(self, results: list[Any], join: Callable[[list[Any], int], Any]) -> Any:
        """Join the results of slices, or of chunks of them: Tensors along the dimension that `out_dims` has."""
        every, specs = zip(*map(tree_flatten, results), strict=True)
        _, dims, spec = self.flattened(results[0])
        if other := next((each for each in specs if each != spec), None):
            raise errors.ArgumentError(
                f"vmap({self.name}, ...): `{self.name}` must return the same structure for all slices, got {spec} and "
                f"{other}"
            )
        joined = []
        for parts, at in zip(zip(*every, strict=True), dims, strict=True):
            if at is None:
                if any(part is not parts[0] and not _same(part, parts[0]) for part in parts):
                    kind = type(parts[0]).__name__
                    what = "BatchedTensor" if isinstance(parts[0], Tensor) else f"{kind} that depends on the slice"
                    raise errors.ArgumentError(
                        f"vmap({self.name}, ...): `{self.name}` can not return a {what} when out_dim is None"
                    )
                joined.append(parts[0])
            elif isinstance(parts[0], Tensor):
                joined.append(join(list(parts), at))
            else:
                raise errors.ArgumentError(
                    f"vmap({self.name}, ...): `{self.name}` must only return Tensors, got type {type(parts[0])}. "
                    "Did you mean to set out_dims= to None for output?"
                )
        return tree_unflatten(joined, spec)


def _same(a: Any, b: Any) -> bool:
    """Whether two results are equal, of Tensors, arrays, numbers and text; NaN equals NaN. Other objects always are."""
    if not (isinstance(a, _COMPARED) and isinstance(b, _COMPARED)):
        return True
    x, y = (each.array if isinstance(each, Tensor) else each for each in (a, b))
    return np.shape(x) == np.shape(y) and bool(np.all((x == y) | ((x != x) & (y != y))))


_COMPARED = (Tensor, np.ndarray, np.generic, int, float, complex, str)
