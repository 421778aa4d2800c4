"""Schedulers that multiply the previous, or the initial, learning rate by a factor."""

from __future__ import annotations

import types
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..optimizer import Optimizer
from .base import BuiltinScheduler

LRLambda = Callable[[int], float]


class _LambdaScheduler(BuiltinScheduler):
    """Base class of schedulers given by a function of the epoch: one per group, or one for all."""

    def __init__(self, optimizer: Optimizer, lr_lambda: LRLambda | Sequence[LRLambda], last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas: list[Any] = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(self.lr_lambdas)}")
        for rule in self.lr_lambdas:
            if not callable(rule):
                raise TypeError(f"lr_lambda should be a function, but got {type(rule).__name__}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's state; a callable object is represented by its attributes, a function by None."""
        state = super().state_dict()
        del state["lr_lambdas"]  # to put it last, as in PyTorch
        return {**state, "lr_lambdas": [callable_attributes(rule) for rule in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state from `state_dict()`: functions stay as they are, callable objects get their attributes."""
        rules = self.lr_lambdas
        for rule, saved in [*zip(rules, state_dict["lr_lambdas"], strict=True)]:  # first what may fail
            if saved:
                vars(rule).update(saved)
        super().load_state_dict({**state_dict, "lr_lambdas": rules})


def callable_attributes(rule: Any) -> dict[str, Any] | None:
    """Return the attributes of a callable object to save, or None for a function."""
    return None if isinstance(rule, types.FunctionType) else dict(getattr(rule, "__dict__", {}))


class LambdaLR(_LambdaScheduler):
    """Set the learning rate to initial_lr · lr_lambda(epoch). Source: torch.optim.lr_scheduler.LambdaLR.

    `lr_lambda` is one function, or a list of one per group. `state_dict()` doesn't save functions; of a callable object
    it has the attributes. Raises ValueError unless there are as many functions as groups.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """

    def compute_lrs(self) -> list[Any]:
        return [lr * rule(self.last_epoch) for lr, rule in zip(self.base_lrs, self.lr_lambdas, strict=True)]


class MultiplicativeLR(_LambdaScheduler):
    """Multiply the learning rate by lr_lambda(epoch) in each epoch. Source: torch.optim.lr_scheduler.MultiplicativeLR.

    For `lr_lambda`, saving and errors, see LambdaLR.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = torch.optim.lr_scheduler.MultiplicativeLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> optimizer.step()
    >>> scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """

    def compute_lrs(self) -> list[Any]:
        if self._is_initial:
            return self._current_lrs()
        return [lr * rule(self.last_epoch) for lr, rule in zip(self._current_lrs(), self.lr_lambdas, strict=True)]


class _FactorScheduler(BuiltinScheduler):
    """Base class of schedulers that multiply by `step_factor` in each epoch.

    `total_factor` is the product of all these up to `last_epoch`, in closed form.
    """

    def step_factor(self) -> float:
        raise NotImplementedError

    def total_factor(self) -> float:
        raise NotImplementedError

    def compute_lrs(self) -> list[Any]:
        factor = self.step_factor()
        return [lr * factor for lr in self._current_lrs()]

    def _get_closed_form_lr(self) -> list[Any]:
        factor = self.total_factor()
        return [lr * factor for lr in self.base_lrs]


class StepLR(_FactorScheduler):
    """Multiply the learning rate by `gamma` every `step_size` epochs.

    Raises TypeError unless the first argument is an optimizer. Source: torch.optim.lr_scheduler.StepLR.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(*scheduler.get_last_lr())
    1.0
    0.5
    0.5
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float:
        return self.gamma if self.last_epoch and self.last_epoch % self.step_size == 0 else 1

    def total_factor(self) -> float:
        return self.gamma ** (self.last_epoch // self.step_size)


class MultiStepLR(_FactorScheduler):
    """Multiply the learning rate by `gamma` at each of the `milestones`. Source: torch.optim.lr_scheduler.MultiStepLR.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(*scheduler.get_last_lr())
    0.5
    0.5
    0.25
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float:
        epoch = self.last_epoch  # asked for first: programs put lists in the place of the Counter
        return self.gamma ** self.milestones[epoch] if epoch in self.milestones else 1

    def total_factor(self) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), self.last_epoch)


class ConstantLR(_FactorScheduler):
    """Multiply the learning rate by `factor` until epoch `total_iters`. Source: torch.optim.lr_scheduler.ConstantLR.

    A factor outside of [0, 1] raises ValueError.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> for _ in range(3):
    ...     print(*scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    0.5
    0.5
    1.0
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if factor > 1.0 or factor < 0:
            raise ValueError(f"Constant multiplicative factor expected to be between 0 and 1. It is {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float:
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else 1

    def total_factor(self) -> float:
        return self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)


class LinearLR(_FactorScheduler):
    """Multiply the learning rate by a factor that changes linearly over `total_iters` epochs.

    It goes from `start_factor` to `end_factor`. Raises ValueError for a start_factor outside of (0, 1] and an
    end_factor outside of [0, 1]. Source: torch.optim.lr_scheduler.LinearLR.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> for _ in range(3):
    ...     print(*scheduler.get_last_lr())
    ...     optimizer.step()
    ...     scheduler.step()
    0.5
    0.75
    1.0
    """

    def __init__(
        self, optimizer: Optimizer, start_factor: float = 1.0 / 3, end_factor: float = 1.0, total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:  # fmt: skip
        if start_factor > 1.0 or start_factor <= 0:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal to 1. "
                f"It is {start_factor}"
            )
        if end_factor > 1.0 or end_factor < 0:
            raise ValueError(f"Ending multiplicative factor expected to be between 0 and 1. It is {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1
        rise = self.end_factor - self.start_factor
        return 1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)

    def total_factor(self) -> float:
        rise = self.end_factor - self.start_factor
        return self.start_factor + rise * min(self.total_iters, self.last_epoch) / self.total_iters


class ExponentialLR(_FactorScheduler):
    """Multiply the learning rate by `gamma` every epoch. Source: torch.optim.lr_scheduler.ExponentialLR.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float:
        return 1 if self._is_initial else self.gamma

    def total_factor(self) -> float:
        return self.gamma**self.last_epoch


class PolynomialLR(_FactorScheduler):
    """Multiply the initial learning rate by (1 − epoch / total_iters)^power, until it is 0.

    Source: torch.optim.lr_scheduler.PolynomialLR.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=2)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def step_factor(self) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1
        now, before = (1.0 - epoch / self.total_iters for epoch in (self.last_epoch, self.last_epoch - 1))
        return (now / before) ** self.power

    def total_factor(self) -> float:
        return (1.0 - min(self.total_iters, self.last_epoch) / self.total_iters) ** self.power
