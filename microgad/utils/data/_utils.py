"""PyTorch's private room, into which programs reach without importing it: `torch.utils.data._utils.collate`."""

from ...lazy import absent as _absent
from . import collate as collate

_absent(globals())
