"""What PyTorch offers as torch.signal: windows."""

from . import windows as windows
