"""Covariances given by themselves, by their inverse, or by their Cholesky factor: what distributions of them share."""

from __future__ import annotations

import math

from ..errors import ArgumentError
from ..linalg import cholesky, inv, solve_triangular
from ..size import Size
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution
from .utils import alias, lazy_property


def mahalanobis(scale_tril: Tensor, difference: Tensor) -> Tensor:
    """|L⁻¹ d|² of triangular matrices (*, K, K), whose dtype it has, and vectors (*, K)."""
    white = solve_triangular(scale_tril, difference.to(scale_tril.dtype).unsqueeze(-1), upper=False)
    return white.square().sum((-2, -1))


def half_log_det(scale_tril: Tensor) -> Tensor:
    """log of the diagonal's product: half of log det L Lᵀ."""
    return scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def one_of(**matrices: Tensor | None) -> tuple[str, Tensor]:
    """The one matrix that was given, and its name; none, several, or a vector raise ValueError."""
    there = [(name, x) for name, x in matrices.items() if x is not None]
    if len(there) != 1:
        raise ArgumentError("Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified.")
    name, matrix = there[0]
    if matrix.dim() < 2:
        raise ArgumentError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
    return name, matrix


class Covariance:
    """One of the three is given, and set under its name; the others are computed from the factor when first read."""

    _batch_shape: Size
    _unbroadcasted_scale_tril: Tensor  # PyTorch's name: libraries give it in subclasses

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._unbroadcasted_scale_tril

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """Variances, and covariances beside the diagonal."""
        return self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        inverse = inv(self._unbroadcasted_scale_tril)
        return inverse.mT @ inverse

    def _factorized(self, given: str, matrix: Tensor) -> Tensor:
        """The factor for all of the batch, computed once of a matrix that they have in common."""
        if given == "precision_matrix":
            matrix = _precision_to_scale_tril(matrix)
        elif given == "covariance_matrix":
            matrix = cholesky(matrix)
        return matrix.expand(*self._batch_shape, -1, -1)


def _precision_to_scale_tril(P: Tensor) -> Tensor:
    """The Cholesky factor of the inverse of P (*, K, K): that of P reversed, inverted and reversed."""
    return inv(cholesky(P.flip(-2, -1)).flip(-2, -1).mT).tril()


class NormalVectors(Distribution):
    """Normal vectors (*, K) around loc, of a covariance that a subclass takes as it was given."""

    support = constraints.real_vector
    has_rsample = True
    loc: Tensor
    mean: Tensor = alias("loc")
    mode: Tensor = alias("loc")

    def _half_log_det(self) -> Tensor:
        """Half the logarithm of the covariance's determinant."""
        raise NotImplementedError

    def _mahalanobis(self, difference: Tensor) -> Tensor:
        """dᵀ Σ⁻¹ d of vectors d (*, K)."""
        raise NotImplementedError

    def log_prob(self, value: Tensor) -> Tensor:
        self._checked(value)
        distance = self._mahalanobis(value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - self._half_log_det()

    def entropy(self) -> Tensor:
        return 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_det()
