"""In-place random draws, and Bernoulli and multinomial sampling, as methods."""

from typing import TYPE_CHECKING

from ..lazy import LazyModule

if TYPE_CHECKING:
    from ..ops import random
else:
    random = LazyModule("microgad.ops.random")


class Random:
    """Random sampling."""

    __slots__ = ()

    uniform_, normal_, log_normal_, random_ = random.uniform_, random.normal_, random.log_normal_, random.random_
    bernoulli_, geometric_ = random.bernoulli_, random.geometric_
    exponential_, cauchy_ = random.exponential_, random.cauchy_
    bernoulli, multinomial = random.bernoulli, random.multinomial
