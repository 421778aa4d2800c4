"""Distribution, the base of all distributions. Source: torch.distributions.Distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from .. import state
from ..autograd import grad
from ..errors import ArgumentError
from ..errors.notices import warn
from ..size import Size
from ..tensor import Tensor
from .constraints import Constraint, all_inside, is_dependent
from .utils import _sum_rightmost, lazy_property


class Distribution:
    """Base of all distributions. An object may hold a batch of distributions.

    batch_shape is the shape of the batch, event_shape the shape of one sample. Parameters and values that violate the
    constraints raise ValueError, unless validate_args is False. Source: torch.distributions.Distribution.

    >>> d = torch.distributions.Normal(torch.zeros(2), 1.0)
    >>> d, d.batch_shape, d.event_shape, d.expand((3, 2)).sample((4,)).shape
    (Normal(loc: torch.Size([2]), scale: torch.Size([2])), torch.Size([2]), torch.Size([]), torch.Size([4, 3, 2]))
    """

    has_rsample = False
    has_enumerate_support = False
    _validate_args = __debug__

    def __init__(self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()
        super().__init__()  # a subclass may be an nn.Module too

    def _check_parameters(self) -> None:
        try:
            arg_constraints = self.arg_constraints
        except NotImplementedError:
            warn(
                f"{type(self)} does not define `arg_constraints`. Set `arg_constraints = {{}}`, or initialize the "
                "distribution with `validate_args=False` to turn off validation."
            )
            return
        for name, constraint in arg_constraints.items():
            computed = name not in self.__dict__ and isinstance(getattr(type(self), name, None), lazy_property)
            if is_dependent(constraint) or computed:
                continue
            value = getattr(self, name)
            if not all_inside(constraint, value):
                raise ArgumentError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                    f"{self!r} to satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Set whether parameters and values are checked when the constructor's validate_args is None."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: value must be True or False, but is {value!r}")
        Distribution._validate_args = value

    @property
    def batch_shape(self) -> Size:
        """The shape of the batch of distributions."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one sample."""
        return self._event_shape

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """Return the distribution expanded to a larger batch, without copying memory."""
        base = next(c for c in type(self).__mro__ if c.__module__.startswith(__package__))
        if base in (Distribution, ExponentialFamily):  # what a subclass holds may not be enough to make another
            raise self._not_implemented("expand")
        new = self._get_checked_instance(base, _instance)
        shape = Size(batch_shape)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):  # a parameter; the dimensions after those of the batch are its own
                own = value.shape[len(self._batch_shape) :]
                value = value.expand((*shape, *own))
            elif isinstance(value, Distribution) and value.batch_shape == self._batch_shape:
                value = value.expand(shape)
            new.__dict__[name] = value
        new._batch_shape = shape
        return new

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        if _instance is not None:
            return _instance
        if type(self).__init__ is not cls.__init__:  # type: ignore[misc]
            raise NotImplementedError(
                f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ method must also "
                "define a custom .expand() method."
            )
        return object.__new__(type(self))

    def _not_implemented(self, name: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} does not implement {name}")

    @property
    def arg_constraints(self) -> Any:
        """The constraint of each parameter, by name. Raises NotImplementedError if the subclass defines none."""
        raise self._not_implemented("arg_constraints")

    @property
    def support(self) -> Any:
        """The constraint that values satisfy. Raises NotImplementedError if the subclass defines none."""
        raise self._not_implemented("support")

    @property
    def mean(self) -> Tensor:
        """The mean, of shape batch_shape + event_shape."""
        raise self._not_implemented("mean")

    @property
    def mode(self) -> Tensor:
        """The value of largest probability or density, of shape batch_shape + event_shape."""
        raise self._not_implemented("mode")

    @property
    def variance(self) -> Tensor:
        """The variance, of shape batch_shape + event_shape."""
        raise self._not_implemented("variance")

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw samples of shape sample_shape + batch_shape + event_shape, without gradient."""
        with state.scope(grad_enabled=False):
            return self._sample(sample_shape)

    def _sample(self, sample_shape: Any) -> Tensor:
        """Draw the samples of `sample`, which calls this with gradients disabled."""
        return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draw samples that are differentiable by the parameters (the reparameterization trick)."""
        raise self._not_implemented("rsample")

    def sample_n(self, n: int) -> Tensor:
        """Draw n samples. Deprecated, as in PyTorch: use sample((n,))."""
        warn("`sample_n(n)` will be deprecated. Use `sample((n,))` instead.", FutureWarning)
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """Return the logarithm of the density or probability at value."""
        raise self._not_implemented("log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """Return the probability of samples ≤ value."""
        raise self._not_implemented("cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """Return the inverse of the cdf at value."""
        raise self._not_implemented("icdf")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all values of a discrete distribution, along a new first dimension."""
        raise self._not_implemented("enumerate_support")

    def _expand_values(self, values: Tensor, expand: bool) -> Tensor:
        values = values.view(-1, *(1,) * len(self._batch_shape), *self._event_shape)
        return values.expand(-1, *self._batch_shape, *self._event_shape) if expand else values

    def entropy(self) -> Tensor:
        """Return the entropy in nats, of shape batch_shape."""
        raise self._not_implemented("entropy")

    def perplexity(self) -> Tensor:
        """Return exp(entropy)."""
        return self.entropy().exp()

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    def _validate_sample(self, value: Tensor) -> None:
        """Check values against event_shape, batch_shape and support."""
        if not isinstance(value, Tensor):
            raise ArgumentError("The value argument to log_prob must be a Tensor")
        shape, expected = value.shape, (*self._batch_shape, *self._event_shape)
        if shape[len(shape) - len(self._event_shape) :] != self._event_shape:
            raise ArgumentError(f"The right-most size of value must match event_shape: {shape} vs {self._event_shape}.")
        if any(a not in (1, b) and b != 1 for a, b in zip(reversed(shape), reversed(expected), strict=False)):
            raise ArgumentError(
                f"Value is not broadcastable with batch_shape+event_shape: {shape} vs {Size(expected)}."
            )
        try:
            support: Constraint = self.support
        except NotImplementedError:
            warn(
                f"{type(self)} does not define `support` to enable sample validation. Initialize the distribution with "
                "`validate_args=False` to turn off validation."
            )
            return
        if not all_inside(support, value):
            raise ArgumentError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(shape)}) to be within the support "
                f"({support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )

    def _new(self, *args: Any, **kwargs: Any) -> Tensor:
        """Make a Tensor of the dtype of the parameters, for those classes that have `_param`."""
        return self._param.new(*args, **kwargs)  # type: ignore[attr-defined]

    def _maybe_validate(self, value: Tensor) -> None:
        if self._validate_args:
            self._validate_sample(value)

    def __repr__(self) -> str:
        given = [(name, self.__dict__[name]) for name in self.arg_constraints if name in self.__dict__]
        return f"{type(self).__name__}({', '.join(f'{n}: {v if v.numel() == 1 else v.shape}' for n, v in given)})"


