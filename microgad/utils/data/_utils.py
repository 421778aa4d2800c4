"""torch.utils.data._utils, a private module of PyTorch that programs use: `torch.utils.data._utils.collate`."""

from ...lazy import define_getattr as _define_getattr
from . import collate as collate

_define_getattr(globals())
