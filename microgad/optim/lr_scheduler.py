"""Learning rates that follow a schedule: one `step()` an epoch, after the optimizer's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .optimizer import Optimizer

Schedule = Callable[[int], float]


class LRScheduler:
    """Base class: `get_lr` gives the learning rates for `last_epoch`. Source: torch.optim.lr_scheduler.LRScheduler.

    The learning rates at the start are kept in the groups, as "initial_lr". To go on from a saved run, make the
    scheduler first and load the optimizer's state after that. With last_epoch >= 0 a group without "initial_lr"
    raises KeyError; what isn't an Optimizer raises TypeError.

    >>> class Halved(torch.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [lr * 0.5**self.last_epoch for lr in self.base_lrs]
    >>> scheduler = Halved(torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1))
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.05]
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                    f"last_epoch = {last_epoch}: load the optimizer's state first"
                )
        self.optimizer = optimizer
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self.step()

    def get_lr(self) -> list[float]:
        """The learning rates for `last_epoch`, one a group."""
        raise NotImplementedError(f"{type(self).__name__} must define get_lr()")

    def get_last_lr(self) -> list[float]:
        """The learning rates in force since the last step, one a group."""
        return self._last_lr

    def step(self) -> None:
        """Go on to the next epoch: put its learning rates into the groups."""
        self._step_count += 1
        self.last_epoch += 1
        self._last_lr = self.get_lr()
        for group, lr in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = lr

    def state_dict(self) -> dict[str, Any]:
        """All that the scheduler remembers, but for the optimizer."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave."""
        vars(self).update(state_dict)

    def _current(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]


class LambdaLR(LRScheduler):
    """initial_lr · lr_lambda(epoch); one function, or one a group. Source: torch.optim.lr_scheduler.LambdaLR.

    Functions are not saved; of a callable object `state_dict()` has the attributes. Another number of functions than
    groups raises ValueError.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.5)
    >>> scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.25
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Schedule | Sequence[Schedule], last_epoch: int = -1) -> None:
        groups = len(optimizer.param_groups)
        self.lr_lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(self.lr_lambdas)}")
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rates for `last_epoch`, one a group."""
        return [lr * rule(self.last_epoch) for lr, rule in zip(self.base_lrs, self.lr_lambdas, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """All that the scheduler remembers, but for the optimizer; of a function its attributes, if it has any."""
        attributes = [dict(getattr(rule, "__dict__", {})) or None for rule in self.lr_lambdas]
        return {**super().state_dict(), "lr_lambdas": attributes}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict()` gave; functions stay, their attributes are set."""
        rules = self.lr_lambdas
        super().load_state_dict({**state_dict, "lr_lambdas": rules})
        for rule, attributes in zip(rules, state_dict["lr_lambdas"], strict=True):
            if attributes:
                vars(rule).update(attributes)


class StepLR(LRScheduler):
    """The learning rate times `gamma` every `step_size` epochs. Source: torch.optim.lr_scheduler.StepLR.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(3):
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

    def get_lr(self) -> list[float]:
        """The learning rates for `last_epoch`, one a group."""
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return self._current()
        return [lr * self.gamma for lr in self._current()]


class CosineAnnealingLR(LRScheduler):
    """From initial_lr down to `eta_min` over `T_max` epochs along half a cosine, then up again.

    Source: Loshchilov and Hutter (2017), without restarts; torch.optim.lr_scheduler.CosineAnnealingLR. As there, each
    learning rate is reckoned from the one before, so that changes made in between last.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=2)
    >>> for _ in range(2):
    ...     scheduler.step()
    ...     print(round(*scheduler.get_last_lr(), 4))
    0.5
    0.0
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """The learning rates for `last_epoch`, one a group."""
        epoch, low = self.last_epoch, self.eta_min
        if self._step_count == 1:
            return self._current()
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # just past the lowest point: below would be 0 / 0
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            return [lr + (base - low) * rise for lr, base in zip(self._current(), self.base_lrs, strict=True)]
        before, now = (1 + math.cos(math.pi * e / self.T_max) for e in (epoch - 1, epoch))
        return [now / before * (lr - low) + low for lr in self._current()]
