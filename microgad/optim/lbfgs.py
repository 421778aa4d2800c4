"""LBFGS: quasi-Newton steps, with an inverse Hessian estimated from the last steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend
from .. import state as execution
from ..ops.support.bare import bare
from ..pytree import tree_map
from ..tensor import Tensor
from ..type_aliases import Array
from .line_search import Point, strong_wolfe
from .line_search import _cubic_interpolate as _cubic_interpolate
from .line_search import _strong_wolfe as _strong_wolfe
from .optimizer import Optimizer, Params

Closure = Callable[[], Any]
STATE_NAMES = (  # in PyTorch's order
    "func_evals", "n_iter", "al", "d", "t", "old_dirs", "old_stps", "ro", "H_diag", "prev_flat_grad", "prev_loss",
)  # fmt: skip


class LBFGS(Optimizer):
    """Limited-memory BFGS, Nocedal (1980), with all parameters as one vector. Source: torch.optim.LBFGS.

    A step makes at most `max_iter` iterations and `max_eval` (by default max_iter · 5/4) calls of the closure, which
    must compute the loss and the gradients anew. An iteration moves the parameters by `lr` times the search direction,
    which the last `history_size` changes of the gradient determine; the first one by no more than lr in all. With
    line_search_fn="strong_wolfe" it moves them as far as the strong Wolfe conditions require. The step ends early once
    no gradient exceeds `tolerance_grad`, or the parameters or the loss change by less than `tolerance_change`.

    `step(closure)` returns the loss at its start. The optimizer's state is that of the first parameter. Raises
    ValueError for a negative lr and for more than one group, RuntimeError for another line search.

    >>> w = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = torch.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - 3) ** 4).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure)
    tensor(17., grad_fn=<SumBackward0>)
    >>> closure().item() < 1e-6
    True
    """

    nonnegative = ("lr",)

    def __init__(
        self, params: Params, lr: float | Tensor = 1, max_iter: int = 20, max_eval: int | None = None,
        tolerance_grad: float = 1e-7, tolerance_change: float = 1e-9, history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        defaults = {
            "lr": lr, "max_iter": max_iter, "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change, "history_size": history_size,
            "line_search_fn": line_search_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def check(self, options: dict[str, Any]) -> None:
        super().check(options)
        if options["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError(f"only 'strong_wolfe' is supported, but line_search_fn is {options['line_search_fn']!r}")

    def step(self, closure: Closure) -> Any:  # type: ignore[override]
        """Run the iterations of one step, and return the loss before them."""
        group = self.param_groups[0]
        self._check_numbers(group)
        state = self.state[group["params"][0]]
        memory = {"func_evals": 0, "n_iter": 0, **tree_map(bare, state)}
        with execution.scope(grad_enabled=False), np.errstate(all="ignore"):
            first = self._iterate(closure, group, memory)
        state.update({name: tree_map(_to_tensor, memory[name]) for name in STATE_NAMES if name in memory})
        return first

    def _iterate(self, closure: Closure, group: dict[str, Any], memory: dict[str, Any]) -> Any:
        """Iterate on bare arrays, keep the state in `memory`, and return the first loss."""
        # As in PyTorch, `t` in the state is the memory of an lr that is a Tensor, which schedulers then fill in place.
        lr, max_iter, max_eval = group["lr"], group["max_iter"], group["max_eval"]
        first = _with_grad(closure)
        loss, grad, calls = float(first), self._gradient(), 1
        lr = backend.to_device(lr.array.reshape(()), backend.device_of(grad)) if isinstance(lr, Tensor) else lr
        memory["func_evals"] += 1
        iteration = 0
        while iteration < max_iter:
            iteration += 1
            if _max_abs(grad) <= group["tolerance_grad"]:
                break
            memory["n_iter"] += 1
            direction = _search_direction(memory, grad, group["history_size"])
            slope, t, before = grad.dot(direction), lr, loss
            if memory["n_iter"] == 1:
                t = min(1.0, 1.0 / np.abs(grad).sum()) * lr
            memory.update(d=direction, t=t, prev_loss=loss)
            memory.setdefault("prev_flat_grad", grad)[...] = grad  # in place, as PyTorch does: a loaded state shares it
            if slope > -group["tolerance_change"]:
                break
            called = 0
            if group["line_search_fn"]:
                start = Point(0, loss, grad, slope)
                (t, loss, grad, _), called = strong_wolfe(
                    self._objective_along(closure, direction), start, t, _max_abs(direction), max_eval - calls
                )
                memory["t"] = t
                self._move(t, direction)
            else:
                self._move(t, direction)
                if iteration != max_iter:  # after the last iteration nothing uses them
                    loss, grad, called = float(_with_grad(closure)), self._gradient(), 1
            calls += called
            memory["func_evals"] += called
            changes = _max_abs(direction * float(t)), abs(loss - before)
            if calls >= max_eval or changes[0] <= group["tolerance_change"] or changes[1] < group["tolerance_change"]:
                break
        return first

    def _objective_along(self, closure: Closure, direction: Array) -> Callable[[float], Point]:
        """Return a function of t that evaluates the loss at params + t · direction, and restores the parameters."""

        def evaluate(t: float) -> Point:
            before = [p.array.copy() for p in self._params]
            self._move(t, direction)
            try:
                loss, grad = float(_with_grad(closure)), self._gradient()
            finally:
                for p, values in zip(self._params, before, strict=True):
                    p.array[...] = values
                    p._bump()
            return Point(t, loss, grad, grad.dot(direction))

        return evaluate

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]

    def _gradient(self) -> Array:
        """Return all gradients as one real vector."""
        grads = (np.zeros_like(p.array) if p.grad is None else p.grad.array for p in self._params)
        return np.concatenate([_flat_real(grad) for grad in grads])

    def _move(self, t: Array | float, direction: Array) -> None:
        """Move all parameters by t · direction."""
        first, t = 0, float(t)
        for p in self._params:
            self._check_writable(p)
            parts = (p.array.real, p.array.imag) if p.is_complex() else (p.array,)
            last = first + p.numel() * len(parts)
            change = direction[first:last].reshape(*p.shape, len(parts))
            for i, values in enumerate(parts):
                values += t * change[..., i]
            p._bump()
            first = last


def _search_direction(memory: dict[str, Any], grad: Array, size: int) -> Array:
    """Update the estimate of the inverse Hessian, and return minus its product with the gradient (two-loop recursion).

    Source: Nocedal (1980).
    """
    if memory["n_iter"] == 1:
        memory.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
        return -grad
    change, step = grad - memory["prev_flat_grad"], memory["d"] * float(memory["t"])
    curvature = change.dot(step)
    if curvature > 1e-10:
        for name, value in (("old_dirs", change), ("old_stps", step), ("ro", 1.0 / curvature)):
            memory[name].append(value)
            del memory[name][:-size]
        memory["H_diag"] = curvature / change.dot(change)
    weights = memory.setdefault("al", [None] * size)
    remembered = list(enumerate(zip(memory["old_dirs"], memory["old_stps"], memory["ro"], strict=True)))
    direction = -grad
    for i, (change, step, ro) in reversed(remembered):
        weights[i] = step.dot(direction) * ro
        direction -= weights[i] * change
    direction *= memory["H_diag"]
    for i, (change, step, ro) in remembered:
        direction += (weights[i] - change.dot(direction) * ro) * step
    return direction


def _with_grad(closure: Closure) -> Any:
    with execution.scope(grad_enabled=True):
        return closure()


def _max_abs(x: Array) -> Array:
    return np.abs(x).max()


def _flat_real(x: Array) -> Array:
    """Flatten an array; a complex number becomes two real ones."""
    flat = x.reshape(-1)
    return flat.copy().view(flat.real.dtype) if flat.dtype.kind == "c" else flat


def _to_tensor(x: Any) -> Any:
    return Tensor._wrap(backend.as_array(x)) if hasattr(x, "dtype") else x
