"""The same optimizer in both libraries, fed with the same gradients, and how nearly they must agree."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import microgad

SHAPES = [(3, 4), (7,), (1, 1), (2, 3, 4), ()]
MATRICES = [(3, 4), (5, 2), (1, 1)]
# How far apart: units in the last place of the largest that a number, or what it is the sum of, has been so far.
ULPS = 8
LOOSER = {
    "LBFGS": (2**14, "divides by differences of gradients, in which what they agree in is lost"),
    "RMSprop": (32, "centered: the difference of two near squares, under a root"),
}


class Twins:
    """An optimizer here and there, over parameters of the same values."""

    def __init__(
        self, name: str, options: dict[str, Any], dtype: str = "float32", make: Callable[[Any, Any], Any] | None = None
    ) -> None:
        self.name, self.dtype = name, np.dtype(dtype)
        if name == "LBFGS":  # near the minimum there are only roundings left to go by
            options = {"max_iter": 2, **options}
        self.random = np.random.default_rng(3)
        values = [self.draw(shape) for shape in (MATRICES if name == "Muon" else SHAPES)]
        self.ours = [microgad.Parameter(microgad.from_numpy(value.copy())) for value in values]
        self.theirs = [torch.nn.Parameter(torch.from_numpy(value.copy())) for value in values]
        make = make or (lambda params, lib: params)
        self.mine = getattr(microgad.optim, name)(make(self.ours, microgad), **swapped(options))
        self.other = getattr(torch.optim, name)(make(self.theirs, torch), **options)
        self.ours_plans: list[Any] = []
        self.theirs_plans: list[Any] = []
        self.sizes: dict[Any, Any] = {}

    def draw(self, shape: Any) -> Any:
        real = self.random.standard_normal(shape)
        drawn = real + 1j * self.random.standard_normal(shape) if self.dtype.kind == "c" else real
        return np.asarray(drawn).astype(self.dtype)

    def schedule(self, rules: Any) -> None:
        """Schedulers, made by lambdas of optim_db."""
        here = vars(microgad.optim.lr_scheduler)
        self.theirs_plans = [rule(self.other) for rule in rules]
        self.ours_plans = [types.FunctionType(rule.__code__, here)(self.mine) for rule in rules]

    def step(self, skipped: int | None = None) -> None:
        """A step, with a gradient for each parameter but one."""
        if self.name == "LBFGS":
            losses = self.mine.step(closure(self.ours, self.mine)), self.other.step(closure(self.theirs, self.other))
            np.testing.assert_allclose(losses[0].item(), losses[1].item(), rtol=2**14 * np.finfo(self.dtype).eps)
        else:
            for i, (p, q) in enumerate(zip(self.ours, self.theirs, strict=True)):
                grad = np.asarray(self.draw(p.shape) * 10.0 ** self.random.integers(-3, 2)).astype(self.dtype)
                p.grad, q.grad = (
                    (None, None) if i == skipped else (microgad.from_numpy(grad), torch.from_numpy(grad.copy()))
                )
                decay = max(group.get("weight_decay", 0) for group in self.other.param_groups)
                if i != skipped:
                    self.seen(("grad", i), abs(grad) + decay * abs(p.array))
            self.mine.step()
            self.other.step()
        for i, q in enumerate(self.theirs):
            self.seen(("value", i), q.detach().numpy())
        for plan in (*self.ours_plans, *self.theirs_plans):
            plan.step(1.0) if type(plan).__name__ == "ReduceLROnPlateau" else plan.step()

    def seen(self, key: Any, size: Any) -> Any:
        self.sizes[key] = np.maximum(self.sizes.get(key, 0), abs(np.asarray(size)))
        return self.sizes[key]

    def check(self) -> None:
        """Parameters, state and options are the same."""
        for i, (p, q) in enumerate(zip(self.ours, self.theirs, strict=True)):
            self.near(("value", i), p.array, q.detach().numpy())
        ours, theirs = self.mine.state_dict(), self.other.state_dict()
        assert plain(ours["param_groups"]) == plain(theirs["param_groups"])
        assert list(map(list, ours["param_groups"])) == list(map(list, theirs["param_groups"]))
        assert list(ours["state"]) == list(theirs["state"])
        for number, entry in theirs["state"].items():
            assert set(ours["state"][number]) == set(entry)
            for name, value in entry.items():
                if self.name == "LBFGS" and name == "t":
                    continue  # a number here; there a Tensor or not, as lr is
                self.same((name, number), ours["state"][number][name], value)
        for mine, other in zip(self.ours_plans, self.theirs_plans, strict=True):
            assert plain(mine.get_last_lr()) == plain(other.get_last_lr())
            assert plain(mine.state_dict()) == plain(other.state_dict())

    def same(self, key: Any, mine: Any, other: Any) -> None:
        if isinstance(other, list):
            assert len(mine) == len(other)
            for i, pair in enumerate(zip(mine, other, strict=True)):
                self.same((*key, i), *pair)
        elif isinstance(other, torch.Tensor):
            assert (tuple(mine.shape), str(mine.dtype)) == (tuple(other.shape), str(other.dtype)), key
            self.near(key, mine.array, other.numpy())
        elif isinstance(other, float):
            self.near(key, np.asarray(mine), np.asarray(other))
        else:
            assert mine == other, key

    def near(self, key: Any, mine: Any, other: Any) -> None:
        if self.name == "LBFGS" and key[0] != "value":
            return  # differences of gradients; that the next steps agree says that they are right
        size = self.seen(key, other)
        if key[0] == "ax":
            size = size + self.sizes[("value", key[1])]
        if key[0] in ("exp_avg", "exp_avg_sq", "square_avg", "momentum_buffer", "grad_avg") and self.name != "Muon":
            size = size + self.sizes[("grad", key[1])] ** (2 if "sq" in key[0] else 1)
        ulps = LOOSER.get(self.name, (ULPS, ""))[0]
        allowed = ulps * max(np.finfo(self.dtype).eps, np.finfo(other.dtype).eps) * size
        if self.name == "Muon" and key[0] == "value":  # a rounding to bfloat16 may go the other way
            allowed = allowed + 0.02 * float(self.other.param_groups[0]["lr"])
        assert (abs(mine - other) <= allowed).all(), (key, mine, other)


def closure(params: Any, optimizer: Any) -> Any:
    def loss() -> Any:
        optimizer.zero_grad()
        value = sum((i + 1) * ((p - 1).abs() ** 2).sum() + (p.abs() ** 4).sum() for i, p in enumerate(params))
        value.backward()
        return value

    return loss


def swapped(x: Any) -> Any:
    """Tensors and parameters of torch's as microgad's; the same one for the same one."""
    made: dict[int, Any] = {}

    def swap(x: Any) -> Any:
        if isinstance(x, torch.Tensor):
            if id(x) not in made:
                made[id(x)] = microgad.from_numpy(x.detach().numpy().copy())
                if isinstance(x, torch.nn.Parameter):
                    made[id(x)] = microgad.Parameter(made[id(x)])
                if x.grad is not None:
                    made[id(x)].grad = swap(x.grad)
            return made[id(x)]
        if isinstance(x, dict):
            return {key: swap(value) for key, value in x.items()}
        return type(x)(map(swap, x)) if isinstance(x, (list, tuple)) else x

    return swap(x)


def converted(x: Any, tensor: Any) -> Any:
    """A state_dict with `tensor(array)` for each Tensor, ours or torch's."""
    if isinstance(x, (microgad.Tensor, torch.Tensor)):
        return tensor(x.detach().numpy().copy())
    if isinstance(x, dict):
        return {key: converted(value, tensor) for key, value in x.items()}
    return [converted(item, tensor) for item in x] if isinstance(x, list) else x


def plain(x: Any) -> Any:
    return converted(x, lambda array: array.tolist())


def quietly(program: Any, *args: Any) -> Any:
    """What a program raises, or the first of what it warns of."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            program(*args)
        except Exception as error:
            return error
    return warned[0].message if warned else None