class ExponentialFamily(Distribution):
    """A distribution whose density is exp(<θ, t(x)> − F(θ) + k(x)). Source: torch.distributions.ExponentialFamily.

    A subclass defines θ, F and the mean of k. Entropy and KL divergence follow from them: the derivative of F is the
    mean of t.

    >>> class Waiting(torch.distributions.ExponentialFamily):
    ...     arg_constraints, _mean_carrier_measure = {}, 0
    ...     def __init__(self, rate): self.rate = rate; super().__init__(rate.shape)
    ...     _natural_params = property(lambda self: (-self.rate,))
    ...     def _log_normalizer(self, x): return -(-x).log()
    >>> Waiting(torch.tensor(2.0)).entropy().item() == torch.distributions.Exponential(2.0).entropy().item()
    True
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        """The natural parameters θ, each of shape batch_shape plus dimensions of its own."""
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        """Return F(θ), of shape batch_shape."""
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        """The mean of k."""
        raise NotImplementedError

    def _means(self) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Return F(θ), and each θ with the mean of its t."""
        with state.scope(grad_enabled=True):
            natural = [x if x.node is not None else x.detach().requires_grad_() for x in self._natural_params]
            normalizer = self._log_normalizer(*natural)
            means = grad(normalizer.sum(), natural, create_graph=True)
        return normalizer, list(zip(natural, means, strict=True))

    def entropy(self) -> Tensor:
        normalizer, pairs = self._means()
        batch = len(self._batch_shape)
        inner = sum(_sum_rightmost(x * mean, x.ndim - batch) for x, mean in pairs)
        return normalizer - inner - self._mean_carrier_measure
