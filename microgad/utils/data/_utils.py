"""PyTorch's private room, into which programs reach without importing it: `torch.utils.data._utils.collate`."""

from ...lazy import define_getattr as _define_getattr
from . import collate as collate

_define_getattr(globals())
