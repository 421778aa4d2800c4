"""What `vmap` computes for all slices at once is what it gives of one after another: for op_db's samples."""

from __future__ import annotations

import random
import warnings
from typing import Any

import numpy as np
import pytest
from torch.testing._internal.common_methods_invocations import op_db

import microgad
from microgad import Tensor
from microgad.duck_arrays import Fallback
from microgad.func import flatten, grad, vmap

from .programs import Call
from .swap import Swapped, function, named
from .walk import Walk

OF_ANY_VALUES = {"empty_like", "new_empty", "new_empty_strided", "empty", "empty_permuted", "empty_strided"}
OPS = [op for op in op_db if op.name not in OF_ANY_VALUES]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "op" in metafunc.fixturenames:
        thorough = metafunc.config.getoption("--thorough")
        chosen = OPS if thorough else random.Random(0).sample(OPS, 150)
        metafunc.parametrize("op", chosen, ids=lambda op: op.name)


def test_at_once_is_as_in_turn(op: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        ours = function(op.op)
        call = named(op.name) if ours is op.op else ours
    except AttributeError:
        pytest.skip("out of scope")
    walk = Walk(op)
    for dtype in ("float64", "int64"):
        for sample in walk.samples(op.sample_inputs_func, dtype)[:3] if dtype in walk.dtypes else ():
            try:
                given = Call(sample, Swapped(False))
            except Exception:  # of arguments that microgad has no form of
                continue
            check(call, given, monkeypatch)


def check(function: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    leaves, rebuild = flatten((call.input, call.args, call.kwargs))
    if not leaves:
        return

    def result(*tensors: Tensor) -> Any:
        input, args, kwargs = rebuild(tensors)
        return function(input, *args, **kwargs)

    def number(*tensors: Tensor) -> Tensor:
        floats = [y for y in flatten(result(*tensors))[0] if y.is_floating_point()]
        return sum(((y * y.cos()).sum() for y in floats), sum(x.sum() for x in tensors if x.is_floating_point()))

    own = random.Random(len(leaves)).sample(range(len(leaves)), random.Random(0).randint(1, len(leaves)))
    tensors = [of_slices(x) if i in own else x for i, x in enumerate(leaves)]
    dims = tuple(0 if i in own else None for i in range(len(leaves)))
    floats = tuple(i for i, x in enumerate(leaves) if x.is_floating_point())
    for f in (result, *([grad(number, floats)] if floats else [])):
        with monkeypatch.context() as patch, warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = outcome(f, dims, tensors)
            patch.setattr("microgad.func.call_batched", apart)
            same(outcome(f, dims, tensors), found)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        outside = gradients(number, dims, tensors)
        monkeypatch.setattr("microgad.func.call_batched", apart)
        same(gradients(number, dims, tensors), outside)
        monkeypatch.undo()


def same(in_turn: Any, at_once: Any) -> None:
    expected, found = (flatten(x, tensors_only=False)[0] for x in (in_turn, at_once))
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        if isinstance(y, Tensor):
            assert (x.shape, x.dtype) == (y.shape, y.dtype)
            np.testing.assert_allclose(x.array, y.array, rtol=1e-9, atol=1e-9)
        else:
            assert x == y


def apart(*_: Any) -> Any:
    raise Fallback


def outcome(f: Any, dims: Any, tensors: list[Tensor]) -> Any:
    microgad.manual_seed(0)
    try:
        return vmap(f, dims)(*[x.clone() for x in tensors])
    except Exception as error:
        return type(error).__name__


def gradients(f: Any, dims: Any, tensors: list[Tensor]) -> Any:
    """By a backward pass when the mapping is over."""
    microgad.manual_seed(0)
    own = [x.clone().requires_grad_(x.is_floating_point()) for x in tensors]
    wanted = [x for x in own if x.requires_grad]
    try:
        return microgad.autograd.grad(vmap(f, dims)(*own).sum(), wanted, allow_unused=True)
    except Exception as error:
        return type(error).__name__


def of_slices(x: Tensor) -> Tensor:
    """The values of x in three orders, which keeps them where the operation is defined."""
    flat = x.array.reshape(-1)
    return microgad.from_numpy(np.stack([flat, np.roll(flat, 1), flat[::-1]]).reshape(3, *x.shape))
