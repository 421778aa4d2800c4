"""Writer, which builds an ONNX graph, and the registry of export rules."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from ..errors import UnsupportedError
from .dynamic_axes import Dim, GeneratedArray, Varying, flatten_setting
from .recording import Constant, Step, Value

INT64 = np.dtype(np.int64)
BOOL = np.dtype(bool)

# For operators whose result hasn't the dtype of the first input: the dtype, or the index of the input that has it.
DTYPES = {
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual"), BOOL),
    **dict.fromkeys(("ArgMax", "ArgMin", "NonZero", "Shape", "Size"), INT64),
}
DTYPE_INPUT = {"Where": 1, "OneHot": 2}
WITH_INDICES = ("MaxPool", "TopK")  # operators whose second result holds indices


def _operator(op_type: str, *, swapped: bool = False) -> Callable[[Symbol, Any], Symbol]:
    """Make an operator method of Symbol, whose other operand is a Symbol or a number."""

    def apply(self: Symbol, other: Any) -> Symbol:
        pair = self, self.writer.like(other, self)
        return self.writer.op(op_type, *(pair[::-1] if swapped else pair))

    return apply


class Symbol:
    """A named value of the graph, with Python's arithmetic operators."""

    __slots__ = ("dtype", "name", "writer")

    def __init__(self, writer: Writer, name: str, dtype: np.dtype[Any]) -> None:
        self.writer, self.name, self.dtype = writer, name, dtype

    __add__, __radd__ = _operator("Add"), _operator("Add", swapped=True)
    __sub__, __rsub__ = _operator("Sub"), _operator("Sub", swapped=True)
    __mul__, __rmul__ = _operator("Mul"), _operator("Mul", swapped=True)
    __truediv__, __rtruediv__ = _operator("Div"), _operator("Div", swapped=True)
    __gt__, __lt__ = _operator("Greater"), _operator("Less")
    same = _operator("Equal")

    def __neg__(self) -> Symbol:
        return self.writer.op("Neg", self)


