"""One call of a function that a transform differentiates: its arguments, its results, and the checks of both."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from .. import errors, state
from ..autograd import functional
from ..engine.transforms import Transform
from ..function import AccumulateGrad
from ..ops.movement import clone
from ..state import inference
from ..state.contexts import binding
from ..tensor import Tensor
from ..utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_map, tree_unflatten
from ..view_writes.histories import TransformArgument

F = TypeVar("F", bound=Callable[..., Any])

# What PyTorch's errors call the transforms.
API = {"grad": "grad_and_value(f)(*args)", "vjp": "vjp(f, *primals)", "jacrev": "vjp(f, *primals)"} | dict.fromkeys(
    ("jvp", "jacfwd", "linearize"), "jvp(f, primals, tangents)"
)


def flatten(tree: Any) -> tuple[list[Tensor], Callable[[Sequence[Any]], Any]]:
    """Return the Tensors in a tree, and a function that rebuilds it with others; what isn't a Tensor stays in it."""
    leaves, spec = tree_flatten(tree)
    places = [i for i, x in enumerate(leaves) if isinstance(x, Tensor)]
    others = {i: x for i, x in enumerate(leaves) if not isinstance(x, Tensor)}

    def rebuild(found: Sequence[Any]) -> Any:
        every = others | dict(zip(places, found, strict=True))
        return tree_unflatten([every[i] for i in range(len(every))], spec)

    return [leaves[i] for i in places], rebuild


def entering(x: Tensor) -> Tensor:
    """Return a Tensor on the memory of x to differentiate by. It is a leaf, or if x is on a graph the next best."""
    if x.node is None:
        return x.detach().requires_grad_()
    with state.scope(observer=None):  # which is told of a TransformArgument instead
        result = x.detach()
    result.node = TransformArgument.recorded([x.node], x.array)
    if (observer := state.current().observer) is not None:
        observer.forward(result.node, (x,), result)
    return result


def writable(x: Tensor, entry: Tensor) -> Tensor:
    """Return what stands for x in forward mode, where functions may write to their arguments, as a caller then sees.

    Where x is on a graph already, writes go to a copy, since that graph wouldn't notice them.
    """
    return clone(entry) if x.node is not None else functional.on_memory_of(x, entry)


def recording(function: F) -> F:
    """Decorate a transform to make normal Tensors, which can be kept for backward, also in inference_mode."""

    @functools.wraps(function)
    def outside_inference_mode(*args: Any, **kwargs: Any) -> Any:
        if not inference.inferences:
            return function(*args, **kwargs)
        with binding(inference.inferring, False):
            return function(*args, **kwargs)

    return outside_inference_mode  # type: ignore[return-value]


def _chosen(argnums: Any, count: int) -> tuple[int, ...]:
    """Return the positions of the arguments to differentiate by. Raises RuntimeError unless `argnums` are some."""
    if not isinstance(argnums, (int, tuple)):
        raise errors.DtypeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    for n in numbers:
        if not isinstance(n, int):
            raise errors.DtypeError(f"argnum must be int, got: {type(n)}")
        if not -count <= n < count:
            raise errors.ArgumentError(f"Got argnum={n}, but only {count} positional inputs")
    found = tuple(n % count for n in numbers)
    if not found:
        raise errors.ArgumentError("argnums must be non-empty")
    if len(set(found)) != len(found):
        raise errors.ArgumentError(f"argnums elements must be unique, got {found}")
    return found


