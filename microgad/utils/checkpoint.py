"""Activation checkpointing: a region of the graph keeps no values, and is recomputed when backward needs them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from .. import errors, state
from ..errors.notices import warn
from ..function import Function, Packed
from ..generator import default_generator
from ..generator.vmap_randomness import resume_here
from ..state.contexts import binding
from ..tensor import Tensor


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    preserve_rng_state: bool = True,
    context_fn: Callable[[], tuple[Any, Any]] | None = None,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """Call `function(*args, **kwargs)` without keeping values for backward, which recomputes them by a second call.

    This trades the time of one more forward pass for memory. The default generator's state is restored for the second
    call, so that dropout drops the same elements, unless `preserve_rng_state` is false. `context_fn` returns two
    contexts, for the first and for the second call. The second call stops as soon as all needed values are there,
    unless `early_stop` is false.

    If `use_reentrant` is true, or not given (which warns), only the arguments count, as in PyTorch: if none of them
    requires grad, nothing inside gets a gradient, and there is a UserWarning. Keyword arguments then raise ValueError,
    and the second call doesn't stop early. With either value every kind of backward works, second derivatives too.

    Backward raises RuntimeError if the second call doesn't begin with the same operations as the first, of the same
    shapes and dtypes (not checked if `determinism_check` is "none"), and if an argument has been written to in between.
    Source: torch.utils.checkpoint.checkpoint.

    >>> from microgad.utils.checkpoint import checkpoint
    >>> x = torch.tensor([0.5, 1.0], requires_grad=True)
    >>> y = checkpoint(lambda x: x.exp().tanh(), x, use_reentrant=False)
    >>> torch.allclose(torch.autograd.grad(y.sum(), x)[0], torch.autograd.grad(x.exp().tanh().sum(), x)[0])
    True
    """
    if determinism_check not in ("default", "none"):
        raise ValueError(f"checkpoint: determinism_check must be 'default' or 'none', got {determinism_check!r}")
    if use_reentrant is None:
        _warn_use_reentrant("checkpoint")
    reentrant = use_reentrant is not False
    if reentrant and kwargs:
        raise ValueError(f"checkpoint: Unexpected keyword arguments: {', '.join(kwargs)}; give use_reentrant=False")
    if reentrant and (context_fn or debug):
        raise ValueError("checkpoint: Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
    seen = not reentrant or any(isinstance(x, Tensor) and x.requires_grad for x in args)
    if not seen and any(isinstance(x, Tensor) for x in args):
        warn("None of the inputs have requires_grad=True. Gradients will be None")
    if not (seen and state.current().grad_enabled):
        with state.scope(grad_enabled=False):
            return function(*args, **kwargs)
    first, second = (context_fn or noop_context_fn)()
    region = Region(function, args, kwargs, preserve_rng_state, second, determinism_check != "none")
    chosen = _early_stop.get()
    region.stops = not reentrant and (early_stop if chosen is None else chosen)
    region.compares_ends = not (reentrant or region.stops)
    collector = Collector(state.current().observer)
    with state.scope(observer=collector), first:
        out = function(*args, **kwargs)
    region.close(collector.nodes, {id(counter) for counter in collector.made})
    return out


def checkpoint_sequential(
    functions: Sequence[Callable[..., Any]], segments: int, input: Any, use_reentrant: bool | None = None,
    *, preserve_rng_state: bool = True,
) -> Any:  # fmt: skip
    """Call a sequence of functions or modules in `segments` segments, of which all but the last are checkpointed.

    Source: torch.utils.checkpoint.checkpoint_sequential.

    >>> from microgad.utils.checkpoint import checkpoint_sequential
    >>> checkpoint_sequential([torch.exp, torch.tanh, torch.neg], 2, torch.tensor(0.0), use_reentrant=False)
    tensor(-0.7616)
    """
    if use_reentrant is None:
        _warn_use_reentrant("checkpoint_sequential")
    functions = list(functions.children()) if hasattr(functions, "children") else list(functions)
    size = len(functions) // segments

    def segment(start: int, end: int) -> Callable[[Any], Any]:
        def run(x: Any) -> Any:
            for function in functions[start:end]:
                x = function(x)
            return x

        return run

    end = 0
    for start in range(0, size * (segments - 1), size):
        end = start + size
        part, reentrant = segment(start, end), use_reentrant is not False
        input = checkpoint(part, input, use_reentrant=reentrant, preserve_rng_state=preserve_rng_state)
    return segment(end, len(functions))(input)


def _warn_use_reentrant(op: str) -> None:
    warn(
        f"torch.utils.checkpoint.{op}: the use_reentrant parameter should be passed explicitly; use_reentrant=False is "
        "the one to choose, for in its default, True, modules have no gradient where no argument requires one"
    )


class StopRecomputation(Exception):
    """Raised to leave a recomputation early, once all needed values are there."""


class Collector(state.Observer):
    """An observer that collects the recorded operations that keep values, and stops after `needed` of them."""

    def __init__(self, outer: Any, needed: int | None = None) -> None:
        self.outer, self.needed, self.nodes = outer, needed, list[Function]()
        self.made: list[Any] = []  # version counters of memory that operations have allocated

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Collect an operation."""
        super().forward(node, inputs, out)
        results = out if isinstance(out, tuple) else (out,)
        self.made += [y._counter() for y in results if y.base is None and all(y is not x for x in inputs)]
        if any(not isinstance(x, int | float | complex | None) for x in getattr(node, "kept", ())):
            self.nodes.append(node)

    def begin(self, node: Function, inputs: tuple[Any, ...], target: Any = None) -> None:
        """Once all are collected, stop before the next operation on the graph. Running statistics are still updated."""
        if len(self.nodes) == self.needed and any(getattr(x, "node", None) is not None for x in inputs):
            raise StopRecomputation
        super().begin(node, inputs, target)


