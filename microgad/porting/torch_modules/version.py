"""torch.version: of the PyTorch that microgad follows; built for nothing in particular."""

from ...lazy import define_getattr as _define_getattr
from ..alias import LIKE

__version__, debug = LIKE, False
cuda = hip = rocm = xpu = None
git_version = "Unknown"


_define_getattr(globals())
