"""Pairs of the same optimizer in both libraries, stepped with the same gradients, and how closely they must agree."""

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
# Values may differ by this many units in the last place of the largest that they, or their addends, have been so far.
ULPS = 8
LOOSER_ULPS = {
    "LBFGS": (2**14, "divides by differences of gradients, where digits cancel"),
    "RMSprop": (32, "centered: the root of the difference of two nearly equal squares"),
}


class OptimizerPair:
    """An optimizer of each library (`ours` and `theirs`), over parameters with the same values."""

    def __init__(
        self, name: str, options: dict[str, Any], dtype: str = "float32", make: Callable[[Any, Any], Any] | None = None
    ) -> None:
        self.name, self.dtype = name, np.dtype(dtype)
        if name == "LBFGS":  # near the minimum, rounding errors would decide the steps
            options = {"max_iter": 2, **options}
        self.random = np.random.default_rng(3)
        values = [self.draw(shape) for shape in (MATRICES if name == "Muon" else SHAPES)]
        self.our_params = [microgad.Parameter(microgad.from_numpy(value.copy())) for value in values]
        self.their_params = [torch.nn.Parameter(torch.from_numpy(value.copy())) for value in values]
        make = make or (lambda params, lib: params)
        self.ours = getattr(microgad.optim, name)(make(self.our_params, microgad), **as_microgad(options))
        self.theirs = getattr(torch.optim, name)(make(self.their_params, torch), **options)
        self.our_schedulers: list[Any] = []
        self.their_schedulers: list[Any] = []
        self.sizes: dict[Any, Any] = {}

    def draw(self, shape: Any) -> Any:
        real = self.random.standard_normal(shape)
        drawn = real + 1j * self.random.standard_normal(shape) if self.dtype.kind == "c" else real
        return np.asarray(drawn).astype(self.dtype)

    def schedule(self, makers: Any) -> None:
        """Make the schedulers by lambdas of optim_db, with microgad's classes in place of torch's for our optimizer."""
        namespace = vars(microgad.optim.lr_scheduler)
        self.their_schedulers = [make(self.theirs) for make in makers]
        self.our_schedulers = [types.FunctionType(make.__code__, namespace)(self.ours) for make in makers]

    def step(self, skipped: int | None = None) -> None:
        """Step both optimizers and schedulers, with a gradient for each parameter except number `skipped`."""
        for i, q in enumerate(self.their_params):
            self.track_size(("value", i), q.detach().numpy())
        if self.name == "LBFGS":
            our_loss = self.ours.step(closure(self.our_params, self.ours))
            their_loss = self.theirs.step(closure(self.their_params, self.theirs))
            np.testing.assert_allclose(our_loss.item(), their_loss.item(), rtol=2**14 * np.finfo(self.dtype).eps)
        else:
            for i, (p, q) in enumerate(zip(self.our_params, self.their_params, strict=True)):
                grad = np.asarray(self.draw(p.shape) * 10.0 ** self.random.integers(-3, 2)).astype(self.dtype)
                p.grad, q.grad = (
                    (None, None) if i == skipped else (microgad.from_numpy(grad), torch.from_numpy(grad.copy()))
                )
                decay = max(group.get("weight_decay", 0) for group in self.theirs.param_groups)
                if i != skipped:
                    self.track_size(("grad", i), abs(grad) + decay * abs(p.array))
            self.ours.step()
            self.theirs.step()
        for i, q in enumerate(self.their_params):
            self.track_size(("value", i), q.detach().numpy())
        for scheduler in (*self.our_schedulers, *self.their_schedulers):
            scheduler.step(1.0) if type(scheduler).__name__ == "ReduceLROnPlateau" else scheduler.step()

    def track_size(self, key: Any, size: Any) -> Any:
        """Update the largest magnitude so far of each element of the value `key`, and return it."""
        self.sizes[key] = np.maximum(self.sizes.get(key, 0), abs(np.asarray(size)))
        return self.sizes[key]

    def check(self) -> None:
        """Assert that parameters, state, options and learning rates are the same."""
        for i, (p, q) in enumerate(zip(self.our_params, self.their_params, strict=True)):
            self.assert_close(("value", i), p.array, q.detach().numpy())
        ours, theirs = self.ours.state_dict(), self.theirs.state_dict()
        assert without_tensors(ours["param_groups"]) == without_tensors(theirs["param_groups"])
        assert list(map(list, ours["param_groups"])) == list(map(list, theirs["param_groups"]))
        assert list(ours["state"]) == list(theirs["state"])
        for number, entry in theirs["state"].items():
            assert list(ours["state"][number]) == list(entry)
            for name, value in entry.items():
                if self.name == "LBFGS" and name == "t":
                    continue  # a number; torch's is a Tensor if lr is one
                self.assert_same((name, number), ours["state"][number][name], value)
        for mine, other in zip(self.our_schedulers, self.their_schedulers, strict=True):
            assert without_tensors(mine.get_last_lr()) == without_tensors(other.get_last_lr())
            assert without_tensors(mine.state_dict()) == without_tensors(other.state_dict())

    def assert_same(self, key: Any, mine: Any, other: Any) -> None:
        if isinstance(other, list):
            assert len(mine) == len(other)
            for i, pair in enumerate(zip(mine, other, strict=True)):
                self.assert_same((*key, i), *pair)
        elif isinstance(other, torch.Tensor):
            assert (tuple(mine.shape), str(mine.dtype)) == (tuple(other.shape), str(other.dtype)), key
            self.assert_close(key, mine.array, other.numpy())
        elif isinstance(other, float):
            self.assert_close(key, np.asarray(mine), np.asarray(other))
        else:
            assert mine == other, key

    def assert_close(self, key: Any, mine: Any, other: Any) -> None:
        if self.name == "LBFGS" and key[0] != "value":
            return  # differences of gradients, whose digits cancel; the next steps must agree
        size = self.track_size(key, other)
        if key[0] == "ax":
            size = size + self.sizes[("value", key[1])]
        if key[0] in ("exp_avg", "exp_avg_sq", "square_avg", "momentum_buffer", "grad_avg") and self.name != "Muon":
            size = size + self.sizes[("grad", key[1])] ** (2 if "sq" in key[0] else 1)
        ulps = LOOSER_ULPS.get(self.name, (ULPS, ""))[0]
        allowed = ulps * max(np.finfo(self.dtype).eps, np.finfo(other.dtype).eps) * size
        if self.name == "Muon" and key[0] == "value":  # torch may round to the other neighbor in bfloat16
            allowed = allowed + 0.02 * float(self.theirs.param_groups[0]["lr"])
        assert (abs(mine - other) <= allowed).all(), (key, mine, other)


