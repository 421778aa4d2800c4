"""A small operation relative to PyTorch's: the cost of recording when the arithmetic costs almost nothing.

A 10x10 float32 product is recorded and differentiated. The figures are minima over interleaved rounds, on one thread.

    python benchmarks/small_op.py
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from arguments import parser

import microgad


def timers(library: Any) -> tuple[Callable[[int], float], Callable[[int], float]]:
    """Return functions that time a number of calls, forward alone and with backward, in microseconds per call."""
    a, b, g = (library.from_numpy(np.random.default_rng(i).random((10, 10), np.float32)) for i in range(3))
    a.requires_grad_()
    b.requires_grad_()

    def forward(calls: int) -> float:
        start = time.perf_counter()
        for _ in range(calls):
            z = a * b  # noqa: F841
        return (time.perf_counter() - start) / calls * 1e6

    def forward_and_backward(calls: int) -> float:
        start = time.perf_counter()
        for _ in range(calls):
            z = a * b
            z.backward(g)
        return (time.perf_counter() - start) / calls * 1e6

    return forward, forward_and_backward


def main(rounds: int = 25) -> None:
    torch.set_num_threads(1)
    theirs, ours = timers(torch), timers(microgad)
    for i, (name, calls) in enumerate([("recorded forward", 3000), ("forward and backward", 1000)]):
        times = []
        for _ in range(rounds):
            gc.collect()
            times.append((theirs[i](calls), ours[i](calls)))
        t, m = np.min(times, axis=0)
        print(f"{name:22s} PyTorch {t:6.2f} µs   microgad {m:6.2f} µs   ratio {m / t:.2f}")


if __name__ == "__main__":
    parser(__doc__).parse_args()
    main()
