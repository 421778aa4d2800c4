"""torch.amp: autocast, which casts nothing here, and GradScaler."""

from ..lazy import define_getattr as _define_getattr
from .autocast_mode import autocast as autocast
from .autocast_mode import custom_bwd as custom_bwd
from .autocast_mode import custom_fwd as custom_fwd
from .autocast_mode import is_autocast_available as is_autocast_available
from .grad_scaler import GradScaler as GradScaler

_define_getattr(globals())
