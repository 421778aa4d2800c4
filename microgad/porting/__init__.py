"""Programs written for PyTorch, run unchanged: `import torch` that gives microgad, a command, what is missing."""

from .alias import as_torch
from .check import Absence, check

__all__ = ["Absence", "as_torch", "check"]
