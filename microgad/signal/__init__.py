"""torch.signal, which has window functions only."""

from ..lazy import define_getattr_in_package as _define_getattr_in_package
from . import windows as windows

_define_getattr_in_package(__name__)
