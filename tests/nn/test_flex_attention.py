"""flex_attention: gradients, which PyTorch lacks on the CPU, devices and float16."""

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


def test_flex_attention_with_a_block_mask_equals_masked_attention(inputs, device):
    query, key = inputs
    mask = create_block_mask(lambda b, h, i, j: i + 1 >= j, None, None, 3, 4, device=device)
    allowed = torch.ones(3, 4, dtype=torch.bool, device=device).tril(1)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, key, attn_mask=allowed)
    torch.testing.assert_close(flex_attention(query, key, key, block_mask=mask), expected)


def test_tensors_captured_by_score_mod_get_gradients(inputs, device):
    bias = torch.randn(2, 4, dtype=torch.float64).to(device).requires_grad_()
    mask = create_block_mask(
        lambda b, h, i, j: (i >= j) & (i > 0), None, None, 3, 4, device=device
    )  # no key is allowed for query 0

    def attend(query, key, bias):
        def score(s, b, h, i, j):
            return s * 0.5 + bias[h, j]

        out, aux = flex_attention(query, key, key, score, mask, return_aux=AuxRequest(lse=True))
        return out, aux.lse[..., 1:]

    assert torch.autograd.gradcheck(attend, (*inputs, bias))
    assert torch.autograd.gradgradcheck(attend, (*inputs, bias))
    out, _ = attend(*inputs, bias)
    assert not out[:, :, 0].any()


def test_block_masks_move_to_devices_and_are_sliced(device):
    mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, 6, 6, BLOCK_SIZE=2)
    assert (
        mask.to(device).kv_indices.device == mask.to(device).to_dense().device == torch.zeros(1, device=device).device
    )
    sliced = mask[:, :, torch.tensor([2])]
    sliced.mask_mod, sliced.seq_lengths = lambda b, h, i, j: i + 4 >= j, (1, 6)
    x = torch.ones(1, 1, 6, 2)
    assert flex_attention(x[:, :, :1], x, x.cumsum(2), block_mask=sliced).flatten().tolist() == [3, 3]


def test_float16_input_gives_float16_output_and_float32_lse():
    x = torch.ones(1, 1, 3, 2, dtype=torch.float16)
    out, aux = flex_attention(x, x, x, return_aux=AuxRequest(True, True))
    assert out.dtype == torch.float16
    assert aux.lse.dtype == torch.float32
    torch.testing.assert_close(aux.max_scores, torch.full((1, 1, 3), 2**0.5))
