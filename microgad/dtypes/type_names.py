"""The dtypes' names in PyTorch's messages and legacy classes: FloatTensor, FloatStorage, …"""

from __future__ import annotations

import numpy as np

from .. import dtypes
from ..errors import wording

TYPE_NAMES = {dtypes.of(np.dtype(name)): said for name, said in wording.TYPE_NAMES.items()}
