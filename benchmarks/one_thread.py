"""Imported before NumPy and PyTorch: one thread each, and without two settings that slow NumPy's matrix products."""

from __future__ import annotations

import os
import sys

SLOWING = [name for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ]
if SLOWING:
    print(f"unset for this run: {', '.join(SLOWING)}", flush=True)
    for name in SLOWING:
        del os.environ[name]
    os.execv(sys.executable, [sys.executable, *sys.argv])  # some readers look at what a process began with
os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
