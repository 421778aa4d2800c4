"""Activations that PyTorch has as methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import LazyModule

if TYPE_CHECKING:
    from ..ops import activation
else:
    activation = LazyModule("microgad.ops.activation")


class Activation:
    """Methods that are activations."""

    __slots__ = ()

    prelu, hardshrink = activation.prelu, activation.hardshrink
