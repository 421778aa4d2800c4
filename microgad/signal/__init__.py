"""What PyTorch offers as torch.signal: windows."""

from ..lazy import define_getattr as _define_getattr
from . import windows as windows

_define_getattr(globals())
