"""Handles of hooks, where PyTorch has them."""

from ..engine.hooks import RemovableHandle as RemovableHandle
from ..lazy import absent as _absent

_absent(globals())
