"""Operations relative to PyTorch's: processor time on one thread, forward and backward, with the target ratio.

The libraries alternate; a ratio is that of the first quartiles. "bare" is the time of the same operation in bare NumPy
(bare.py): the targets were measured on one processor, and on others bare NumPy itself may exceed them. An arrow marks
ratios that exceed both by more than 15 %.

    python benchmarks/ops.py [names]    # the rest: sweep.py
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import one_thread  # noqa: F401

# isort: split
import bare
import numpy as np
import torch
from arguments import chosen, parser

import microgad

Shape = tuple[int, ...]


class Workload(NamedTuple):
    """A function with its arrays, and the target ratios to PyTorch's time, forward and backward."""

    name: str
    call: Callable[..., Any]  # (library, *tensors)
    shapes: tuple[Shape, ...]
    forward: float | None = None
    backward: float | None = None
    whole: float | None = None  # forward and backward together, where that was measured
    data: Callable[[np.random.Generator], list[Any]] | None = None  # makes the arrays, if not random ones of `shapes`
    bare: Callable[..., bare.Result] | None = None  # the same on arrays, in bare NumPy calls


def conv(stride: int = 1, padding: int = 0, groups: int = 1) -> Callable[..., Any]:
    return lambda t, x, w: t.nn.functional.conv2d(x, w, stride=stride, padding=padding, groups=groups)


def lstm(t: Any, x: Any, *weights: Any) -> Any:
    state = t.zeros(1, x.shape[1], weights[1].shape[1])
    return t.lstm(x, (state, state), weights, True, 1, 0.0, True, False, False)[0]


def step(optimizer: str, **options: Any) -> Callable[..., Any]:
    """Return a function that makes one optimizer step with constant gradients."""
    made: dict[Any, Any] = {}

    def call(t: Any, *parameters: Any) -> Any:
        if t not in made:
            for p in parameters:
                p.grad = t.rand_like(p)
            made[t] = getattr(t.optim, optimizer)(parameters, **options)
        made[t].step()
        return parameters[0].detach()

    return call


