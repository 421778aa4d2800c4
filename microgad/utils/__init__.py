"""Tools around models, as PyTorch groups them: `utils.data`, `utils.checkpoint`, `utils.benchmark`."""

from ..lazy import absent as _absent
from . import benchmark as benchmark
from . import checkpoint as checkpoint
from . import data as data

_absent(globals())
