"""Constraints: regions of allowed values, whose `check` tells which values lie inside.

Source: torch.distributions.constraints.

>>> constraints = torch.distributions.constraints
>>> constraints.positive, constraints.positive.check(torch.tensor([1.0, -1.0]))
(GreaterThan(lower_bound=0.0), tensor([ True, False]))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..dtypes.limits import finfo
from ..fast_reductions import SMALL
from ..linalg import cholesky_ex, eigvalsh
from ..ops.elementwise import isclose
from ..ops.movement import cat as _cat
from ..ops.movement import stack as _stack
from ..ops.support.bare import unseen
from ..tensor import Tensor
from .utils import alias, check_length

__all__ = [
    "Constraint", "MixtureSameFamilyConstraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property",
    "greater_than", "greater_than_eq", "half_open_interval", "independent", "integer_interval", "interval",
    "is_dependent", "less_than", "lower_cholesky", "lower_triangular", "multinomial", "nonnegative",
    "nonnegative_integer", "one_hot", "positive", "positive_definite", "positive_integer", "positive_semidefinite",
    "real", "real_vector", "simplex", "square", "stack", "symmetric", "unit_interval",
]  # fmt: skip


F = TypeVar("F", bound=Callable[..., Any])


def elementary(check: F) -> F:
    """Decorate a `check` whose body means the same for a bare array: `all_inside` hands it one where it can."""
    check.elementary = True  # type: ignore[attr-defined]
    return check


class Constraint:
    """A region of values. `event_dim` is the number of trailing dimensions that form one value.

    Source: torch.distributions.constraints.Constraint.

    >>> constraint = torch.distributions.Poisson.arg_constraints["rate"]
    >>> isinstance(constraint, torch.distributions.constraints.Constraint), constraint.event_dim
    (True, 0)
    """

    is_discrete: Any = False
    event_dim: Any = 0
    _bounds: tuple[str, ...] = ()

    def check(self, value: Tensor) -> Tensor:
        """Whether each value lies inside, as a bool Tensor without the last event_dim dimensions."""
        raise NotImplementedError

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={getattr(self, name)}" for name in self._bounds)
        return f"{type(self).__name__[1:]}({arguments})"


class _Dependent(Constraint):
    """A constraint that depends on other parameters and can't be checked alone."""

    def __init__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        self._is_discrete = is_discrete
        self._event_dim = event_dim

    @property
    def is_discrete(self) -> bool:
        if self._is_discrete is NotImplemented:
            raise NotImplementedError(".is_discrete cannot be determined statically")
        return self._is_discrete

    @property
    def event_dim(self) -> int:
        if self._event_dim is NotImplemented:
            raise NotImplementedError(".event_dim cannot be determined statically")
        return self._event_dim

    def __call__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> _Dependent:
        return _Dependent(
            is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
            event_dim=self._event_dim if event_dim is NotImplemented else event_dim,
        )

    def check(self, value: Tensor) -> Tensor:
        raise ValueError("Cannot determine validity of dependent constraint")


def is_dependent(constraint: Any) -> bool:
    """Whether a constraint depends on other parameters. Source: torch.distributions.constraints.is_dependent.

    >>> torch.distributions.constraints.is_dependent(torch.distributions.constraints.dependent)
    True
    """
    return isinstance(constraint, _Dependent)


class _DependentProperty(property, _Dependent):
    """A property whose value is a constraint that depends on the instance; the decorator may take arguments.

    Source: torch.distributions.constraints.dependent_property.

    >>> class Between:
    ...     def __init__(self, high): self.high = high
    ...     @torch.distributions.constraints.dependent_property(is_discrete=False, event_dim=0)
    ...     def support(self): return torch.distributions.constraints.interval(0, self.high)
    >>> Between(3.0).support
    Interval(lower_bound=0, upper_bound=3.0)
    """

    def __init__(
        self,
        fn: Callable[..., Any] | None = None,
        *,
        is_discrete: Any = NotImplemented,
        event_dim: Any = NotImplemented,
    ) -> None:
        property.__init__(self, fn)
        _Dependent.__init__(self, is_discrete=is_discrete, event_dim=event_dim)

    def __call__(self, fn: Callable[..., Any]) -> _DependentProperty:  # type: ignore[override]
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


