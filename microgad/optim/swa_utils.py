"""Averages of a model's parameters: stochastic weight averaging (SWA) and exponential moving averages (EMA).

Source: torch.optim.swa_utils.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Literal

from ..autograd import no_grad
from ..dtypes import int64
from ..nn.modules.batchnorm import _BatchNorm
from ..nn.modules.module import Module
from ..ops.creation import tensor
from ..tensor import Tensor
from ..type_aliases import Device
from .lr_scheduler.base import BuiltinScheduler, per_group
from .optimizer import Optimizer

__all__ = [
    "SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn",
    "update_bn",
]  # fmt: skip

AvgFn = Callable[[Tensor, Tensor, Any], Tensor]
MultiAvgFn = Callable[[list[Tensor], list[Tensor], Any], None]


def get_ema_avg_fn(decay: float = 0.999) -> AvgFn:
    """Return an `avg_fn` of an exponential moving average: decay · average + (1 − decay) · parameter.

    Raises ValueError for a decay outside of [0, 1]. Source: torch.optim.swa_utils.get_ema_avg_fn.

    >>> torch.optim.swa_utils.get_ema_avg_fn(0.75)(torch.tensor([0.0]), torch.tensor([1.0]), 0)
    tensor([0.2500])
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> AvgFn:
    """Return an `avg_fn` of the mean over all updates: average + (parameter − average) / (n + 1).

    Source: torch.optim.swa_utils.get_swa_avg_fn.

    >>> torch.optim.swa_utils.get_swa_avg_fn()(torch.tensor([0.0]), torch.tensor([1.0]), 3)
    tensor([0.2500])
    """

    @no_grad()
    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAvgFn:
    """Return a `multi_avg_fn`, which applies the update of `get_ema_avg_fn` in place to lists of parameters.

    Raises ValueError for a decay outside of [0, 1]. Source: torch.optim.swa_utils.get_ema_multi_avg_fn.

    >>> averages = [torch.tensor([0.0])]
    >>> torch.optim.swa_utils.get_ema_multi_avg_fn(0.75)(averages, [torch.tensor([1.0])], 0)
    >>> averages
    [tensor([0.2500])]
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param_list: list[Tensor], current_param_list: list[Tensor], _: Any) -> None:
        for average, current in zip(ema_param_list, current_param_list, strict=True):
            if average.is_floating_point() or average.is_complex():
                average.lerp_(current, 1 - decay)
            else:
                average.copy_(average * decay + current * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn() -> MultiAvgFn:
    """Return a `multi_avg_fn`, which applies the update of `get_swa_avg_fn` in place to lists of parameters.

    Source: torch.optim.swa_utils.get_swa_multi_avg_fn.

    >>> averages = [torch.tensor([0.0])]
    >>> torch.optim.swa_utils.get_swa_multi_avg_fn()(averages, [torch.tensor([1.0])], 3)
    >>> averages
    [tensor([0.2500])]
    """

    @no_grad()
    def swa_update(averaged_param_list: list[Tensor], current_param_list: list[Tensor], num_averaged: Any) -> None:
        weight = 1 / (num_averaged + 1)
        weight = weight.item() if isinstance(weight, Tensor) else weight
        for average, current in zip(averaged_param_list, current_param_list, strict=True):
            average.lerp_(current, weight)

    return swa_update


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of the model's. The copy is the attribute `module`.

    The first `update_parameters(model)` copies the model's parameters. Later calls average them by
    `avg_fn(average, parameter, n_averaged)` or by `multi_avg_fn`, which takes lists; by default the average is the mean
    of all updates. Buffers are copied, or with `use_buffers` averaged, too. The buffer `n_averaged` counts the updates.

    Raises AssertionError for both functions at once. Source: torch.optim.swa_utils.AveragedModel.

    >>> model = nn.Linear(1, 1)
    >>> average = torch.optim.swa_utils.AveragedModel(model)
    >>> for value in (1.0, 2.0):
    ...     _ = nn.init.constant_(model.weight, value)
    ...     average.update_parameters(model)
    >>> average.module.weight, average.n_averaged
    (Parameter containing:
    tensor([[1.5000]], requires_grad=True), tensor(2))
    """

    n_averaged: Tensor

    def __init__(
        self, model: Module, device: Device = None, avg_fn: AvgFn | None = None, multi_avg_fn: MultiAvgFn | None = None,
        use_buffers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the averaged model."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Include the model's present parameters in the averages."""
        averages: Iterable[Tensor] = self.parameters()
        if self.use_buffers:
            averages = itertools.chain(self.module.parameters(), self.module.buffers())
        currents = itertools.chain(model.parameters(), model.buffers() if self.use_buffers else ())
        pairs = [(average, current.detach().to(average.device)) for average, current in zip(averages, currents)]  # noqa: B905 - as many as there are
        self._average([(average.detach(), current) for average, current in pairs])
        if not self.use_buffers:
            for ours, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                ours.detach().copy_(theirs.detach().to(ours.device))
        self.n_averaged += 1

    def _average(self, pairs: list[tuple[Tensor, Tensor]]) -> None:
        times = self.n_averaged.item()
        if times == 0:
            for average, current in pairs:
                average.copy_(current)
        elif self.multi_avg_fn is not None:
            by_kind = defaultdict(list)
            for pair in pairs:
                by_kind[pair[0].dtype, pair[0].device].append(pair)
            for (_, device), alike in by_kind.items():
                averages, currents = map(list, zip(*alike, strict=True))
                self.multi_avg_fn(averages, currents, self.n_averaged.to(device))
        else:
            rule = self.avg_fn or get_swa_avg_fn()
            for average, current in pairs:
                count = self.n_averaged.to(average.device) if self.avg_fn else times
                average.copy_(rule(average, current, count))


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Device = None) -> None:
    """Recompute the running statistics of a model's batch normalization layers over all batches of the loader.

    If a batch is a list or tuple, its first item is the model's input. Source: torch.optim.swa_utils.update_bn.

    >>> model = nn.BatchNorm1d(1)
    >>> torch.optim.swa_utils.update_bn([torch.tensor([[1.0], [3.0]]), torch.tensor([[3.0], [5.0]])], model)
    >>> model.running_mean
    tensor([3.])
    """
    layers = {module: module.momentum for module in model.modules() if isinstance(module, _BatchNorm)}
    if not layers:
        return
    was_training = model.training
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a mean over all batches, with equal weights
    try:
        for batch in loader:
            inputs = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(inputs if device is None else inputs.to(device))
    finally:
        for layer, momentum in layers.items():
            layer.momentum = momentum
        model.train(was_training)


