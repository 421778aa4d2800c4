"""torch.nn.modules: makes the files of microgad.nn importable under PyTorch's module names.

>>> from microgad.nn.modules.batchnorm import _BatchNorm
>>> isinstance(nn.BatchNorm2d(3), _BatchNorm)
True
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from . import utils as utils

_FILES = (
    "activation adaptive batchnorm container conv distance dropout fold instancenorm lazy linear loss module "
    "normalization padding pixelshuffle pooling rnn sparse transformer upsampling"
)
for _name in _FILES.split():
    globals()[_name] = sys.modules[f"{__name__}.{_name}"] = importlib.import_module(f"..{_name}", __name__)
for _name, _file in (("channelshuffle", "pixelshuffle"), ("flatten", "linear")):
    globals()[_name] = sys.modules[f"{__name__}.{_name}"] = globals()[_file]


def __getattr__(name: str) -> Any:
    """Return a layer of microgad.nn by name."""
    return getattr(importlib.import_module("..", __name__), name)
