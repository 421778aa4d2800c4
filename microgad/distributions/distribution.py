"""Distribution: what all distributions share. Source: torch.distributions.Distribution."""

from __future__ import annotations

import warnings
from typing import Any

from .. import state
from ..autograd import grad
from ..errors import ArgumentError
from ..size import Size
from ..tensor import Tensor
from .constraints import Constraint, is_dependent
from .utils import _sum_rightmost, lazy_property


class Distribution:
    """A distribution, or a batch of them: of each parameter, the last dimensions are one distribution's.

    batch_shape is how many there are, event_shape the shape of one draw. Parameters and values outside of what is
    allowed raise ValueError, unless validate_args is False.

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
        super().__init__()  # of a module, where a subclass is one as well

    def _check_parameters(self) -> None:
        try:
            arg_constraints = self.arg_constraints
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `arg_constraints`. Set `arg_constraints = {{}}`, or initialize the "
                "distribution with `validate_args=False` to turn off validation.",
                stacklevel=4,
            )
            return
        for name, constraint in arg_constraints.items():
            computed = name not in self.__dict__ and isinstance(getattr(type(self), name, None), lazy_property)
            if is_dependent(constraint) or computed:
                continue
            value = getattr(self, name)
            if not constraint.check(value).all():
                raise ArgumentError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of distribution "
                    f"{self!r} to satisfy the constraint {constraint!r}, but found invalid values:\n{value}"
                )

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether parameters and values are checked where the constructor isn't told."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: value must be True or False, but is {value!r}")
        Distribution._validate_args = value

    @property
    def batch_shape(self) -> Size:
        """How many distributions there are."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one draw."""
        return self._event_shape

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution in a larger batch; no memory is copied."""
        new = self._get_checked_instance(type(self), _instance)
        shape = Size(batch_shape)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):  # a parameter: what the batch lacks of its dimensions is its own
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

    def _lacks(self, name: str) -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} does not implement {name}")

    @property
    def arg_constraints(self) -> Any:
        """What each parameter must satisfy, by its name; NotImplementedError where a subclass says nothing."""
        raise self._lacks("arg_constraints")

    @property
    def support(self) -> Any:
        """What values must satisfy; NotImplementedError where a subclass says nothing."""
        raise self._lacks("support")

    @property
    def mean(self) -> Tensor:
        """The mean, batch_shape + event_shape."""
        raise self._lacks("mean")

    @property
    def mode(self) -> Tensor:
        """The likeliest value, batch_shape + event_shape."""
        raise self._lacks("mode")

    @property
    def variance(self) -> Tensor:
        """The variance, batch_shape + event_shape."""
        raise self._lacks("variance")

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Tensor:
        """Draws, sample_shape + batch_shape + event_shape, without gradient."""
        with state.scope(grad_enabled=False):
            return self._sample(sample_shape)

    def _sample(self, sample_shape: Any) -> Tensor:
        """The same, while nothing is recorded."""
        return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws as a differentiable function of the parameters."""
        raise self._lacks("rsample")

    def sample_n(self, n: int) -> Tensor:
        """n draws: sample((n,)), which PyTorch would rather see."""
        warnings.warn("`sample_n(n)` will be deprecated. Use `sample((n,))` instead.", FutureWarning, stacklevel=2)
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability, at value."""
        raise self._lacks("log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of draws up to value."""
        raise self._lacks("cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """The inverse of cdf."""
        raise self._lacks("icdf")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values there are, in a first dimension."""
        raise self._lacks("enumerate_support")

    def _enumerated(self, values: Tensor, expand: bool) -> Tensor:
        values = values.view(-1, *(1,) * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values

    def entropy(self) -> Tensor:
        """The entropy in nats, batch_shape."""
        raise self._lacks("entropy")

    def perplexity(self) -> Tensor:
        """exp of the entropy."""
        return self.entropy().exp()

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
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
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Initialize the distribution with "
                "`validate_args=False` to turn off validation.",
                stacklevel=3,
            )
            return
        if not support.check(value).all():
            raise ArgumentError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(shape)}) to be within the support "
                f"({support!r}) of the distribution {self!r}, but found invalid values:\n{value}"
            )

    def _checked(self, *values: Tensor) -> None:
        if self._validate_args:
            for value in values:
                self._validate_sample(value)

    def __repr__(self) -> str:
        names = [name for name in self.arg_constraints if name in self.__dict__]
        said = ((name, self.__dict__[name]) for name in names)
        return f"{type(self).__name__}({', '.join(f'{n}: {v if v.numel() == 1 else v.shape}' for n, v in said)})"


class ExponentialFamily(Distribution):
    """A distribution whose density is exp(<θ, t(x)> − F(θ) + k(x)). Source: torch.distributions.ExponentialFamily.

    A subclass that tells θ, F and the mean of k has its entropy by F's derivative, which is the mean of t, and the
    divergence of two of it.

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
        """θ, each batch_shape and dimensions of its own."""
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        """F(θ), batch_shape."""
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        """The mean of k."""
        raise NotImplementedError

    def _means(self) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """F(θ), and θ with the means of t."""
        with state.scope(grad_enabled=True):
            natural = [x if x.requires_grad else x.detach().requires_grad_() for x in self._natural_params]
            normalizer = self._log_normalizer(*natural)
            means = grad(normalizer.sum(), natural, create_graph=True)
        return normalizer, list(zip(natural, means, strict=True))

    def entropy(self) -> Tensor:
        normalizer, pairs = self._means()
        batch = len(self._batch_shape)
        inner = sum(_sum_rightmost(x * mean, x.ndim - batch) for x, mean in pairs)
        return normalizer - inner - self._mean_carrier_measure
