"""torch.backends.openmp: unavailable, because NumPy has its own BLAS."""

from .mkl import is_available as is_available
