"""Replay a tape: with other inputs, in another dtype, on another device, or with results replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ... import backend, engine, gradients, state
from ...autograd import function
from ...errors import ArgumentError, DtypeError, GraphError
from ...errors.own_arguments import checked
from ...function import Function
from ...generator import default_generator
from ...ops.random.seeds import fork_rng
from ...parameter import Parameter
from ...tensor import Tensor
from ...type_aliases import Array
from ...view_writes.detaching import Detach
from ..replay_data import BackwardPass, BoundaryPoint
from ..strided_copy import strided_copy
from ..tape import Input, Op, Source, Tape
from .again import Again
from .edits import array_like, edited


@dataclass
class Replay:
    """The Tensors of a replay: `results` are those of the tape, and `replay[key]` is any other."""

    tape: Tape
    results: list[Tensor] = field(default_factory=list)
    sources: dict[str, Tensor] = field(default_factory=dict)  # by name
    _made: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def __getitem__(self, key: Any) -> Any:
        """Return the result, or tuple of results, of an operation. The key is as in `tape[key]`."""
        found = _one(self.tape, key)
        if isinstance(found, Source):
            return self._made[found.number, 0]
        several = tuple(self._made[found.number, i] for i in range(len(found.shapes)))
        return several if len(several) > 1 else several[0]

    def __repr__(self) -> str:
        return f"<Replay of {self.tape!r}>"


@checked
def replay(
    tape: Tape,
    inputs: Mapping[str, Any] | None = None,
    params: Any = None,
    dtype: Any = None,
    device: Any = None,
    edits: Mapping[Any, Any] | None = None,
) -> Replay:
    """Run a tape's operations again, with the same random draws, and record a new graph.

    `inputs` has new values for leaves and constants by name. `params` has new values for parameters: a dict, or a
    module, whose parameters that the tape doesn't read are ignored. All values are copied; anything but a Tensor is
    cast to the dtype of the value that it replaces. Floating-point values and settings are cast to `dtype`, and all
    arrays are moved to `device`. `edits` changes results: its keys are as in `tape[key]`, and its values are what the
    result becomes, a Tensor, an array, a number, or a function of the Tensor.

    Where functions compute arrays from Tensors off the tape, as `sort` computes indices, the calls of those whose
    Tensors change are made again. What the program itself took from Tensors as numbers or NumPy arrays, by `item()` or
    `if`, can't be known, and keeps its recorded value. So do gradients of backward passes without create_graph, with a
    warning where they are read.

    Raises RuntimeError for a tape recorded without `replay=True`, and where other values need other operations than the
    recorded ones, as where a mask chooses another number of elements. Raises ValueError (also a RuntimeError) for a
    name, and KeyError for a key, that the tape doesn't have, and TypeError for values that the dtype can't hold, and
    for a dtype of integers.
    """
    return Replaying(tape, dtype, device).run(_named(tape, inputs, params), _edits(tape, edits))


class Replaying:
    """One replay. `made` has every Tensor, by the number of its Op or Source and the index of the result."""

    recording = False  # whether to record gradients even where the program had no_grad

    def __init__(self, tape: Tape, dtype: Any, device: Any) -> None:
        if any(op.recipe is None for op in tape):
            raise GraphError("replay: the tape was recorded without replay=True, and holds no values to start from")
        self.tape, self.device = tape, device
        self.dtype = None if dtype is None else np.dtype(dtype)
        if self.dtype is not None and self.dtype.kind not in "fc":
            raise DtypeError(f"replay: expected a floating-point or complex dtype, got {self.dtype}")
        self.made: dict[tuple[int, int], Tensor] = {}

    def run(self, given: Mapping[int, Any], edits: Mapping[int, Any]) -> Replay:
        replayed = Replay(self.tape, _made=self.made)
        again = Again(self, given, edits) if given or edits or self.dtype is not None else None
        for source in self.tape.sources:
            x = self.start(source, given.get(source.number))
            self.made[source.number, 0] = x
            if source.name:
                replayed.sources.setdefault(source.name, x)
        for place, op in enumerate(self.tape):
            self.before_op(place)
            self.again = again and again.arrays(place, op)
            results = self.step(op)
            self.after_op(op, results)
            if again is not None:
                again.note(op, results)
            if op.number in edits:
                results = [edited(x, edits[op.number]) for x in results]
            for i, x in enumerate(results):
                self.made[op.number, i] = x
            for source in again.leaves(op) if again is not None else ():
                self.made[source.number, 0] = self.start(source, results[0])
            target = op.inputs[0] if op.in_place else None
            if target is not None and target.source is not None:  # what reads a leaf later reads its Source
                self.made[target.source, target.index] = results[0]
        self.before_op(len(self.tape))
        replayed.results = [self.made[result.source, result.index] for result in self.tape.results]
        return replayed

    def before_op(self, place: int) -> None:
        """Called before the operation at this position of the tape, and at the end."""

    def after_op(self, op: Op, results: list[Tensor]) -> None:
        """Called with an operation's results, before any later operation can write to them."""

    def start(self, source: Source, given: Any) -> Tensor:
        """Make the leaf or constant of a source."""
        held = source.array if given is None else array_like(given, source.array)
        array = self.converted(held)
        array = strided_copy(held) if array is held else array  # the program may write to it
        if source.kind == "parameter":
            return Parameter(Tensor._wrap(array))
        x: Tensor = Tensor._wrap(array).requires_grad_(source.kind != "constant")
        if source.computed:  # it isn't a leaf, because it may be written to in place
            x = Tensor._wrap(array, engine.Identity.recorded([x.node], array))
        return x

    def step(self, op: Op) -> list[Tensor]:
        recipe = op.recipe
        assert recipe is not None
        cls = recipe.function
        anew = self.again or {}
        operands = [anew.get(("input", i), self.operand(x)) for i, x in enumerate(op.inputs)]
        with state.scope(path=op.path, grad_enabled=recipe.grad_enabled or self.recording):
            if cls is Detach:
                out = operands[0].detach()
            elif issubclass(cls, function.CustomNode):
                with fork_rng(enabled=recipe.random is not None):
                    if recipe.random is not None:
                        default_generator.set_state(recipe.random)
                    out = cls.function.apply(*operands)
            else:
                settings = {name: self.setting(value) for name, value in recipe.settings.items()}
                settings |= anew.get("settings", {})
                out = (cls.apply_ if recipe.in_place else cls.apply)(*operands, **settings)
        return list(out) if isinstance(out, tuple) else [out]

    def operand(self, x: Input) -> Any:
        """Return an input for the operation, detached if the program had detached it in place, by detach_() say."""
        if x.source is None:
            return x.value
        at, maker = (x.source, x.index), self.tape[x.source]
        if not x.wanted and isinstance(maker, Op) and maker.recorded and self.made[at].node is not None:
            self.made[at] = self.made[at].detach()
        return self.made[at]

    def setting(self, value: Any) -> Any:
        if backend.is_array(value):
            return self.converted(value)
        if type(value) is tuple:
            return tuple(map(self.setting, value))
        if self.dtype is not None and isinstance(value, np.dtype) and value.kind == self.dtype.kind:
            return self.dtype
        return value

    def converted(self, array: Array) -> Array:
        """Move an array to the device of the replay and, if it is floating-point, cast it to the dtype."""
        if self.device is not None:
            array = backend.to_device(array, self.device)
        if self.dtype is not None and array.dtype.kind == self.dtype.kind and array.dtype != self.dtype:
            array = array.astype(self.dtype)
        return array


