"""Optimizers: PyTorch's, and Eve. Updates run on the raw arrays, in place."""

from . import lr_scheduler as lr_scheduler
from .adam import Adam, AdamW
from .eve import Eve
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Eve", "Optimizer", "lr_scheduler"]
