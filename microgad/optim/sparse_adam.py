"""SparseAdam: Adam that skips rows without a gradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tensor import Tensor
from .adam import MOMENTS, AdamBase
from .optimizer import Group, Params, require
from .update_helpers import increment_step, init_state


class SparseAdam(AdamBase):
    """Adam for rows that have a gradient: others keep their values and their averages. Source: torch.optim.SparseAdam.

    PyTorch's takes sparse gradients, which microgad doesn't have. Here a row (along the first dimension) is skipped if
    its gradient is 0 everywhere, as it is for rows of an Embedding that no index names. eps is added before the bias
    correction, as in PyTorch. With `maximize` it ascends.

    Raises ValueError unless lr and eps are positive, and for betas outside of [0, 1); `step` raises RuntimeError for
    complex parameters.

    >>> w = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> optimizer = torch.optim.SparseAdam([w], lr=0.5)
    >>> w[0].sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([[0.5000, 1.5000],
            [3.0000, 4.0000]], requires_grad=True)
    """

    param_shaped = MOMENTS[:2]
    nonnegative = ("lr", "eps")
    real_only = True

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize})

    def check(self, options: dict[str, Any]) -> None:
        super().check(options)
        require(options["lr"] > 0, "learning rate", options["lr"], "must be > 0")
        require(options["eps"] > 0, "epsilon value", options["eps"], "must be > 0")

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        (beta1, beta2), eps = map(float, group["betas"]), float(group["eps"])
        for p in params:
            state = init_state(self.state[p], p, self.param_shaped, step=0)
            step = increment_step(state)
            assert p.grad is not None
            arrays = p.array, p.grad.array, *(state[name].array for name in self.param_shaped)
            values, grad, m, v = (x.reshape(x.shape or (1,)) for x in arrays)
            (rows,) = np.nonzero((grad != 0).reshape((len(grad), math.prod(grad.shape[1:]))).any(1))
            g = -grad[rows] if group["maximize"] else grad[rows]
            m[rows] += (1 - beta1) * (g - m[rows])
            v[rows] += (1 - beta2) * (g * g - v[rows])
            rate = float(group["lr"]) * math.sqrt(1 - beta2**step) / (1 - beta1**step)
            values[rows] -= rate * m[rows] / (np.sqrt(v[rows]) + eps)