class Writer:
    """Collects the nodes, initializers and names of a graph."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.values: dict[int, Symbol] = {}  # by number of the recorded value
        self.shapes: dict[int, Any] = {}
        self.sizes: dict[str, tuple[Symbol, int]] = {}  # for each dynamic axis, an input and its axis of this size
        self.step: Step | None = None
        self._constants: dict[Any, Symbol] = {}
        self._held: list[Any] = []  # keeps arrays alive whose ids are used
        self._dims: dict[str, Symbol] = {}
        self._names: dict[str, int] = {}  # names in use, with the last number appended to each

    def named(self, wanted: str) -> str:
        """Return the name, with a number appended if it is taken."""
        name = wanted
        while name in self._names:
            self._names[wanted] += 1
            name = f"{wanted}_{self._names[wanted]}"
        self._names[name] = 0
        return name

    @property
    def place(self) -> str:
        """The module of the current step as a path: /layers/0/."""
        path = self.step.path.replace("()", "") if self.step is not None else ""
        return f"/{path.replace('.', '/')}/" if path else "/"

    def unsupported(self, why: str) -> UnsupportedError:
        """Return the error to raise if the current step can't be written."""
        assert self.step is not None
        return UnsupportedError(f"onnx.export: {self.step.where}: {why}")

    def op(self, op_type: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """Write a node and return its result or results. Inputs and attributes that are None are omitted."""
        node_name = self.named(f"{self.place}{op_type}")
        names = [f"{node_name}_output_{i}" for i in range(outputs)]
        given = ["" if x is None else x.name for x in inputs]
        while given and not given[-1]:
            given.pop()
        kept = {name: x for name, x in attributes.items() if x is not None}
        self.nodes.append(helper.make_node(op_type, given, names, node_name, **kept))
        dtype = DTYPES[op_type] if op_type in DTYPES else inputs[DTYPE_INPUT.get(op_type, 0)].dtype
        made = [Symbol(self, name, INT64 if i and op_type in WITH_INDICES else dtype) for i, name in enumerate(names)]
        return made[0] if outputs == 1 else made

    def cast(self, x: Symbol, dtype: Any) -> Symbol:
        """Cast x to a dtype."""
        if x.dtype == dtype:
            return x
        to = np.dtype(dtype)
        made = self.op("Cast", x, to=helper.np_dtype_to_tensor_dtype(to))
        return Symbol(self, made.name, to)

    def constant(self, value: Any, dtype: Any = None, name: str = "") -> Symbol:
        """Write an initializer; equal small ones are shared."""
        array = np.asarray(value, dtype)
        if array.dtype.kind == "c":
            raise self.unsupported("ONNX has no complex numbers here")
        key = name or ((array.tobytes(), array.dtype, array.shape) if array.size <= 64 else id(value))
        if key not in self._constants:
            self._held.append(value)
            called = self.named(name or f"{self.place}Constant")
            self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), called))
            self._constants[key] = Symbol(self, called, array.dtype)
        return self._constants[key]

    def like(self, x: Any, other: Symbol) -> Symbol:
        """Return a number as a constant, or a Symbol, in the dtype of `other`."""
        return self.cast(x, other.dtype) if isinstance(x, Symbol) else self.number(x, other.dtype)

    def number(self, x: Any, dtype: Any) -> Symbol:
        """Return a number or a Dim as a value without dimensions."""
        if isinstance(x, Dim):
            return self.cast(self.op("Squeeze", self.dim(x), self.ints([0])), dtype)
        return self.constant(self.static(x), dtype)

    def ints(self, values: Sequence[Any]) -> Symbol:
        """Return numbers and Dims as one int64 vector."""
        if not any(isinstance(x, Dim) for x in values):
            return self.constant([self.static(x) for x in values], INT64)
        parts: list[Any] = []
        for x in values:
            if isinstance(x, Dim):
                parts.append(self.dim(x))
            elif parts and isinstance(parts[-1], list):
                parts[-1].append(self.static(x))
            else:
                parts.append([self.static(x)])
        made = [self.constant(x, INT64) if isinstance(x, list) else x for x in parts]
        return made[0] if len(made) == 1 else self.op("Concat", *made, axis=0)

    def dim(self, dim: Dim) -> Symbol:
        """Compute a Dim from the shapes of the graph's inputs, as an int64 vector of size 1."""
        terms = [(self._size(name), factor) for name, factor in dim.terms]
        whole = math.lcm(dim.offset.denominator, *(factor.denominator for _, factor in terms))
        if dim.product:
            found = _scaled(reduce(operator.mul, [size for size, _ in terms]), dim.offset.numerator)
            return found if dim.offset.denominator == 1 else found / dim.offset.denominator
        found = reduce(operator.add, [_scaled(size, int(factor * whole)) for size, factor in terms])
        if dim.offset:
            found = found + int(dim.offset * whole)
        return found if whole == 1 else found / whole

    def _size(self, name: str) -> Symbol:
        if name not in self._dims:
            x, axis = self.sizes[name]
            self._dims[name] = self.op("Shape", x, start=axis, end=axis + 1)
        return self._dims[name]

    def static(self, x: Any) -> Any:
        """Return a setting that must be known at export."""
        found = next((part for part in flatten_setting(x) if isinstance(part, (Dim, Varying, GeneratedArray))), None)
        if found is not None:
            raise self.unsupported(
                f"one of its settings depends on a dynamic axis, or on the values of the inputs, and can't be written: "
                f"it is {found.shown if isinstance(found, Varying) else 'a size'}"
            )
        return x

    def of(self, x: Any, dtype: Any = None) -> Symbol:
        """Return an operand of the step, cast to a dtype."""
        found: Symbol
        if isinstance(x, Value):
            found = self.values[x.number]
            if x.shape is not None:
                found = self.reshaped(found, x.shape)
            if x.spread is not None:
                found = self.op("Expand", found, self.ints(x.spread))
        elif isinstance(x, Constant):
            found = self.constant(x.array, None, x.name)
        elif isinstance(x, GeneratedArray):
            found = self._generate(x)
        elif isinstance(x, Symbol):
            found = x
        elif isinstance(x, Varying):
            raise self.unsupported(
                f"it takes {x.shown}, whose computation isn't recorded and depends on a dynamic axis or on the inputs"
            )
        else:
            kind = np.float32 if isinstance(x, float) else np.int64
            return self.number(x, dtype or kind)
        return found if dtype is None else self.cast(found, dtype)

    def shape_of(self, x: Any) -> Any:
        """Return the shape of an operand, with Dims for dynamic sizes; () for a number."""
        if isinstance(x, Value):
            return x.spread or (x.shape if x.shape is not None else self.shapes[x.number])
        if isinstance(x, Constant):
            return x.array.shape
        return x.shape if isinstance(x, GeneratedArray) else ()

    def reshaped(self, x: Symbol, shape: Sequence[Any]) -> Symbol:
        """Reshape x. One unknown size is inferred from the others."""
        unknown = [i for i, n in enumerate(shape) if not isinstance(n, int)]
        if len(unknown) == 1 and 0 not in shape:
            shape = [-1 if i in unknown else n for i, n in enumerate(shape)]
        return self.op("Reshape", x, self.ints(shape), allowzero=1 if 0 in shape else None)

    def _generate(self, x: GeneratedArray) -> Symbol:
        if x.axis is None:
            return self.op("Expand", self.constant(x.value, x.dtype), self.ints(x.shape))
        numbers = self.op("Range", self.number(0, INT64), self.number(x.shape[x.axis], INT64), self.number(1, INT64))
        line = self.cast(numbers, x.dtype) * x.step + x.value
        column = [1] * len(x.shape)
        column[x.axis] = -1
        return self.op("Expand", self.reshaped(line, column), self.ints(x.shape))


def _scaled(x: Symbol, factor: int) -> Symbol:
    return x if factor == 1 else x * factor


Rule = Callable[[Writer, Step], Any]
RULES: dict[Any, Rule] = {}  # by Function or by name of a public function
COMPOSITES: dict[str, Callable[[dict[str, Any]], bool]] = {}  # the condition on arguments for a rule


def rule(*functions: Any, when: Callable[[dict[str, Any]], bool] = lambda arguments: True) -> Callable[[Rule], Rule]:
    """Register the decorated function, which writes a step and returns its Symbols, as the rule of these Functions."""

    def enter(write: Rule) -> Rule:
        RULES.update(dict.fromkeys(functions, write))
        COMPOSITES.update({x: when for x in functions if isinstance(x, str)})
        return write

    return enter
