"""TransformedDistribution, the distribution of a transformed random variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from ..errors import ArgumentError
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution
from .independent import Independent
from .transforms import ComposeTransform, Transform
from .utils import _sum_rightmost, alias


class TransformedDistribution(Distribution):
    """Distribution of f(X), where X has base_distribution and f is a transform or a list of them, applied in order.

    Raises ValueError for other transforms, and if base_distribution has too few dimensions.
    Source: torch.distributions.TransformedDistribution.

    >>> d = torch.distributions
    >>> log_normal = d.TransformedDistribution(d.Normal(0.0, 1.0), d.ExpTransform())
    >>> log_normal.log_prob(torch.tensor(1.0))
    tensor(-0.9189)
    """

    arg_constraints: Any = {}

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | list[Transform],
        validate_args: bool | None = None,
    ) -> None:
        if isinstance(transforms, Transform):
            transforms = [transforms]
        elif not isinstance(transforms, list):
            raise ArgumentError(f"transforms must be a Transform or list, but was {transforms}")
        if not all(isinstance(t, Transform) for t in transforms):
            raise ArgumentError("transforms must be a Transform or a list of Transforms")
        self.transforms = transforms
        base, transform = base_distribution, self._composed
        shape = base.batch_shape + base.event_shape
        if len(shape) < transform.domain.event_dim:
            raise ArgumentError(
                f"base_distribution needs to have shape with size at least {transform.domain.event_dim}, "
                f"but got {shape}."
            )
        after = transform.forward_shape(shape)
        before = transform.inverse_shape(after)
        if tuple(shape) != tuple(before):  # the parameters of the transforms broadcast the batch
            base = base.expand(before[: len(before) - len(base.event_shape)])
        more = transform.domain.event_dim - len(base.event_shape)
        self.base_dist: Any = Independent(base, more) if more > 0 else base
        event_dim = transform.codomain.event_dim + max(-more, 0)
        cut = len(after) - event_dim
        super().__init__(after[:cut], after[cut:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        new = super().expand(batch_shape, _instance)
        shape = self._composed.inverse_shape((*batch_shape, *self.event_shape))
        new.base_dist = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        return new

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        support = self.transforms[-1].codomain
        more = len(self.event_shape) - support.event_dim
        return constraints.independent(support, more) if more > 0 else support

    has_rsample: bool = alias("base_dist.has_rsample")

    @property
    def _composed(self) -> ComposeTransform:
        """All transforms as one."""
        return ComposeTransform(self.transforms)

    def _sample(self, sample_shape: Any) -> Tensor:
        return self._composed(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._composed(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._maybe_validate(value)
        event_dim = len(self.event_shape)
        total: Any = 0.0
        y: Any = value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            event_dim += transform.domain.event_dim - transform.codomain.event_dim
            change = transform.log_abs_det_jacobian(x, y)
            total = total - _sum_rightmost(change, event_dim - transform.domain.event_dim)
            y = x
        return total + _sum_rightmost(self.base_dist.log_prob(y), event_dim - len(self.base_dist.event_shape))

    def _monotonize_cdf(self, value: Tensor) -> Tensor:
        """Return value where the transforms are increasing, and 1 − value where they are decreasing."""
        sign = self._composed.sign
        return value if isinstance(sign, int) and sign == 1 else sign * (value - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        value = self._composed.inv(value)
        if self._validate_args:
            self.base_dist._validate_sample(value)
        return self._monotonize_cdf(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self._composed(self.base_dist.icdf(self._monotonize_cdf(value)))
