"""The Kullback-Leibler divergence of two distributions, by a table of formulas for pairs of classes."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any, TypeVar

from ..linalg import solve_triangular
from ..nn.functional import softplus
from ..ops.elementwise import where
from ..ops.special import mvlgamma
from ..tensor import Tensor
from .bernoulli import Bernoulli
from .beta import Beta
from .binomial import Binomial
from .categorical import Categorical
from .cauchy import Cauchy
from .continuous_bernoulli import ContinuousBernoulli
from .covariance import half_log_det
from .dirichlet import Dirichlet
from .distribution import Distribution, ExponentialFamily
from .exponential import Exponential
from .gamma import Gamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .lowrank_multivariate_normal import LowRankMultivariateNormal
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .pareto import Pareto
from .poisson import Poisson
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform
from .utils import _sum_rightmost, euler_constant, probs_to_logits
from .wishart import Wishart

__all__ = ["kl_divergence", "register_kl"]

F = TypeVar("F", bound=Callable[..., Any])

_KL_REGISTRY: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[F], F]:
    """Register the decorated function of p and q as the formula for two classes and their subclasses.

    Raises TypeError for arguments that aren't classes. Source: torch.distributions.register_kl.

    >>> class Certain(torch.distributions.Bernoulli): pass
    >>> @torch.distributions.register_kl(Certain, Certain)
    ... def between(p, q): return torch.zeros(p.batch_shape)
    >>> torch.distributions.kl_divergence(Certain(probs=0.5), Certain(probs=0.5))
    tensor(0.)
    """
    for name, cls in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(cls, type):  # Distribution need not be a base, as in PyTorch: libraries have their own bases
            raise TypeError(f"Expected {name} to be a Distribution subclass but got {cls}")

    def enter(function: F) -> F:
        _KL_REGISTRY[type_p, type_q] = function
        return function

    return enter


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Return the KL divergence ∫ p log(p/q), of shape batch_shape.

    Raises NotImplementedError if the pair is not in the table. Source: torch.distributions.kl_divergence.

    >>> d = torch.distributions
    >>> d.kl_divergence(d.Normal(0.0, 1.0), d.Normal(1.0, 1.0))
    tensor(0.5000)
    """
    for of_p in type(p).__mro__:  # the most derived classes first; that of p decides before that of q
        for of_q in type(q).__mro__:
            if (of_p, of_q) in _KL_REGISTRY:
                return _KL_REGISTRY[of_p, of_q](p, q)
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}"
    )


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: HalfNormal, q: HalfNormal) -> Tensor:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio = p.scale / q.scale
    distance = (p.loc - q.loc).abs()
    return -ratio.log() + distance / q.scale + ratio * (-distance / p.scale).exp() - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    return ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log() - (4 * p.scale * q.scale).log()


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, apart = p.scale / q.scale, (p.loc - q.loc) / q.scale
    return ((1 + ratio).lgamma() - apart).exp() + apart - ratio.log() + ratio * euler_constant - (1 + euler_constant)


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    kl = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return where(p.scale < q.scale, math.inf, kl)


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    outside = (q.low > p.low) | (q.high < p.high)
    return where(outside, math.inf, ((q.high - q.low) / (p.high - p.low)).log())


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return -ratio.log() + ratio - 1


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    slopes = (a - b) * a.digamma() + (q.rate - p.rate) * (a / p.rate)
    return b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma() + slopes


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    heights = total.lgamma() - b.sum(-1).lgamma() - (a.lgamma() - b.lgamma()).sum(-1)
    return heights + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    def term(a: Tensor, b: Tensor, sign: int) -> Tensor:
        apart = softplus(sign * q.logits) - softplus(sign * p.logits)  # log a/b, accurate also where 1 - probs is not
        return (a * apart).masked_fill(b == 0, math.inf).masked_fill(a == 0, 0.0)

    return term(p.probs, q.probs, -1) + term(1 - p.probs, 1 - q.probs, 1)


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    kl = p.total_count * (p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p())
    return where(p.total_count > q.total_count, math.inf, kl)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    terms = where((q.probs == 0).expand(terms.shape), math.inf, terms)
    return where((p.probs == 0).expand(terms.shape), 0.0, terms).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p._categorical, q._categorical)


