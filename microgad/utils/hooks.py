"""torch.utils.hooks: the handles of hooks."""

from ..engine.hooks import RemovableHandle as RemovableHandle
from ..lazy import define_getattr as _define_getattr

_define_getattr(globals())
