"""Activation checkpointing: a region of the graph keeps no values, and is recomputed when backward needs them."""

from __future__ import annotations

import contextlib
import copy
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from itertools import takewhile
from typing import Any

from .. import backend, errors, state
from ..autograd.saved_tensors import PackingObserver
from ..engine.paths import producer
from ..errors.notices import warn
from ..function import Function, Packed, numbers
from ..generator import default_generator
from ..generator.vmap_randomness import resume_here
from ..grad_fn.interface import HookedPlan
from ..state.contexts import binding
from ..state.observer import Stopped
from ..tensor import Tensor
from ..type_aliases import Array

__all__ = [
    "CheckpointError", "CheckpointFunction", "check_backward_validity", "checkpoint", "checkpoint_sequential",
    "detach_variable", "get_device_states", "noop_context_fn", "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop", "set_device_states",
]  # fmt: skip


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
    contexts, for the first and for the second call. The second call stops in the operation that computes the last
    needed value, so that what follows isn't done twice, unless `early_stop` is false.

    If `use_reentrant` is true, or not given (which warns), only the arguments count, as in PyTorch: if none of them
    requires grad, nothing inside gets a gradient, and there is a UserWarning. Keyword arguments then raise ValueError,
    the second call doesn't stop early, and gradients are wholly its own: if the function multiplies by a number, by the
    one of the second call. Otherwise numbers are those of the first call, Tensors those of the second. With either
    value every kind of backward works, second derivatives too.

    Backward raises RuntimeError if the second call doesn't begin with the same operations as the first, of the same
    shapes and dtypes (not checked if `determinism_check` is "none"), and if an argument has been written to in between.
    If `use_reentrant` is true, all operations must be the same, of the same operands; PyTorch takes the second call's.
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
    if reentrant and (context_fn not in (None, noop_context_fn) or debug):
        raise ValueError("checkpoint: Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
    seen = not reentrant or any(isinstance(x, Tensor) and x.node is not None for x in args)
    if not seen:
        check_backward_validity(args)
    if not (seen and state.current().grad_enabled):
        with state.scope(grad_enabled=False):
            return function(*args, **kwargs)
    first, second = (context_fn or noop_context_fn)()
    region = Region(function, args, kwargs, preserve_rng_state, second)
    region.whole, region.checks = reentrant, reentrant or determinism_check != "none"
    chosen = _early_stop.get()
    region.stops = not reentrant and (early_stop if chosen is None else chosen)
    collector = Collector(state.current().observer, reentrant)
    with state.scope(observer=collector), first:
        out = function(*args, **kwargs)
    region.close(collector)
    return out


def checkpoint_sequential(
    functions: Iterable[Callable[..., Any]], segments: int, input: Any, use_reentrant: bool | None = None,
    *, preserve_rng_state: bool = True,
) -> Any:  # fmt: skip
    """Call a sequence of functions or modules in `segments` segments, of which all but the last are checkpointed.

    Raises ValueError for more segments than functions. Source: torch.utils.checkpoint.checkpoint_sequential.

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


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warn if none of the inputs is a Tensor that requires grad. Source: torch.utils.checkpoint.

    >>> torch.utils.checkpoint.check_backward_validity([torch.ones(1, requires_grad=True), 3])
    """
    if not any(isinstance(x, Tensor) and x.node is not None for x in inputs):
        warn("None of the inputs have requires_grad=True. Gradients will be None")


class CheckpointFunction:
    """`checkpoint` with use_reentrant=True under its old name. Source: torch.utils.checkpoint.CheckpointFunction.

    >>> x = torch.tensor(0.0, requires_grad=True)
    >>> torch.utils.checkpoint.CheckpointFunction.apply(torch.exp, True, x).backward()
    >>> x.grad
    tensor(1.)
    """

    @staticmethod
    def apply(run_function: Callable[..., Any], preserve_rng_state: bool, *args: Any) -> Any:
        """Call `run_function(*args)`: see `checkpoint`."""
        return checkpoint(run_function, *args, use_reentrant=True, preserve_rng_state=preserve_rng_state)


class Collector(PackingObserver):
    """An observer that collects the recorded operations that hold values for backward, or `every` recorded one.

    It raises `Stopped` in the last of the `needed` ones. To a user's hooks on saved values outside, it is hooks further
    inside: these count.
    """

    hooks: Any = None
    takes_batches = False  # a second call's slices are of another mapping than the first one's

    def __init__(self, outer: Any, every: bool, needed: int | None = None) -> None:
        self.outer, self.every, self.needed, self.nodes = outer, every, needed, list[Function]()
        self.made: list[Any] = []  # version counters of memory that operations have allocated
        self.start = next(numbers)  # older nodes are from outside

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Collect an operation."""
        state.Observer.forward(self, node, inputs, out)
        results = out if isinstance(out, tuple) else (out,)
        self.made += [y._counter() for y in results if y._links.base is None and all(y is not x for x in inputs)]
        kept = getattr(node, "kept", None)
        if kept is not None and (not all(map(_is_number, kept)) or _arrays(node) or self._takes_every()):
            self.nodes.append(node)
            if len(self.nodes) == self.needed:
                raise Stopped(results)

    def _takes_every(self) -> bool:
        """Whether this observer, or one of a checkpoint within its own, collects every operation."""
        inner = takewhile(lambda observer: observer is not self, state.observers())
        return self.every or any(getattr(observer, "every", False) for observer in inner)

    def kinds(self) -> list[list[Any]]:
        """Return what must be the same of each operation in both calls; if `every` is set, its operands, too."""
        places = {node.number: -i for i, node in enumerate(self.nodes, 1)} if self.every else {}
        return [
            [type(node).__name__, node.shape, node.dtype, *(self._place(x, places) for x in node.edges if self.every)]
            for node in self.nodes
        ]

    def _place(self, edge: Function | None, places: dict[int, int]) -> Any:
        """Return which result an edge leads to; for nodes that no observer sees, as those of a view's base, None."""
        node, index = producer(edge)
        number = None if node is None else places.get(node.number, node.number)
        return None if number is None or number > self.start else (number, index)


class Region:
    """A checkpointed call, and the values that its recomputation has kept and backward hasn't read yet.

    What operations hold for backward is what they keep, and the arrays among their settings, such as a dropout's noise.
    """

    whole = False  # whether all that operations hold is that of the second call, numbers as well
    checks = True  # whether shapes and dtypes must be the same in both calls
    stops = False  # whether the recomputation stops early
    needed: int | None = None  # after how many operations that hold values it stops

    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], preserve: bool, context: Any
    ) -> None:
        self.function, self.args, self.kwargs, self.context = function, args, kwargs, context
        self.path = state.current().path
        self.draws, self.resumed = default_generator.snapshot() if preserve else None, resume_here()
        self.tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        self.versions = [(counter, counter[0]) for counter in (x._counter() for x in self.tensors)]
        self.kinds: list[Any] = []
        self.held: dict[int, tuple[Any, dict[str, Any]]] = {}  # for each operation what it keeps, and settings
        self.last: Callable[[], Function | None] = lambda: None  # the operation whose settings were restored last

    def close(self, collector: Collector) -> None:
        """Release the values that the first call's operations hold. Memory that it allocated may be written to now."""
        self.kinds = collector.kinds()
        if self.whole:  # the call may have written to its arguments: the second call writes to them again
            self.versions = [(counter, counter[0]) for counter, _ in self.versions]
        observer, made = state.current().observer, set(map(id, collector.made))
        for i, node in enumerate(collector.nodes):
            kept = node.kept
            if kept is None or (isinstance(kept, Packed) and not isinstance(kept, Recomputed)):
                continue  # it is freed, or packed by hooks in the region
            node.kept = Recomputed(self, i, node)
            _release_settings(node)
            if not node.calls_back:  # a custom Function unpacks what it saved when that is read
                node.plan = _unpacking(node.plan)
            if observer is not None:
                observer.release(node)
            seen = zip(node.versions[::2], node.versions[1::2], strict=True)
            node.versions = [x for c, n in seen for x in ([n] if id(c) in made and c[0] == n else c, n)]
            self.needed = i + 1 if self.stops else None

    def take(self, i: int) -> tuple[Any, dict[str, Any]]:
        """Return what operation i keeps, and its settings, after a recomputation if they aren't there."""
        if i not in self.held:
            self.held = {j: (node.kept, self._settings(node)) for j, node in enumerate(self._recompute())}
        kept, settings = self.held.pop(i)
        if isinstance(kept, Recomputed):  # by a checkpoint within this one, which knows the rest
            kept, rest = kept.take()
            settings |= rest
        return kept, settings

    def _settings(self, node: Function) -> dict[str, Any]:
        return {name: x for name, x in vars(node).items() if name != "ctx"} if self.whole else _arrays(node)

    def restore(self, node: Function, settings: dict[str, Any]) -> None:
        """Give an operation its settings for backward, which frees them unless it retains the graph: the next call."""
        if (last := self.last()) is not None:
            _release_settings(last)
        vars(node).update(settings)
        self.last = weakref.ref(node)

    def _recompute(self) -> list[Function]:
        """Make the call again, and return its operations that hold values, checked against those of the first call."""
        if any(counter[0] != then for counter, then in self.versions):
            raise errors.GraphError("checkpoint: an argument has been modified by an inplace operation since the call")
        collector, draws = Collector(None, self.whole, self.needed), default_generator.snapshot()
        if self.draws is not None:
            default_generator.set_state(self.draws)
        try:
            scope = state.scope(path=self.path, observer=collector, grad_enabled=True, deriving=False)
            with scope, self.context, self.resumed(), contextlib.suppress(Stopped):
                self.function(*self.args, **self.kwargs)
        finally:
            if self.draws is not None:
                default_generator.set_state(draws)
        kinds, found = self.kinds[: self.needed], collector.kinds()[: self.needed]
        if not self.checks:
            kinds, found = [kind[:1] for kind in kinds], [kind[:1] for kind in found]
        if len(found) < len(kinds):
            raise CheckpointError(
                "checkpoint: A different number of tensors was saved during the original forward and recomputation: "
                f"{len(self.kinds)} operations keep something in forward, {len(collector.nodes)} in recomputation."
            )
        if len(found) > len(kinds) and not self.stops:
            raise CheckpointError(
                "checkpoint: trying to save more tensors during recomputation than during the original forward pass: "
                f"{len(collector.nodes)} operations keep something, {len(self.kinds)} did in forward."
            )
        differing = next((pair for pair in zip(kinds, found, strict=False) if pair[0] != pair[1]), None)
        if differing is not None:
            raise CheckpointError(
                "checkpoint: Recomputed values for the following tensors have different metadata than during the "
                f"forward pass: {differing[0]} in forward, {differing[1]} in recomputation."
            )
        return collector.nodes


