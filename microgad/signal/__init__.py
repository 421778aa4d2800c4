"""What PyTorch offers as torch.signal: windows."""

from ..lazy import absent as _absent
from . import windows as windows

_absent(globals())
