"""SAM: descent along the gradient at the worst point nearby, which leads to flat minima."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import state as execution
from ..function.half import norm
from ..tensor import Tensor
from .optimizer import Group, Optimizer, Params, require
from .sgd import SGD


class SAM(Optimizer):
    """Sharpness-aware minimization: Foret et al. (2021, arXiv:2010.01412). Not in PyTorch.

    A step moves the parameters to p + rho · g / ‖g‖, with ‖g‖ over all parameters, and computes the gradient there.
    Then it restores the parameters and makes a step of `base_optimizer` with that gradient. `options` are the base
    optimizer's. With `adaptive` the point is p + rho · p² g / ‖p g‖ (ASAM, Kwon et al., 2021). `state_dict` has the
    base optimizer's state.

    A step computes the loss twice: call `step(closure)`, or `first_step()`, backward again, and `second_step()`. Raises
    TypeError without a closure, and ValueError for a negative rho and where the base optimizer does.

    >>> w = torch.tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = torch.optim.SAM([w], torch.optim.SGD, rho=5.0, lr=0.25)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (w * w).sum() / 2
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure).item()
    12.5
    >>> w  # by the gradient at (6, 8)
    tensor([1.5000, 2.0000], requires_grad=True)
    """

    base_optimizer: Optimizer

    def __init__(
        self, params: Params, base_optimizer: Callable[..., Optimizer] = SGD, rho: float = 0.05,
        adaptive: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(params, {"rho": rho, "adaptive": adaptive, **options})
        self.base_optimizer = base_optimizer(self.param_groups, **options)
        if type(self.base_optimizer).step is not Optimizer.step:
            raise TypeError(f"SAM: {type(self.base_optimizer).__name__} overrides step: it can't be the base optimizer")
        self.defaults.update(self.base_optimizer.defaults)
        self.param_shaped = self.base_optimizer.param_shaped
        self._share_state()
        self._before: dict[Tensor, Any] = {}

    def _share_state(self) -> None:
        """Make the base optimizer use this optimizer's groups and state."""
        self.base_optimizer.param_groups, self.base_optimizer.state = self.param_groups, self.state

    def check(self, options: dict[str, Any]) -> None:
        require(options["rho"] >= 0, "rho", options["rho"], "must be >= 0")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Make both steps; `closure`, which computes the gradients and returns the loss, is called twice."""
        if closure is None:
            raise TypeError("SAM: step needs a closure that computes the gradients and returns the loss")
        with execution.scope(grad_enabled=True):
            loss = closure()
            try:
                self.first_step()
                closure()
            finally:
                self._restore_params()
        self.second_step(loss=loss)
        return loss

    def first_step(self, zero_grad: bool = False) -> None:
        """Move the parameters to the worst point nearby."""
        params = [(p, group) for group in self.param_groups for p in self.params_with_grad(group)]
        slopes = [(p.array * p.grad.array if group["adaptive"] else p.grad.array) for p, group in params]  # type: ignore[union-attr]
        total = math.hypot(*(float(norm(slope)) for slope in slopes))
        self._before = {}
        for (p, group), slope in zip(params, slopes, strict=True):
            self._before[p] = p.array.copy()
            p.array += (p.array * slope if group["adaptive"] else slope) * (group["rho"] / (total + 1e-12))
            p._bump()
        if zero_grad:
            self.zero_grad()

    def second_step(self, zero_grad: bool = False, *, loss: Any = None) -> None:
        """Restore the parameters, and make the base optimizer's step."""
        self._restore_params()
        self.base_optimizer._update_all(loss)
        if zero_grad:
            self.zero_grad()

    def _restore_params(self) -> None:
        for p, array in self._before.items():
            p.array[...] = array
            p._bump()
        self._before = {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a state: see `Optimizer.load_state_dict`."""
        super().load_state_dict(state_dict)
        self._share_state()

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "base_optimizer": self.base_optimizer, "param_shaped": self.param_shaped}

    def __setstate__(self, state: Group) -> None:
        super().__setstate__(state)
        self._before = {}
        self._share_state()
