"""A ResNet-18's training step, batch 8 of 64x64, relative to PyTorch's: peak memory and time, one thread each.

Each library runs in a fresh process. Peak memory is given for the whole process, and for the steps without model and
data. The time is the processor time of the fastest step.

    python benchmarks/resnet.py
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from typing import Any

import one_thread  # noqa: F401

# isort: split
from arguments import parser


def resnet18(t: Any) -> Any:
    """The network of He et al. (2016), as torchvision's `resnet18(num_classes=10)`."""
    nn = t.nn

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU()
            self.downsample = None
            if stride != 1 or inputs != outputs:
                self.downsample = nn.Sequential(
                    nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
                )

        def forward(self, x: Any) -> Any:
            shortcut = x if self.downsample is None else self.downsample(x)
            out = self.relu(self.bn1(self.conv1(x)))
            return self.relu(self.bn2(self.conv2(out)) + shortcut)

    def stage(inputs: int, outputs: int, stride: int) -> Any:
        return nn.Sequential(Block(inputs, outputs, stride), Block(outputs, outputs, 1))

    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
        stage(64, 64, 1), stage(64, 128, 2), stage(128, 256, 2), stage(256, 512, 2),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip


def peak() -> float:
    """Return the peak memory of this process in MiB."""
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))) / 1024


def train(name: str, steps: int = 4) -> None:
    """Print the peak memory before and after some steps, and the milliseconds per step."""
    t = importlib.import_module(name)
    if name == "torch":
        t.set_num_threads(1)
    t.manual_seed(0)
    net = resnet18(t)
    optimizer = t.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    x, y = t.randn(8, 3, 64, 64), t.randint(0, 10, (8,))
    before, spent = peak(), []
    for _ in range(steps):
        start = time.process_time()
        optimizer.zero_grad()
        loss = t.nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        spent.append(time.process_time() - start)
    print(before, peak(), 1e3 * min(spent), loss.item())


def main() -> None:
    measurements = {}
    for name in ("torch", "microgad"):
        path = [os.path.dirname(__file__), *sys.path]
        code = f"import sys; sys.path[:0] = {path!r}; import resnet; resnet.train('{name}')"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        before, after, spent, loss = map(float, out.split())
        measurements[name] = after, after - before, spent
        print(
            f"{name:>9}: {after:.0f} MiB, the steps {after - before:.0f} of it; {spent:.0f} ms a step; loss {loss:.6f}"
        )
    ratios = [m / t for m, t in zip(measurements["microgad"], measurements["torch"], strict=True)]
    print("   ratios: whole process {:.2f}, steps {:.2f}, time {:.2f}".format(*ratios))


if __name__ == "__main__":
    parser(__doc__).parse_args()
    main()
