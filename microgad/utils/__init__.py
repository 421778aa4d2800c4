"""Tools around models, as PyTorch groups them: `utils.data`."""

from . import data as data