class BackwardReplaying(Replaying):
    """A replay that also repeats the backward passes, at the same positions of the tape.

    The positions matter because later operations may write to what a pass reads. `last` has the node of the last
    operation, since its result has another node if it is a view that is written to.
    """

    def __init__(self, tape: Tape) -> None:
        super().__init__(tape, None, None)
        if any(op.recipe.hooked for op in tape if op.recipe is not None):
            raise GraphError("replay: hooks of nodes, from grad_fn.register_hook, can't be called again")
        self.nodes: dict[tuple[int, int], Function] = {}  # nodes before any in-place write
        self.passes: dict[int, list[BackwardPass]] = {}  # position on the tape -> passes that start there
        for passed in tape.passes:
            self.passes.setdefault(passed.place, []).append(passed)

    def start(self, source: Source, given: Any) -> Tensor:
        x = super().start(source, given)
        if x.node is not None:
            self.nodes[source.number, 0] = x.node
        return x

    def step(self, op: Op) -> list[Tensor]:
        self.last = _LastNode()
        with state.scope(observer=self.last):
            return super().step(op)

    def before_op(self, place: int) -> None:
        for passed in self.passes.get(place, ()):
            self.backward(passed)

    def backward(self, passed: BackwardPass) -> None:
        """Repeat a backward pass."""
        found = [(point, node) for point in passed.points if (node := self.node(point)) is not None]
        roots, seeds = [], []
        for point, node in found:
            if point.role == "start":
                roots.append(node)
                seeds.append(point.gradient)
            elif point.role == "fresh":
                self.made[point.source, 0].grad = None
        ends = [node for point, node in found if point.role == "end"] if passed.bounded else None
        with _hooked([(node, point.gradient) for point, node in found if point.role == "hook"]):
            engine.run(roots, seeds, ends, retain_graph=True)

    def node(self, point: BoundaryPoint) -> Function | None:
        """Return the node of this replay that corresponds to a BoundaryPoint of the recorded pass."""
        at = point.source, point.index
        return self.made[at].node if point.written else self.nodes.get(at)

    def after_op(self, op: Op, results: list[Tensor]) -> None:
        for i, x in enumerate(results):
            if x.node is not None:
                self.nodes[op.number, i] = x.node


