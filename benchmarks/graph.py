"""The cost of recording a graph: a ResNet-18's forward, plain, recorded at each level, and drawn; then a million nodes.

Forward and recording alternate; a ratio is that of the first quartiles of processor time on one thread. The chain of
1,000,000 operations is recorded, saved as JSON and npz, read again and summarized.

    python benchmarks/graph.py
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import one_thread  # noqa: F401

# isort: split
import numpy as np
from arguments import parser
from resnet import peak, resnet18

import microgad

LEVELS: dict[str, dict[str, bool]] = {
    "a tape": {},
    "with lines": {"source": True},
    "with statistics": {"stats": True},
    "with everything": {"values": True, "stats": True, "time": True, "source": True, "replay": True},
}


def seconds(call: Callable[[], Any]) -> float:
    """Return the processor time of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def levels(turns: int = 15) -> None:
    """Compare each level of recording with the plain forward of a ResNet-18, at batch 8 of 64 x 64."""
    microgad.manual_seed(0)
    model, x = resnet18(microgad), microgad.randn(8, 3, 64, 64)

    def recorded(options: dict[str, bool]) -> Callable[[], Any]:
        def run() -> Any:
            with microgad.record(**options) as tape:
                model(x)
            return tape

        return run

    tape = recorded({})()
    calls: dict[str, Callable[[], Any]] = {"plain": lambda: model(x)}
    calls |= {name: recorded(options) for name, options in LEVELS.items()}
    calls["source of its drawing"] = lambda: tape.draw().source
    calls["source of all of it"] = lambda: tape.draw(depth=None).source
    times = {name: [seconds(call)] for name, call in calls.items()}
    for _ in range(turns):
        for name, call in calls.items():
            times[name].append(seconds(call))
    plain = np.percentile(times["plain"], 25)
    print(f"ResNet-18, {len(tape)} operations, forward {plain * 1e3:.1f} ms; times that:")
    for name in list(calls)[1:]:
        print(f"  {name:22} {np.percentile(times[name], 25) / plain:5.2f}")


def million(count: int = 1_000_000) -> None:
    """Record, save and read a chain of a million operations."""
    x = microgad.ones(1, requires_grad=True)

    def record() -> Any:
        with microgad.record() as tape:
            y = x
            for _ in range(count):
                y = y * 1.0
        return tape

    start = time.process_time()
    tape = record()
    print(f"{len(tape):,} operations recorded in {time.process_time() - start:.1f} s, {peak():.0f} MiB at most")
    with tempfile.TemporaryDirectory() as folder:
        for suffix, write, read in (
            (".json", tape.to_json, microgad.graph.Tape.from_json),
            (".npz", tape.to_npz, microgad.graph.Tape.from_npz),
        ):
            path = Path(folder) / f"tape{suffix}"
            write_seconds = seconds(lambda: write(path))  # noqa: B023
            read_seconds = seconds(lambda: read(path))  # noqa: B023
            size = path.stat().st_size >> 20
            print(f"  {suffix[1:]}: written in {write_seconds:.1f} s, {size} MiB, read in {read_seconds:.1f} s")
    print(f"  summarized in {seconds(lambda: str(tape.table(by='op'))):.1f} s")


if __name__ == "__main__":
    parser(__doc__).parse_args()
    levels()
    million()
