"""torch.xpu: Intel's GPUs, which are unavailable."""

from .cpu import synchronize as synchronize
from .mps import _is_in_bad_fork as _is_in_bad_fork
from .mps import device_count as device_count
from .mps import empty_cache as empty_cache
from .mps import is_available as is_available
from .mps import manual_seed as manual_seed

manual_seed_all = manual_seed