class _IndependentConstraint(Constraint):
    """A constraint whose trailing batch dimensions count as event dimensions.

    `check` raises ValueError for values of too few dimensions. Source: torch.distributions.constraints.independent.

    >>> c = torch.distributions.constraints
    >>> c.independent(c.positive, 1).check(torch.tensor([[1.0, 2.0], [1.0, -1.0]]))
    tensor([ True, False])
    """

    def __init__(self, base_constraint: Any, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    is_discrete: bool = alias("base_constraint.is_discrete")

    @property
    def event_dim(self) -> int:
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        result = self.base_constraint.check(value)
        kept = result.ndim - self.reinterpreted_batch_ndims
        if kept < 0:
            expected = self.base_constraint.event_dim + self.reinterpreted_batch_ndims
            raise ValueError(f"Expected value.dim() >= {expected} but got {value.dim()}")
        return result.reshape(*result.shape[:kept], -1).all(-1)

    def __repr__(self) -> str:
        return f"{type(self).__name__[1:]}({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


# The dtypes whose bare arrays compare as Tensors do, and the types of bounds with which they do.
_EXACT: dict[str, tuple[type, ...]] = {"f4": (int, float), "f8": (int, float), "i8": (int,)}


def all_inside(constraint: Any, value: Any) -> bool:
    """Whether all values lie inside: `constraint.check(value).all()`.

    A few numbers are checked as a bare array, in a fraction of the time. Whether they lie inside has no gradient.
    """
    base = constraint
    while type(base) is _IndependentConstraint:
        base = base.base_constraint
    if getattr(base.check, "elementary", False) and (arrays := unseen(value)) is not None:
        (array,) = arrays
        number = _EXACT.get(array.dtype.str[1:])
        if (
            number is not None
            and 0 < array.size < SMALL  # from there on, sums of Tensors are computed in other ways
            and array.ndim >= constraint.event_dim
            and all(type(getattr(base, name)) in number for name in base._bounds)
        ):
            return bool(constraint.check(array).all())
    return bool(constraint.check(value).all())


class MixtureSameFamilyConstraint(Constraint):
    """The values inside the support of every component; the dimension of components precedes the event dimensions.

    Source: torch.distributions.constraints.MixtureSameFamilyConstraint.

    >>> c = torch.distributions.constraints
    >>> c.MixtureSameFamilyConstraint(c.less_than(torch.tensor([1.0, 2.0]))).check(torch.tensor([0.5, 1.5]))
    tensor([ True, False])
    """

    def __init__(self, base_constraint: Any) -> None:
        self.base_constraint = base_constraint

    is_discrete: bool = alias("base_constraint.is_discrete")
    event_dim: int = alias("base_constraint.event_dim")

    def check(self, value: Tensor) -> Tensor:
        result = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        return result.reshape(*result.shape[: value.ndim - self.event_dim], -1).all(-1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_constraint!r})"


class _Boolean(Constraint):
    is_discrete = True

    @elementary
    def check(self, value: Tensor) -> Tensor:
        return (value == 0) | (value == 1)


class _OneHot(Constraint):
    is_discrete, event_dim = True, 1

    @elementary
    def check(self, value: Tensor) -> Tensor:
        return ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == 1)


class _IntegerInterval(Constraint):
    """The integers from lower_bound to upper_bound, both included.

    Source: torch.distributions.constraints.integer_interval.

    >>> torch.distributions.constraints.integer_interval(0, 2).check(torch.tensor([0.0, 2.0, 1.5]))
    tensor([ True,  True, False])
    """

    is_discrete, _bounds = True, ("lower_bound", "upper_bound")

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    @elementary
    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & (self.lower_bound <= value) & (value <= self.upper_bound)


class _IntegerGreaterThan(Constraint):
    is_discrete, _bounds = True, ("lower_bound",)

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    @elementary
    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & (value >= self.lower_bound)


class _Real(Constraint):
    @elementary
    def check(self, value: Tensor) -> Tensor:
        return value == value


class _GreaterThan(Constraint):
    """The numbers greater than lower_bound. Source: torch.distributions.constraints.greater_than.

    >>> torch.distributions.constraints.greater_than(1).check(torch.tensor([1.0, 2.0]))
    tensor([False,  True])
    """

    _bounds = ("lower_bound",)

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    @elementary
    def check(self, value: Tensor) -> Tensor:
        return self.lower_bound < value


class _GreaterThanEq(_GreaterThan):
    """The numbers that are at least lower_bound. Source: torch.distributions.constraints.greater_than_eq.

    >>> torch.distributions.constraints.greater_than_eq(1).check(torch.tensor([0.0, 1.0]))
    tensor([False,  True])
    """

    @elementary
    def check(self, value: Tensor) -> Tensor:
        return self.lower_bound <= value


class _LessThan(Constraint):
    """The numbers less than upper_bound. Source: torch.distributions.constraints.less_than.

    >>> torch.distributions.constraints.less_than(1).check(torch.tensor([0.0, 1.0]))
    tensor([ True, False])
    """

    _bounds = ("upper_bound",)

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    @elementary
    def check(self, value: Tensor) -> Tensor:
        return value < self.upper_bound


