"""One object that sees every operation of a block, forward and backward: to time, to print, to count, to assert."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, TextIO, TypeVar

from .. import backend, state
from ..function import Function
from ..tensor import Tensor

H = TypeVar("H", bound="FunctionHook")


class FunctionHook(state.Observer):
    """What a subclass does with every operation of a `with` block, and with its derivatives.

    It overrides `begin(node, inputs, target)`, `forward(node, inputs, out)`, `begin_backward(node, grad)` or
    `backward(node, gradients)`, and calls the same method of this class, which tells the hooks around it. `node` is the
    operation: its class, its settings, and once it is recorded, its place on the tape. `target` is the Tensor that
    an operation in place writes to. In backward, gradients are arrays, Tensors under create_graph. What a hook raises
    ends the operation. microgad's own; Chainer has hooks of this kind.

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
        self._depth -= 1
        if not self._depth:
            remove_observer(self)


def remove_observer(observer: state.Observer) -> None:
    """Take an observer off, wherever in the chain it is: blocks needn't end in the order in which they began."""
    if state.current().observer is observer:
        state.variable.set(state.changed(observer=observer.outer))
        return
    for inner in state.observers():
        if inner.outer is observer:
            inner.outer = observer.outer


class CountHook(FunctionHook):
    """How often each operation is called, and each one's derivatives.

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

    def backward(self, node: Function, gradients: list[Any]) -> None:
        """Count its derivatives."""
        super().backward(node, gradients)
        self.backward_calls[type(node).__name__] += 1


class PrintHook(FunctionHook):
    """Print each operation with its inputs and its result, and each one's gradients, as they happen.

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

    def begin_backward(self, node: Function, grad: Any) -> None:
        """Remember the gradient that comes in."""
        super().begin_backward(node, grad)
        self._grads.append(_describe(grad))

    def backward(self, node: Function, gradients: list[Any]) -> None:
        """Print the derivatives."""
        super().backward(node, gradients)
        self._print(f"{type(node).__name__} backward", node.path, self._grads.pop(), tuple(gradients))

    def _print(self, name: str, path: str, given: Any, found: Any) -> None:
        where = f" ({path})" if path else ""
        print(f"{name}{where}: {_describe(given)} -> {_describe(found)}", file=self.file)


class TimeHook(FunctionHook):
    """Seconds in each operation and in each one's derivatives, without those in the operations inside.

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
        """Seconds in all."""
        return float(self.seconds.total() + self.backward_seconds.total())

    def begin(self, node: Function, inputs: tuple[Any, ...], target: Any = None) -> None:
        """Start the clock."""
        super().begin(node, inputs, target)
        self._running.begin(type(node), [time.perf_counter(), 0.0])

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        """Stop it."""
        self._end(self.seconds, type(node))
        super().forward(node, inputs, out)

    def begin_backward(self, node: Function, grad: Any) -> None:
        """Start the clock."""
        super().begin_backward(node, grad)
        self._running.begin((type(node), "backward"), [time.perf_counter(), 0.0])

    def backward(self, node: Function, gradients: list[Any]) -> None:
        """Stop it."""
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
    """What has begun and not ended, innermost last. What an exception has ended goes when what is around it ends."""

    def __init__(self) -> None:
        self.open: list[tuple[Any, Any]] = []

    def begin(self, key: Any, value: Any) -> None:
        """Something begins."""
        self.open.append((key, value))

    def end(self, key: Any) -> Any:
        """The value of the innermost one of this key, which has ended; None where none had begun."""
        at = next((i for i in reversed(range(len(self.open))) if self.open[i][0] == key), None)
        if at is None:
            return None
        value = self.open[at][1]
        del self.open[at:]
        return value


def new_bytes(inputs: tuple[Any, ...], out: Any) -> int:
    """Bytes of an operation's results that aren't in the memory of its inputs."""
    given = {id(backend.owner(x.array)) for x in inputs if isinstance(x, Tensor)}
    outs = out if type(out) is tuple else (out,)
    return sum(y.array.nbytes for y in outs if id(backend.owner(y.array)) not in given)


def _describe(x: Any) -> Any:
    """dtypes and shapes in words."""
    if isinstance(x, str):
        return x
    if isinstance(x, (tuple, list)):
        return ", ".join(_describe(part) for part in x)
    array = x.array if isinstance(x, Tensor) else x
    return f"{array.dtype} {tuple(array.shape)}" if hasattr(array, "dtype") else repr(array)
