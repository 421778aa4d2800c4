"""flex_attention: gradients, which PyTorch hasn't on the CPU, and devices."""

from __future__ import annotations

import pytest

import microgad as torch
from microgad.nn.attention.flex_attention import AuxRequest, create_block_mask, flex_attention


@pytest.fixture
def inputs(device):
    torch.manual_seed(1)
    return [
        torch.randn(*size, dtype=torch.float64).to(device).requires_grad_() for size in ((2, 2, 3, 2), (2, 2, 4, 2))
    ]


def test_it_is_attention(inputs, device):
    query, key = inputs
    mask = create_block_mask(lambda b, h, i, j: i + 1 >= j, None, None, 3, 4, device=device)
    allowed = torch.ones(3, 4, dtype=torch.bool, device=device).tril(1)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, key, attn_mask=allowed)
    torch.testing.assert_close(flex_attention(query, key, key, block_mask=mask), expected)


def test_derivatives_go_to_what_a_score_takes_along_too(inputs, device):
    bias = torch.randn(2, 4, dtype=torch.float64).to(device).requires_grad_()
    mask = create_block_mask(
        lambda b, h, i, j: (i >= j) & (i > 0), None, None, 3, 4, device=device
    )  # a row without any

    def of(query, key, bias):
        def score(s, b, h, i, j):
            return s * 0.5 + bias[h, j]

        out, aux = flex_attention(query, key, key, score, mask, return_aux=AuxRequest(lse=True))
        return out, aux.lse[..., 1:]

    assert torch.autograd.gradcheck(of, (*inputs, bias))
    assert torch.autograd.gradgradcheck(of, (*inputs, bias))
    out, _ = of(*inputs, bias)
    assert not out[:, :, 0].any()


def test_a_mask_goes_where_it_is_sent(device):
    mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, 6, 6, BLOCK_SIZE=2)
    assert (
        mask.to(device).kv_indices.device == mask.to(device).to_dense().device == torch.zeros(1, device=device).device
    )
    sliced = mask[:, :, torch.tensor([2])]
    sliced.mask_mod, sliced.seq_lengths = lambda b, h, i, j: i + 4 >= j, (1, 6)
    x = torch.ones(1, 1, 6, 2)
    assert flex_attention(x[:, :, :1], x, x.cumsum(2), block_mask=sliced).flatten().tolist() == [3, 3]


def test_half_precision_stays():
    x = torch.ones(1, 1, 3, 2, dtype=torch.float16)
    out, aux = flex_attention(x, x, x, return_aux=AuxRequest(True, True))
    assert out.dtype == torch.float16
    assert aux.lse.dtype == torch.float32
    torch.testing.assert_close(aux.max_scores, torch.full((1, 1, 3), 2**0.5))
