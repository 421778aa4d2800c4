"""The recording of a model's computation as a list of steps: all applied Functions, with or without gradient.

The autograd graph only holds what derivatives need, so it lacks integers and everything without a gradient. The
recording uses an observer instead, which sees every operation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import state
from ..errors import UnsupportedError, place
from ..function import Function
from ..ops import indexing
from ..ops.movement.conversion import Clone
from ..ops.movement.rearranging import Permute
from ..ops.movement.shape import Reshape
from ..ops.movement.splitting import Split, Unbind
from ..ops.support.bare import tensors_in
from ..state import Observer
from ..tensor import Tensor
from ..view_writes.detaching import Detach


@dataclass(frozen=True, slots=True)
class Value:
    """A reference by number to an argument or a result of a step, possibly reshaped to `shape` and broadcast."""

    number: int
    shape: Any = None
    spread: Any = None  # the shape to which it is broadcast


@dataclass(slots=True)
class Constant:
    """An array that is not the result of a step. `name` is that of a parameter or buffer, if it is one."""

    array: Any
    name: str = ""


@dataclass(slots=True)
class Step:
    """One applied Function, or a call of a public function that has a rule of its own."""

    function: Callable[..., Any]
    path: str
    settings: dict[str, Any]  # arrays in them are Values or Constants
    inputs: list[Any]  # Values, Constants, numbers, None
    dtypes: list[Any]  # of the inputs after type promotion; None for numbers
    outputs: list[int]
    shapes: list[Any]
    kinds: list[np.dtype[Any]]  # of the outputs

    @property
    def where(self) -> str:
        """The operation and its module, for error messages."""
        return place(self.function.__name__, self.path)


@dataclass
class Recording(Observer):
    """The steps of one run, with its arguments and results."""

    arguments: list[Any]
    names: dict[int, str]  # names of parameters and buffers, by id of the array
    composites: Mapping[str, Callable[[dict[str, Any]], bool]]  # public functions recorded as one step, with conditions
    steps: list[Step] = field(default_factory=list)
    results: list[Any] = field(default_factory=list)
    _numbers: dict[int, tuple[int, Any]] = field(default_factory=dict)  # by id of the array, which is kept alive
    arrays: list[Any] = field(default_factory=list)  # the array of each number
    _memory: list[Any] = field(default_factory=list)  # the original arrays, which may have been overwritten since
    _producers: dict[int, tuple[Step, int]] = field(default_factory=dict)  # step and result index, by id of the array
    _shown: dict[Any, int] = field(default_factory=dict)  # by memory, the id of the array recorded last
    _stale: dict[int, str] = field(default_factory=dict)
    _before: dict[int, Constant] = field(default_factory=dict)  # constants before they were overwritten

    def new(self, array: Any) -> int:
        """Assign a new number to the current contents of an array."""
        number = len(self.arrays)
        self.arrays.append(array)
        self._memory.append(array)
        self._numbers[id(array)] = number, array
        self._shown[_memory(array)] = id(array)
        self._stale.pop(id(array), None)
        return number

    def operand(self, array: Any) -> Any:
        """Return a Value for an array that is, or views, the result of a step, else a Constant."""
        same, core = id(array), array
        if same not in self._numbers and array.base is not None:
            core = array[tuple(slice(0, 1) if step == 0 else slice(None) for step in array.strides)]
            same = self._shown.get(_memory(core), same)
        if same in self._stale:
            raise UnsupportedError(
                f"onnx.export: {self._stale[same]} wrote to memory that another Tensor shares and that was used "
                "afterwards: write out of place"
            )
        known = self._numbers.get(same)
        if known is None:
            return self._before.pop(same, None) or Constant(array, self.names.get(same, ""))
        if same == id(array):
            return Value(known[0])
        return Value(known[0], core.shape, None if core.shape == array.shape else array.shape)

    def plain(self, value: Any) -> Any:
        """Return a setting with its arrays replaced by Values and Constants."""
        if isinstance(value, np.ndarray):
            return self.operand(value)
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*map(self.plain, value))
        if isinstance(value, (tuple, list)):
            return tuple(map(self.plain, value))
        if isinstance(value, dict):
            return {name: self.plain(x) for name, x in value.items()}
        if isinstance(value, slice):
            return slice(*map(self.plain, (value.start, value.stop, value.step)))
        return value

    def begin(self, node: Function, inputs: tuple[Any, ...], target: Tensor | None = None) -> None:
        """Copy the array that the operation is about to overwrite, or a constant of which it will make a view."""
        first = getattr(inputs[0], "array", None) if inputs else None
        if node.may_share and target is None and isinstance(first, np.ndarray) and not isinstance(node, Detach):
            operand = self.operand(first)
            if isinstance(operand, Constant) and not operand.name:
                self._add(Clone, {"order": "K"}, [Constant(first.copy())], [first.dtype], [first])
        if target is None:
            return
        known = self._numbers.get(id(target.array))
        if known is None:
            self._before[id(target.array)] = Constant(target.array.copy())
        else:
            self.arrays[known[0]] = target.array.copy()

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Record a step."""
        cls = type(node)
        given = out if isinstance(out, tuple) else (out,)
        in_place = bool(inputs) and isinstance(inputs[0], Tensor) and inputs[0] is given[0]
        if cls is Detach or (not in_place and all(id(x.array) in self._numbers for x in given)):
            return  # no new arrays, for example after an autograd.Function, whose steps have been recorded
        arrays = [getattr(x, "array", x) for x in inputs]
        operands = [self.operand(x) if isinstance(x, np.ndarray) else x for x in arrays]
        promoted = arrays if cls.promote is None else cls.promote(list(arrays))
        settings = {name: self.plain(x) for name, x in vars(node).items() if name not in cls.intermediates}
        stale = dict(self._stale)
        if in_place:
            self._overwritten(arrays[0], place(cls.__name__, state.current().path))
        kinds = [getattr(x, "dtype", None) for x in promoted]
        self._add(cls, settings, operands, kinds, [x.array for x in given])
        if in_place:
            self._record_view_write(arrays[0], stale)

    def _add(
        self, function: Any, settings: dict[str, Any], operands: list[Any], dtypes: list[Any], results: list[Any]
    ) -> None:
        fresh = [id(x) not in self._numbers for x in results]
        numbers = [self.new(x) for x in results]
        path, shapes = state.current().path, [x.shape for x in results]
        step = Step(function, path, settings, operands, dtypes, numbers, shapes, [x.dtype for x in results])
        self.steps.append(step)
        self._producers.update({id(x): (step, i) for i, (x, new) in enumerate(zip(results, fresh, strict=True)) if new})

    def _record_view_write(self, shown: Any, stale: dict[int, str]) -> None:
        """After a write to a view, record steps that write the same values out of place to the viewed array."""
        step, which = self._producers.get(id(shown), (None, 0))
        source = step.inputs[0] if step is not None and step.inputs else None
        if step is None or not isinstance(source, Value) or source.shape is not None:
            return
        base = self._memory[source.number]
        if id(base) in stale or not getattr(step.function, "may_share", False) or not np.may_share_memory(base, shown):
            return
        now, before = Value(self._numbers[id(shown)][0]), Value(self._numbers[id(base)][0])
        settings, function = step.settings, step.function
        if function is Reshape:
            self._add(Reshape, {"size": base.shape}, [now], [base.dtype], [base])
        elif function is Permute:
            self._add(Permute, {"order": tuple(np.argsort(settings["order"]).tolist())}, [now], [base.dtype], [base])
        elif function in (indexing.GetItem, Split, Unbind):
            index = settings["index"] if "index" in settings else settings["indices"][which]
            self._add(indexing.SetItem, {"index": index}, [before, now], [base.dtype] * 2, [base])
        else:
            return
        self._record_view_write(base, stale)

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a public function and record it as one step, if it has a rule, or else as its individual steps."""
        when = self.composites.get(function.__name__)
        if when is None:
            return function(*args, **kwargs)
        bound = inspect.signature(function).bind(*args, **kwargs)
        bound.apply_defaults()
        if not when(bound.arguments):
            return function(*args, **kwargs)
        inputs = [x for x in bound.arguments.values() if isinstance(x, Tensor)]
        settings = {name: self.plain(x) for name, x in bound.arguments.items() if not isinstance(x, Tensor)}
        operands, kinds = [self.operand(x.array) for x in inputs], [x.array.dtype for x in inputs]
        with state.scope(observer=None):
            out = function(*args, **kwargs)
        self._add(function, settings, operands, kinds, [x.array for x in tensors_in(out)])
        return out

    def _overwritten(self, array: Any, op: str) -> None:
        for _, other in self._numbers.values():
            if other is not array and np.may_share_memory(other, array):
                self._stale[id(other)] = op


def _memory(array: Any) -> Any:
    """Return a key for the memory of a contiguous array: arrays with equal keys only differ in shape."""
    if not array.size or not array.flags.c_contiguous:
        return id(array)
    return array.__array_interface__["data"][0], array.size, array.dtype


def record(
    call: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], names: dict[int, str],
    composites: Mapping[str, Callable[[dict[str, Any]], bool]] | None = None,
) -> tuple[Recording, Any]:  # fmt: skip
    """Return (recording, result) of call(*args, **kwargs). The Tensors in nested containers are the arguments."""
    tensors = tensors_in((args, dict(kwargs)))
    recording = Recording([x.array for x in tensors], names, composites or {})
    for x in tensors:
        recording.new(x.array)
    with state.scope(observer=recording, grad_enabled=False):
        result = call(*args, **kwargs)
    recording.results = [recording.operand(x.array) for x in tensors_in(result)]
    return recording, result
