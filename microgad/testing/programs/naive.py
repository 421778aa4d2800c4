"""A naive autograd engine, right by construction: it is the test oracle of the real ones.

It has no tape and no backward pass. Every element of memory carries its derivatives along with its value, and they are
computed by the chain rule in forward mode when the operation runs:

- A tensor is an array of addresses into a memory. A view has other addresses into the same memory, so a write through
  one changes the values and the derivatives of all.
- A write assigns values and derivatives. An in-place operation is the operation out of place followed by a write.
- `detach` shares the values but has derivatives of its own, all zero. In `no_grad` a write assigns values only.
- A variable is anything that derivatives are taken by: every memory that depends on a leaf. A write makes the memory a
  new variable. A variable has a column of derivatives for each of its elements. Reading a gradient is reading columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...type_aliases import Array


class Refusal(RuntimeError):
    """Raised for a statement that every engine has to refuse."""


class Values:
    """The values of a memory, and a count of its writes. A tensor and its `detach` share them."""

    def __init__(self, values: Array) -> None:
        self.values, self.version = values, 0


class Node:
    """A past operation, and the memories, each at a version, that a real engine may keep for its derivative."""

    def __init__(self, *kept: Values, by_view: bool = False) -> None:
        self.kept, self.freed = [(memory, memory.version) for memory in kept], False
        self.by_view = by_view  # a write through a view

    def may_refuse(self) -> bool:
        """Whether a kept memory was freed or overwritten, so that a real engine may refuse a backward pass."""
        return self.freed or any(memory.version != version for memory, version in self.kept)


class Trace:
    """The derivatives of a memory: a row for each of its elements, a column for each element of every variable."""

    def __init__(self, engine: NaiveEngine, size: int) -> None:
        self.slopes = np.zeros((size, engine.columns))
        self.own = slice(0, 0)  # the columns of this memory as a variable
        self.factor = 1.0  # the product of its hooks' factors
        self.reach: set[int] = set()  # the variables that it depends on, each by its first column
        self.past: set[Node] = set()  # the operations that it depends on
        self.leaf = self.viewed = False
        engine.traces.append(self)


class NaiveEngine:
    """The naive engine, under the names that a program written for torch uses. Everything is float64.

    `columns` is the most elements that all variables may have together; beyond that it raises OverflowError.
    `doubtful` says of the last gradient whether a real engine may refuse it, because kept values were freed or
    overwritten, and `by_view` whether a write through a view is among the operations behind it.

    >>> from microgad.testing.programs.naive import NaiveEngine
    >>> torch = NaiveEngine()
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> y = x * x
    >>> y[0].fill_(5.0).tolist()
    5.0
    >>> y.sum().backward()
    >>> x.grad.tolist()
    [0.0, 4.0]
    """

    float64 = np.float64

    def __init__(self, columns: int = 1024) -> None:
        self.columns, self.used = columns, 0
        self.recording, self.doubtful, self.by_view = True, False, False
        self.traces: list[Trace] = []
        self.leaves: list[Tensor] = []
        self.autograd = self  # a program says torch.autograd.grad

    def tensor(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
        made = self.made(np.array(data, self.float64))
        return made.requires_grad_() if requires_grad else made

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        outer, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = outer

    def grad(
        self,
        output: Tensor,
        variables: Tensor | list[Tensor],
        weights: Tensor | None = None,
        retain_graph: bool = False,
    ) -> tuple[Tensor, ...]:
        """Return the gradients of a tensor by tensors that aren't views."""
        variables = [variables] if isinstance(variables, Tensor) else variables
        for variable in variables:
            if not variable.requires_grad or variable.trace.own.start not in output.trace.reach:
                raise Refusal("the output does not depend on the variable")
        return tuple(map(self.made, output.gradients(variables, weights, retain_graph)))

    def made(self, values: Array, terms: Any = (), kept: tuple[Tensor, ...] = ()) -> Tensor:
        """Make a tensor with its own memory. `terms` are pairs (operand, its contribution to the derivatives)."""
        # The result's axes lie in memory as those of the values: reshape depends on it.
        order = np.argsort([-step for step in values.strides], kind="stable")
        ordered = values.transpose(order)
        where = np.arange(values.size).reshape(ordered.shape).transpose(np.argsort(order))
        result = Tensor(self, Values(ordered.ravel()), Trace(self, values.size), where)
        operands = [x for x, _ in terms if x.requires_grad]
        if self.recording and operands:
            result.trace.slopes[where, : self.used] = sum(slopes for _, slopes in terms)
            result.trace.reach.update(*(x.trace.reach for x in operands))
            node = Node(*(x.memory for x in kept), *([result.memory] if len(kept) == 1 else []))
            result.trace.past.update({node}, *(x.trace.past for x in operands))
            self.renew(result.trace)
        return result

    def renew(self, trace: Trace) -> None:
        """Make the current content of a memory a new variable: the derivative of each element by itself is 1."""
        start, self.used = self.used, self.used + len(trace.slopes)
        if self.used > self.columns:
            raise OverflowError(f"the variables have more than {self.columns} elements: ask for more columns")
        trace.own, trace.factor = slice(start, self.used), 1.0
        trace.slopes[:, trace.own] = np.eye(len(trace.slopes))
        trace.reach.add(start)


