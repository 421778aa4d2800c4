"""Random draws in place."""

from __future__ import annotations

from ..ops import random


class Random:
    """Methods that draw from a Generator."""

    __slots__ = ()

    uniform_, normal_, bernoulli_, random_ = random.uniform_, random.normal_, random.bernoulli_, random.random_
