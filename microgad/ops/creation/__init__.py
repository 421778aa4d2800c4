"""Tensors made from data, from nothing, and of numbers in order."""

# isort: skip_file
from __future__ import annotations

from .data import (
    as_tensor, asarray, finished, from_dlpack, from_file, from_numpy, frombuffer, refuse, scalar_tensor, tensor,
)  # fmt: skip
from .filled import (
    Fill, empty, empty_like, empty_permuted, empty_strided, eye, fill, full, full_like, in_format, made_beside, of_old,
    ones, ones_like, size_of, zeros, zeros_like,
)  # fmt: skip
from .ranges import arange, linspace, logspace, range, tril_indices, triu_indices
