"""check_grads finds nothing where nothing is wrong: every Function's examples, at every scale, at ties and at kinks.

An example of each property test is moved to another place: to one scale a tensor from 1e-30 to 1e30, within it values
up to a thousand times smaller, to whole numbers that tie, to zeros, or to random numbers without any pattern. Where the
Function refuses the place (a probability of 1e20), there is nothing to check.
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

import microgad as torch
from microgad.errors import MicrogadError
from microgad.testing import GradcheckError, check_grads

from .registry import REGISTRY

for file in Path(__file__).parent.glob("test_*.py"):
    if file.stem not in ("test_false_alarms", "test_every_function_is_tested"):
        importlib.import_module(f".{file.stem}", __package__)
ENTRIES = sorted({entry.name: entry for found in REGISTRY.values() for entry in found}.values(), key=lambda e: e.name)

PLACES = {
    "as drawn": lambda x, rng: x,
    "scaled": lambda x, rng: x * 10.0 ** rng.integers(-30, 31),
    "within a thousand": lambda x, rng: x * 10.0 ** rng.uniform(-3, 0, x.shape) * 10.0 ** rng.integers(-30, 31),
    "whole numbers": lambda x, rng: np.round(x),
    "zeros": lambda x, rng: x * rng.integers(0, 2, x.shape),
    "random": lambda x, rng: rng.standard_normal(x.shape),
    "small and large": lambda x, rng: rng.standard_normal(x.shape) * 10.0 ** rng.uniform(-3, 0, x.shape),
}
# Differences say nothing of four operations in turn that cancel to nothing, nor of a batch norm of equal values that
# are so large that eps is less than the distance to the next number. Binary cross-entropy, as PyTorch has it, takes the
# derivative of another function where a probability is below 1e-12.
# A number that is large enough is whole, and rounding it is the identity; lgamma of a large negative one has no digits.
NOT_SCALED = {
    "test_in_place", "test_batch_norm_where_inputs_depend_on_each_other", "test_binary_cross_entropy",
    "Ceil", "Floor", "Round", "Trunc", "test_floor_division", "test_division_towards_zero", "test_fmod",
    "test_remainder", "test_lgamma",
}  # fmt: skip


def checked(entry, examples, full):
    places = [name for name in PLACES if entry.name not in NOT_SCALED or name not in ("scaled", "within a thousand")]
    held = 0

    @seed(0)
    @settings(max_examples=examples, database=None, phases=[Phase.generate], derandomize=False)
    @given(entry.examples, st.sampled_from(places), st.integers(0, 2**32 - 1))
    def nothing_is_found(case, place, number):
        nonlocal held
        rng = np.random.default_rng(number)
        for x in {id(x): x for x in case.inputs if isinstance(x, torch.Tensor) and x.requires_grad}.values():
            x.array = np.asarray(PLACES[place](x.array, rng))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                check_grads(case.function, case.inputs, order=2, full=full)
            except GradcheckError as error:
                raise AssertionError(f"{place}: {error}") from None
            except MicrogadError:
                return  # not a place for this Function: it refuses it
        held += 1

    nothing_is_found()
    assert held > examples // 2


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_nothing_is_found(entry, pytestconfig):
    if getattr(entry.law, "func", None) is not None:  # a Function that has a derivative
        checked(entry, 250 if pytestconfig.getoption("--thorough") else 4, full=False)


@pytest.mark.parametrize("entry", ENTRIES[::8], ids=lambda entry: entry.name)
def test_nothing_is_found_entry_by_entry(entry, pytestconfig):
    if getattr(entry.law, "func", None) is not None:
        checked(entry, 40 if pytestconfig.getoption("--thorough") else 2, full=True)
