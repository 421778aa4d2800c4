"""Activation functions that are methods in PyTorch."""

from typing import TYPE_CHECKING

from ..lazy import LazyModule

if TYPE_CHECKING:
    from ..ops import activation
else:
    activation = LazyModule("microgad.ops.activation")


class Activation:
    """Activation functions."""

    __slots__ = ()

    prelu, hardshrink = activation.prelu, activation.hardshrink
