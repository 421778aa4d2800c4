"""The LKJ distribution of correlation matrices (Lewandowski, Kurowicka and Joe 2009)."""

from __future__ import annotations

import math
from typing import Any

from ..dtypes.limits import finfo
from ..errors import ArgumentError
from ..ops.creation import arange
from ..ops.special import mvlgamma
from ..tensor import Tensor
from ..type_aliases import Real
from . import constraints
from .beta import Beta
from .distribution import Distribution
from .utils import _standard_normal, broadcast_all


class LKJCholesky(Distribution):
    """LKJ distribution over Cholesky factors (*, dim, dim) of correlation matrices, density ∝ det^(concentration - 1).

    Concentration 1 is uniform over correlation matrices; larger values favor small correlations. Raises ValueError for
    dim < 2. Source: torch.distributions.LKJCholesky.

    >>> d = torch.distributions.LKJCholesky(2, 1.0)
    >>> d.log_prob(torch.eye(2)), d.sample((5,)).shape
    (tensor(-0.6931), torch.Size([5, 2, 2]))
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky

    def __init__(self, dim: int, concentration: Real = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ArgumentError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        super().__init__(self.concentration.shape, (dim, dim), validate_args=validate_args)

    def _like(self) -> dict[str, Any]:
        return {"dtype": self.concentration.dtype, "device": self.concentration.device}

    def _sample(self, sample_shape: Any) -> Tensor:
        """Draw by the onion method: each row is a uniformly drawn direction with a beta-distributed squared length."""
        earlier = arange(-1, self.dim - 1, **self._like()).clamp(min=0)  # entries before the diagonal, minus one
        rest = self.concentration.unsqueeze(-1) + 0.5 * (self.dim - 2) - 0.5 * earlier
        share = Beta(earlier + 0.5, rest).sample(sample_shape)
        direction = _standard_normal(self._extended_shape(sample_shape), share.dtype, share.device).tril(-1)
        length = direction.norm(dim=-1, keepdim=True)
        length[..., 0, :] = 1  # the first row has no entries before the diagonal
        rows = share.sqrt().unsqueeze(-1) * (direction / length)
        diagonal = (1 - rows.square().sum(-1)).clamp(min=finfo(rows.dtype).tiny).sqrt()
        return rows + diagonal.diag_embed()

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        logs = value.diagonal(dim1=-1, dim2=-2)[..., 1:].log()
        power = 2 * (self.concentration.unsqueeze(-1) - 1) + arange(self.dim - 2, -1, -1, **self._like())
        rows = self.dim - 1
        a = self.concentration + 0.5 * rows
        scale = 0.5 * rows * math.log(math.pi) + mvlgamma(a - 0.5, rows) - rows * a.lgamma()
        return (power * logs).sum(-1) - scale
