"""Record every operation of a block on a Tape, also those that autograd doesn't record."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from types import MethodType
from typing import Any, overload

import numpy as np

from ... import backend, state
from ...autograd.function import CustomNode
from ...autograd.function_hooks import remove_observer
from ...backend.meta import MetaArray
from ...engine.paths import producer
from ...errors import DtypeError, UnsupportedError
from ...errors.callers import program_frame
from ...errors.own_arguments import checked
from ...function import AccumulateGrad, Function, numbers
from ...function.plan import argument
from ...generator import default_generator
from ...grad_fn.interface import HookedPlan
from ...grad_fn.torch_names import key
from ...ops.movement import trace as trace_of_matrix
from ...ops.support.bare import bare
from ...parameter import Parameter
from ...tensor import Tensor
from ...type_aliases import Array
from ..flops import flops_of
from ..replay_data import Home, Recipe
from ..statistics import makes_infinity, stats_of, value_flag
from ..strided_copy import strided_copy
from ..tape import Input, Op, Result, Source, Tape
from .call_recorder import CallRecorder
from .homes import Homes, arrays_in
from .node_reader import NodeReader, derived_by, kept_by_name, names_of, plain_setting, scalar_value
from .origins import Origin, Origins
from .pass_recorder import PassRecorder


@dataclass(frozen=True)
class RecordOptions:
    """What to record of each operation besides what every tape has: the arguments of `record`."""

    values: bool = False
    stats: bool = False
    time: bool = False
    source: bool = False
    replay: bool = False


class record:
    """Record every operation of a `with` block on a Tape, which grows while the block runs.

    `values` copies each result. `stats` takes statistics of results and gradients, `time` measures how long operations
    take, and `source` notes the line of the program that called them. `replay` keeps what `Tape.replay` needs: copies
    of all values from outside, and random settings such as dropout masks. Without `values` and `replay`, a tape holds
    no arrays. `params`, a module or a dict of names to Tensors, gives names to Tensors. The tape's `results` are the
    values that no operation of the block reads. Each operation of a backward pass with create_graph knows the one whose
    derivative it is part of, and is drawn as that: "∂ layer1.Tanh", which `tape.draw(collapse="∂*")` closes. Not in
    PyTorch.

    >>> x = torch.tensor([1.0, 2.0])
    >>> with torch.record(values=True) as tape:
    ...     y = (x * x).sum()
    >>> [(op.name, op.values[0].tolist()) for op in tape]
    [('Mul', [1.0, 4.0]), ('Sum', 5.0)]
    """

    @checked
    def __init__(
        self,
        *,
        values: bool = False,
        stats: bool = False,
        time: bool = False,
        source: bool = False,
        replay: bool = False,
        params: Any = None,
    ) -> None:
        self._options = RecordOptions(values, stats, time, source, replay)
        self._params = params
        self._entered: list[Recorder] = []  # a stack, so that one object can be entered several times

    def __enter__(self) -> Tape:
        recorder = Recorder(self._options, names_of(self._params), state.current().observer)
        self._entered.append(recorder)
        state.variable.set(state.changed(observer=recorder))
        return recorder.tape

    def __exit__(self, *_: object) -> None:
        recorder = self._entered.pop()
        remove_observer(recorder)
        recorder.close()


@overload
def trace(model: Tensor, *args: Any, **kwargs: Any) -> Tensor: ...
@overload
def trace(model: Callable[..., Any], *args: Any, **kwargs: Any) -> Tape: ...
@overload
def trace(*, input: Tensor) -> Tensor: ...
def trace(model: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Return the Tape of `model(*args, **kwargs)`, recorded with `replay` and `source`: see `record`.

    If the first argument is a Tensor, return the sum of its diagonal. Raises TypeError for what can't be called.
    Source: torch.trace, for Tensors.

    >>> tape = torch.trace(torch.nn.Linear(3, 2), torch.ones(1, 3))
    >>> [op.name for op in tape], bool(tape.verify())
    (['Linear'], True)
    >>> torch.trace(torch.eye(3))
    tensor(3.)
    """
    if isinstance(model, Tensor) or (model is None and "input" in kwargs):
        return trace_of_matrix(*[] if model is None else [model], *args, **kwargs)
    if not callable(model):
        raise DtypeError(f"trace: expected a module, a function or a matrix, got {type(model).__name__}")
    with record(source=True, replay=True, params=model if hasattr(model, "named_parameters") else None) as tape:
        model(*args, **kwargs)
    return tape


