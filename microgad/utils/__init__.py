"""Tools around models, as PyTorch groups them: `utils.data`, `utils.checkpoint`."""

from . import checkpoint as checkpoint
from . import data as data
