"""What a call is about to write, or the random stream, is as it was if the call raises an error."""

from __future__ import annotations

import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad import nn

PAIRS = {
    "median": lambda out: torch.median(torch.ones(2, 2, 2), 0, out=out),
    "sort": lambda out: torch.sort(torch.ones(2, 2), out=out),
    "max": lambda out: torch.max(torch.ones(2, 2, 2), 0, out=out),
    "topk": lambda out: torch.topk(torch.ones(2, 2), 2, out=out),
}


@pytest.mark.parametrize("call", PAIRS.values(), ids=PAIRS)
def test_no_output_is_written_if_another_cannot_be(call):
    values, indices = torch.full((2, 2), 7.0), torch.zeros(1, dtype=torch.int64).expand(2, 2)
    with pytest.raises(RuntimeError, match=r"out=.*refers to a single memory location"):
        call((values, indices))
    assert (values == 7).all()


@pytest.mark.parametrize("gain", ["a", None, [1], {}])
def test_orthogonal_checks_the_gain_first(gain):
    weight = torch.ones(2, 3)
    with pytest.raises(TypeError):
        nn.init.orthogonal_(weight, gain=gain)
    assert (weight == 1).all()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: F.gumbel_softmax(torch.ones(2, 2), dim=5),
        lambda: F.fractional_max_pool2d(torch.ones(1, 1, 4, 4), 5, 2),
        lambda: F.scaled_dot_product_attention(
            torch.ones(1, 2, 3), torch.ones(1, 2, 3), torch.ones(1, 5, 3), dropout_p=0.5
        ),
    ],
)
def test_nothing_is_drawn_for_a_call_that_raises(draw):
    before = torch.get_rng_state()
    with pytest.raises((ValueError, RuntimeError, IndexError)):
        draw()
    assert torch.equal(torch.get_rng_state(), before)
