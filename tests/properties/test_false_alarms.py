"""check_grads reports no error for right derivatives: every Function, at every scale, at ties and at kinks.

The inputs of each property test's examples are changed: scaled by one factor a tensor from 1e-30 to 1e30, also with
values up to a thousand times smaller, rounded to integers that tie, or replaced by zeros or by random numbers. If the
Function refuses the changed inputs (a probability of 1e20), there is nothing to check.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import microgad as torch
from microgad.errors import MicrogadError
from microgad.testing import GradcheckError, check_grads

from .all_entries import ENTRIES

DIFFERENTIABLE = [entry for entry in ENTRIES if getattr(entry.law, "func", None) is not None]

EXAMPLES = max(72, 20_000 // len(ENTRIES) + 1)  # of each entry: over 20,000 of all

CHANGES = {
    "as drawn": lambda x, rng: x,
    "scaled": lambda x, rng: x * 10.0 ** rng.integers(-30, 31),
    "within a thousand": lambda x, rng: x * 10.0 ** rng.uniform(-3, 0, x.shape) * 10.0 ** rng.integers(-30, 31),
    "whole numbers": lambda x, rng: np.round(x),
    "zeros": lambda x, rng: x * rng.integers(0, 2, x.shape),
    "random": lambda x, rng: rng.standard_normal(x.shape),
    "small and large": lambda x, rng: rng.standard_normal(x.shape) * 10.0 ** rng.uniform(-3, 0, x.shape),
}
# The examples of these tests can't be scaled, for these reasons:
# - Differences lose all digits of four in-place operations that cancel, and of norms over equal values that are so
#   large that eps is less than the distance to the next number.
# - Below a probability of 1e-12 binary cross-entropy has the derivative of another function, as in PyTorch.
# - Where a value and both of its bounds tie, clamp's derivative is 1, as in PyTorch; if the other elements are of
#   another scale, no step shows that this is a kink.
# - The derivatives of erfcx, which log_ndtr uses, and of a complex logaddexp cancel for large values, as in PyTorch.
# - A large number is an integer, and rounding it is the identity.
# - lgamma of a large negative number has no accurate digits, and neither has mvlgamma outside of its domain.
# - Beside values of 1e20 every step is too large for the interval in which softshrink and hardshrink are 0, for the
#   gates of a zero in a recurrent layer, and for the scores of attention, whose products have no digits where they tie.
# - The exponentials in the sums of CTC and logcumsumexp have no digits for large values, as in PyTorch.
# - Beside values of 1e20 the diagonal that separates the eigenvalues of eigh and eigvalsh is lost: where the rest is a
#   multiple of the identity, they tie, and aren't differentiable.
# - The rounding errors of a large matrix of low rank are above the limit from which its pinv counts singular values.
NOT_SCALED = {
    "test_in_place", "test_batch_norm_where_inputs_depend_on_each_other", "test_binary_cross_entropy",
    "test_clamp_by_tensors", "Ceil", "Floor", "Round", "Trunc", "Frac", "test_floor_division",
    "test_division_towards_zero", "test_fmod", "test_remainder", "Lgamma", "test_mvlgamma", "Erfcx",
    "LogNdtr", "complex_logaddexp", "test_grid_sample", "test_softshrink", "test_hardshrink", "test_ctc",
    "test_logcumsumexp", "test_rnn", "test_lstm", "test_lstm_with_projection", "test_gru",
    "test_gru_where_inputs_depend_on_each_other", "test_layer_norm_where_inputs_depend_on_each_other",
    "test_attention", "test_scaled_dot_product_attention", "test_attention_where_inputs_depend_on_each_other",
    "test_eigh", "test_eigvalsh", "test_pinv_of_low_rank",
}  # fmt: skip
# At zeros and ties the derivatives of these are not those of the function, as in PyTorch: that of nextafter is 0 for
# equal numbers, those of softshrink and hardshrink are 0 at 0, even for lambda 0, which is the identity. A norm of
# order -inf takes the derivative of |x| at 0 for x², and lp_pool of order 1 that of |x| at a sum of 0.
NOT_AT_ZEROS = {"test_nextafter", "test_softshrink", "test_hardshrink", "test_vector_norm", "test_lp_pool"}
EXCLUDED = [(NOT_SCALED, ("scaled", "within a thousand")), (NOT_AT_ZEROS, ("whole numbers", "zeros"))]


def check_examples(entry, examples, full):
    excluded = [change for names, changes in EXCLUDED if entry.name in names for change in changes]
    changes = [change for change in CHANGES if change not in excluded]
    checked = 0

    @settings(max_examples=examples, database=None, phases=[Phase.generate])
    @given(entry.examples, st.sampled_from(changes), st.integers(0, 2**32 - 1))
    def nothing_is_found(case, change, seed):
        nonlocal checked
        rng = np.random.default_rng(seed)
        for x in {id(x): x for x in case.inputs if isinstance(x, torch.Tensor) and x.requires_grad}.values():
            x.array = np.asarray(CHANGES[change](x.array, rng))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                check_grads(case.function, case.inputs, order=2, full=full)
            except GradcheckError as error:
                raise AssertionError(f"{change}: {error}") from None
            except MicrogadError:
                return  # the Function refuses these inputs
        checked += 1

    nothing_is_found()
    assert checked >= max(1, examples // 8)


@pytest.mark.parametrize("entry", DIFFERENTIABLE, ids=lambda entry: entry.name)
def test_right_derivatives_pass(entry, pytestconfig):
    check_examples(entry, EXAMPLES if pytestconfig.getoption("--thorough") else 2, full=False)


@pytest.mark.parametrize("entry", DIFFERENTIABLE[::8], ids=lambda entry: entry.name)
def test_right_derivatives_pass_entry_by_entry(entry, pytestconfig):
    check_examples(entry, 40 if pytestconfig.getoption("--thorough") else 2, full=True)
