"""The layers, one family per file, and `module`, their base class.

Layers take and return floating-point Tensors of the dtype of their parameters, float32 by default. Where nothing else
is said, wrong shapes and dtypes raise RuntimeError when the layer is called, and wrong settings raise ValueError when
it is made. Source: torch.nn.modules.

>>> from microgad.nn.modules.batchnorm import _BatchNorm
>>> isinstance(nn.BatchNorm2d(3), _BatchNorm)
True
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from . import linear as flatten
from . import pixelshuffle as channelshuffle
from . import utils as utils

if TYPE_CHECKING:  # otherwise the type that pyright finds for them is the result of `__getattr__`
    from . import (  # noqa: F401, I001
        activation, adaptive, batchnorm, container, conv, distance, dropout, fold, instancenorm, lazy, linear, loss,
        module, normalization, padding, pixelshuffle, pooling, rnn, sparse, transformer, upsampling,
    )  # fmt: skip

for _module, _name in ((flatten, "flatten"), (channelshuffle, "channelshuffle")):  # files of their own in PyTorch
    sys.modules[f"{__name__}.{_name}"] = _module


def __getattr__(name: str) -> Any:
    """Return a layer by its name: `nn.modules.Linear` is `nn.Linear`."""
    nn = importlib.import_module("..", __name__)
    if name == "__all__":
        return [each for each in nn.__all__ if isinstance(getattr(nn, each), type)]
    return getattr(nn, name)