class TransformCall:
    """One call of a transformed function: its arguments, and which of them (`argnums`, or all) to differentiate by.

    For these the function is given Tensors on their memory that can't be written to, or what `given` makes of each
    argument and that Tensor.
    """

    def __init__(
        self, op: str, args: tuple[Any, ...], argnums: int | tuple[int, ...] | None = None,
        given: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> None:  # fmt: skip
        self.op, self.single = op, isinstance(argnums, int)
        numbers = tuple(range(len(args))) if argnums is None else _chosen(argnums, len(args))
        if any(isinstance(x, Tensor) and x.is_inference() for x in tree_leaves(args)):
            # Inference tensors can't be kept for backward, but normal ones on their memory can.
            args = tree_map(lambda x: Tensor._wrap(x.array) if isinstance(x, Tensor) and x.is_inference() else x, args)
        self._args, self._numbers = args, numbers
        self.leaves, self._rebuild = flatten([args[n] for n in numbers])
        self.recording = state.current().grad_enabled
        with state.scope(grad_enabled=True):
            self.wanted = [entering(x) for x in self.leaves]
            self.args = self.with_leaves(list(map(given, self.leaves, self.wanted)) if given else self.wanted)
        self.level = Transform((x.node for x in self.wanted), API[op].startswith("jvp"))

    def with_leaves(self, leaves: Sequence[Any]) -> list[Any]:
        """Return the call's arguments, with other Tensors in place of those to differentiate by."""
        found = list(self._args)
        for n, x in zip(self._numbers, self._rebuild(leaves), strict=True):
            found[n] = x
        return found

    def run(self, func: Callable[..., Any], kwargs: dict[str, Any], has_aux: bool) -> tuple[Any, Any]:
        """Call the function, and return its output and aux, which is None without `has_aux`."""
        with state.scope(grad_enabled=True), self.level.running():
            result = func(*self.args, **kwargs)
        # Nested in another transform, or on a graph outside: then results and derivatives stay on the graph.
        self.on_graph = any(functional.depends_on_others(flatten(result)[0], self.wanted))
        self.nested = self.recording and self.on_graph
        if not has_aux:
            return result, None
        if not (isinstance(result, tuple) and len(result) == 2):
            raise errors.ArgumentError(
                f"{API[self.op]}: output of function f should be a tuple: (output, aux) if has_aux is True"
            )
        leaves, spec = tree_flatten(result[1])
        for x in leaves:
            if not isinstance(x, Tensor):
                raise errors.DtypeError(f"Expected tensors, got unsupported type {type(x)}")
        return result[0], tree_unflatten(self.off_graph(leaves), spec)

    def vjp(self, outputs: Sequence[Tensor], seeds: Sequence[Tensor], retain_graph: bool = True) -> list[Tensor]:
        """Return the gradients of the wanted arguments, zeros where there are none, maybe on a graph needlessly."""
        with self.level.running():
            found = functional.vjp_of(outputs, self.wanted, seeds, self.needs_graph(seeds), retain_graph)
        return functional.zeros_for_none(found, self.wanted)

    def end(self) -> None:
        """Let no outer transform take this call's arguments for Tensors that require grad: they outlive the call."""
        functional.ended.update(x.node for x in self.wanted if type(x.node) is AccumulateGrad)

    def needs_graph(self, seeds: Sequence[Tensor]) -> bool:
        """Whether the products with these cotangents or tangents have to be recorded, for derivatives of them."""
        return state.current().grad_enabled and (self.on_graph or any(s.node is not None for s in seeds))

    def like_wanted(self, found: Sequence[Any]) -> Any:
        """Return one item for each wanted argument, in the structure of the arguments."""
        made = self._rebuild(list(found))
        return made[0] if self.single else tuple(made)

    def results(
        self, func: Callable[..., Any], kwargs: dict[str, Any], has_aux: bool
    ) -> tuple[list[Tensor], TreeSpec, Any]:
        """Call the function; return its output's leaves and structure, and aux. Raises unless all are Tensors."""
        value, aux = self.run(func, kwargs, has_aux)
        outputs, spec = tree_flatten(value)
        if outputs in ([], [None]):
            raise errors.ArgumentError(
                f"{API[self.op]}: Expected f to be a function that has non-empty output (got output = {outputs})"
            )
        for y in outputs:
            if not isinstance(y, Tensor):
                raise errors.DtypeError(
                    f"{API[self.op]}: expected f(*primals) to return only tensors, got unsupported type {type(y)}"
                )
        return outputs, spec, aux

    def check_real(self, what: str, tensors: Sequence[Tensor]) -> None:
        """Raise TypeError for complex Tensors, for which this derivative isn't defined."""
        for i, x in enumerate(tensors):
            if x.is_complex():
                raise errors.DtypeError(
                    f"{self.op}: Expected all {what} to be real but received complex tensor at flattened input idx: {i}"
                )

    def off_graph(self, found: Sequence[Tensor]) -> list[Tensor]:
        """Detach results, unless an outer derivative needs their graph."""
        if not self.nested:
            return [y.detach() for y in found]
        needed = functional.depends_on_others(found, self.wanted)
        return [y if on_graph else y.detach() for y, on_graph in zip(found, needed, strict=True)]

    def derivatives(self, found: list[Tensor], vectors: Sequence[Tensor]) -> list[Tensor]:
        """Detach products with cotangents or tangents likewise; those with such that are on a graph stay on it."""
        return self.off_graph(found) if self.nested and all(v.node is None for v in vectors) else found