IMAGES = (32, 64, 28, 28)
MILLION = (1000, 1000)
WEIGHTS = ((470, 470),) * 50
WORKLOADS = [
    Workload("conv a", conv(padding=1), ((128, 1, 28, 28), (10, 1, 3, 3)), 0.6, 0.65, bare=bare.conv(1, 1)),
    Workload("conv b", conv(padding=1), ((32, 16, 28, 28), (32, 16, 3, 3)), 2.0, 2.4),
    Workload("conv c", conv(padding=1), ((8, 64, 56, 56), (64, 64, 3, 3)), 1.25, 1.45,
             bare=bare.conv_by_lines),
    Workload("conv d", conv(2, 1), ((8, 128, 28, 28), (128, 128, 3, 3)), 1.55, 1.6, bare=bare.conv(2, 1)),
    Workload("conv e", conv(), ((4, 256, 14, 14), (256, 256, 1, 1)), 0.55, 0.5,
             bare=bare.pointwise_conv),
    Workload("conv f", conv(2, 3), ((8, 3, 64, 64), (64, 3, 7, 7)), 1.1, 0.75, bare=bare.conv(2, 3)),
    Workload("depthwise", conv(1, 1, 64), ((8, 64, 32, 32), (64, 1, 3, 3)), 4.2, 3.4),
    Workload("max pool 2", lambda t, x: t.nn.functional.max_pool2d(x, 2), ((128, 10, 28, 28),), whole=0.3,
             bare=bare.max_pool),
    Workload("avg pool 2", lambda t, x: t.nn.functional.avg_pool2d(x, 2), ((128, 10, 28, 28),), 0.25, 0.25,
             bare=bare.avg_pool),
    Workload("dropout", lambda t, x: t.nn.functional.dropout(x, 0.5), (MILLION,), 0.5, 0.95),
    Workload("softmax 1000", lambda t, x: t.softmax(x, 1), ((32, 1000),), 2.2, 0.7, bare=bare.softmax),
    Workload("softmax 50257", lambda t, x: t.softmax(x, 1), ((64, 50257),), 1.8, 1.3),
    Workload("cross entropy 1000", lambda t, x, y: t.nn.functional.cross_entropy(x, y), (), 2.1, 1.0,
             data=lambda r: [r.normal(size=(32, 1000)).astype("f4"), r.integers(0, 1000, 32)], bare=bare.cross_entropy),
    Workload("cross entropy 50257", lambda t, x, y: t.nn.functional.cross_entropy(x, y), (), 1.25, 1.1,
             data=lambda r: [r.normal(size=(64, 50257)).astype("f4"), r.integers(0, 50257, 64)]),
    Workload("batch norm", lambda t, x, w, b: t.nn.functional.batch_norm(x, None, None, w, b, True),
             (IMAGES, (64,), (64,)), whole=1.0, bare=bare.batch_norm),
    Workload("layer norm", lambda t, x, w, b: t.nn.functional.layer_norm(x, (512,), w, b),
             ((64, 128, 512), (512,), (512,)), 3.3, 5.3),
    Workload("tanh", lambda t, x: t.tanh(x), (MILLION,), 0.1, 2.2, bare=bare.tanh),
    Workload("sigmoid", lambda t, x: t.sigmoid(x), (MILLION,), 1.6, 1.9, bare=bare.sigmoid),
    Workload("silu", lambda t, x: t.nn.functional.silu(x), (MILLION,), 2.1, 2.8, bare=bare.silu),
    Workload("relu", lambda t, x: t.relu(x), (MILLION,), 1.3, 1.8),
    Workload("gelu tanh", lambda t, x: t.nn.functional.gelu(x, approximate="tanh"), (MILLION,), 0.6, 0.95,
             bare=bare.gelu_tanh),
    Workload("gelu", lambda t, x: t.nn.functional.gelu(x), (MILLION,), 6.6, 4.5),
    Workload("embedding", lambda t, i, w: t.nn.functional.embedding(i, w), (), None, 1.6,
             data=lambda r: [r.integers(0, 10000, 4096), r.normal(size=(10000, 256)).astype("f4")]),
    Workload("linear", lambda t, x, w: t.nn.functional.linear(x, w), ((4096, 512), (512, 512)), 0.5,
             bare=bare.linear),
    Workload("QK^T", lambda t, q, k: q @ k.transpose(-1, -2), ((64, 8, 128, 64), (64, 8, 128, 64)), 0.4,
             bare=bare.scores),
    Workload("sum of the last axis", lambda t, x: x.sum(-1), (MILLION,), 1.1),
    Workload("LSTM forward", lstm, ((50, 32, 256), (1024, 256), (1024, 256), (1024,), (1024,)), 1.7),
    Workload("LSTM, both", lstm, ((50, 32, 256), (1024, 256), (1024, 256), (1024,), (1024,)), whole=1.6),
    Workload("SGD", step("SGD", lr=0.1, momentum=0.9), WEIGHTS, 1.1, bare=bare.optimizer_step(bare.sgd, 1)),
    Workload("Adam", step("Adam"), WEIGHTS, 1.1, bare=bare.optimizer_step(bare.adam, 2)),
    Workload("AdamW", step("AdamW"), WEIGHTS, 1.0, bare=bare.optimizer_step(bare.adamw, 2)),
]  # fmt: skip


def arrays_of(workload: Workload) -> list[Any]:
    rng = np.random.default_rng(0)
    if workload.data is not None:
        return workload.data(rng)
    return [rng.uniform(0.05, 0.95, shape).astype(np.float32) for shape in workload.shapes]


