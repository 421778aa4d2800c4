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
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import microgad as torch
from microgad.errors import MicrogadError
from microgad.testing import GradcheckError, check_grads

from .registry import REGISTRY

for file in Path(__file__).parent.glob("test_*.py"):
    if file.stem not in ("test_false_alarms", "test_every_function_is_tested"):
        importlib.import_module(f".{file.stem}", __package__)
ENTRIES = sorted({id(e): e for found in REGISTRY.values() for e in found}.values(), key=lambda e: e.name)
ENTRIES = [entry for entry in ENTRIES if getattr(entry.law, "func", None) is not None]  # that have a derivative

EXAMPLES = max(72, 20_000 // len(ENTRIES) + 1)  # of each entry: over 20,000 of all

PLACES = {
    "as drawn": lambda x, rng: x,
    "scaled": lambda x, rng: x * 10.0 ** rng.integers(-30, 31),
    "within a thousand": lambda x, rng: x * 10.0 ** rng.uniform(-3, 0, x.shape) * 10.0 ** rng.integers(-30, 31),
    "whole numbers": lambda x, rng: np.round(x),
    "zeros": lambda x, rng: x * rng.integers(0, 2, x.shape),
    "random": lambda x, rng: rng.standard_normal(x.shape),
    "small and large": lambda x, rng: rng.standard_normal(x.shape) * 10.0 ** rng.uniform(-3, 0, x.shape),
}
# Differences say nothing of four operations in turn that cancel to nothing, nor of norms over equal values that are so
# large that eps is less than the distance to the next number. Binary cross-entropy, as PyTorch has it, takes the
# derivative of another function where a probability is below 1e-12. Where a value and both of its bounds tie, clamp's
# derivative is 1, as PyTorch's: among zeros of other scales no move shows that it is a kink. The derivatives of erfcx,
# of which log_ndtr's is made, and of a complex logaddexp are differences and quotients of what is too large for them,
# as PyTorch's are. A number that is large enough is whole, and rounding it is the identity; lgamma of a large negative
# one has no digits, nor has mvlgamma outside of its domain. Beside values of 1e20 softshrink and hardshrink are 0
# nearer to 0 than any step, and the gates of a zero in a recurrent layer change, as do the scores of attention, whose
# products of two such scales have no digits where they tie. Of sums of them, as CTC and logcumsumexp have, the
# exponentials have no digits, as PyTorch's. Beside values of 1e20 the diagonal that keeps the eigenvalues of eigh and
# eigvalsh apart is lost: where the rest is a multiple of the identity, they tie, and aren't differentiable.
NOT_SCALED = {
    "test_in_place", "test_batch_norm_where_inputs_depend_on_each_other", "test_binary_cross_entropy",
    "test_clamp_by_tensors", "Ceil", "Floor", "Round", "Trunc", "Frac", "test_floor_division",
    "test_division_towards_zero", "test_fmod", "test_remainder", "test_lgamma", "test_mvlgamma", "test_erfcx",
    "test_log_ndtr", "complex_logaddexp", "test_grid_sample", "test_softshrink", "test_hardshrink", "test_ctc",
    "test_logcumsumexp", "test_rnn", "test_lstm", "test_lstm_with_projection", "test_gru",
    "test_gru_where_inputs_depend_on_each_other", "test_layer_norm_where_inputs_depend_on_each_other",
    "test_attention", "test_scaled_dot_product_attention", "test_attention_where_inputs_depend_on_each_other",
    "test_eigh", "test_eigvalsh",
}  # fmt: skip
# At these points PyTorch's derivatives, and ours, aren't the function's: nextafter's is 0 where both numbers are equal,
# and softshrink's and hardshrink's at 0, even of lambda 0, which is the identity. A norm of order -inf takes |0| for a
# kink of x², and lp_pool of order 1 a sum of 0 for one of the identity.
NOT_AT_ZEROS = {"test_nextafter", "test_softshrink", "test_hardshrink", "test_vector_norm", "test_lp_pool"}
LEFT_OUT = [(NOT_SCALED, ("scaled", "within a thousand")), (NOT_AT_ZEROS, ("whole numbers", "zeros"))]


def checked(entry, examples, full):
    left_out = [place for names, places in LEFT_OUT if entry.name in names for place in places]
    places = [place for place in PLACES if place not in left_out]
    held = 0

    @settings(max_examples=examples, database=None, phases=[Phase.generate])
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
    assert held >= max(1, examples // 8)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_nothing_is_found(entry, pytestconfig):
    checked(entry, EXAMPLES if pytestconfig.getoption("--thorough") else 4, full=False)


@pytest.mark.parametrize("entry", ENTRIES[::8], ids=lambda entry: entry.name)
def test_nothing_is_found_entry_by_entry(entry, pytestconfig):
    checked(entry, 40 if pytestconfig.getoption("--thorough") else 2, full=True)
