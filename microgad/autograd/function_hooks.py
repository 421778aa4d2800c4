"""Hooks that are called for every operation of a block, forward and backward: to time, print, count or check them."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, TextIO, TypeVar

from .. import backend, state
from ..function import Function
from ..tensor import Tensor
from ..type_aliases import Array

H = TypeVar("H", bound="FunctionHook")


class FunctionHook(state.Observer):
    """Base class of hooks that a `with` block calls for each operation and for its derivatives.

    A subclass overrides `begin(node, inputs, target)`, `forward(node, inputs, out)`, `begin_backward(node, grad)` or
    `backward(node, gradients)`. Each must call the method of this class, which calls the hooks of blocks outside.
    `node` is the operation: its class, its settings and, once recorded, its place on the tape. `target` is the Tensor
    that an in-place operation writes to. In backward, gradients are arrays, or Tensors under create_graph. An exception
    in a hook ends the operation. microgad's own; Chainer has hooks of this kind.

    >>> class Finite(FunctionHook):
    ...     def forward(self, node, inputs, out):
    ...         super().forward(node, inputs, out)
    ...         assert np.isfinite(out.array).all(), type(node).__name__
    >>> with Finite(), np.errstate(divide="ignore"):
    ...     (torch.zeros(2) + 1).log().log()
    Traceback (most recent call last):
    AssertionError: Log
    """

    def __init__(self) -> None:
        self._depth = 0

    def __enter__(self: H) -> H:
        if not self._depth:
            self.outer = state.current().observer
            state.variable.set(state.changed(observer=self))
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        if not self._depth:
            raise RuntimeError(f"{type(self).__name__}: no block has begun")
        self._depth -= 1
        if not self._depth:
            remove_observer(self)


def remove_observer(observer: state.Observer) -> None:
    """Remove an observer from the chain of observers. It may be anywhere: blocks needn't end in reverse order."""
    if state.current().observer is observer:
        state.variable.set(state.changed(observer=observer.outer))
        return
    for inner in state.observers():
        if inner.outer is observer:
            inner.outer = observer.outer


class CountHook(FunctionHook):
    """Counts the calls of each operation, and of each operation's derivatives.

    >>> x = torch.ones(2, requires_grad=True)
    >>> with CountHook() as counts:
    ...     (x * x * x).sum().backward()
    >>> counts.calls["Mul"], counts.backward_calls["Mul"]
    (2, 2)
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.backward_calls: Counter[str] = Counter()

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Count an operation."""
        super().forward(node, inputs, out)
        self.calls[type(node).__name__] += 1

    def backward(self, node: Function, gradients: list[Array | None]) -> None:
        """Count its derivatives."""
        super().backward(node, gradients)
        self.backward_calls[type(node).__name__] += 1


class PrintHook(FunctionHook):
    """Prints each operation with its inputs and result, and its gradients, as they are computed.

    >>> x = torch.ones(2, requires_grad=True)
    >>> with PrintHook():
    ...     x.exp().sum().backward()
    Exp: float32 (2,) -> float32 (2,)
    Sum: float32 (2,) -> float32 ()
    Sum backward: float32 () -> float32 (2,)
    Exp backward: float32 (2,) -> float32 (2,)
    """

    def __init__(self, file: TextIO | None = None) -> None:
        super().__init__()
        self.file = file
        self._grads: list[Any] = []

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Print an operation."""
        super().forward(node, inputs, out)
        self._print(type(node).__name__, state.current().path, inputs, out)

    def begin_backward(self, node: Function, grad: Array) -> None:
        """Remember the incoming gradient, to print it with the outgoing ones."""
        super().begin_backward(node, grad)
        self._grads.append(_describe(grad))

    def backward(self, node: Function, gradients: list[Array | None]) -> None:
        """Print the derivatives."""
        super().backward(node, gradients)
        self._print(f"{type(node).__name__} backward", node.path, self._grads.pop(), tuple(gradients))

    def _print(self, name: str, path: str, given: Any, found: Any) -> None:
        where = f" ({path})" if path else ""
        print(f"{name}{where}: {_describe(given)} -> {_describe(found)}", file=self.file)


class TimeHook(FunctionHook):
    """Measures the seconds in each operation and in its derivatives, without those in operations nested inside.

    >>> x = torch.ones(2, requires_grad=True)
    >>> with TimeHook() as times:
    ...     x.exp().sum().backward()
    >>> sorted(times.seconds), sorted(times.backward_seconds)
    (['Exp', 'Sum'], ['Exp', 'Sum'])
    >>> times.total > 0
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds: Counter[str] = Counter()
        self.backward_seconds: Counter[str] = Counter()
        self._running = OpenIntervals()

    @property
    def total(self) -> float:
        """The seconds in all operations and derivatives together."""
        return float(self.seconds.total() + self.backward_seconds.total())

    def begin(self, node: Function, inputs: tuple[Any, ...], target: Any = None) -> None:
        """Start timing an operation."""
        super().begin(node, inputs, target)
        self._running.begin(type(node), [time.perf_counter(), 0.0])

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Stop timing an operation."""
        self._end(self.seconds, type(node))
        super().forward(node, inputs, out)

    def begin_backward(self, node: Function, grad: Array) -> None:
        """Start timing its derivatives."""
        super().begin_backward(node, grad)
        self._running.begin((type(node), "backward"), [time.perf_counter(), 0.0])

    def backward(self, node: Function, gradients: list[Array | None]) -> None:
        """Stop timing its derivatives."""
        self._end(self.backward_seconds, (type(node), "backward"))
        super().backward(node, gradients)

    def _end(self, sums: Counter[str], key: Any) -> None:
        found = self._running.end(key)
        if found is None:
            return
        kind = key[0] if isinstance(key, tuple) else key
        seconds = time.perf_counter() - found[0]
        sums[kind.__name__] += seconds - found[1]
        if self._running.open:
            self._running.open[-1][1][1] += seconds


class OpenIntervals:
    """The nested intervals that have begun and not ended, innermost last.

    An interval that ended by an exception is removed when the one around it ends.
    """

    def __init__(self) -> None:
        self.open: list[tuple[Any, Any]] = []

    def begin(self, key: Any, value: Any) -> None:
        """Begin an interval."""
        self.open.append((key, value))

    def end(self, key: Any) -> Any:
        """End the innermost interval with this key, and return its value; None if there is none."""
        at = next((i for i in reversed(range(len(self.open))) if self.open[i][0] == key), None)
        if at is None:
            return None
        value = self.open[at][1]
        del self.open[at:]
        return value


def new_bytes(inputs: tuple[Any, ...], out: Any) -> int:
    """Return the bytes of an operation's results that don't share memory with its inputs."""
    given = {id(backend.owner(x.array)) for x in inputs if isinstance(x, Tensor)}
    outs = out if type(out) is tuple else (out,)
    return sum(y.array.nbytes for y in outs if id(backend.owner(y.array)) not in given)


def _describe(x: Any) -> str:
    """Describe arrays and Tensors by dtype and shape, as "float32 (2,)"."""
    if isinstance(x, str):
        return x
    if isinstance(x, (tuple, list)):
        return ", ".join(_describe(part) for part in x)
    array = x.array if isinstance(x, Tensor) else x
    return f"{array.dtype} {tuple(array.shape)}" if hasattr(array, "dtype") else repr(array)