def _multivariate_normal(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(f"KL-divergence between two Multivariate Normals with different event shapes {p}, {q}")
    distance = q._precision_trace(p) + q._mahalanobis(q.loc - p.loc)
    return q._half_log_det() - p._half_log_det() + 0.5 * (distance - p.event_shape[0])


_normals = (MultivariateNormal, LowRankMultivariateNormal)
for _kind, _other in product(_normals, _normals):
    register_kl(_kind, _other)(_multivariate_normal)


@register_kl(Wishart, Wishart)
def _wishart(p: Wishart, q: Wishart) -> Tensor:
    size = p.event_shape[-1]
    theirs, own = q._unbroadcasted_scale_tril, p._unbroadcasted_scale_tril
    mixed = solve_triangular(theirs, own, upper=False).square().sum((-2, -1))
    heights = mvlgamma(q.df / 2, size) - mvlgamma(p.df / 2, size) + (p.df - q.df) / 2 * p._mean_log()
    return 0.5 * p.df * (mixed - size) + q.df * (half_log_det(theirs) - half_log_det(own)) + heights


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: Any, q: ContinuousBernoulli) -> Tensor:
    log_odds = probs_to_logits(q.probs, is_binary=True)  # from probs, which are clamped to (0, 1) as in p's terms
    return -p.entropy() - p.mean * log_odds - (-q.probs).log1p() - q._log_norm()


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        dims = f"{p.reinterpreted_batch_ndims} and {q.reinterpreted_batch_ndims}"
        raise NotImplementedError(f"kl_divergence: p and q must have one reinterpreted_batch_ndims, but have {dims}")
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(ExponentialFamily, ExponentialFamily)
def _kl_expfamily_expfamily(p: ExponentialFamily, q: ExponentialFamily) -> Tensor:
    """Return the Bregman divergence of the log-normalizer: its value at q minus that of its tangent at p."""
    if type(p) is not type(q):
        raise NotImplementedError(f"KL-divergence of a {type(p).__name__} to a {type(q).__name__} is not implemented")
    normalizer, pairs = p._means()
    kl = q._log_normalizer(*q._natural_params) - normalizer
    for (x, mean), y in zip(pairs, q._natural_params, strict=True):
        kl = kl - _sum_rightmost((y - x) * mean, x.ndim - len(p.batch_shape))
    return kl


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms:
        raise NotImplementedError(f"kl_divergence: p has the transforms {p.transforms}, but q has {q.transforms}")
    if p.event_shape != q.event_shape:
        raise NotImplementedError(f"kl_divergence: p has event_shape {p.event_shape}, but q has {q.event_shape}")
    return kl_divergence(p.base_dist, q.base_dist)


# Pairs of different classes. Where q is 0 inside p's support, the divergence is infinite.


def _as_gamma(p: Exponential) -> Gamma:
    return Gamma(p.rate.new_ones(p.rate.shape), p.rate, validate_args=False)


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Exponential, q: Gamma) -> Tensor:
    return _gamma(_as_gamma(p), q)


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Gamma, q: Exponential) -> Tensor:
    return _gamma(p, _as_gamma(q))


def _any_normal(p: Any, q: Normal) -> Tensor:
    distance = (p.variance + (p.mean - q.loc).pow(2)) / (2 * q.variance)
    return -p.entropy() + distance + q.scale.log() + 0.5 * math.log(2 * math.pi)


for _kind in (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Uniform):
    register_kl(_kind, Normal)(_any_normal)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Normal, q: Laplace) -> Tensor:
    away = p.loc - q.loc
    d = away / p.scale
    distance = p.scale * math.sqrt(2 / math.pi) * (-0.5 * d.square()).exp() + away * (math.sqrt(0.5) * d).erf()
    return -p.entropy() + distance / q.scale + (2 * q.scale).log()


def _any_gamma(p: Any, q: Gamma, mean_log: Tensor) -> Tensor:
    a = q.concentration
    return -p.entropy() + a.lgamma() - a * q.rate.log() - (a - 1) * mean_log + q.rate * p.mean


def _any_exponential(p: Any, q: Exponential) -> Tensor:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Beta, Gamma)
def _beta_gamma(p: Beta, q: Gamma) -> Tensor:
    mean_log = p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    return _any_gamma(p, q, mean_log)


def _mean_log(low: Tensor, high: Tensor) -> Tensor:
    """Return the mean of log x for uniform x between low and high, which are ≥ 0."""
    inside = low.masked_fill(low == 0, 1.0)  # 1 log 1 is 0, the limit of x log x at 0
    return (high * high.log() - inside * inside.log()) / (high - low) - 1


def _replace_outside(p: Uniform, outside: Tensor) -> Uniform:
    """Return p with other bounds where it lies `outside` of q's support: infinite results get no gradient."""
    low, high = (x.masked_fill(outside, 0.25 + 0.5 * i) for i, x in enumerate((p.low, p.high)))
    return Uniform(low, high, validate_args=False)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Uniform, q: Gamma) -> Tensor:
    outside = p.low < 0
    p = _replace_outside(p, outside)
    return where(outside, math.inf, _any_gamma(p, q, _mean_log(p.low, p.high)))


