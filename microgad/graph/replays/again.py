"""What a replay with other values computes again besides the operations: arrays that were computed off the tape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ... import backend, engine, state
from ...engine import walk
from ...engine.paths import producer
from ...errors import GraphError
from ...errors.notices import warn
from ...function import Function
from ...generator import default_generator
from ...ops.random.seeds import fork_rng
from ...ops.support.bare import bare
from ...pytree import tree_leaves, tree_map
from ...tensor import Tensor
from ..recording.homes import arrays_in
from ..recording.node_reader import kept_by_name
from ..replay_data import Call, Home, Read
from ..strided_copy import strided_copy
from ..tape import Op, Source
from ..text import called
from ..text import place as place_of
from .edits import edited

if TYPE_CHECKING:
    from .replaying import Replaying


class Again:
    """Follows what differs from the recording, and finds the arrays in settings, and constants, that change with it."""

    def __init__(self, replaying: Replaying, given: Mapping[int, Any], edits: Mapping[int, Any]) -> None:
        self.replaying, self.tape, self.edits = replaying, replaying.tape, edits
        dtype = replaying.dtype
        self.changed = set(given)  # numbers of operations and sources
        self.exact = not given and not edits  # only the precision differs
        if dtype is not None:
            cast = [x for x in self.tape.sources if x.array is not None and x.array.dtype != dtype]
            self.changed |= {x.number for x in cast if x.array.dtype.kind == dtype.kind}
        self.memory: dict[int, Any] = {}  # arrays that own memory in which something changed is, by their ids
        self.made: dict[int | None, list[Source]] = {}  # leaves by the operations of whose results they were made
        for source in self.tape.sources:
            self.made.setdefault(source.made_by, []).append(source)
        self.calls: dict[int, list[Call]] = {}
        for call in self.tape.calls:
            self.calls.setdefault(call.place, []).append(call)
        self.settings: dict[int, dict[str, Any]] = {}  # of the operations in calls that were made again
        self.inputs: dict[int, dict[int, Any]] = {}  # inputs of them that come from the call, by their positions
        links = [home for op in self.tape for _, home in op.recipe.links] + [*self.tape.links.values()]  # type: ignore[union-attr]
        self.keeping = {home.number for home in links if home.role in ("kept", "derived")}
        self.nodes: dict[int, Function] = {}  # of the operations of which something else reads what they keep

    def arrays(self, place: int, op: Op) -> dict[Any, Any]:
        """Before the operation at a position, return its changed "settings", and ("input", position) -> Tensor."""
        for call in self.calls.get(place, ()):
            if any(map(self.differs, call.reads)) or self.edits.keys() & set(call.ops):
                self.make(call)
        found: dict[Any, Any] = {("input", i): x for i, x in self.inputs.pop(op.number, {}).items()}
        for i, x in enumerate(op.inputs):
            home = self.tape.links.get(x.source) if x.source is not None else None
            if home is None or x.source in self.changed or not self.differs(home):
                continue
            if home.role != "gradient":
                found["input", i] = Tensor._wrap(self.array(op, home))
            elif not self.exact:
                warn(
                    f"replay: {place_of(op)} reads a gradient of {place_of(self.tape[home.number])} from a backward "
                    "pass without create_graph, which keeps its recorded value"
                )
        recipe = op.recipe
        assert recipe is not None
        settings = self.settings.get(op.number)
        if settings is None:
            changed = [(path, home) for path, home in recipe.links if self.differs(home)]
            settings = {path[0]: recipe.settings[path[0]] for path, _ in changed}
            for (name, *path), home in changed:
                settings[name] = _replaced(settings[name], path, self.array(op, home))
        if settings:
            found["settings"] = self.settings[op.number] = settings
        if found or any(x.source is not None and self.differs(x) for x in op.inputs):
            self.changed.add(op.number)
        return found

    def differs(self, at: Any) -> bool:
        """Whether the values of an Input, a Read or a Home differ from the recorded ones."""
        number = at.number if isinstance(at, (Home, Read)) else at.source
        if number in self.changed:
            return True
        index = at.index if not isinstance(at, Home) else at.place if at.role == "result" else 0
        x = self.replaying.made.get((number, index))
        return x is not None and id(backend.owner(x.array)) in self.memory

    def note(self, op: Op, results: list[Tensor]) -> None:
        """After an operation, note what it changed, and raise an error if values gave its result another shape."""
        if op.number in self.keeping and results[0].node is not None:
            self.nodes[op.number] = producer(results[0].node)[0]
        if op.number in self.edits:
            self.changed.add(op.number)
        if op.number not in self.changed:
            return
        owners = [backend.owner(x.array) for x in results]  # of an operation in place, views have its result
        self.memory.update((id(x), x) for x in owners)
        if op.in_place and op.inputs[0].source is not None:
            self.changed.add(op.inputs[0].source)
        made = self.replaying.made
        same = all(x.source is None or made[x.source, x.index].array.shape == x.shape for x in op.inputs)
        if same and [x.array.shape for x in results] != op.shapes:
            raise GraphError(
                f"replay: {place_of(op)} has a result of shape {results[0].array.shape} here, and had {op.shapes[0]}, "
                f"for which the rest was recorded: how many elements there are depends on {self.causes(op)}"
            )

    def leaves(self, op: Op) -> list[Source]:
        """Return the sources that the program made of a changed operation's result, by requires_grad_()."""
        found = self.made.get(op.number, []) if op.number in self.changed else []
        self.changed.update(source.number for source in found)
        return found

    def array(self, op: Op, home: Home) -> Any:
        """Return the array of a Home in this replay."""
        made, number = self.replaying.made, home.number
        if home.role == "result":
            return made[number, home.place].array
        if home.role == "kept" and number in self.nodes:
            found = kept_by_name(self.nodes[number]).get(home.place)
            if backend.is_array(found):
                return found
        maker = self.tape[number]
        if home.role == "setting":  # a changed one, or one that was drawn or given by the program
            changed = arrays_in(self.settings.get(number, {}).items())
            settings = {path: self.replaying.converted(x) for path, x in arrays_in(maker.recipe.settings.items())}
            return (settings | dict(changed))[home.place]
        raise GraphError(
            f"replay: {place_of(op)} reads an array that the derivative of {place_of(maker)} computed off the tape, "
            f"which can't be computed again from other values of {self.causes(maker)}"
        )

    def causes(self, op: Op) -> str:
        """Return the names of what differs from the recording among the inputs of an operation."""
        return _names([self.tape[x.source] for x in op.inputs if x.source is not None and self.differs(x)]) or op.name

    def make(self, call: Call) -> None:
        """Make a call again for the settings of its operations, and for the Tensors that it returns."""
        changed = _names([self.tape[read.number] for read in call.reads if self.differs(read)]) or "edited results"
        where = call.name + ("()" if call.derived is None else "") + (f" ({call.path})" if call.path else "")
        node = self.nodes.get(call.derived) if call.derived is not None else None
        if call.function is None and node is None:
            why = "it draws from a Generator of the program, or the tape is from a file"
            if call.derived is not None:
                why = f"{call.name.removeprefix('derivative of ')} makes no graph here"
            raise GraphError(
                f"replay: {where} depends on {changed}, which has other values here, and can't be called again: {why}"
            )
        ops = [self.tape[number] for number in call.ops]
        steps = _Steps(ops, call, self.edits)
        tensors = {x: self.given(call, x) for x in call.reads}  # one that is given twice is the same again
        args, kwargs = (
            tree_map(lambda x: tensors[x] if isinstance(x, Read) else self.given(call, x), tree)
            for tree in (call.args, call.kwargs)
        )
        with fork_rng(enabled=call.random is not None):
            if call.random is not None:
                default_generator.set_state(call.random)
            deriving = call.derived is not None
            with state.scope(observer=steps, path=call.path, grad_enabled=call.grad_enabled, deriving=deriving):
                out = self.derivatives(node, call, args[0]) if node is not None else call.function(*args, **kwargs)
        if [x.function for x in steps.found] != [op.recipe.function for op in ops]:
            now, before = ", ".join(x.function.__name__ for x in steps.found), ", ".join(op.name for op in ops)
            raise GraphError(f"replay: for these values of {changed} {where} calls {now}; recorded was {before}")
        for op, step in zip(ops, steps.found, strict=True):
            if op.number in call.owned:
                numbers = {i: step.inputs[i] for i, x in enumerate(op.inputs) if x.source is None}
                self.settings[op.number], self.inputs[op.number] = step.settings, step.fresh | numbers
                for i, x in step.fresh.items():
                    number = op.inputs[i].source
                    self.replaying.made[number, 0] = x
                    self.changed.add(number)
        leaves = list(tree_leaves(out))
        for i, number in call.results.items():
            self.replaying.made[number, 0] = leaves[i].detach()
            self.changed.add(number)

    def derivatives(self, node: Function, call: Call, grad: Any) -> list[Any]:
        """Compute the derivatives of a node again, as the engine does under create_graph."""
        onward = [edge if wanted else None for edge, wanted in zip(node.edges, call.wanted, strict=True)]
        return walk.derive(node, grad, onward, True)

    def given(self, call: Call, x: Any) -> Any:
        """Return an argument for a call: a Tensor that can be written to, with a node if the recorded one had one."""
        wanted = isinstance(x, Read) and x.wanted
        if isinstance(x, Read):
            array, dtype = self.replaying.made[x.number, x.index].array, x.dtype
            x = array.astype(dtype) if call.random is not None and array.dtype != dtype else strided_copy(array)
        elif isinstance(x, Tensor):
            x = self.replaying.converted(strided_copy(x.array))
        else:
            return x
        tensor: Tensor = Tensor._wrap(x).requires_grad_(wanted)
        return Tensor._wrap(x, engine.Identity.recorded([tensor.node], x)) if wanted else tensor


