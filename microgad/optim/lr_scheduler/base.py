"""LRScheduler, the base class of learning rate schedulers, and helpers that they share."""

from __future__ import annotations

from typing import Any, Self

from ... import state as execution
from ...errors.notices import warn
from ...tensor import Tensor
from ..optimizer import Optimizer

_ORDER_DOCS = "See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate"
STEP_ORDER_WARNING = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you should call "
    "them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will result in "
    f"PyTorch skipping the first value of the learning rate schedule. {_ORDER_DOCS}"
)
OVERRIDDEN_STEP_WARNING = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. Please, make sure "
    f"to call `optimizer.step()` before `lr_scheduler.step()`. {_ORDER_DOCS}"
)
GET_LR_WARNING = "To get the last learning rate computed by the scheduler, please use `get_last_lr()`."
EPOCH_DEPRECATION_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, the closed "
    "form is used instead of the new chainable form, where available."
)


class LRScheduler:
    """Base class of learning rate schedulers. Source: torch.optim.lr_scheduler.LRScheduler.

    A subclass defines `get_lr`, which returns the learning rates for `last_epoch`. Each group keeps its learning rate
    at the start as "initial_lr". To resume a saved run, make the scheduler first, and then load the optimizer's state.
    A learning rate that is a Tensor is changed in place. A `step()` before the optimizer's first one warns.

    Raises TypeError unless `optimizer` is an Optimizer, and KeyError for a group without "initial_lr" if
    last_epoch >= 0.

    >>> class Halved(torch.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [lr * 0.5**self.last_epoch for lr in self.base_lrs]
    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)
    >>> scheduler = Halved(optimizer)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.05]
    """

    _is_initial = False
    _get_lr_called_within_step = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = check_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copy_value(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with "
                    f"last_epoch = {last_epoch}: load the optimizer's state first"
                )
        self.base_lrs: list[Any] = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        vars(optimizer).setdefault("_opt_called", False)  # from now on the optimizer's step sets it
        vars(optimizer)["_scheduled_step"] = vars(optimizer).get("step")  # a step that the program has put there
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[Any]:
        """Return the learning rates for `last_epoch`, one per group. For `step`; programs call get_last_lr()."""
        raise NotImplementedError(f"{type(self).__name__} must define get_lr()")

    def get_last_lr(self) -> list[float]:
        """Return the current learning rates, one per group, as the last step set them: Tensors, where lr is one."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Advance to the next epoch, or (deprecated) to `epoch`, and set the groups' learning rates."""
        if self._step_count == 1:
            known = vars(self.optimizer)
            overridden = known.get("step") is not known.get("_scheduled_step")
            if overridden and not hasattr(self.optimizer.step, "hooked"):  # functools.wraps copies the mark of a step
                warn(OVERRIDDEN_STEP_WARNING)
            elif not known.get("_opt_called", True):
                warn(STEP_ORDER_WARNING)
        self._step_count += 1
        if epoch is not None:
            warn(EPOCH_DEPRECATION_WARNING)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed = None if epoch is None else getattr(self, "_get_closed_form_lr", None)
        self._get_lr_called_within_step = True
        try:
            rates = (closed or self.get_lr)()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            set_lr(group, lr)
        self._last_lr: list[Any] = self._current_lrs()

    def _current_lrs(self) -> list[Any]:
        return group_values(self.optimizer, "lr")

    def state_dict(self) -> dict[str, Any]:
        """Return the scheduler's state: all attributes except the optimizer."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state from `state_dict()`."""
        vars(self).update(state_dict)


def _warn_get_lr_called_within_step(lr_scheduler: LRScheduler) -> None:
    """Warn if `get_lr` isn't called by `step`, as schedulers copied from PyTorch's do."""
    if not lr_scheduler._get_lr_called_within_step:
        warn(GET_LR_WARNING)


class _enable_get_lr_call:
    """A context in which `get_lr` may be called, as by `step`."""

    def __init__(self, o: LRScheduler) -> None:
        self.o = o

    def __enter__(self) -> Self:
        self.o._get_lr_called_within_step = True
        return self

    def __exit__(self, *raised: object) -> None:
        self.o._get_lr_called_within_step = False


class _LRScheduler(LRScheduler):
    """LRScheduler under its name before PyTorch 2.0."""


class BuiltinScheduler(LRScheduler):
    """Base class of the library's schedulers: `get_lr` is `compute_lrs`, with a warning if called outside `step`."""

    def compute_lrs(self) -> list[Any]:
        """Return the learning rates for `last_epoch`, one per group."""
        raise NotImplementedError

    def get_lr(self) -> list[Any]:
        """Return the learning rates for `last_epoch`, one per group. For `step`; programs call get_last_lr()."""
        _warn_get_lr_called_within_step(self)
        return self.compute_lrs()


def check_optimizer(optimizer: Any) -> Optimizer:
    """Return `optimizer`; raise TypeError unless it is an Optimizer.

    >>> check_optimizer("SGD")
    Traceback (most recent call last):
    TypeError: str is not an Optimizer
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def group_values(optimizer: Optimizer, option: str) -> list[Any]:
    """Return the value of an option in each group, copied by `copy_value`."""
    return [copy_value(group[option]) for group in optimizer.param_groups]


def copy_value(value: Any) -> Any:
    """Return a value, or the copy of a Tensor: a learning rate that is a Tensor is changed in place."""
    return value.clone() if isinstance(value, Tensor) else value


def set_lr(group: dict[str, Any], lr: Any) -> None:
    """Set a group's learning rate, in place if it is a Tensor."""
    if isinstance(group["lr"], Tensor):
        with execution.scope(grad_enabled=False):
            group["lr"].fill_(float(lr))
    else:
        group["lr"] = lr


def per_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """Return one value per group: the items of a list, or the same value for all.

    >>> per_group("max_lr", torch.optim.SGD([torch.ones(1)]), [0.1, 0.2])
    Traceback (most recent call last):
    ValueError: max_lr must have the same length as optimizer.param_groups. max_lr has 2 values, param_groups has 1.
    """
    groups = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [copy_value(value) for _ in range(groups)]
    if len(value) != groups:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(value)} values, param_groups has {groups}."
        )
    return [copy_value(item) for item in value]