class SWALR(BuiltinScheduler):
    """Anneal the learning rate from its present value to `swa_lr` over `anneal_epochs`, then keep it constant.

    It follows a cosine (anneal_strategy="cos") or a line ("linear"). Raises ValueError for another strategy, and unless
    anneal_epochs is an integer >= 0. Source: Izmailov et al. (2018); torch.optim.swa_utils.SWALR.

    >>> optimizer = torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)
    >>> scheduler = torch.optim.swa_utils.SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> for _ in range(3):
    ...     optimizer.step()
    ...     scheduler.step()
    ...     print(*scheduler.get_last_lr())
    0.75
    0.5
    0.5
    """

    def __init__(
        self, optimizer: Optimizer, swa_lr: float | list[float], anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos", last_epoch: int = -1,
    ) -> None:  # fmt: skip
        for group, lr in zip(optimizer.param_groups, per_group("swa_lr", optimizer, swa_lr), strict=True):
            group["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def compute_lrs(self) -> list[Any]:
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._annealed_fraction(step - 1), self._annealed_fraction(step)
        rates = []
        for group in self.optimizer.param_groups:
            start = group["swa_lr"]
            if before != 1:
                start = (group["lr"] - before * group["swa_lr"]) / (1 - before)
            rates.append(group["swa_lr"] * now + start * (1 - now))
        return rates

    def _annealed_fraction(self, step: int) -> float:
        share = max(0, min(1, step / max(1, self.anneal_epochs)))
        return share if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * share)) / 2