def _is_number(x: Array | float) -> bool:
    return isinstance(x, int | float | complex | None)


def _arrays(node: Function) -> dict[str, Any]:
    """Return the arrays among an operation's settings: those that the engine frees after backward."""
    if not node.may_hold_arrays:
        return {}
    is_array = backend.is_array
    return {name: x for name, x in vars(node).items() if is_array(x) or (type(x) is tuple and any(map(is_array, x)))}


def _release_settings(node: Function) -> None:
    if held := _arrays(node):
        node.__dict__ = {name: x for name, x in vars(node).items() if name not in held}  # views may share it


def _unpacking(plan: Any) -> Any:
    """Return a plan that has the engine unpack what is kept, also where a derivative reads nothing but settings."""
    if isinstance(plan, HookedPlan):
        plan.own = _unpacking(plan.own)
    elif not plan.keeps:
        plan = copy.copy(plan)
        plan.keeps = True
    return plan


class Recomputed(Packed):
    """Stands for the values that an operation of a region holds: unpacking recomputes them."""

    def __init__(self, region: Region, i: int, node: Function) -> None:
        super().__init__()
        self.region, self.i, self.node = region, i, weakref.ref(node)
        kept = {} if region.whole else getattr(node.kept, "numbers", dict(enumerate(node.kept)))
        self.numbers = {at: x for at, x in kept.items() if _is_number(x)}  # these aren't recomputed
        self.values = [self.numbers.get(at) for at in range(1 + max(self.numbers, default=-1))]

    def take(self) -> tuple[list[Any], dict[str, Any]]:
        """Return what the operation keeps, and its settings. Raises RuntimeError if the recomputation differs."""
        kept, settings = self.region.take(self.i)
        return [self.numbers.get(at, x) for at, x in enumerate(kept)], settings

    def unpack(self) -> list[Any]:
        """Return the recomputed values, and restore the operation's settings."""
        kept, settings = self.take()
        if (node := self.node()) is not None:
            self.region.restore(node, settings)
        return kept


