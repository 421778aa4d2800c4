"""The headline experiment's training step beside PyTorch's: processor time on one thread, and peak memory.

Both libraries take turns in one process; the ratio is the median over the turns. Peak memory is that of two fresh
processes. OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE, which some machines set and which slow NumPy's products, are unset.

    python benchmarks/headline.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

SLOWING = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
if __name__ == "__main__" and any(name in os.environ for name in SLOWING):
    print(f"unset for this run: {', '.join(name for name in SLOWING if name in os.environ)}")
    for name in SLOWING:
        os.environ.pop(name, None)
    os.execv(sys.executable, [sys.executable, *sys.argv])
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np  # noqa: E402
from experiment import images, network, step  # noqa: E402


def trainer(library: Any, dropout: float) -> Any:
    """A function that trains some steps."""
    library.manual_seed(0)
    net = network(library, dropout)
    optimizer = library.optim.Adam(net.parameters())
    data, targets = (library.from_numpy(a[: 128 * 20]) for a in images(train=True))

    def train(steps: int) -> float:
        start = time.process_time()
        for i in range(steps):
            k = 128 * (i % 20)
            step(library, net, optimizer, data[k : k + 128], targets[k : k + 128])
        return (time.process_time() - start) / steps * 1e3

    return train


def peak_memory(library: str) -> float:
    """MiB that a process which trains 40 steps needs at most."""
    here = os.path.dirname(os.path.abspath(__file__))
    code = f"""
import sys, importlib
sys.path[:0] = {[here, *sys.path]!r}
from headline import trainer
library = importlib.import_module({library!r})
if {library!r} == "torch":
    library.set_num_threads(1)
trainer(library, 0.5)(40)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    return int(out) / 1024


def main(turns: int = 15, steps: int = 40) -> None:
    import torch

    import microgad

    torch.set_num_threads(1)
    for dropout in (0.5, 0.0):
        theirs, ours = trainer(torch, dropout), trainer(microgad, dropout)
        theirs(10), ours(10)
        times = np.array([(theirs(steps), ours(steps)) for _ in range(turns)])
        ratio = np.median(times[:, 1] / times[:, 0])
        t, m = times.min(axis=0)
        print(
            f"step, dropout {dropout}: PyTorch {t:.2f} ms   microgad {m:.2f} ms   "
            f"ratio {ratio:.2f} (of minima {m / t:.2f})"
        )
    t, m = peak_memory("torch"), peak_memory("microgad")
    print(f"peak memory of a training process: PyTorch {t:.0f} MiB   microgad {m:.0f} MiB   ratio {m / t:.2f}")


if __name__ == "__main__":
    main()
