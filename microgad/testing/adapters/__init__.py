"""Adapters: turn Functions, Modules, NumPy functions with a vjp and torch functions into callables on Tensors."""

from .adapt import adapt
from .arguments import with_arguments
from .from_torch import torch_function
from .names import name_of, unwrap

__all__ = ["adapt", "name_of", "torch_function", "unwrap", "with_arguments"]
