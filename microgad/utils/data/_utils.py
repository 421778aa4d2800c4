"""torch.utils.data._utils, a private module of PyTorch that programs use: `torch.utils.data._utils.collate`."""

from . import collate as collate

MP_STATUS_CHECK_INTERVAL = 5.0  # seconds after which PyTorch's loops look whether a process has ended