class Region:
    """A checkpointed call, and the values that its recomputation has kept and backward hasn't read yet."""

    stops = False  # whether the recomputation stops early
    compares_ends = False  # whether it must not go on after the first call's last operation that keeps something
    needed: int | None = None  # after how many operations that keep values it stops

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        preserve: bool,
        context: Any,
        checks: bool,
    ) -> None:
        self.function, self.args, self.kwargs, self.context, self.checks = function, args, kwargs, context, checks
        self.path = state.current().path
        self.draws, self.resumed = default_generator.snapshot() if preserve else None, resume_here()
        self.tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        self.versions = [(counter, counter[0]) for counter in (x._counter() for x in self.tensors)]
        self.kinds: list[Any] = []
        self.kept: dict[int, Any] = {}

    def close(self, nodes: list[Function], made: set[int]) -> None:
        """Release the values that the first call's operations keep. Memory that it allocated may be written to now."""
        self.kinds = _kinds(nodes)
        self.versions = [(counter, counter[0]) for counter, _ in self.versions]
        observer, held = state.current().observer, [x.array for x in self.tensors]
        for i, node in enumerate(nodes):
            if node.kept:  # false for values that are packed already, as in a nested checkpoint
                node.kept = Recomputed(self, i)
                if observer is not None:
                    observer.release(node, held)
                seen = zip(node.versions[::2], node.versions[1::2], strict=True)
                node.versions = [x for c, n in seen for x in ([n] if id(c) in made and c[0] == n else c, n)]
                self.needed = i + 1 if self.stops else None

    def take(self, i: int) -> Any:
        """Return what operation i kept, after a recomputation if it isn't there."""
        if i not in self.kept:
            self.kept = dict(enumerate(node.kept for node in self._recompute()))
        return self.kept.pop(i)

    def _recompute(self) -> list[Function]:
        """Make the call again, and return its operations that keep values, checked against those of the first call."""
        if any(counter[0] != then for counter, then in self.versions):
            raise errors.GraphError("checkpoint: an argument has been modified by an inplace operation since the call")
        collector, draws = Collector(None, self.needed), default_generator.snapshot()
        if self.draws is not None:
            default_generator.set_state(self.draws)
        try:
            scope = state.scope(path=self.path, observer=collector, grad_enabled=True, deriving=False)
            with scope, self.context, self.resumed(), contextlib.suppress(StopRecomputation):
                self.function(*self.args, **self.kwargs)
        finally:
            if self.draws is not None:
                default_generator.set_state(draws)
        kinds, found = self.kinds[: self.needed], _kinds(collector.nodes)[: self.needed]
        if not self.checks:
            kinds, found = [kind[:1] for kind in kinds], [kind[:1] for kind in found]
        if len(found) < len(kinds):
            raise CheckpointError(
                "checkpoint: A different number of tensors was saved during the original forward and recomputation: "
                f"{len(self.kinds)} operations keep something in forward, {len(collector.nodes)} in recomputation."
            )
        if len(found) > len(kinds) and self.compares_ends:
            raise CheckpointError(
                "checkpoint: trying to save more tensors during recomputation than during the original forward pass: "
                f"{len(collector.nodes)} operations keep something, {len(self.kinds)} did in forward."
            )
        differing = next((pair for pair in zip(kinds, found, strict=False) if pair[0] != pair[1]), None)
        if differing is not None:
            before, now = ([kind[0].__name__, *kind[1:]] for kind in differing)
            raise CheckpointError(
                "checkpoint: Recomputed values for the following tensors have different metadata than during the "
                f"forward pass: {before} in forward, {now} in recomputation."
            )
        return collector.nodes


def _kinds(nodes: list[Function]) -> list[Any]:
    return [(type(node), node.shape, node.dtype) for node in nodes]


class Recomputed(Packed):
    """Stands for the values that an operation of a region kept: unpacking recomputes them."""

    def __init__(self, region: Region, i: int) -> None:
        super().__init__()
        self.region, self.i = region, i

    def unpack(self) -> list[Any]:
        """Return the recomputed values. Raises RuntimeError if the recomputation isn't the same."""
        return self.region.take(self.i)


def get_device_states(*args: Any) -> tuple[list[int], list[Any]]:
    """Return no GPUs and no generator states, since the CPU's makes all draws. Source: torch.utils.checkpoint."""
    return [], []


def set_device_states(devices: list[int], states: list[Any], **options: Any) -> None:
    """Do nothing: GPUs have no generator states. Source: torch.utils.checkpoint.set_device_states."""


class CheckpointError(errors.GraphError):
    """Raised if a recomputation differs from the first call. Source: torch.utils.checkpoint.CheckpointError."""


def noop_context_fn() -> tuple[Any, Any]:
    """Return two contexts that do nothing, for the first call and the recomputation."""
    return contextlib.nullcontext(), contextlib.nullcontext()


_early_stop: ContextVar[bool | None] = ContextVar("early stop", default=None)


def set_checkpoint_early_stop(enable: bool) -> contextlib.AbstractContextManager[None]:
    """Set for a block whether recomputations stop early, overriding the argument of `checkpoint`.

    Source: torch.utils.checkpoint.set_checkpoint_early_stop.
    """
    return binding(_early_stop, enable)


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Do nothing. Source: torch.utils.checkpoint.set_checkpoint_debug_enabled."""
    yield


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Detach the Tensors among the inputs; each requires grad as it did before.

    Source: torch.utils.checkpoint.detach_variable.
    """
    return tuple(x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs)