class _Interval(Constraint):
    """The numbers from lower_bound to upper_bound, both included. Source: torch.distributions.constraints.interval.

    >>> torch.distributions.constraints.interval(0, 1).check(torch.tensor([1.0, 2.0]))
    tensor([ True, False])
    """

    _bounds = ("lower_bound", "upper_bound")

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    @elementary
    def check(self, value: Tensor) -> Tensor:
        return (self.lower_bound <= value) & (value <= self.upper_bound)


class _HalfOpenInterval(_Interval):
    """The numbers from lower_bound up to but not including upper_bound.

    Source: torch.distributions.constraints.half_open_interval.

    >>> torch.distributions.constraints.half_open_interval(0, 1).check(torch.tensor([0.0, 1.0]))
    tensor([ True, False])
    """

    @elementary
    def check(self, value: Tensor) -> Tensor:
        return (self.lower_bound <= value) & (value < self.upper_bound)


class _Simplex(Constraint):
    event_dim = 1

    @elementary
    def check(self, value: Tensor) -> Tensor:
        return (value >= 0).all(-1) & (abs(value.sum(-1) - 1) < 1e-6)


class _Multinomial(Constraint):
    """Counts (K) that add up to upper_bound at most. Source: torch.distributions.constraints.multinomial.

    >>> torch.distributions.constraints.multinomial(3).check(torch.tensor([[1.0, 2.0], [2.0, 2.0]]))
    tensor([ True, False])
    """

    is_discrete, event_dim = True, 1

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Tensor) -> Tensor:
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)


class _LowerTriangular(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        return (value.tril() == value).flatten(-2).all(-1)


class _LowerCholesky(_LowerTriangular):
    def check(self, value: Tensor) -> Tensor:
        return super().check(value) & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


class _CorrCholesky(_LowerCholesky):
    def check(self, value: Tensor) -> Tensor:
        tolerance = finfo(value.dtype).eps * value.shape[-1] * 10
        lengths = value.detach().norm(dim=-1)
        return ((lengths - 1).abs() <= tolerance).all(-1) & super().check(value)


class _Square(Constraint):
    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        return value.new_full(value.shape[:-2], value.shape[-2] == value.shape[-1], dtype=bool)


class _Symmetric(_Square):
    def check(self, value: Tensor) -> Tensor:
        square = super().check(value)
        return isclose(value, value.mT, atol=1e-6).all(-2).all(-1) if square.all() else square


class _PositiveSemidefinite(_Symmetric):
    def check(self, value: Tensor) -> Tensor:
        symmetric = super().check(value)
        return eigvalsh(value).ge(0).all(-1) if symmetric.all() else symmetric


class _PositiveDefinite(_Symmetric):
    def check(self, value: Tensor) -> Tensor:
        symmetric = super().check(value)
        return cholesky_ex(value).info.eq(0) if symmetric.all() else symmetric


class _PartwiseConstraint(Constraint):
    """Base of constraints that apply one constraint to each part of a value along `dim`.

    `check` raises AssertionError for a value of another size along `dim`.
    """

    def __init__(self, cseq: Sequence[Any], dim: int = 0) -> None:
        self.cseq, self.dim = list(cseq), dim

    @property
    def is_discrete(self) -> bool:
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self) -> int:
        return max(c.event_dim for c in self.cseq)

    def _checks(self, parts: Sequence[Tensor]) -> list[Tensor]:
        return [c.check(part) for c, part in zip(self.cseq, parts, strict=True)]


class _Cat(_PartwiseConstraint):
    """One constraint for each of consecutive parts of the given lengths. Source: torch.distributions.constraints.cat.

    >>> c = torch.distributions.constraints
    >>> c.cat([c.positive, c.real], lengths=[1, 2]).check(torch.tensor([1.0, -1.0, -1.0]))
    tensor([True, True, True])
    """

    def __init__(self, cseq: Sequence[Any], dim: int = 0, lengths: Sequence[int] | None = None) -> None:
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)

    def check(self, value: Tensor) -> Tensor:
        check_length(self, value, sum(self.lengths))
        return _cat(self._checks(value.split(self.lengths, self.dim)), self.dim)


class _Stack(_PartwiseConstraint):
    """One constraint for each index along `dim`. Source: torch.distributions.constraints.stack.

    >>> c = torch.distributions.constraints
    >>> c.stack([c.positive, c.less_than(0)]).check(torch.tensor([1.0, 1.0]))
    tensor([ True, False])
    """

    @property
    def event_dim(self) -> int:
        dim = super().event_dim
        return dim + 1 if self.dim + dim < 0 else dim

    def check(self, value: Tensor) -> Tensor:
        check_length(self, value, len(self.cseq))
        return _stack(self._checks(value.unbind(self.dim)), self.dim)


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
positive_definite = _PositiveDefinite()
cat = _Cat
stack = _Stack
