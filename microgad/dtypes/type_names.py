"""The dtypes' names in PyTorch's messages and legacy classes: FloatTensor, FloatStorage, …"""

from ..errors import wording
from . import _ALL

TYPE_NAMES = {dtype: wording.TYPE_NAMES[dtype.name] for dtype in _ALL}
