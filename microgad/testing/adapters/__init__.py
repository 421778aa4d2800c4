"""What is to be checked, as a callable on Tensors: Functions, Modules, NumPy functions with their vjp, torch's."""

from __future__ import annotations

from .adapt import adapt
from .arguments import with_arguments
from .from_torch import torch_function
from .names import apart, name_of

__all__ = ["adapt", "apart", "name_of", "torch_function", "with_arguments"]
