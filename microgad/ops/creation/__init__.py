"""Create Tensors: from data, filled with one value, or as evenly spaced values."""

# isort: skip_file
from .data import (
    as_tensor, asarray, check_options, from_array, from_dlpack, from_file, from_numpy, frombuffer, scalar_tensor,
    tensor,
)  # fmt: skip
from .filled import (
    Fill, empty, empty_like, empty_permuted, empty_strided, eye, fill, from_array_into, full, full_like,
    in_memory_format, legacy_new, ones, ones_like, parse_shape, zeros, zeros_like,
)  # fmt: skip
from .ranges import arange, linspace, logspace, range, tril_indices, triu_indices
