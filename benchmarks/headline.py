"""The training step of the headline experiment relative to PyTorch's: processor time on one thread, and peak memory.

The libraries alternate, each in its own process, as users run them; the ratio is the median over the turns. The ratio
in one shared process is printed too: there PyTorch benefits from microgad's malloc settings, which avoid the page
faults of fresh memory.

    python benchmarks/headline.py
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import one_thread  # noqa: F401

# isort: split
import numpy as np
from arguments import parser
from experiment import images, network, step

Train = Callable[[int], float]


def trainer(name: str, dropout: float, data: Path) -> Train:
    """Return a function that trains some steps with a library and returns the milliseconds per step."""
    library = importlib.import_module(name)
    if name == "torch":
        library.set_num_threads(1)
    library.manual_seed(0)
    net = network(library, dropout)
    optimizer = library.optim.Adam(net.parameters())
    with np.load(data) as arrays:
        x, y = (library.from_numpy(arrays[key]) for key in ("x", "y"))

    def train(steps: int) -> float:
        start = time.process_time()
        for i in range(steps):
            k = 128 * (i % 20)
            step(library, net, optimizer, x[k : k + 128], y[k : k + 128])
        return (time.process_time() - start) / steps * 1e3

    return train


def in_own_process(stack: ExitStack, name: str, dropout: float, data: Path) -> Train:
    """Return a trainer that runs in its own process, which ends with `stack`."""
    command = [sys.executable, __file__, name, str(dropout), str(data)]
    worker = stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    sent, received = worker.stdin, worker.stdout
    assert sent
    assert received
    stack.callback(sent.close)

    def train(steps: int) -> float:
        print(steps, file=sent, flush=True)
        return float(received.readline().split()[0])

    return train


def serve(name: str, dropout: str, data: str) -> None:
    """Run the process of `in_own_process`: for each number of steps read, train and print step time and peak memory."""
    train = trainer(name, float(dropout), Path(data))
    for line in sys.stdin:
        milliseconds = train(int(line))
        peak_kib = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]
        print(milliseconds, int(peak_kib) / 1024, flush=True)


def peak_memory(name: str, data: Path) -> float:
    """Return the peak memory, in MiB, of a process that trains 40 steps."""
    command = [sys.executable, __file__, name, "0.5", str(data)]
    return float(subprocess.run(command, input="40", capture_output=True, text=True, check=True).stdout.split()[1])


def compare(title: str, theirs: Train, ours: Train, turns: int = 15, steps: int = 40) -> None:
    theirs(10), ours(10)
    times = np.array([(theirs(steps), ours(steps)) for _ in range(turns)])
    ratio, (t, m) = np.median(times[:, 1] / times[:, 0]), times.min(axis=0)
    print(f"{title}: PyTorch {t:5.2f} ms   microgad {m:5.2f} ms   ratio {ratio:.2f} (of minima {m / t:.2f})")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        x, y = images(train=True)
        np.savez(data, x=x[: 128 * 20], y=y[: 128 * 20])
        for dropout in (0.5, 0.0):
            with ExitStack() as stack:
                theirs, ours = (in_own_process(stack, name, dropout, data) for name in ("torch", "microgad"))
                compare(f"step, dropout {dropout}                ", theirs, ours)
            theirs, ours = (trainer(name, dropout, data) for name in ("torch", "microgad"))
            compare(f"step, dropout {dropout}, in one process", theirs, ours)
        t, m = peak_memory("torch", data), peak_memory("microgad", data)
    print(f"peak memory of a training process: PyTorch {t:.0f} MiB   microgad {m:.0f} MiB   ratio {m / t:.2f}")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        serve(*sys.argv[1:])
    else:
        parser(__doc__).parse_args()
        main()
