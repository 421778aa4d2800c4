"""Bases of distributions with a covariance matrix, which is given itself, by its inverse or by its Cholesky factor."""

from __future__ import annotations

import math

from ..errors import ArgumentError, CallError
from ..linalg import cholesky, inv, solve_triangular
from ..size import Size
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution
from .utils import alias, lazy_property


def mahalanobis(scale_tril: Tensor, difference: Tensor) -> Tensor:
    """Return |L⁻¹ d|² for triangular matrices L (*, K, K) and vectors d (*, K), in the dtype of L."""
    white = solve_triangular(scale_tril, difference.to(scale_tril.dtype).unsqueeze(-1), upper=False)
    return white.square().sum((-2, -1))


def half_log_det(scale_tril: Tensor) -> Tensor:
    """Return ½ log det(L Lᵀ), the logarithm of the product of L's diagonal."""
    return scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def given_matrix(*matrices: Tensor | None) -> tuple[str, Tensor]:
    """Return name and value of the one of a covariance, its inverse and its Cholesky factor that is not None.

    Raises ValueError for a vector, and for none or several, which are an AssertionError, too, as in PyTorch's Wishart.
    """
    names = ("covariance_matrix", "precision_matrix", "scale_tril")
    there = [(name, x) for name, x in zip(names, matrices, strict=True) if x is not None]
    if len(there) != 1:
        raise CallError(f"Expected exactly one of {', '.join(names)}, got {len(there)}")
    name, matrix = there[0]
    if matrix.dim() < 2:
        raise ArgumentError(f"{name} must be at least two-dimensional, with optional leading batch dimensions")
    return name, matrix


class Covariance:
    """The three forms of a covariance. A subclass sets the given one; the Cholesky factor gives the others."""

    _batch_shape: Size
    _unbroadcasted_scale_tril: Tensor  # PyTorch's name, which subclasses in other libraries set

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._unbroadcasted_scale_tril

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance matrix."""
        return self._unbroadcasted_scale_tril @ self._unbroadcasted_scale_tril.mT

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        inverse = inv(self._unbroadcasted_scale_tril)
        return inverse.mT @ inverse

    def _factorized(self, given: str, matrix: Tensor) -> Tensor:
        """Return the Cholesky factor, computed before `matrix` is expanded to the batch."""
        if given == "precision_matrix":
            matrix = _precision_to_scale_tril(matrix)
        elif given == "covariance_matrix":
            matrix = cholesky(matrix)
        return matrix.expand(*self._batch_shape, -1, -1)


def _precision_to_scale_tril(P: Tensor) -> Tensor:
    """Return the Cholesky factor of P⁻¹ (*, K, K): factorize P with rows and columns reversed, reverse and invert."""
    return inv(cholesky(P.flip(-2, -1)).flip(-2, -1).mT).tril()


class MultivariateNormalBase(Distribution):
    """Base of the multivariate normal distributions over vectors (*, K). Subclasses define the covariance."""

    support = constraints.real_vector
    has_rsample = True
    loc: Tensor
    mean: Tensor = alias("loc")
    mode: Tensor = alias("loc")

    def _half_log_det(self) -> Tensor:
        """Return ½ log det Σ."""
        raise NotImplementedError

    def _mahalanobis(self, difference: Tensor) -> Tensor:
        """Return dᵀ Σ⁻¹ d for vectors d (*, K)."""
        raise NotImplementedError

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        distance = self._mahalanobis(value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - self._half_log_det()

    def entropy(self) -> Tensor:
        return 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + self._half_log_det()
