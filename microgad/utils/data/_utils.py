"""torch.utils.data._utils, a private module of PyTorch that programs use: `torch.utils.data._utils.collate`."""

from . import collate as collate