@register_kl(Uniform, Beta)
def _uniform_beta(p: Uniform, q: Beta) -> Tensor:
    outside = (p.low < 0) | (p.high > 1)
    p = _replace_outside(p, outside)
    a, b = q.concentration1, q.concentration0
    slopes = (a - 1) * _mean_log(p.low, p.high) + (b - 1) * _mean_log(1 - p.high, 1 - p.low)
    return where(outside, math.inf, -p.entropy() + a.lgamma() + b.lgamma() - (a + b).lgamma() - slopes)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Uniform, q: Pareto) -> Tensor:
    outside = p.low < q.scale
    p = _replace_outside(p, outside)
    slopes = (q.alpha + 1) * _mean_log(p.low, p.high) - q.alpha * q.scale.log()
    return where(outside, math.inf, -p.entropy() - q.alpha.log() + slopes)


for _kind in (Beta, ContinuousBernoulli):
    register_kl(_kind, Exponential)(_any_exponential)


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Uniform, q: Exponential) -> Tensor:
    return where(p.low < 0, math.inf, _any_exponential(p, q))


@register_kl(Beta, Uniform)
@register_kl(ContinuousBernoulli, Uniform)
def _unit_uniform(p: Any, q: Uniform) -> Tensor:
    return where((q.low > 0) | (q.high < 1), math.inf, -p.entropy() + (q.high - q.low).log())


register_kl(Beta, ContinuousBernoulli)(_continuous_bernoulli)


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous_bernoulli(p: Uniform, q: ContinuousBernoulli) -> Tensor:
    return where((p.low < 0) | (p.high > 1), math.inf, _continuous_bernoulli(p, q))


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Bernoulli, q: Poisson) -> Tensor:
    return -p.entropy() - p.probs * q.rate.log() + q.rate


def _replace_without_moment(p: Pareto, order: int) -> tuple[Tensor, Pareto]:
    """Return where p has no moment of the given order, and p with another alpha in those places."""
    lacking = p.alpha <= order
    return lacking, Pareto(p.scale, p.alpha.masked_fill(lacking, order + 1.0), validate_args=False)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Pareto, q: Normal) -> Tensor:
    lacking, p = _replace_without_moment(p, 2)
    return where(lacking, math.inf, _any_normal(p, q))


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Pareto, q: Exponential) -> Tensor:
    lacking, p = _replace_without_moment(p, 1)
    return where(lacking, math.inf, _any_exponential(p, q))


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Pareto, q: Gamma) -> Tensor:
    lacking, p = _replace_without_moment(p, 1)
    return where(lacking, math.inf, _any_gamma(p, q, p.scale.log() + p.alpha.reciprocal()))


def _any_gumbel(p: Any, q: Gumbel, log_mean_exp: Tensor) -> Tensor:
    """Return the divergence of p from a Gumbel; log_mean_exp is the log of the mean of exp(-x / q.scale)."""
    place = q.loc / q.scale
    return -p.entropy() + q.scale.log() + p.mean / q.scale - place + (place + log_mean_exp).exp()


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Normal, q: Gumbel) -> Tensor:
    return _any_gumbel(p, q, 0.5 * (p.scale / q.scale).square() - p.loc / q.scale)


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Gamma, q: Gumbel) -> Tensor:
    return _any_gumbel(p, q, -p.concentration * (p.rate * q.scale).reciprocal().log1p())


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Exponential, q: Gumbel) -> Tensor:
    return _any_gumbel(p, q, -(p.rate * q.scale).reciprocal().log1p())


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Uniform, q: Gumbel) -> Tensor:
    width = (p.high - p.low) / q.scale
    return _any_gumbel(p, q, (-(-width).expm1() / width).log() - p.low / q.scale)


def _infinite(p: Any, q: Any) -> Tensor:
    """Return infinity: p has probability where q has none."""
    return p.mean.new_full((p.mean + q.mean).shape, math.inf)


_INFINITE: list[tuple[type, list[type]]] = [
    (Normal, [Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform]),
    (Laplace, [Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform]),
    (Exponential, [Beta, ContinuousBernoulli, Pareto, Uniform]),
    (Gamma, [Beta, ContinuousBernoulli, Pareto, Uniform]),
    (Beta, [Pareto]),
    (ContinuousBernoulli, [Pareto]),
    (Gumbel, [Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform]),
    (Pareto, [Beta, ContinuousBernoulli, Uniform]),
    (Poisson, [Bernoulli, Binomial]),
]
for _type_p, _types_q in _INFINITE:
    for _type_q in _types_q:
        register_kl(_type_p, _type_q)(_infinite)