class _LastNode(state.Observer):
    """An observer that notes the node of the last operation, and whether it has several results."""

    node: Any = None
    several = False

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        self.node, self.several = node, type(out) is tuple


@contextmanager
def _hooked(given: list[tuple[Function, Any]]) -> Iterator[None]:
    """Register hooks on nodes that return the gradients which the program's hooks returned during the recording."""
    for node, gradient in given:
        node.hooks = {0: lambda _, gradient=gradient: Tensor._wrap(gradient)}  # type: ignore[misc]
    try:
        yield
    finally:
        for node, _ in given:
            node.hooks = None


@checked
def gradient(
    tape: Tape, of: Any, wrt: Any, grad: Any = None, inputs: Mapping[str, Any] | None = None, params: Any = None,
    dtype: Any = None, device: Any = None, edits: Mapping[Any, Any] | None = None,
) -> Any:  # fmt: skip
    """Return the gradient of an operation's result with respect to another result or a source, computed on a replay.

    `of` and `wrt` are keys of `tape[...]`; of several operations, the last is taken. `grad` is the gradient of `of`, by
    default ones, and the others are as in `replay`. Raises RuntimeError if `of` doesn't depend on `wrt`.
    """
    start, end = _one(tape, wrt), _one(tape, of)
    replaying = _Differentiating(tape, dtype, device, start.number)
    replaying.run(_named(tape, inputs, params), _edits(tape, edits))
    y, x = replaying.made[end.number, 0], replaying.wanted
    found = None
    if y.node is not None and x is not None:
        seed = y.detach().new_ones(y.shape) if grad is None else grad
        seed = seed if isinstance(seed, Tensor) else Tensor._wrap(array_like(seed, y.array))
        (found,) = gradients.grad(y, x, seed, allow_unused=True)
    if found is None:
        raise GraphError(f"gradient: {of!r} doesn't depend on {wrt!r}, or not differentiably")
    return found


def _one(tape: Tape, key: Any) -> Op | Source:
    """Return the entry of the tape for a key; of several operations, the last."""
    found = tape[key]
    return found[-1] if isinstance(found, list) else found


class _Differentiating(Replaying):
    """A replay in which one Tensor requires grad, whether or not it did in the program."""

    recording = True

    def __init__(self, tape: Tape, dtype: Any, device: Any, number: int) -> None:
        super().__init__(tape, dtype, device)
        self.number = number
        self.wanted: Tensor | None = None

    def start(self, source: Source, given: Any) -> Tensor:
        x = super().start(source, given).detach()  # a leaf that requires grad could not be written to
        return self.want(x) if source.number == self.number else x

    def step(self, op: Op) -> list[Tensor]:
        results = super().step(op)
        if op.number == self.number:
            results[0] = self.want(results[0])
        return results

    def want(self, x: Tensor) -> Tensor:
        """Note x as the Tensor to differentiate by, and return the one to continue with.

        They must differ, because a later write may give x another node.
        """
        if x.node is not None:
            self.wanted = Tensor._wrap(x.array, x.node)
            return x
        self.wanted = x.detach().requires_grad_()
        with state.scope(grad_enabled=True):
            return self.wanted.clone()


def _named(tape: Tape, inputs: Mapping[str, Any] | None, params: Any) -> dict[int, Any]:
    """Return the new values for sources by their numbers."""
    by_name: dict[str, list[int]] = {}
    for source in tape.sources:
        by_name.setdefault(source.name, []).append(source.number)
    given: dict[str, Any] = dict(inputs or {})
    if hasattr(params, "named_parameters"):
        named = dict(params.named_parameters())
        given |= {name: x for name, x in named.items() if name in by_name} or named
    elif params is not None:
        given |= params
    for name in given:
        if name not in by_name:
            names = ", ".join(filter(None, by_name)) or "none with a name"
            raise ArgumentError(f"replay: the tape has no source named {name!r}; it has {names}")
    return {number: x for name, x in given.items() for number in by_name[name]}


def _edits(tape: Tape, edits: Mapping[Any, Any] | None) -> dict[int, Any]:
    """Return the edits by the numbers of their operations."""
    chosen: dict[int, Any] = {}
    for key, change in (edits or {}).items():
        found = tape[key]
        for op in found if isinstance(found, list) else [found]:
            if not isinstance(op, Op):
                raise ArgumentError(f"replay: {key!r} isn't an operation; use inputs or params for sources")
            chosen[op.number] = change
    return chosen
