"""CyclicLR and OneCycleLR: the learning rate rises and falls, and the momentum moves the opposite way."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from ..optimizer import Optimizer
from .base import BuiltinScheduler, check_optimizer, per_group, set_lr
from .factors import callable_attributes


class _CyclicScheduler(BuiltinScheduler):
    """Base class of schedulers that may also cycle the momentum, or Adam's first beta."""

    cycle_momentum: bool

    def _init_momentum(
        self, optimizer: Optimizer, base_momentum: Any, max_momentum: Any, last_epoch: int
    ) -> tuple[list[Any], list[Any]]:
        """Put the bounds of the momentum, or of Adam's first beta, into the groups, and return them, one per group."""
        base = per_group("base_momentum", optimizer, base_momentum)
        most = per_group("max_momentum", optimizer, max_momentum)
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self.use_beta1 = "betas" in optimizer.defaults
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, base, most, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low
        return base, most

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_CyclicScheduler):
    """Cycle the learning rate from base_lr up to max_lr in `step_size_up` steps and down in `step_size_down`.

    `mode` scales the height of each cycle n: by 1 ("triangular"), by 1/2^(n−1) ("triangular2"), or at each step by
    gamma^step ("exp_range"). `scale_fn` is a scale of your own, a function of the cycle's number or, with
    scale_mode="iterations", of the step. With `cycle_momentum` the momentum, or Adam's first beta, goes from
    max_momentum down to base_momentum and up again.

    Source: Smith (2017); torch.optim.lr_scheduler.CyclicLR. Raises ValueError for an unknown mode, for lists that don't
    have one value per group, and for an optimizer without momentum unless cycle_momentum=False.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2)
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(*scheduler.get_last_lr(), round(optimizer.param_groups[0]["momentum"], 4))
    0.5 0.85
    1.0 0.8
    0.5 0.85
    """

    def __init__(
        self, optimizer: Optimizer, base_lr: float | list[float], max_lr: float | list[float],
        step_size_up: int = 2000, step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular", gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None, scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8, max_momentum: float | list[float] = 0.9, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        base_lrs = per_group("base_lr", check_optimizer(optimizer), base_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                set_lr(group, lr)
        self.max_lrs = per_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(f"mode is invalid and scale_fn is None: {mode}")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            ends = self._init_momentum(optimizer, base_momentum, max_momentum, last_epoch)
            self.base_momentums, self.max_momentums = ends
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """Return the scale of the cycle, or of the step, with number x."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / (2.0 ** (x - 1)) if self.mode == "triangular2" else self.gamma**x

    def compute_lrs(self) -> list[Any]:
        """Return the learning rates for `last_epoch`, one per group, and set the groups' momenta."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            ends = zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums, strict=True)
            for group, base, most in ends:
                self._set_momentum(group, most - (most - base) * height * scale)
        return [base + (most - base) * height * scale for base, most in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's state; a callable object is represented by its attributes, a function by None."""
        state = super().state_dict()
        fn = state.pop("_scale_fn_custom")  # to put it last, as in PyTorch
        return {**state, "_scale_fn_custom": callable_attributes(fn) if fn else None}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state from `state_dict()`: a function stays as it is, a callable object gets its attributes."""
        fn = self._scale_fn_custom
        if saved := state_dict["_scale_fn_custom"]:  # first what may fail
            vars(fn).update(saved)
        super().load_state_dict({**state_dict, "_scale_fn_custom": fn})


class OneCycleLR(_CyclicScheduler):
    """Raise the learning rate from max_lr / div_factor to max_lr, then lower it to the start / final_div_factor.

    The rise takes the fraction `pct_start` of `total_steps`. With `three_phase` the fall to the start takes as long,
    and a third phase goes on from there. The learning rate follows a cosine ("cos") or a line ("linear"). With
    `cycle_momentum` the momentum, or Adam's first beta, goes from max_momentum down to base_momentum and up again.
    `epochs` and `steps_per_epoch` may replace total_steps. Call `step()` after each batch; it raises ValueError after
    the last one.

    Source: Smith and Topin (2018); torch.optim.lr_scheduler.OneCycleLR. Raises ValueError for arguments out of range,
    for lists that don't have one value per group, and for an optimizer without momentum unless cycle_momentum=False.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.lr_scheduler.OneCycleLR(
    ...     optimizer, max_lr=1.0, total_steps=5, pct_start=0.4, anneal_strategy="linear")
    >>> for _ in range(4):
    ...     print(round(*scheduler.get_last_lr(), 4), round(optimizer.param_groups[0]["momentum"], 4))
    ...     optimizer.step()
    ...     scheduler.step()
    0.04 0.95
    1.0 0.85
    0.6667 0.8833
    0.3333 0.9167
    """

    def __init__(
        self, optimizer: Optimizer, max_lr: float | list[float], total_steps: int | None = None,
        epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos", cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
        three_phase: bool = False, last_epoch: int = -1,
    ) -> None:  # fmt: skip
        self.optimizer = check_optimizer(optimizer)
        counts = {"total_steps": total_steps}
        if total_steps is None:
            counts = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
        if None in counts.values():
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        for name, count in counts.items():
            if not isinstance(count, int) or count <= 0:
                raise ValueError(f"Expected positive integer {name}, but got {count}")
        self.total_steps = math.prod(counts.values())  # type: ignore[arg-type]
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._schedule_phases = _make_phases(self.total_steps, float(pct_start * self.total_steps), three_phase)
        self._anneal_func_type = anneal_strategy
        max_lrs = per_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = lr / div_factor
                group["max_lr"] = lr
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._init_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def compute_lrs(self) -> list[Any]:
        """Return the learning rates for `last_epoch`, one per group, and set the groups' momenta."""
        now = self.last_epoch
        if now > self.total_steps:
            raise ValueError(f"Tried to step {now} times. The specified number of total steps is {self.total_steps}")
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if now <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        share = (now - start) / (phase["end_step"] - start)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                ends = group[phase["start_momentum"]], group[phase["end_momentum"]]
                self._set_momentum(group, self._anneal(*ends, share))
        groups = self.optimizer.param_groups
        return [self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], share) for group in groups]

    def _anneal(self, start: Any, end: Any, share: float) -> Any:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _make_phases(total: int, rise: float, three: bool) -> list[dict[str, Any]]:
    """Return each phase's last step, and the names of the group options between which it anneals."""
    names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
    up = (rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
    if three:
        down = (2 * rise - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum")
        rest = (total - 1, "initial_lr", "min_lr", "max_momentum", "max_momentum")
        phases = [up, down, rest]
    else:
        phases = [up, (total - 1, "max_lr", "min_lr", "base_momentum", "max_momentum")]
    return [dict(zip(names, phase, strict=True)) for phase in phases]
