"""torch.signal, which has window functions only."""

from ..lazy import define_getattr as _define_getattr
from . import windows as windows

_define_getattr(globals())