class Tensor:
    """Addresses into a memory. The methods are torch's."""

    def __init__(self, engine: NaiveEngine, memory: Values, trace: Trace, where: Array, view: bool = False) -> None:
        self.engine, self.memory, self.trace, self.where, self.view = engine, memory, trace, where, view
        self.shape: tuple[int, ...] = where.shape
        self.grad: Tensor | None = None

    @property
    def values(self) -> Array:
        copy = np.empty_like(self.where, float)  # empty_like keeps the order of axes in memory
        copy[...] = self.memory.values[self.where]
        return copy

    @property
    def slopes(self) -> Array:
        """(*shape, columns in use): the derivatives of each element."""
        return self.trace.slopes[self.where, : self.engine.used]

    @property
    def requires_grad(self) -> bool:
        return bool(self.trace.reach)

    @property
    def is_leaf(self) -> bool:
        return not self.requires_grad or (self.trace.leaf and not self.view)

    def tolist(self) -> Any:
        return self.values.tolist()

    def __add__(self, other: Any) -> Tensor:
        terms = [(x, x.slopes) for x in (self, other) if isinstance(x, Tensor)]
        return self.engine.made(self.values + _values(other), terms)

    def __mul__(self, other: Any) -> Tensor:
        values = self.values * _values(other)
        if not isinstance(other, Tensor):
            return self.engine.made(values, [(self, other * self.slopes)])
        terms = [(self, other.values[..., None] * self.slopes), (other, self.values[..., None] * other.slopes)]
        return self.engine.made(values, terms, (self, other))

    def __matmul__(self, other: Tensor) -> Tensor:
        left = np.einsum("ijc,jk->ikc", self.slopes, other.values)
        right = np.einsum("ij,jkc->ikc", self.values, other.slopes)
        return self.engine.made(self.values @ other.values, [(self, left), (other, right)], (self, other))

    def tanh(self) -> Tensor:
        y = np.tanh(self.values)
        return self.engine.made(y, [(self, (1 - y * y)[..., None] * self.slopes)], (self,))

    def sigmoid(self) -> Tensor:
        y = (1 + np.tanh(self.values / 2)) / 2
        return self.engine.made(y, [(self, (y - y * y)[..., None] * self.slopes)], (self,))

    def sum(self, *dim: int) -> Tensor:
        axes = tuple(d % len(self.shape) for d in dim) or tuple(range(len(self.shape)))
        return self.engine.made(np.asarray(self.values.sum(axes), order="C"), [(self, self.slopes.sum(axes))])

    def clone(self) -> Tensor:
        return self.engine.made(self.values, [(self, self.slopes)])

    def contiguous(self) -> Tensor:
        return self.engine.made(np.array(self.values, order="C"), [(self, self.slopes)])

    def _at(self, where: Array) -> Tensor:
        self.trace.viewed = True
        trace = self.trace if self.engine.recording else Trace(self.engine, len(self.trace.slopes))
        return Tensor(self.engine, self.memory, trace, np.asarray(where), view=True)

    def __getitem__(self, index: Any) -> Tensor:
        part = self._at(self.where[index])
        return part.clone() if isinstance(index, list) else part

    def t(self) -> Tensor:
        return self._at(self.where.T)

    def reshape(self, *shape: int) -> Tensor:
        part = self._at(self.where.reshape(shape))
        return part if np.shares_memory(part.where, self.where) else part.clone()

    def unsqueeze(self, dim: int) -> Tensor:
        return self._at(np.expand_dims(self.where, dim))

    def diagonal(self) -> Tensor:
        return self._at(np.diagonal(self.where))

    def tensor_split(self, sections: int) -> list[Tensor]:
        return [self._at(part) for part in np.array_split(self.where, sections)]

    def unfold(self, dim: int, size: int, step: int) -> Tensor:
        windows = np.lib.stride_tricks.sliding_window_view(self.where, size, dim)
        return self._at(np.moveaxis(np.moveaxis(windows, dim, 0)[::step], 0, dim))

    def as_strided(self, size: tuple[int], stride: tuple[int]) -> Tensor:
        return self._at(self.where.flat[0] + np.arange(size[0]) * stride[0])

    def detach(self) -> Tensor:
        return Tensor(self.engine, self.memory, Trace(self.engine, len(self.trace.slopes)), self.where)

    def _write(self, result: Callable[[], Any]) -> Tensor:
        recording, trace = self.engine.recording, self.trace
        if recording and trace.leaf:
            raise Refusal("a write into a leaf that requires grad, or into a view of it")
        self.memory.version += 1  # first: an operation that keeps this memory keeps it as it is after the write
        value = result()
        source = value if isinstance(value, Tensor) else self.engine.tensor(value)
        slopes, self.memory.values[self.where] = source.slopes, source.values
        if recording and (source.requires_grad or self.requires_grad):
            trace.slopes[self.where, : self.engine.used] = slopes
            trace.reach.update(source.trace.reach)
            trace.past.update(source.trace.past, {Node(by_view=self.view)})
            self.engine.renew(trace)
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        self._at(self.where[index]).copy_(value)

    def t_(self) -> Tensor:
        self._write(lambda: self)
        self.where, self.shape = self.where.T, self.where.T.shape
        return self

    def copy_(self, value: Any) -> Tensor:
        return self._write(lambda: value)

    fill_ = copy_

    def zero_(self) -> Tensor:
        return self.fill_(0.0)

    def add_(self, other: Any) -> Tensor:
        return self._write(lambda: self + other)

    def mul_(self, other: Any) -> Tensor:
        return self._write(lambda: self * other)

    def tanh_(self) -> Tensor:
        return self._write(self.tanh)

    def requires_grad_(self) -> Tensor:
        """Make the tensor a leaf. It may not be a view, or have views."""
        if not self.requires_grad:
            self.engine.renew(self.trace)
            self.engine.leaves.append(self)
            self.trace.leaf = True
        return self

    def gradients(self, variables: list[Tensor], weights: Tensor | None, retain_graph: bool) -> list[Any]:
        """Return the gradients of the weighted sum of the elements by each of the variables."""
        if weights is None and self.where.size != 1:
            raise Refusal("the gradient of more than one element needs weights")
        columns = np.tensordot(np.ones(self.shape) if weights is None else weights.values, self.slopes, len(self.shape))
        self.engine.doubtful = any(node.may_refuse() for node in self.trace.past)
        self.engine.by_view = any(node.by_view for node in self.trace.past)
        for node in self.trace.past:
            node.freed = node.freed or not retain_graph
        return [columns[x.trace.own.start + x.where] * x.trace.factor for x in variables]

    def backward(self, gradient: Tensor | None = None, retain_graph: bool = False) -> None:
        if not self.requires_grad:
            raise Refusal("nothing requires grad")
        leaves = [leaf for leaf in self.engine.leaves if leaf.trace.own.start in self.trace.reach]
        for leaf, found in zip(leaves, self.gradients(leaves, gradient, retain_graph), strict=True):
            leaf.grad = self.engine.made(found + (0 if leaf.grad is None else leaf.grad.values))

    def register_hook(self, hook: Callable[[Any], Any]) -> None:
        """Register a hook that multiplies the gradient by a number, on a tensor that isn't a view.

        It multiplies the part of each derivative that passes through this tensor: the derivative by this tensor times
        this tensor's derivative by the variable.
        """
        if not self.requires_grad:
            raise Refusal("a hook on what requires no grad")
        factor, own = hook(1.0), self.trace.own
        onwards = self.trace.slopes.copy()
        onwards[:, own] = 0
        for trace in self.engine.traces:
            trace.slopes += (factor - 1) * trace.slopes[:, own] @ onwards
        self.trace.factor *= factor


def _values(x: Any) -> Array:
    return x.values if isinstance(x, Tensor) else x
