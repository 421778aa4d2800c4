"""Santa: stochastic gradient MCMC with simulated annealing, which explores before it refines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from .. import generator as draws
from ..tensor import Tensor
from ..type_aliases import Array
from .optimizer import Group, Optimizer, Params, require
from .update_helpers import effective_grad, increment_step, init_state


class _Santa(Optimizer):
    """Base class of SantaE and SantaSSS, which differ in their integration scheme."""

    param_shaped = ("momentum_buffer", "friction", "square_avg", "scale")
    nonnegative = ("lr", "eps", "annealing", "burnin", "c", "weight_decay")
    real_only = True

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-2, sigma: float = 0.95, eps: float = 1e-8, annealing: float = 0.5,
        burnin: int = 100, c: float = 5.0, weight_decay: float = 0, *, maximize: bool = False,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "sigma": sigma, "eps": eps, "annealing": annealing, "burnin": burnin, "c": c,
            "weight_decay": weight_decay, "maximize": maximize,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        super().check(options)
        require(0 <= options["sigma"] < 1, "sigma value", options["sigma"], "must be in [0, 1)")

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        lr, sigma = float(group["lr"]), group["sigma"]
        for p in params:
            x, first_step = p.array, not self.state[p]
            g = effective_grad(p.grad.array, x, np.empty_like(x), group["weight_decay"], group["maximize"])  # type: ignore[union-attr]
            state = init_state(self.state[p], p, self.param_shaped, step=0)
            step = increment_step(state)
            u, friction, v, scale = (state[name].array for name in self.param_shaped)
            v *= sigma
            v += (1 - sigma) * g * g
            new_scale = 1 / np.sqrt(group["eps"] + np.sqrt(v))
            if first_step:
                u += math.sqrt(lr) * _normal(x)
                friction += math.sqrt(lr) * group["c"]
                scale[...] = new_scale  # there is no previous one
            temperature = lr / step ** group["annealing"]
            exploring = step < group["burnin"]
            kick = -lr * new_scale * g
            if exploring:
                kick += temperature * (1 - scale / new_scale) / u + np.sqrt(2 * temperature * scale) * _normal(x)
            self.integrate(x, u, friction, new_scale, kick, temperature if exploring else None)
            scale[...] = new_scale

    def integrate(self, x: Any, u: Any, friction: Any, scale: Any, kick: Any, temperature: float | None) -> None:
        """Update position, momentum and friction in place; without a temperature the friction stays."""
        raise NotImplementedError


class SantaE(_Santa):
    """Santa by Euler's scheme: Chen et al. (2016, arXiv:1512.07962), Algorithm 1. Not in PyTorch.

    v is a running average of the square of the gradient g (+ weight_decay · p), with factor sigma, and
    s = 1 / √(eps + √v). The temperature h = lr / tᵃ falls with the step t, where a is `annealing`. While t < burnin
    (exploration), the friction α grows by u² − h, and the momentum is u = (1 − α) u − lr · s g + h (1 − s'/s) / u
    + √(2 h s') ζ, with s' from the step before and ζ drawn from N(0, 1). Later (refinement), u = (1 − α) u − lr · s g.
    In both, p = p + s u. At first u is √lr · ζ, α is √lr · c, and s' is s. With `maximize` it ascends.

    Raises ValueError for a negative lr, eps, annealing, burnin, c or weight_decay, and for sigma outside of [0, 1);
    `step` raises RuntimeError for complex parameters.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.SantaE([w], burnin=0)
    >>> for _ in range(300):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> bool(w.abs().max() < 0.2)
    True
    """

    def integrate(self, x: Any, u: Any, friction: Any, scale: Any, kick: Any, temperature: float | None) -> None:
        """Integrate by Euler's scheme."""
        if temperature is not None:
            friction += u * u - temperature
        u *= 1 - friction
        u += kick
        x += scale * u


class SantaSSS(_Santa):
    """Santa by symmetric splitting: Chen et al. (2016, arXiv:1512.07962), Algorithm 2. Not in PyTorch.

    Like SantaE, except that p moves by s u / 2 before and after the update of u, α changes by (u² − h) / 2 before and
    after it, and u is multiplied by exp(−α / 2) before and after the gradient is added. Arguments and errors are
    SantaE's.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.SantaSSS([w], burnin=0)
    >>> for _ in range(300):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> bool(w.abs().max() < 0.2)
    True
    """

    def integrate(self, x: Any, u: Any, friction: Any, scale: Any, kick: Any, temperature: float | None) -> None:
        """Integrate by the symmetric splitting scheme."""
        x += scale * u / 2
        if temperature is not None:
            friction += (u * u - temperature) / 2
        half = np.exp(friction / -2)
        u *= half
        u += kick
        u *= half
        if temperature is not None:
            friction += (u * u - temperature) / 2
        x += scale * u / 2


def _normal(x: Array) -> Array:
    """Draw an array like x from N(0, 1)."""
    return backend.like(draws.normal_(np.empty(x.shape, x.dtype)), x)
