"""Sums, extrema, statistics; softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..ops import reduction, softmax

if TYPE_CHECKING:
    from ..tensor import Tensor


class Reduction:
    """Methods that reduce, scan or order along dimensions."""

    __slots__ = ()

    sum, mean, var, std = reduction.sum, reduction.mean, reduction.var, reduction.std
    max, min, amax, amin = reduction.max, reduction.min, reduction.amax, reduction.amin
    argmax, argmin, any, all = reduction.argmax, reduction.argmin, reduction.any, reduction.all
    logsumexp = softmax.logsumexp

    def softmax(self: Tensor, dim: int, dtype: Any = None) -> Tensor:
        """The softmax along dim: see `nn.functional.softmax`."""
        return softmax.softmax(self, dim, dtype=dtype)

    def log_softmax(self: Tensor, dim: int, dtype: Any = None) -> Tensor:
        """The logarithm of the softmax along dim: see `nn.functional.log_softmax`."""
        return softmax.log_softmax(self, dim, dtype=dtype)
