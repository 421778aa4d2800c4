"""Import this before NumPy to unset two variables, set on some machines, that slow its matrix products."""

from __future__ import annotations

import os
import sys

SLOWING = [name for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") if name in os.environ]
if SLOWING:
    print(f"unset for this run: {', '.join(SLOWING)}", flush=True)
    for name in SLOWING:
        del os.environ[name]
    os.execv(sys.executable, [sys.executable, *sys.argv])  # some code reads the process's initial environment
