"""Steps that are recorded, with `differentiable=True`: gradients go through them, as learning to learn wants it.

Each rule gives by how much a parameter is to fall, in plain operations, and leaves what it remembers in `state`; the
formulas are those of the optimizers' own docstrings. Unlike PyTorch's, SGD's first momentum is not detached, and what
is remembered is never written in place, so that gradients go through any number of steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..ops.elementwise import maximum, view_as_complex, view_as_real, where
from ..tensor import Tensor
from .chunks import begun, counted, scalar

if TYPE_CHECKING:
    from .optimizer import Optimizer

Options = Mapping[str, Any]
State = dict[str, Any]


def rule_of(kind: type[Optimizer]) -> Callable[[Options, State, Tensor, Tensor], Tensor] | None:
    """The rule of an optimizer, or of what it derives from; None where its steps can't be recorded."""
    return next((RULES[cls.__name__] for cls in kind.__mro__ if cls.__name__ in RULES), None)


def move(optimizer: Optimizer, group: Options, p: Tensor) -> None:
    """A step with one parameter, which is written to, and recorded; of complex ones both parts by themselves."""
    rule, grad = rule_of(type(optimizer)), p.grad
    assert rule is not None
    assert grad is not None
    if group.get("maximize"):
        grad = -grad
    if decay := group.get("weight_decay"):
        if group.get("decoupled_weight_decay"):
            p.mul_(1 - group["lr"] * decay)
        else:
            grad = grad + p * decay
    state = optimizer.state[p]
    if not p.is_complex():
        p.sub_(rule(group, state, p, grad))
        return
    parts = {name: view_as_real(x) if name in optimizer.shaped else x for name, x in state.items()}
    p.sub_(view_as_complex(rule(group, parts, view_as_real(p), view_as_real(grad))))
    state.update({name: view_as_complex(x) if name in optimizer.shaped else x for name, x in parts.items()})


def _average(state: State, name: str, x: Tensor, beta: float) -> Any:
    state[name] = state[name] * beta + x * (1 - beta)
    return state[name]


def _sgd(group: Options, state: State, p: Tensor, grad: Tensor) -> Tensor:
    momentum = group["momentum"]
    if momentum:
        before = state.get("momentum_buffer")
        buffer = grad if before is None else before * momentum + grad * (1 - group["dampening"])
        state["momentum_buffer"] = buffer
        grad = grad + buffer * momentum if group["nesterov"] else buffer
    return grad * group["lr"]


def _adam(group: Options, state: State, p: Tensor, grad: Tensor) -> Tensor:
    beta1, beta2 = group["betas"]
    begun(state, p, ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 3 if group["amsgrad"] else 2], step=0)
    step = counted(state)
    m, v = _average(state, "exp_avg", grad, beta1), _average(state, "exp_avg_sq", grad * grad, beta2)
    if group["amsgrad"]:
        v = state["max_exp_avg_sq"] = maximum(state["max_exp_avg_sq"], v)
    return m * (group["lr"] / (1 - beta1**step)) / ((v / (1 - beta2**step)).sqrt() + group["eps"])


def _rmsprop(group: Options, state: State, p: Tensor, grad: Tensor) -> Tensor:
    momentum, names = group["momentum"], ["square_avg"]
    names += ["momentum_buffer"] * (momentum > 0) + ["grad_avg"] * group["centered"]
    begun(state, p, names, step=0)
    counted(state)
    v = _average(state, "square_avg", grad * grad, group["alpha"])
    if group["centered"]:
        v = v - _average(state, "grad_avg", grad, group["alpha"]) ** 2
    change = grad / (v.sqrt() + group["eps"])
    if momentum > 0:
        change = state["momentum_buffer"] = state["momentum_buffer"] * momentum + change
    return change * group["lr"]


def _adagrad(group: Options, state: State, p: Tensor, grad: Tensor) -> Tensor:
    rate = group["lr"] / (1 + (counted(state) - 1) * group["lr_decay"])
    state["sum"] = state["sum"] + grad * grad
    return grad * rate / (state["sum"].sqrt() + group["eps"])


