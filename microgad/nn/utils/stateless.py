"""torch.nn.utils.stateless, the deprecated home of `torch.func.functional_call`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from ...errors.notices import warn
from ...tensor import Tensor
from .. import stateless
from ..modules.module import Module
from ..stateless import functional_call as _functional_call


def functional_call(module: Module, parameters_and_buffers: Any, *args: Any, **options: Any) -> Any:
    """Deprecated form of `torch.func.functional_call`. Source: torch.nn.utils.stateless.functional_call."""
    warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated. Please use `torch.func.functional_call`",
        FutureWarning,
    )
    return _functional_call(module, parameters_and_buffers, *args, **options)


def _reparametrize_module(
    module: Module, parameters_and_buffers: Mapping[str, Tensor], *, tie_weights: bool = False, strict: bool = False
) -> AbstractContextManager[None]:
    """Put these Tensors into the module for the duration of a block. Libraries import it from here."""
    return stateless._reparametrize_module(module, parameters_and_buffers, tie_weights, strict)
