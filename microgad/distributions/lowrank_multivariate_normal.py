"""The multivariate normal distribution with a covariance of low rank plus a diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError
from ..linalg import cholesky, solve_triangular
from ..ops.creation import eye
from ..ops.movement import broadcast_tensors
from ..tensor import Tensor
from . import constraints
from .covariance import MultivariateNormalBase, half_log_det, mahalanobis
from .utils import _standard_normal, lazy_property


class LowRankMultivariateNormal(MultivariateNormalBase):
    """Multivariate normal (*, K) with covariance cov_factor @ cov_factorᵀ + diag(cov_diag): (*, K, R) and (*, K).

    Only scale_tril factorizes a K×K matrix: determinant and inverse come from the R×R capacitance matrix I + WᵀD⁻¹W
    (the matrix determinant lemma and the Woodbury identity). Raises ValueError for other shapes.
    Source: torch.distributions.LowRankMultivariateNormal.

    >>> d = torch.distributions.LowRankMultivariateNormal(torch.zeros(2), torch.ones(2, 1), torch.ones(2))
    >>> d.log_prob(torch.zeros(2)), d.variance
    (tensor(-2.3872), tensor([2., 2.]))
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }

    def __init__(self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None) -> None:
        if loc.dim() < 1:
            raise ArgumentError("loc must be at least one-dimensional.")
        if cov_factor.dim() < 2:
            raise ArgumentError("cov_factor must be at least two-dimensional, with optional leading batch dimensions")
        event_shape = loc.shape[-1:]
        if cov_factor.shape[-2:-1] != event_shape:
            raise ArgumentError(f"cov_factor must be a batch of matrices with shape {event_shape[0]} x m")
        if cov_diag.shape[-1:] != event_shape:
            raise ArgumentError(f"cov_diag must be a batch of vectors with shape {event_shape}")
        try:
            loc_, self.cov_factor, diag_ = broadcast_tensors(loc.unsqueeze(-1), cov_factor, cov_diag.unsqueeze(-1))
        except RuntimeError as error:
            shapes = f"loc {loc.shape}, cov_factor {cov_factor.shape}, cov_diag {cov_diag.shape}"
            raise ArgumentError(f"Incompatible batch shapes: {shapes}") from error
        self.loc, self.cov_diag = loc_[..., 0], diag_[..., 0]
        super().__init__(self.loc.shape[:-1], event_shape, validate_args=validate_args)
        white = self._scaled.mT @ self.cov_factor
        self._capacitance_tril = cholesky(white + eye(white.shape[-1], dtype=white.dtype, device=white.device))

    @property
    def _scaled(self) -> Tensor:
        """D⁻¹W, of shape (*, K, R)."""
        return self.cov_factor / self.cov_diag.unsqueeze(-1)

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        root = self.cov_diag.sqrt().unsqueeze(-1)
        white = self.cov_factor / root  # I + white @ whiteᵀ is well conditioned
        return root * cholesky(white @ white.mT + eye(white.shape[-2], dtype=white.dtype, device=white.device))

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance matrix."""
        return self.cov_factor @ self.cov_factor.mT + self.cov_diag.diag_embed()

    def _precision_factor(self) -> Tensor:
        """Return A (*, R, K) for which the precision matrix is D⁻¹ - AᵀA."""
        return solve_triangular(self._capacitance_tril, self._scaled.mT, upper=False)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        explained = self._precision_factor()
        return self.cov_diag.reciprocal().diag_embed() - explained.mT @ explained

    @property
    def variance(self) -> Tensor:
        return self.cov_factor.square().sum(-1) + self.cov_diag

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        shape, like = self._extended_shape(sample_shape), (self.loc.dtype, self.loc.device)
        shared = _standard_normal((*shape[:-1], self.cov_factor.shape[-1]), *like)
        own = _standard_normal(shape, *like)
        return self.loc + (self.cov_factor @ shared.unsqueeze(-1)).squeeze(-1) + self.cov_diag.sqrt() * own

    def _half_log_det(self) -> Tensor:
        return half_log_det(self._capacitance_tril) + 0.5 * self.cov_diag.log().sum(-1)

    def _mahalanobis(self, difference: Tensor) -> Tensor:
        explained = (self._scaled.mT @ difference.unsqueeze(-1)).squeeze(-1)
        return (difference.square() / self.cov_diag).sum(-1) - mahalanobis(self._capacitance_tril, explained)

    def _quadratic_trace(self, matrix: Tensor) -> Tensor:
        """Return tr(M Σ Mᵀ) for a matrix M (*, J, K)."""
        own = matrix.square() * self.cov_diag.unsqueeze(-2)
        return (matrix @ self.cov_factor).square().sum((-2, -1)) + own.sum((-2, -1))

    def _precision_trace(self, other: Any) -> Tensor:
        """Return tr(Σ⁻¹ Σ') for the covariance Σ' of `other`."""
        return (other.variance / self.cov_diag).sum(-1) - other._quadratic_trace(self._precision_factor())