class _Step:
    """An operation of a call: its settings and inputs, and copies of those inputs that come from the call."""

    def __init__(self, node: Function, inputs: tuple[Any, ...], fresh: dict[int, Tensor]) -> None:
        self.function, self.inputs, self.fresh = type(node), inputs, fresh
        names = vars(node).keys() - {*type(node).intermediates, "ctx"}
        self.settings = {name: vars(node)[name] for name in names}


class _Steps(state.Observer):
    """An observer that collects the operations of a call, and makes the edits of their results."""

    def __init__(self, ops: list[Op], call: Call, edits: Mapping[int, Any]) -> None:
        self.ops, self.numbers, self.edits = ops, call.fresh, edits
        self.found: list[_Step] = []
        self.fresh: dict[int, Tensor] = {}

    def inside(self, node: Function) -> None:
        """Count an autograd.Function as one operation, as the recorder does."""

    def begin(self, node: Function, inputs: tuple[Any, ...], target: Tensor | None = None) -> None:
        """Copy the inputs that come from the call, since an operation may write to them."""
        op = self.ops[len(self.found)] if len(self.found) < len(self.ops) else None
        self.fresh = {}
        for i, (x, read) in enumerate(zip(inputs, op.inputs if op is not None else (), strict=False)):
            if read.source in self.numbers:
                self.fresh[i] = Tensor._wrap(strided_copy(bare(x)))

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        number = self.ops[len(self.found)].number if len(self.found) < len(self.ops) else None
        self.found.append(_Step(node, inputs, self.fresh))
        if number is not None and number in self.edits:
            with state.scope(observer=None, grad_enabled=False):  # what an edit computes is no part of the call
                for x in out if type(out) is tuple else (out,):
                    x.array = edited(x.detach(), self.edits[number]).array


def _replaced(value: Any, path: list[Any], array: Any) -> Any:
    """Return a setting with another array at a path in its nested tuples."""
    if not path:
        return array
    i, *rest = path
    return (*value[:i], _replaced(value[i], rest, array), *value[i + 1 :])


def _names(entries: list[Op | Source]) -> str:
    return ", ".join(dict.fromkeys(called(x) if isinstance(x, Source) else place_of(x) for x in entries))
