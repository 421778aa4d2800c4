"""Programs that are to give the same under PyTorch and under microgad, or to raise the same."""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import microgad

from .op_db.compare import same

Program = Callable[[Any, Any], Any]


class Programs(dict[str, Program]):
    """Programs by name: functions of the library and its nn, collected by a decorator."""

    def __call__(self, function: Program) -> Program:
        self[function.__name__] = function
        return function

    def check(self, name: str, slack: float = 1, in_words: bool = True, warned_alike: bool = True) -> None:
        """Run a program under both: results, warnings' classes, or the error's class and, if in_words, what it says."""
        (theirs, warned), (ours, ours_warned) = (outcome(self[name], t) for t in (torch, microgad))
        if isinstance(theirs, Exception):
            assert isinstance(ours, type(theirs)), (
                f"{type(ours).__name__}: {ours}, not {type(theirs).__name__}: {theirs}"
            )
            assert not in_words or words(ours) == words(theirs)
        else:
            if isinstance(ours, Exception):
                raise ours
            same(theirs, ours, slack=slack)
        assert not warned_alike or ours_warned == warned


def room(t: Any, name: str) -> Any:
    """A module of a library, by its name in it."""
    return importlib.import_module(f"{t.__name__}.{name}")


def numbers(t: Any, *shape: int, seed: int = 1) -> Any:
    """Normal numbers, the same under both."""
    return t.tensor(np.random.default_rng(seed).standard_normal(shape))


def leaf(t: Any, *shape: int, seed: int = 1) -> Any:
    """The same, wanting a gradient."""
    return numbers(t, *shape, seed=seed).requires_grad_()


def outcome(program: Program, t: Any) -> tuple[Any, list[type]]:
    """What a program gives or raises, and the classes of its warnings."""
    t.manual_seed(0)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            result = program(t, t.nn)
        except Exception as error:
            result = error
    return result, [w.category for w in warned]


def words(error: Exception) -> str:
    """What an error says, but for the library's name and memory addresses."""
    return str(error).split(" at 0x")[0].replace("microgad.", "torch.")


def given(T: Any) -> dict[str, Any]:
    """What calls that are written down as strings are made of: the library, vectors, matrices, a batch, a number."""
    T.manual_seed(0)
    A = T.tensor([[2.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 4.0]])
    return {
        "T": T, "io": io, "np": np, "A": A, "P": A.clone(), "B": T.ones(3, 3, 3), "v0": T.tensor(2.0),
        "v": T.tensor([0.1, 0.5, 0.9]), "i": T.tensor([0, 2, 1]),
    }  # fmt: skip
