"""Programs that run under PyTorch and under microgad, and must return, warn of and raise the same."""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import microgad

from .op_db.compare import same

Program = Callable[[Any, Any], Any]


class Programs(dict[str, Program]):
    """Programs by name. Each takes the library and its `nn`; as a decorator, this adds a function under its name."""

    def __call__(self, function: Program) -> Program:
        self[function.__name__] = function
        return function


def check(program: Program, slack: float = 1, messages: bool = True, warning_classes: bool = True) -> None:
    """Run a program under both libraries and compare the results, which may differ by `slack` times the tolerance.

    If it raises under PyTorch, compare the error's class and, if `messages`, its message. If `warning_classes`, compare
    the classes of the warnings too.
    """
    (theirs, warned), (ours, ours_warned) = (outcome(program, t) for t in (torch, microgad))
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs)), f"{type(ours).__name__}: {ours}, not {type(theirs).__name__}: {theirs}"
        assert not messages or message(ours) == message(theirs)
    else:
        if isinstance(ours, Exception):
            raise ours
        same(theirs, ours, slack=slack)
    assert not warning_classes or ours_warned == warned


def checked_programs(**options: Any) -> tuple[Programs, Callable[[str], None]]:
    """Programs, and a test that checks each. An option of `check` may be a function of the program's name."""
    programs = Programs()

    @pytest.mark.parametrize("name", programs)
    def test_program(name: str) -> None:
        check(programs[name], **{key: value(name) if callable(value) else value for key, value in options.items()})

    return programs, test_program


def submodule(t: Any, name: str) -> Any:
    """Import a module of the library `t` by its name within it."""
    return importlib.import_module(f"{t.__name__}.{name}")


def randn(t: Any, *shape: int, seed: int = 1) -> Any:
    """A Tensor of standard normal numbers, the same under both libraries."""
    return t.tensor(np.random.default_rng(seed).standard_normal(shape))


def leaf(t: Any, *shape: int, seed: int = 1) -> Any:
    """The same numbers as a leaf that requires grad."""
    return randn(t, *shape, seed=seed).requires_grad_()


def flags(*tensors: Any) -> list[tuple[bool, bool, bool]]:
    """Whether each Tensor requires grad, is a leaf, and has no node."""
    return [(x.requires_grad, x.is_leaf, x.grad_fn is None) for x in tensors]


def function(t: Any, **methods: Any) -> Any:
    """A torch.autograd.Function with these methods."""
    return type("F", (t.autograd.Function,), {name: staticmethod(method) for name, method in methods.items()})


def state_and_gradients(module: Any) -> list[Any]:
    """A module's repr and state, and its parameters' gradients."""
    return [repr(module), list(module.state_dict()), dict(module.state_dict()), [p.grad for p in module.parameters()]]


def outcome(program: Program, t: Any) -> tuple[Any, list[type]]:
    """What a program returns or raises, and the classes of its warnings."""
    t.manual_seed(0)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            result = program(t, t.nn)
        except Exception as error:
            result = error
    return result, [w.category for w in warned]


def message(error: Exception) -> str:
    """An error's message without memory addresses, where microgad is called torch."""
    return str(error).split(" at 0x")[0].replace("microgad.", "torch.")


def namespace(T: Any) -> dict[str, Any]:
    """The names that calls written as strings may use: the library, vectors, matrices, a batch and a scalar."""
    T.manual_seed(0)
    A = T.tensor([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]])
    return {
        "T": T, "io": io, "np": np, "A": A, "P": A.clone(), "B": T.ones(3, 3, 3), "v0": T.tensor(2.0),
        "v": T.tensor([0.1, 0.5, 0.9]), "i": T.tensor([0, 2, 1]),
    }  # fmt: skip


def check_call(call: str) -> None:
    """Evaluate a call written as a string under both libraries, and compare the results."""
    try:
        same(eval(call, namespace(torch)), eval(call, namespace(microgad)), slack=4)
    finally:
        torch.set_grad_enabled(True)
        microgad.set_grad_enabled(True)
