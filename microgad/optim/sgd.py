"""SGD: stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..tensor import Tensor
from ..type_aliases import Array
from .optimizer import Group, Optimizer, Params, functional_step
from .update_helpers import update_chunks


class SGD(Optimizer):
    """Stochastic gradient descent. Source: torch.optim.SGD; momentum as in Sutskever et al. (2013), PyTorch's form.

    buffer = momentum · buffer + (1 − dampening) · (gradient + weight_decay · p), where the first gradient is not
    dampened; p = p − lr · buffer, or with `nesterov` p − lr · (gradient + momentum · buffer). With `maximize` it
    ascends.

    `foreach` and `fused` choose one of PyTorch's implementations. Here `fused` computes steps of float16 in float32;
    otherwise they have no effect. Results differ from PyTorch's by rounding: PyTorch fuses a multiplication and an
    addition where NumPy rounds both.

    Raises ValueError for a negative lr, momentum or weight_decay, and for nesterov without momentum or with dampening.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * w).sum().backward()
    ...     optimizer.step()
    >>> w
    tensor([0.4600, 0.9200], requires_grad=True)
    """

    param_shaped = ("momentum_buffer",)
    nonnegative = ("lr", "momentum", "weight_decay")

    def __init__(
        self, params: Params, lr: float | Tensor = 1e-3, momentum: float = 0, dampening: float = 0,
        weight_decay: float = 0, nesterov: bool = False, *, maximize: bool = False, foreach: bool | None = None,
        differentiable: bool = False, fused: bool | None = None,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov,
            "maximize": maximize, "foreach": foreach, "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)

    def check(self, options: dict[str, Any]) -> None:
        super().check(options)
        if options["nesterov"] and (options["momentum"] <= 0 or options["dampening"] != 0):
            raise ValueError(
                "Nesterov momentum requires a momentum and zero dampening, "
                f"but got momentum {options['momentum']} and dampening {options['dampening']}"
            )

    def update(self, group: Group, params: list[Tensor], loss: Any) -> None:
        lr, momentum = float(group["lr"]), float(group["momentum"])
        dampening = float(group["dampening"]) if momentum else 0.0
        for p in params:
            buffers: list[Any] = [self.state[p].get("momentum_buffer")] if momentum else []
            first = bool(buffers) and buffers[0] is None
            if first:
                buffers = [Tensor._wrap(np.empty_like(p.grad.array))]  # type: ignore[union-attr]
            for values, grad, *buffer, a in update_chunks(p, group, *buffers, scratch=1):
                if momentum:
                    grad = _momentum(grad, buffer[0], a, momentum, dampening, group["nesterov"], first)
                values += np.multiply(grad, -lr, out=a)
            if first:
                self.state[p]["momentum_buffer"] = buffers[0]

    def _recorded_update(self, group: Group, state: dict[str, Any], p: Tensor, grad: Tensor) -> Tensor:
        momentum = group["momentum"]
        if momentum:
            before = state.get("momentum_buffer")
            buffer = grad.clone() if before is None else before * momentum + grad * (1 - group["dampening"])
            state["momentum_buffer"] = buffer
            grad = grad + buffer * momentum if group["nesterov"] else buffer
        return grad * group["lr"]


def sgd(
    params: list[Tensor], d_p_list: list[Tensor], momentum_buffer_list: list[Tensor | None],
    has_sparse_grad: bool = False, foreach: bool | None = None, fused: bool | None = None,
    grad_scale: Tensor | None = None, found_inf: Tensor | None = None, *,
    weight_decay: float, momentum: float, lr: float, dampening: float, nesterov: bool, maximize: bool,
) -> None:  # fmt: skip
    """Update Tensors and their momentum buffers by a step of `SGD`. A buffer that is None is made.

    Raises NotImplementedError for grad_scale and found_inf. Source: torch.optim.sgd.sgd.

    >>> from microgad.optim.sgd import sgd
    >>> w, buffers = torch.tensor([1.0, 2.0]), [None]
    >>> options = {"weight_decay": 0, "dampening": 0, "nesterov": False, "maximize": False}
    >>> sgd([w], [2 * w], buffers, momentum=0.9, lr=0.1, **options)
    >>> w, buffers
    (tensor([0.8000, 1.6000]), [tensor([2., 4.])])
    """
    states: list[dict[str, Any]] = [{} if x is None else {"momentum_buffer": x} for x in momentum_buffer_list]
    functional_step(
        SGD, params, d_p_list, states, {"grad_scale": grad_scale, "found_inf": found_inf},
        lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay, nesterov=nesterov, maximize=maximize,
        fused=fused,
    )  # fmt: skip
    momentum_buffer_list[:] = [state.get("momentum_buffer") for state in states]


def _momentum(
    grad: Array, buffer: Array, out: Array, momentum: float, dampening: float, nesterov: bool, first: bool
) -> Array:
    """Update the momentum buffer, and return the direction to descend along: `buffer`, or with `nesterov` `out`."""
    if first:
        buffer[...] = grad
    else:
        buffer *= momentum
        buffer += np.multiply(grad, 1 - dampening, out=out) if dampening else grad
    if not nesterov:
        return buffer
    np.multiply(buffer, momentum, out=out)
    out += grad
    return out
