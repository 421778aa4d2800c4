"""A small operation relative to PyTorch's: the cost of recording when the arithmetic costs almost nothing.

A 10x10 float32 product is recorded, and differentiated. The figures are minima over interleaved rounds, on one thread.

    python benchmarks/small_op.py
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import microgad


def contestants(library: Any) -> tuple[Callable[[int], float], Callable[[int], float]]:
    a, b, g = (library.from_numpy(np.random.default_rng(i).random((10, 10), np.float32)) for i in range(3))
    a.requires_grad_()
    b.requires_grad_()

    def forward(calls: int) -> float:
        start = time.perf_counter()
        for _ in range(calls):
            z = a * b  # noqa: F841
        return (time.perf_counter() - start) / calls * 1e6

    def both(calls: int) -> float:
        start = time.perf_counter()
        for _ in range(calls):
            z = a * b
            z.backward(g)
        return (time.perf_counter() - start) / calls * 1e6

    return forward, both


def main(rounds: int = 25) -> None:
    torch.set_num_threads(1)
    theirs, ours = contestants(torch), contestants(microgad)
    for i, (what, calls) in enumerate([("recorded forward", 3000), ("forward and backward", 1000)]):
        times = []
        for _ in range(rounds):
            gc.collect()
            times.append((theirs[i](calls), ours[i](calls)))
        t, m = np.min(times, axis=0)
        print(f"{what:22s} PyTorch {t:6.2f} µs   microgad {m:6.2f} µs   ratio {m / t:.2f}")


if __name__ == "__main__":
    main()