class LibraryTimer:
    """A workload in one library: times the forward pass, and the backward pass through its graph."""

    def __init__(self, library: Any, workload: Workload) -> None:
        self.library, self.call = library, workload.call
        self.tensors = [library.from_numpy(a.copy()) for a in arrays_of(workload)]
        for t in self.tensors:
            if t.dtype == library.float32:
                t.requires_grad_()
        self.inputs = [t for t in self.tensors if t.requires_grad]
        y = self._forward()
        self.differentiable = y.requires_grad
        self.seed = library.ones_like(y).detach()

    def _forward(self) -> Any:
        y = self.call(self.library, *self.tensors)
        return y[0] if isinstance(y, tuple) else y

    def time(self, rounds: int) -> tuple[float, float]:
        """Return the processor seconds of forward and backward."""
        spent = [0.0, 0.0]
        for _ in range(rounds):
            start = time.process_time()
            y = self._forward()
            middle = time.process_time()
            if self.differentiable:
                self.library.autograd.grad(y, self.inputs, self.seed, allow_unused=True)
            end = time.process_time()
            spent[0] += middle - start
            spent[1] += end - middle
        return spent[0] / rounds, spent[1] / rounds


class BareTimer:
    """A workload in bare NumPy."""

    def __init__(self, call: Callable[..., bare.Result], arrays: list[Any]) -> None:
        self.call, self.arrays = call, arrays
        self.seed = np.ones_like(call(*arrays)[0])

    def time(self, rounds: int) -> tuple[float, float]:
        """Return the processor seconds of forward and backward. Results live as long as in LibraryTimer."""
        spent = [0.0, 0.0]
        for _ in range(rounds):
            start = time.process_time()
            y, backward = self.call(*self.arrays)
            middle = time.process_time()
            if backward is not None:
                backward(self.seed)
            end = time.process_time()
            spent[0] += middle - start
            spent[1] += end - middle
        del y, backward
        return spent[0] / rounds, spent[1] / rounds


def measure(workload: Workload, seconds: float, percentile: float = 25) -> list[np.ndarray[Any, Any]]:
    """Return the seconds (forward, backward) of PyTorch, microgad and, if given, bare NumPy.

    Each turn has several rounds, because the first one finds the other library's arrays in the cache. The result is the
    first quartile, or another percentile, over the turns.
    """
    timers: list[Any] = [LibraryTimer(torch, workload), LibraryTimer(microgad, workload)]
    if workload.bare is not None:
        timers.append(BareTimer(workload.bare, arrays_of(workload)))
    once = min(sum(sum(timer.time(1)) for timer in timers) for _ in range(3))  # the first call also gets its memory
    rounds = max(1, int(seconds / 12 / max(once, 1e-6)))
    turns = [[timer.time(rounds) for timer in timers] for _ in range(12)]
    return list(np.percentile(turns, percentile, axis=0))


def main() -> None:
    command = parser(__doc__)
    command.add_argument("names", nargs="*", help="how the names of workloads begin; all without any")
    names = chosen(command, command.parse_args().names, (workload.name for workload in WORKLOADS))
    torch.set_num_threads(1)
    print(f"{'':>28}  {'ms, PyTorch':>17}  {'ms, microgad':>17}  {'ratio':>13}  aim")
    for workload in WORKLOADS:
        if not workload.name.startswith(names):
            continue
        theirs, ours, *floors = measure(workload, 2.0)
        whole = workload.whole is not None
        aims = (workload.whole,) if whole else (workload.forward, workload.backward)
        found, *least = [[x.sum() / theirs.sum()] if whole else x / np.maximum(theirs, 1e-9) for x in (ours, *floors)]
        allowed = [max((aim or math.inf, *more)) for aim, *more in zip(aims, *least, strict=True)]
        over = any(r > 1.15 * most for r, most in zip(found, allowed, strict=True))
        times = "  ".join(f"{1e3 * f:8.4f} {1e3 * b:8.4f}" for f, b in (theirs, ours))
        targets = " / ".join("-" if aim is None else str(aim) for aim in aims)
        bares = "".join("  bare " + " / ".join(f"{r:.2f}" if r > 0.001 else "-" for r in ratios) for ratios in least)
        ratios = " ".join(f"{r:6.2f}" for r in found)
        print(f"{workload.name:>28}  {times}  {ratios:>13}  {targets}{bares}{'  <-' if over else ''}")


if __name__ == "__main__":
    main()
