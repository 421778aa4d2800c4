"""Activations that PyTorch has as methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import Room

if TYPE_CHECKING:
    from ..ops import activation
else:
    activation = Room("microgad.ops.activation")


class Activation:
    """Methods that are activations."""

    __slots__ = ()

    prelu, hardshrink = activation.prelu, activation.hardshrink
