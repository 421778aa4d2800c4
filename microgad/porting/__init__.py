"""Run programs written for PyTorch unchanged: `import torch` gives microgad, and `check` lists the names it lacks."""

from .alias import as_torch
from .check import Absence, check

__all__ = ["Absence", "as_torch", "check"]
