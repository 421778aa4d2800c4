"""Loading of a PyTorch file relative to PyTorch: the weights of a GPT-2, 124 million numbers, in fresh processes.

The figures are medians of the processor time of `load` and of the peak memory. The libraries alternate.

    python benchmarks/loading.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from arguments import parser

LAYER = {
    "ln_1.weight": (768,), "ln_1.bias": (768,), "attn.c_attn.weight": (768, 2304), "attn.c_attn.bias": (2304,),
    "attn.c_proj.weight": (768, 768), "attn.c_proj.bias": (768,), "ln_2.weight": (768,), "ln_2.bias": (768,),
    "mlp.c_fc.weight": (768, 3072), "mlp.c_fc.bias": (3072,), "mlp.c_proj.weight": (3072, 768),
    "mlp.c_proj.bias": (768,),
}  # fmt: skip
CODE = """
import sys, time, importlib
library = importlib.import_module(sys.argv[1])
start = time.process_time()
weights = library.load(sys.argv[2])
seconds = time.process_time() - start
print(seconds, next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def write(path: Path) -> None:
    """Write the file by torch.save."""
    import torch

    shapes = {"wte.weight": (50257, 768), "wpe.weight": (1024, 768)}
    shapes |= {f"h.{i}.{name}": shape for i in range(12) for name, shape in LAYER.items()}
    shapes |= {"ln_f.weight": (768,), "ln_f.bias": (768,)}
    torch.save({name: torch.randn(shape) for name, shape in shapes.items()}, path)


def measure(library: str, path: Path) -> tuple[float, float]:
    """Return seconds and MiB."""
    run = subprocess.run([sys.executable, "-c", CODE, library, path], capture_output=True, text=True, check=True)
    seconds, kib = run.stdout.split()
    return float(seconds), int(kib) / 1024


def main(turns: int = 7) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gpt2.pt"
        write(path)
        measurements = np.array([[measure(name, path) for name in ("torch", "microgad")] for _ in range(turns)])
    (t, t_mib), (m, m_mib) = np.median(measurements, axis=0)
    print(f"load: PyTorch {t:.2f} s, microgad {m:.2f} s: {m / t:.2f} x")
    print(f"the process at most: PyTorch {t_mib:.0f} MiB, microgad {m_mib:.0f} MiB: {m_mib / t_mib:.2f} x")


if __name__ == "__main__":
    parser(__doc__).parse_args()
    main()