def two_groups(**options: Any) -> Callable[[Any, Any], Any]:
    """An OptimizerPair's `make`: a group of the first two parameters, and one of the others with these options."""
    return lambda params, lib: [{"params": params[:2]}, {"params": params[2:], **options}]


def closure(params: Any, optimizer: Any) -> Any:
    """A closure for LBFGS: zero the gradients, compute a loss and run backward."""

    def loss() -> Any:
        optimizer.zero_grad()
        value = sum((i + 1) * ((p - 1).abs() ** 2).sum() + (p.abs() ** 4).sum() for i, p in enumerate(params))
        value.backward()
        return value

    return loss


def as_microgad(x: Any) -> Any:
    """Replace torch's Tensors and parameters by microgad's; one that occurs twice stays one Tensor."""
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
    """A state_dict with `tensor(array)` in place of each Tensor of either library."""
    if isinstance(x, (microgad.Tensor, torch.Tensor)):
        return tensor(x.detach().numpy().copy())
    if isinstance(x, dict):
        return {key: converted(value, tensor) for key, value in x.items()}
    return [converted(item, tensor) for item in x] if isinstance(x, list) else x


def without_tensors(x: Any) -> Any:
    """A state_dict with lists of numbers in place of Tensors."""
    return converted(x, lambda array: array.tolist())


def first_error_or_warning(program: Any, *args: Any) -> Any:
    """The error that a program raises, or the first warning."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            program(*args)
        except Exception as error:
            return error
    return warned[0].message if warned else None
