"""torch.version: of the PyTorch that microgad follows; built for nothing in particular."""

from ...lazy import absent as _absent
from ..alias import LIKE

__version__, debug = LIKE, False
cuda = hip = rocm = xpu = None
git_version = "Unknown"


_absent(globals())