class RecordingReader(NodeReader):
    """A NodeReader for use during a recording, when arrays may be freed between one operation and the next."""

    def __init__(self, names: dict[str, Tensor]) -> None:
        super().__init__(names)
        self.owners: dict[int, tuple[Any, int]] = {}
        self.count = 0

    def memory(self, array: Array) -> int:
        owner = backend.owner(array)
        known, number = self.owners.get(id(owner), (None, 0))
        if known is None or known() is not owner:
            number, self.count = self.count, self.count + 1
            self.owners[id(owner)] = weakref.ref(owner), number
        return number


class Recorder(state.Observer):
    """The observer that writes a Tape."""

    def __init__(self, options: RecordOptions, names: dict[str, Tensor], outer: state.Observer | None = None) -> None:
        self.tape, self.options, self.outer = Tape([], [], []), options, outer
        self.tape.names += names
        self.reader = RecordingReader(names)
        self.origins = Origins()
        self.pass_recorder = PassRecorder(self.tape, self.origins)
        self.homes = Homes()  # for replays, as the next two
        self.call_recorder = CallRecorder(self)
        self.derived: int | None = None  # number of the operation of which derivatives are computed
        self.decomposed: set[int] = set()  # numbers of the operations that end decompositions
        self.starts: list[int | None] = []  # of each running pass, the last operation where it starts, or None
        self.calls: dict[str, int] = {}  # path of a module -> number of its current call
        self.graded: set[int] = set()  # numbers of the leaves that had a gradient after a backward pass
        self.started = 0.0
        self.random: Any = None  # the default generator's state before an autograd.Function, which may draw from it

    def inside(self, node: Function) -> state.Observer | None:
        """Record an autograd.Function as one operation: what it calls inside isn't put on the tape."""
        return self.outer

    def begin(self, node: Function, inputs: tuple[Any, ...], target: Tensor | None = None) -> None:
        """Before an operation computes, note the origins of the Tensors that it may write to."""
        super().begin(node, inputs, target)
        custom = isinstance(node, CustomNode)
        for x in inputs if custom else (target,):
            if isinstance(x, Tensor):
                self.origin(x)
        self.random = default_generator.snapshot() if custom and self.options.replay else None
        self.started = time.perf_counter()

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """After an operation has computed, put it on the tape."""
        seconds = time.perf_counter() - self.started
        super().forward(node, inputs, out)
        cls, options = type(node), self.options
        results = out if type(out) is tuple else (out,)
        written = [x for x in results if any(x is y for y in inputs)]  # in place, or marked dirty
        for x in written:
            self.origins.count_write(x)
        op = self.entry(node, inputs, results)
        settings = {name: x for name, x in vars(node).items() if name not in cls.intermediates and name != "ctx"}
        op.settings = {name: plain_setting(x) for name, x in settings.items()}
        op.flops = flops_of(op)
        if options.time:
            op.seconds = seconds
        if options.source:
            frame, _ = program_frame()
            op.line = f"{frame.f_code.co_filename}, line {frame.f_lineno}"
        if options.stats:
            op.stats = [stats_of(x.array) for x in results]
        if options.values:
            op.values = [x.array.copy() for x in results]
        if (options.stats or options.values) and cls.elementwise and not isinstance(results[0].array, MetaArray):
            op.overflowed = makes_infinity(map(bare, inputs), results[0].array)
        if options.replay:
            held = {name: _copied(x) for name, x in settings.items() if not isinstance(x, MethodType)}
            digests = [digest(x.array) for x in results]
            op.recipe = Recipe(cls, held, op.in_place, state.current().grad_enabled, digests, [])
            self.note_homes(op, node, settings)
            if self.random is not None and not np.array_equal(self.random, default_generator.snapshot()):
                op.recipe.random = self.random
        self.tape.add(op)
        for x in written:
            self.origins.set_writer(x, op.number)
        for i, x in enumerate(results):
            if not (op.in_place and type(x.node) is AccumulateGrad):  # a leaf that a step by hand writes to stays one
                self.origins.place(x, op.number, i)
                if options.replay:
                    self.homes.set(x.array, Home(op.number, "result", i))

    def note_homes(self, op: Op, node: Function, settings: dict[str, Any]) -> None:
        """Note where the arrays in an operation's settings come from, and that others may come from it."""
        assert op.recipe is not None
        arrays = [] if isinstance(node, CustomNode) else list(arrays_in(settings.items()))
        for path, array in arrays:
            if (home := self.home(array)) is not None:
                op.recipe.links.append((path, home))
            elif array not in self.homes:
                self.call_recorder.loose.add(op.number)
        self.homes.add(op.number, "setting", arrays)
        if op.recorded:
            self.homes.add(op.number, "kept", kept_by_name(node).items())

    def home(self, array: Any) -> Home | None:
        """Return where an array comes from that an operation doesn't read as a Tensor; None if it isn't known."""
        found = self.homes.find(array)
        name = self.reader.array_names.get(id(array))
        if found is None and name is not None and self.reader.known[name].array is array:
            origin = self.origin(self.reader.known[name])
            return Home(origin.number, "result", origin.index)
        if isinstance(found, tuple):  # the first to read a Tensor that a call made
            return Home(self.source("constant", array).number, "result", 0)
        if found is None and self.derived is not None and array not in self.homes:
            self.call_recorder.loose_derivatives = True
            return Home(self.derived, "derived")
        return found

    def pass_on(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call of a public function, which the enclosing observer may make otherwise."""
        return super().call(function, args, kwargs)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call of a public function, and note what a replay has to know of it."""
        if self.options.replay:
            return self.call_recorder.call(function, args, kwargs)
        return super().call(function, args, kwargs)

    def entry(self, node: Function, inputs: tuple[Any, ...], results: tuple[Any, ...]) -> Op:
        """Make the Op of an operation, without its settings and what the options ask for."""
        cls, path, recorded = type(node), state.current().path, hasattr(node, "edges")
        number = node.number if recorded and self.tape.find(node.number) is None else next(numbers)
        shapes, dtypes = [x.array.shape for x in results], [self.reader.dtype(x.array.dtype) for x in results]
        op = Op(number, cls.__name__, cls.symbol, str(path), {}, [], shapes, dtypes, [], False, self.calls.get(path, 0))
        op.recorded, op.in_place = recorded, bool(inputs) and results[0] is inputs[0]
        op.own = not key(cls)
        derived_by(path, op)
        op.inputs = [self.input(op, argument(cls, i), x) for i, x in enumerate(inputs)]
        for i, x in enumerate(inputs):
            if isinstance(x, Tensor):
                op.inputs[i].wanted = (node.edges[i] if recorded else x.node) is not None
        op.kept = self.reader.kept(node) if recorded else []
        op.layouts = [_layout(x.array, inputs, op.in_place) for x in results]
        return op

    def input(self, op: Op, name: str, x: Any) -> Input:
        if isinstance(x, Tensor):
            origin = self.origin(x)
            source = self.tape.find(origin.number)
            if isinstance(source, Source):
                self.reader.suggest(source, name, op.path)
            writer = self.origins.writer(x)
            return Input(
                name, origin.number, origin.index, x.array.shape, self.reader.dtype(x.array.dtype),
                written=None if writer == origin.writer else writer,
            )  # fmt: skip
        if backend.is_array(x):
            source = self.source("constant", x)
            self.reader.suggest(source, name, "")  # a bare array is no module's input
            return Input(name, source.number, 0, x.shape, self.reader.dtype(x.dtype))
        value = float(x) if isinstance(x, np.bool_) else x.item() if isinstance(x, np.generic) else x  # as `apply` does
        return Input(name, None, 0, None if x is None else (), None, value)

    def origin(self, x: Tensor) -> Origin:
        """Return where a Tensor's values come from. If no operation on the tape made them, add a source."""
        leaf = x.node.tensor() if type(x.node) is AccumulateGrad else None
        if leaf is not None and leaf is not x and leaf.array is x.array:
            return self.origin(leaf)  # x is another Tensor on the leaf's array, which a derivative reads
        origin = self.origins.find(x)
        held = origin if origin is not None and origin.holds(x) else None
        if held is not None and held.unseen == self.origins.unseen(x):
            return held
        node, index = producer(x.node) if x.node is not None else (None, 0)
        if held is None and node is not None and isinstance(self.tape.find(node.number), Op):
            # The Tensor has become an operation's result in place, by transpose_() for example.
            return self.origins.place(x, node.number, index)
        if held is None and state.current().deriving:
            if (original := self.origins.original_of(x)) is not None:
                return self.origin(original)
            home = self.homes.find(x.array)
            if isinstance(home, Home) and home.role == "result" and node is None:  # of a Tensor that is gone
                return self.origins.place(x, home.number, home.place)
        replaced = origin if held is None and type(x.node) is AccumulateGrad else None  # the Tensor has become a leaf
        made_by = replaced.number if replaced is not None and replaced.tensor() is x else None
        return self._from_outside(x, node, made_by, self.tape.find(held.number) if held is not None else None)

    def _from_outside(self, x: Tensor, node: Function | None, made_by: int | None, before: Any) -> Origin:
        """Add a source for values that no operation on the tape made. `before` is the origin of earlier ones of x."""
        kind = "constant" if node is None else "parameter" if isinstance(x, Parameter) else "leaf"
        home = self.homes.find(x.array) if made_by is None and before is None and not self.origins.unseen(x) else None
        if kind != "constant" and isinstance(home, Home) and (home.role, home.place) == ("result", 0):
            made_by = home.number if isinstance(self.tape.find(home.number), Op) else None  # of a new Parameter, say
        number = node.number if type(node) is AccumulateGrad and self.tape.find(node.number) is None else None
        source = self.source(kind, x.array, number, self.reader.name(x))
        if kind == "constant" and not source.name:
            source.gradient_of = self.gradient_of(x)
        source.made_by, source.computed = made_by, node is not None and type(node) is not AccumulateGrad
        if isinstance(before, Source) and before.kind == kind:
            source.version = before.version + 1
        if kind != "constant" or isinstance(x, Parameter) or id(x) in self.reader.names:
            self.reader.leaves[self.reader.memory(x.array)] = source.number
        if kind != "constant":
            self.pass_recorder.add_leaf(x, source)
        return self.origins.place(x, source.number, 0)

    def gradient_of(self, x: Tensor) -> str:
        """Return the name, or the kind, of the leaf whose `.grad` a Tensor is; "" if it is of none that is known."""
        named = ((leaf, name) for name, leaf in self.reader.known.items())
        seen = ((leaf, source.name or source.kind) for leaf, source in self.pass_recorder.leaves())
        return next((name for leaf, name in (*named, *seen) if leaf._links.grad is x), "")

    def source(self, kind: Any, array: Array, number: int | None = None, name: str = "") -> Source:
        if isinstance(array, MetaArray) and (self.options.replay or self.options.stats):
            wanted = "replay" if self.options.replay else "stats"
            raise UnsupportedError(f"record: {wanted}=True needs values, and Tensors on the device 'meta' have none")
        if number is None:
            number = -1 - len(self.tape.sources)
        source = Source(number, kind, name, array.shape, self.reader.dtype(array.dtype), scalar_value(array))
        if self.options.stats:
            source.stats = stats_of(array)
        if self.options.replay:
            source.array = strided_copy(array)
            home = self.homes.find(array) if self.derived is None else self.home(array)
            if kind == "constant" and isinstance(home, Home) and (self.derived is not None or home.role == "gradient"):
                self.tape.links[source.number] = home
            self.call_recorder.claim(source, array)
        self.tape.add(source)
        return source

    def release(self, node: Function) -> None:
        """Take what a checkpoint computes again off the tape: only the checkpoint's own arguments are still held."""
        super().release(node)
        op = self.tape.find(node.number)
        if isinstance(op, Op):
            op.kept, op.recomputed = self.reader.kept(node), True

    def enter(self, module: Any, path: str) -> None:
        """Count the calls of a module."""
        super().enter(module, path)
        self.calls[path] = self.calls.get(path, -1) + 1

    def start_backward(self, roots: Sequence[Function], seeds: Sequence[Array], ends: Any = None) -> None:
        """When a backward pass starts, record its start, and where it will end."""
        super().start_backward(roots, seeds, ends)
        self.pass_recorder.passed += 1
        if state.current().deriving:  # a pass through a decomposition, whose result nobody reads
            self.decomposed.update(producer(root)[0].number for root in roots)
        recorded = any(isinstance(seed, Tensor) for seed in seeds)  # create_graph: its operations are on the tape
        if self.options.replay and not recorded:
            self.pass_recorder.start(roots, seeds, ends)
        if self.options.replay:
            known = [node.number for root in roots if (node := self.pass_recorder.op(producer(root)[0])) is not None]
            self.starts.append(None if recorded else max(known, default=None))
            for seed in map(bare, seeds):
                if seed is not None and seed not in self.homes:
                    self.homes.set(seed, None)  # a constant, and nothing that the derivatives compute

    def end_backward(self, found: dict[int, Any]) -> None:
        """When a backward pass is complete, note the gradients of leaves, and if it isn't on the tape, all others."""
        super().end_backward(found)
        leaves = self.pass_recorder.leaves()
        self.graded.update(source.number for x, source in leaves if x._links.grad is not None)
        self.note_gradients()
        root = self.starts.pop() if self.starts else None
        if root is not None:
            for array in map(bare, (*found.values(), *(x._links.grad for x, _ in leaves))):
                if array is not None:
                    self.homes.set(array, Home(root, "gradient"))

    def begin_backward(self, node: Function, grad: Any) -> None:
        """Before a node's derivatives are computed, record the gradients of its results."""
        super().begin_backward(node, grad)
        parts = grad if type(grad) is tuple else (grad,)
        op = self.pass_recorder.op(node)
        recorded = any(isinstance(g, Tensor) for g in parts)
        if op is not None and op.recipe is not None and recorded and self.derived is None:
            self.derived = op.number
            self.call_recorder.begin_derivatives(grad)
        if op is not None and self.options.stats:
            op.gradients = [None if g is None else stats_of(bare(g)) for g in parts]
        if op is not None and op.recipe is not None and not recorded:
            self.pass_recorder.begin(node, grad)
        self.started = time.perf_counter()

    def backward(self, node: Function, gradients: list[Array | None]) -> None:
        """After a node's derivatives are computed, record the gradients of its inputs."""
        seconds = time.perf_counter() - self.started
        super().backward(node, gradients)
        op = self.pass_recorder.op(node)
        if op is None:
            return
        if self.derived == op.number:
            self.derived = None
            self.call_recorder.end_derivatives(op, gradients)
        if self.options.time:
            op.backward_seconds = (op.backward_seconds or 0.0) + seconds
        op.passes += 1
        op.passed = self.pass_recorder.passed
        for given, g in zip(op.inputs, gradients, strict=False):
            if given.wanted:
                given.got = "nothing" if g is None else value_flag(bare(g)) if self.options.stats else ""
        if op.recipe is not None and not state.current().grad_enabled:
            op.recipe.hooked |= isinstance(node.plan, HookedPlan)
            op.recipe.gradients.append([None if g is None else digest(bare(g)) for g in gradients])
            self.pass_recorder.end(node, gradients)

    def failed(self, node: Function) -> None:
        """When a node's derivatives raised an error, forget that they are computed."""
        super().failed(node)
        self.derived = None

    def close(self) -> None:
        """At the end of the block, make results of the operations that no other operation reads.

        An in-place operation, such as an update of running statistics, counts only if there are no others.
        """
        self.pass_recorder.stop_reading()
        read: set[int | None] = {number for op in self.tape for x in op.inputs for number in (x.source, x.written)}
        read |= self.decomposed.union(source.made_by for source in self.tape.sources)
        unread = [op for op in self.tape if op.number not in read]
        for op in [op for op in unread if not op.in_place] or unread:
            for i, (shape, dtype) in enumerate(zip(op.shapes, op.dtypes, strict=True)):
                self.tape.results.append(Result(op.number, i, "", shape, dtype))
        self.note_gradients()

    def note_gradients(self) -> None:
        """Note the `.grad` of leaves, but not for a value that an optimizer's step has made since."""
        for x, source in self.pass_recorder.leaves():
            shown = self.options.stats or source.value is not None
            current = source.number in self.graded or source.version == 1
            if shown and current and type(x.node) is AccumulateGrad and x._links.grad is not None:
                source.gradient = stats_of(x._links.grad.array)


def digest(array: Array) -> str:
    """Return a hash of an array's values."""
    x = backend.to_numpy(array)
    return blake2b(np.ascontiguousarray(x).reshape(-1).view(np.uint8).data, digest_size=16).hexdigest()


def _copied(value: Any) -> Any:
    """Copy the arrays in a setting, because the program may write to them later."""
    if backend.is_array(value):
        return strided_copy(value)
    return tuple(map(_copied, value)) if type(value) is tuple else value


def _layout(array: Array, inputs: tuple[Any, ...], in_place: bool) -> str:
    """Describe how a result is laid out in memory. That of `detach` is a view, though it has its input's array."""
    if 0 in array.strides and array.size > 1:
        return "expanded"
    owner = backend.owner(array)
    shared = any(isinstance(x, Tensor) and backend.owner(x.array) is owner for x in inputs)
    if shared and not (in_place and owner is array):
        return "view"
    return "contiguous" if array.flags.c_contiguous else "strided"
