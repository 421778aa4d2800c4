"""The multivariate normal distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError
from ..linalg import solve_triangular
from ..ops.creation import eye
from ..ops.movement import broadcast_shapes
from ..tensor import Tensor
from . import constraints
from .covariance import Covariance, MultivariateNormalBase, given_matrix, half_log_det, mahalanobis
from .covariance import _precision_to_scale_tril as _precision_to_scale_tril
from .covariance import mahalanobis as _batch_mahalanobis  # noqa: F401 - libraries import it from here
from .distribution import Distribution as Distribution  # botorch imports it from here
from .utils import _standard_normal


def _batch_mv(bmat: Tensor, bvec: Tensor) -> Tensor:
    """Multiply matrices (*, N, K) by vectors (*, K)."""
    return (bmat @ bvec.unsqueeze(-1)).squeeze(-1)


class MultivariateNormal(Covariance, MultivariateNormalBase):
    """Multivariate normal (*, K), given by its covariance (*, K, K), its inverse, or its Cholesky factor.

    Raises ValueError for a 0-d loc, matrices of fewer dimensions, and unless exactly one of the three is given.
    Source: torch.distributions.MultivariateNormal.

    >>> d = torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2))
    >>> d.log_prob(torch.zeros(2)), d.entropy()
    (tensor(-1.8379), tensor(2.8379))
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ArgumentError("loc must be at least one-dimensional.")
        name, matrix = given_matrix(covariance_matrix, precision_matrix, scale_tril)
        batch = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        self.loc = loc.expand(*batch, -1)
        self.__dict__[name] = matrix.expand(*batch, -1, -1)
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = self._factorized(name, matrix)

    @property
    def variance(self) -> Tensor:
        return self._unbroadcasted_scale_tril.pow(2).sum(-1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        eps = _standard_normal(self._extended_shape(sample_shape), self.loc.dtype, self.loc.device)
        return self.loc + (self._unbroadcasted_scale_tril @ eps.unsqueeze(-1)).squeeze(-1)

    def _half_log_det(self) -> Tensor:
        return half_log_det(self._unbroadcasted_scale_tril)

    def _mahalanobis(self, difference: Tensor) -> Tensor:
        return mahalanobis(self._unbroadcasted_scale_tril, difference)

    def _quadratic_trace(self, matrix: Tensor) -> Tensor:
        """Return tr(M Σ Mᵀ) for a matrix M (*, J, K)."""
        return (matrix @ self._unbroadcasted_scale_tril).square().sum((-2, -1))

    def _precision_trace(self, other: Any) -> Tensor:
        """Return tr(Σ⁻¹ Σ') for the covariance Σ' of `other`."""
        factor = self._unbroadcasted_scale_tril
        identity = eye(factor.shape[-1], dtype=factor.dtype, device=factor.device)
        return other._quadratic_trace(solve_triangular(factor, identity, upper=False))
