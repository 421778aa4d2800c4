"""Record the calls of public functions that compute arrays off the tape, so that replays can make them again."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ... import backend, state
from ...generator import Generator, default_generator
from ...pytree import tree_leaves, tree_map
from ...tensor import Tensor
from ..replay_data import Call, Home, Read
from ..strided_copy import strided_copy
from ..tape import Op, Source

if TYPE_CHECKING:
    from .recorder import Recorder


class CallRecorder:
    """Adds a Call to a tape for each call whose operations have settings, or whose results are, made off the tape."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder: Recorder = weakref.proxy(recorder)  # which holds this: no cycle
        self.tape = recorder.tape
        self.loose: set[int] = set()  # numbers of the operations with arrays in their settings that have no Home
        self.loose_derivatives = False  # whether operations in derivatives have arrays that were computed off the tape
        self._start: tuple[int, int, Any] = (0, 0, None)  # lengths of the tape and its sources, gradient of the result
        self._depth = 0  # how many calls are being made, one inside the other
        self._owned: set[int] = set()  # numbers of the operations that belong to a Call
        self._made: set[int] = set()  # numbers of the sources that belong to one

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Make a call, and record it if an operation on the tape may depend on what it computes off the tape."""
        now, tape = state.current(), self.tape
        leaves = list(tree_leaves((args, kwargs)))
        given = {id(x): x for x in leaves if isinstance(x, Tensor)}
        if now.deriving or not given:
            return self.recorder.pass_on(function, args, kwargs)
        read = {i: found for i, x in given.items() if (found := self._before(x)) is not None}
        writes = {i: self.recorder.origins.unseen(x) for i, x in given.items()}
        place, first, random = len(tape), len(tape.sources), default_generator.snapshot()
        self._depth += 1
        try:
            out = self.recorder.pass_on(function, args, kwargs)
        finally:
            self._depth -= 1
        read |= {i: found for i, x in given.items() if i not in read and (found := self._after(x)) is not None}
        taken = {x.number for x in read.values()} | self._made
        added = [x for x in tape.sources[first:] if x.kind == "constant" and x.name not in tape.names]
        fresh = [x.number for x in added if x.number not in taken]
        ops = tape.ops[place:]
        owned = [op for op in ops if op.number not in self._owned]
        loose = any(op.number in self.loose or any(x.source in fresh for x in op.inputs) for op in owned)
        inputs = {x.source for op in ops for x in op.inputs}
        loose |= not inputs.issuperset(x.number for x in read.values())  # the values of an argument were read
        results = [
            (i, x)
            for i, x in enumerate(tree_leaves(out))
            if isinstance(x, Tensor) and not self._known(x) and writes.get(id(x)) != self.recorder.origins.unseen(x)
        ]
        if not read or not (results or loose):
            return out
        if self._depth and len(read) < len(given):  # only the call that this one is part of has all that it depends on
            self.loose.update(op.number for op in owned)
            return out

        def held(x: Any) -> Any:
            if isinstance(x, Tensor):
                return read.get(id(x)) or Tensor._wrap(strided_copy(x.array))
            return strided_copy(x) if backend.is_array(x) else x

        known = not any(isinstance(x, Generator) for x in leaves)
        numbers, own = [op.number for op in ops], [op.number for op in owned]
        call = Call(
            function if known else None, function.__name__, place, now.path, now.grad_enabled, numbers, own,
            tree_map(held, args), tree_map(held, kwargs), fresh,
        )  # fmt: skip
        if random.tobytes() != default_generator.snapshot().tobytes():
            call.random = random
        self._owned.update(call.owned)
        self._made.update(fresh)
        for i, x in results:
            self.recorder.homes.set(x.array, (call, i))
        tape.calls.append(call)
        return out

    def begin_derivatives(self, grad: Any) -> None:
        """Before the derivatives of an operation are computed under create_graph, note the gradient of its result."""
        self.loose_derivatives, self._start = False, (len(self.tape), len(self.tape.sources), grad)

    def end_derivatives(self, op: Op, gradients: list[Any]) -> None:
        """Record the derivatives of an operation as a Call, if they computed arrays off the tape."""
        (place, first, grad), self._start = self._start, (0, 0, None)
        if not self.loose_derivatives:
            return
        ops = [x.number for x in self.tape.ops[place:]]
        fresh = [x.number for x in self.tape.sources[first:] if x.number in self.tape.links]

        def held(g: Any) -> Any:
            return None if g is None else self._before(g) or self._after(g) or Tensor._wrap(strided_copy(g.array))

        args = tree_map(held, grad), Read(op.number, 0, None, False)
        wanted = [g is not None for g in gradients]
        call = Call(None, f"derivative of {op.name}", place, op.path, True, ops, ops, args, {}, fresh)
        call.derived, call.wanted = op.number, wanted
        self.tape.calls.append(call)

    def _known(self, x: Tensor) -> bool:
        """Whether it is known where a Tensor's values come from."""
        origin = self.recorder.origins.find(x)
        if origin is not None and origin.holds(x):
            return origin.unseen == self.recorder.origins.unseen(x)
        return x.array in self.recorder.homes

    def _before(self, x: Tensor) -> Read | None:
        """Return an argument of a call as a Read, if it is known where it comes from, or has a name."""
        if not self._known(x) and id(x) not in self.recorder.reader.names:
            return None
        origin = self.recorder.origin(x)
        return Read(origin.number, origin.index, x.array.dtype, x.node is not None)

    def _after(self, x: Tensor) -> Read | None:
        """Return an argument of a call that an operation inside was the first to read."""
        origin = self.recorder.origins.find(x)
        entry, index = (
            (self.tape.find(origin.number), origin.index) if origin is not None and origin.holds(x) else (None, 0)
        )
        while isinstance(entry, Op) and entry.in_place and (target := entry.inputs[0]).source is not None:
            entry, index = self.tape.find(target.source), target.index
        wanted = isinstance(entry, Source) and entry.kind != "constant"
        return None if entry is None else Read(entry.number, index, x.array.dtype, wanted)

    def claim(self, source: Source, array: Any) -> None:
        """Note that a new source has the values of an array, which a call may have made."""
        homes = self.recorder.homes
        found = homes.find(array)
        if isinstance(found, tuple):
            call, i = found
            call.results[i] = source.number
            self._made.add(source.number)
        if not isinstance(found, Home):
            homes.set(array, Home(source.number, "result", 0))
