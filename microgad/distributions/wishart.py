"""The Wishart distribution of covariance matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..dtypes.limits import finfo
from ..errors import ArgumentError
from ..errors.notices import warn
from ..linalg import slogdet
from ..ops.creation import arange, as_tensor
from ..ops.linalg import cholesky_solve
from ..ops.movement import broadcast_shapes
from ..ops.random import randn
from ..ops.special import mvlgamma
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .chi2 import Chi2
from .covariance import Covariance, given_matrix, half_log_det
from .distribution import ExponentialFamily
from .utils import vec_to_tril_matrix


class Wishart(Covariance, ExponentialFamily):
    """Wishart distribution of X Xᵀ, where the df columns of X (K, df) are multivariate normal.

    It is given by the covariance (*, K, K) of a column, its inverse, or its Cholesky factor. df, a number or a Tensor
    (*), need not be an integer, but must exceed K - 1, else ValueError; none or several matrices raise AssertionError.
    For df < K it warns of singular samples. The gradients of samples by df can't be differentiated again. Source:
    torch.distributions.Wishart.

    >>> d = torch.distributions.Wishart(3.0, torch.eye(2))
    >>> d.log_prob(torch.eye(2)), d.mean
    (tensor(-3.5310), tensor([[3., 0.],
            [0., 3.]]))
    """

    support = constraints.positive_definite
    has_rsample = True

    @property
    def arg_constraints(self) -> Any:
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self._event_shape[-1] - 1),
        }

    def __init__(
        self,
        df: Real,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        name, matrix = given_matrix(covariance_matrix, precision_matrix, scale_tril)
        df = df if isinstance(df, Tensor) else as_tensor(df, dtype=matrix.dtype, device=matrix.device)
        batch, size = broadcast_shapes(matrix.shape[:-2], df.shape), matrix.shape[-1]
        self.df = df.expand(batch)
        self.__dict__[name] = matrix.expand(*batch, -1, -1)
        if (self.df <= size - 1).any():
            raise ArgumentError(f"Value of df={df} expected to be greater than ndim - 1 = {size - 1}.")
        if (self.df < size).any():
            warn("Low df values detected. Singular samples are highly likely to occur for ndim - 1 < df < ndim.")
        super().__init__(batch, matrix.shape[-2:], validate_args=validate_args)
        self._unbroadcasted_scale_tril = self._factorized(name, matrix)

    @property
    def mean(self) -> Tensor:
        return self.df[..., None, None] * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        count = self.df - self._event_shape[-1] - 1
        return count.masked_fill(count <= 0, math.nan)[..., None, None] * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        own = self.covariance_matrix.diagonal(dim1=-2, dim2=-1)
        return self.df[..., None, None] * (self.covariance_matrix.square() + own.unsqueeze(-1) * own.unsqueeze(-2))

    def _bartlett_sampling(self, sample_shape: Any) -> Tensor:
        """Draw L A (L A)ᵀ with triangular A: roots of chi² samples on the diagonal, normal samples below (Bartlett)."""
        size = self._event_shape[-1]
        factor = self._unbroadcasted_scale_tril
        like: dict[str, Any] = {"dtype": factor.dtype, "device": factor.device}
        root = Chi2(self.df.unsqueeze(-1) - arange(size, **like)).rsample(sample_shape).sqrt()
        below = randn((*sample_shape, *self._batch_shape, size * (size - 1) // 2), **like)
        triangle = root.clamp(min=finfo(root.dtype).eps).diag_embed()
        chol = factor @ (triangle + vec_to_tril_matrix(below, diag=-1) if size > 1 else triangle)
        return chol @ chol.mT

    def _anywhere(self, which: Tensor) -> Tensor:
        """Return for each sample whether `which` holds anywhere in the batch."""
        return which.flatten(-len(self._batch_shape)).any(-1) if self._batch_shape else which

    def rsample(self, sample_shape: Sequence[int] = (), max_try_correction: int = 10) -> Tensor:
        """Draw samples. Those that aren't positive definite in this dtype are redrawn, up to max_try_correction times.

        As in PyTorch, whose first check is inverted, the positive definite ones of the first samples are redrawn, with
        a warning.
        """
        drawn = self._bartlett_sampling(sample_shape)
        again = self._anywhere(self.support.check(drawn))
        if again.any():
            warn("Singular sample detected.")
        for _ in range(max_try_correction):
            if not again.any():
                break
            drawn[again] = self._bartlett_sampling((int(again.sum()),))
            again = self._anywhere(~self.support.check(drawn))
        return drawn

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        size, half = self._event_shape[-1], self.df / 2
        distance = cholesky_solve(value, self._unbroadcasted_scale_tril).diagonal(dim1=-2, dim2=-1).sum(-1) / 2
        scale = self.df * (size * math.log(2) / 2 + half_log_det(self._unbroadcasted_scale_tril)) + mvlgamma(half, size)
        return (half - (size + 1) / 2) * slogdet(value).logabsdet - distance - scale

    def _mean_log(self) -> Tensor:
        """Return the mean of log det(X / 2) for the identity as covariance."""
        size = self._event_shape[-1]
        places = arange(size, dtype=self.df.dtype, device=self.df.device)
        return ((self.df.unsqueeze(-1) - places) / 2).digamma().sum(-1)

    def entropy(self) -> Tensor:
        size, half = self._event_shape[-1], self.df / 2
        log_det = half_log_det(self._unbroadcasted_scale_tril)
        scale = (size + 1) * (size * math.log(2) / 2 + log_det) + mvlgamma(half, size)
        return scale - (half - (size + 1) / 2) * self._mean_log() + half * size