def _adadelta(group: Options, state: State, p: Tensor, grad: Tensor) -> Tensor:
    begun(state, p, ("square_avg", "acc_delta"), step=0)
    counted(state)
    v = _average(state, "square_avg", grad * grad, group["rho"])
    delta = (state["acc_delta"] + group["eps"]).sqrt() / (v + group["eps"]).sqrt() * grad
    _average(state, "acc_delta", delta * delta, group["rho"])
    return delta * group["lr"]


def _adamax(group: Options, state: State, p: Tensor, grad: Tensor) -> Tensor:
    beta1, beta2 = group["betas"]
    begun(state, p, ("exp_avg", "exp_inf"), step=0)
    step = counted(state)
    m = _average(state, "exp_avg", grad, beta1)
    u = state["exp_inf"] = maximum(state["exp_inf"] * beta2, grad.abs() + group["eps"])
    return m * (group["lr"] / (1 - beta1**step)) / u


def _nadam(group: Options, state: State, p: Tensor, grad: Tensor) -> Tensor:
    beta1, beta2 = group["betas"]
    begun(state, p, ("exp_avg", "exp_avg_sq"), step=0, mu_product=1)
    step = counted(state)
    mu, later = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
    state["mu_product"] = state["mu_product"] * mu
    product = state["mu_product"].double()
    m, v = _average(state, "exp_avg", grad, beta1), _average(state, "exp_avg_sq", grad * grad, beta2)
    change = grad * ((1 - mu) / (1 - product)) + m * (later / (1 - product * later))
    return change * group["lr"] / ((v / (1 - beta2**step)).sqrt() + group["eps"])


def _radam(group: Options, state: State, p: Tensor, grad: Tensor) -> Tensor:
    from .radam import _rectified

    beta1, beta2 = group["betas"]
    begun(state, p, ("exp_avg", "exp_avg_sq"), step=0)
    step = counted(state)
    m, v = _average(state, "exp_avg", grad, beta1), _average(state, "exp_avg_sq", grad * grad, beta2)
    change, rectified = m * (group["lr"] / (1 - beta1**step)), _rectified(beta2, step)
    return change if rectified is None else change * rectified / (v.sqrt() + group["eps"])


def _asgd(group: Options, state: State, p: Tensor, grad: Tensor) -> Tensor:
    lr, lambd = group["lr"], group["lambd"]
    if not state:
        begun(state, p, ("ax",), step=0, mu=1)["eta"] = _number(lr)
    step, eta, mu = counted(state), state["eta"], float(state["mu"].array)
    change = (p * lambd + grad) * eta
    moved = p - change
    state["ax"] = moved if mu == 1 else state["ax"] + (moved - state["ax"]) * mu
    state["eta"] = _number(lr / (1 + lambd * lr * step) ** group["alpha"])
    state["mu"] = scalar(1 / max(1, step - group["t0"]))
    return change


def _rprop(group: Options, state: State, p: Tensor, grad: Tensor) -> Tensor:
    (shrink, grow), (least, most) = group["etas"], group["step_sizes"]
    if not state:
        begun(state, p, ("prev", "step_size"), step=0)["step_size"] += group["lr"]
    counted(state)
    sizes, product = state["step_size"], grad * state["prev"]
    same, turned = product > 0, product < 0
    sizes = where(same, sizes * grow, where(turned, sizes * shrink, sizes)).clamp(least, most)
    state["step_size"], state["prev"] = sizes, grad.masked_fill(turned, 0)
    return state["prev"].sign() * sizes


def _number(x: float | Tensor) -> Tensor:
    return x if isinstance(x, Tensor) else scalar(x)


RULES: dict[str, Callable[[Options, State, Tensor, Tensor], Tensor]] = {
    "SGD": _sgd, "Adam": _adam, "RMSprop": _rmsprop, "Adagrad": _adagrad, "Adadelta": _adadelta, "Adamax": _adamax,
    "NAdam": _nadam, "RAdam": _radam, "ASGD": _asgd, "Rprop": _rprop,
}  # fmt: skip
