"""Import this before NumPy and PyTorch to limit both to one thread and unset variables that slow NumPy's products."""

from __future__ import annotations

import os

import unslowed  # noqa: F401

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