def get_device_states(*args: Any) -> tuple[list[int], list[Any]]:
    """Return no GPUs and no generator states, since the CPU's makes all draws. Source: torch.utils.checkpoint.

    >>> torch.utils.checkpoint.get_device_states(torch.ones(1))
    ([], [])
    """
    return [], []


def set_device_states(devices: list[int], states: list[Any], *, device_type: str | None = None) -> None:
    """Do nothing: GPUs have no generator states. Source: torch.utils.checkpoint.set_device_states.

    >>> torch.utils.checkpoint.set_device_states([], [])
    """


class CheckpointError(errors.GraphError):
    """Raised if a recomputation differs from the first call. Source: torch.utils.checkpoint.CheckpointError."""


def noop_context_fn() -> tuple[Any, Any]:
    """Return two contexts that do nothing, for the first call and the recomputation.

    Source: torch.utils.checkpoint.noop_context_fn.

    >>> first, second = torch.utils.checkpoint.noop_context_fn()
    """
    return contextlib.nullcontext(), contextlib.nullcontext()


_early_stop: ContextVar[bool | None] = ContextVar("early stop", default=None)


def set_checkpoint_early_stop(enable: bool) -> contextlib.AbstractContextManager[None]:
    """Set for a block whether recomputations stop early, overriding the argument of `checkpoint`.

    Source: torch.utils.checkpoint.set_checkpoint_early_stop.

    >>> x = torch.tensor(0.0, requires_grad=True)
    >>> with torch.utils.checkpoint.set_checkpoint_early_stop(False):
    ...     torch.utils.checkpoint.checkpoint(torch.exp, x, use_reentrant=False).backward()
    >>> x.grad
    tensor(1.)
    """
    return binding(_early_stop, enable)


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Do nothing. Source: torch.utils.checkpoint.set_checkpoint_debug_enabled.

    >>> with torch.utils.checkpoint.set_checkpoint_debug_enabled(True):
    ...     pass
    """
    yield


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Detach the Tensors among the inputs; each requires grad as it did before.

    Source: torch.utils.checkpoint.detach_variable.

    >>> torch.utils.checkpoint.detach_variable((torch.ones(1, requires_grad=True), 3))
    (tensor([1.], requires_grad=True), 3)
    """
    return tuple(x.detach().requires_grad_(x.requires_grad) if isinstance(x, Tensor) else x for x in inputs)
