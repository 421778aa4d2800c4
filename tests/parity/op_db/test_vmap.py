"""`vmap` gives for a batch what a loop over the batch gives, for op_db's samples, and so do its gradients."""

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
from microgad.func import grad, vmap
from microgad.func.call import flatten
from microgad.utils._pytree import tree_leaves

from .checks import OpChecks
from .programs import Call
from .swap import Swapped, microgad_function, swapped_function

UNINITIALIZED = {"empty_like", "new_empty", "new_empty_strided", "empty", "empty_permuted", "empty_strided"}
OPS = [op for op in op_db if op.name not in UNINITIALIZED]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run all ops with --thorough, else a seeded choice."""
    if "op" in metafunc.fixturenames:
        thorough = metafunc.config.getoption("--thorough")
        chosen = OPS if thorough else random.Random(0).sample(OPS, 150)
        metafunc.parametrize("op", chosen, ids=lambda op: op.name)


def test_vmap_gives_what_a_loop_over_the_batch_gives(op: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        ours = swapped_function(op.op)
        call = microgad_function(op.name) if ours is op.op else ours
    except AttributeError:
        pytest.skip("out of scope")
    op_checks = OpChecks(op)
    for dtype in ("float64", "int64"):
        for sample in op_checks.samples(op.sample_inputs_func, dtype)[:3] if dtype in op_checks.dtypes else ():
            try:
                arguments = Call(sample, Swapped(False))
            except Exception:  # some arguments can't be converted to microgad's
                continue
            check(call, arguments, monkeypatch)


def check(function: Any, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare vmap with its loop for the function, its gradient under vmap, and the gradient through vmap.

    Some of the Tensors, chosen by a seeded draw, have a batch dimension.
    """
    leaves, rebuild = flatten((call.input, call.args, call.kwargs))
    if not leaves:
        return

    def result(*tensors: Tensor) -> Any:
        input, args, kwargs = rebuild(tensors)
        return function(input, *args, **kwargs)

    def to_scalar(*tensors: Tensor) -> Tensor:
        floats = [y for y in flatten(result(*tensors))[0] if y.is_floating_point()]
        return sum(((y * y.cos()).sum() for y in floats), sum(x.sum() for x in tensors if x.is_floating_point()))

    batched_indices = random.Random(len(leaves)).sample(range(len(leaves)), random.Random(0).randint(1, len(leaves)))
    tensors = [make_batch(x) if i in batched_indices else x for i, x in enumerate(leaves)]
    dims = tuple(0 if i in batched_indices else None for i in range(len(leaves)))
    floats = tuple(i for i, x in enumerate(leaves) if x.is_floating_point())
    for f in (result, *([grad(to_scalar, floats)] if floats else [])):
        with monkeypatch.context() as patch, warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = outcome(f, dims, tensors)
            patch.setattr("microgad.func.mapping.call_batched", raise_fallback)
            same(outcome(f, dims, tensors), found)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        outside = gradients(to_scalar, dims, tensors)
        monkeypatch.setattr("microgad.func.mapping.call_batched", raise_fallback)
        same(gradients(to_scalar, dims, tensors), outside)
        monkeypatch.undo()


def same(looped: Any, batched: Any) -> None:
    expected, found = tree_leaves(looped), tree_leaves(batched)
    assert len(found) == len(expected)
    for x, y in zip(found, expected, strict=True):
        if isinstance(y, Tensor):
            assert (x.shape, x.dtype) == (y.shape, y.dtype)
            np.testing.assert_allclose(x.array, y.array, rtol=1e-9, atol=1e-9)
        else:
            assert x == y


def raise_fallback(*_: Any) -> Any:
    """Stand in for `call_batched`, so that vmap loops over the batch."""
    raise Fallback


def outcome(f: Any, dims: Any, tensors: list[Tensor]) -> Any:
    """The results of vmap of f, or the name of the error's class."""
    microgad.manual_seed(0)
    try:
        return vmap(f, dims)(*[x.clone() for x in tensors])
    except Exception as error:
        return type(error).__name__


def gradients(f: Any, dims: Any, tensors: list[Tensor]) -> Any:
    """The gradients of the sum of vmap's result, by a backward pass outside vmap."""
    microgad.manual_seed(0)
    leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in tensors]
    differentiable = [x for x in leaves if x.requires_grad]
    try:
        return microgad.autograd.grad(vmap(f, dims)(*leaves).sum(), differentiable, allow_unused=True)
    except Exception as error:
        return type(error).__name__


def make_batch(x: Tensor) -> Tensor:
    """A batch of three: the values of x in three orders, so that all stay in the operation's domain."""
    flat = x.array.reshape(-1)
    return microgad.from_numpy(np.stack([flat, np.roll(flat, 1), flat[::-1]]).reshape(3, *x.shape))
