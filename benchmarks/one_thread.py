"""Imported before NumPy and PyTorch: one thread each, and without two settings that slow NumPy's matrix products."""

from __future__ import annotations

import os

import unslowed  # noqa: F401

os.environ.update(OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
