"""skip_init, which makes modules without initial values."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from ...errors import ArgumentError
from ...ops.random import fork_rng
from ..modules.module import Module

M = TypeVar("M", bound=Module)


def skip_init(module_cls: type[M], *args: Any, **kwargs: Any) -> M:
    """Return module_cls(*args, **kwargs) without consuming random numbers; don't rely on its initial values.

    Raises RuntimeError for a class that is not a Module or takes no `device`. Source: torch.nn.utils.skip_init.

    >>> nn.utils.skip_init(nn.Linear, 5, 1).weight.shape
    torch.Size([1, 5])
    """
    if not issubclass(module_cls, Module):
        raise ArgumentError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise ArgumentError("Module must support a 'device' arg to skip initialization")
    with fork_rng():
        return module_cls(*args, **kwargs)
