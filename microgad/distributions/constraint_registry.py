"""Registries of transforms from unconstrained numbers to the region of a constraint.

`biject_to` gives bijections; the transforms of `transform_to` need not be bijective.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Number
from typing import Any

from . import constraints, transforms


class ConstraintRegistry:
    """A table of transform factories by class of constraint. Source: torch.distributions.constraint_registry.

    >>> torch.distributions.transform_to(torch.distributions.constraints.unit_interval)
    SigmoidTransform()
    """

    def __init__(self) -> None:
        self._factories: dict[type, Callable[[Any], Any]] = {}

    def register(self, constraint: Any, factory: Callable[[Any], Any] | None = None) -> Any:
        """Register a function from constraint to transform; without `factory`, return a decorator that does."""
        if factory is None:
            return lambda made: self.register(constraint, made)
        kind = constraint if isinstance(constraint, type) else type(constraint)
        if not issubclass(kind, constraints.Constraint):
            raise TypeError(f"Expected constraint to be either a Constraint subclass or instance, but got {constraint}")
        self._factories[kind] = factory
        return factory

    def __call__(self, constraint: Any) -> Any:
        if type(constraint) not in self._factories:
            raise NotImplementedError(f"Cannot transform {type(constraint).__name__} constraints")
        return self._factories[type(constraint)](constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def _independent(registry: ConstraintRegistry) -> Callable[[Any], Any]:
    return lambda c: transforms.IndependentTransform(registry(c.base_constraint), c.reinterpreted_batch_ndims)


def _cat(registry: ConstraintRegistry) -> Callable[[Any], Any]:
    return lambda c: transforms.CatTransform([registry(part) for part in c.cseq], c.dim, c.lengths)


def _stack(registry: ConstraintRegistry) -> Callable[[Any], Any]:
    return lambda c: transforms.StackTransform([registry(part) for part in c.cseq], c.dim)


def _of(transform: Callable[[], Any]) -> Callable[[Any], Any]:
    return lambda constraint: transform()


def _interval(c: Any) -> Any:
    if all(isinstance(x, Number) for x in (c.lower_bound, c.upper_bound)) and (c.lower_bound, c.upper_bound) == (0, 1):
        return transforms.SigmoidTransform()
    scaled = transforms.AffineTransform(c.lower_bound, c.upper_bound - c.lower_bound)
    return transforms.ComposeTransform([transforms.SigmoidTransform(), scaled])


def _above(c: Any) -> Any:
    return transforms.ComposeTransform([transforms.ExpTransform(), transforms.AffineTransform(c.lower_bound, 1)])


def _below(c: Any) -> Any:
    return transforms.ComposeTransform([transforms.ExpTransform(), transforms.AffineTransform(c.upper_bound, -1)])


_SHARED: list[tuple[Any, Callable[[Any], Any]]] = [
    (constraints.real, lambda c: transforms.identity_transform),
    (constraints.positive, _above),
    (constraints.nonnegative, _above),
    (constraints.less_than, _below),
    (constraints.interval, _interval),
    (constraints.half_open_interval, _interval),
    (constraints.corr_cholesky, _of(transforms.CorrCholeskyTransform)),
]
for _registry, _simplex in (
    (biject_to, transforms.StickBreakingTransform),
    (transform_to, transforms.SoftmaxTransform),
):
    for _constraint, _maker in _SHARED:
        _registry.register(_constraint, _maker)
    _registry.register(constraints.independent, _independent(_registry))
    _registry.register(constraints.cat, _cat(_registry))
    _registry.register(constraints.stack, _stack(_registry))
    _registry.register(constraints.simplex, _of(_simplex))
transform_to.register(constraints.lower_cholesky, _of(transforms.LowerCholeskyTransform))
transform_to.register(constraints.positive_definite, _of(transforms.PositiveDefiniteTransform))
transform_to.register(constraints.positive_semidefinite, _of(transforms.PositiveDefiniteTransform))
