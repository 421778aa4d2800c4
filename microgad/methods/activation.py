"""Activations that PyTorch has as methods."""

from __future__ import annotations

from ..ops import activation


class Activation:
    """Methods that are activations."""

    __slots__ = ()

    prelu, hardshrink = activation.prelu, activation.hardshrink
