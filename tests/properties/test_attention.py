"""Attention, computed as a whole or in blocks, with scores that are kept for backward or recomputed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad import backend
from microgad.nn import functional as F
from microgad.ops.attention import Attention, score_blocks
from microgad.testing.strategies import tensors

from .registry import checks

blocks = st.sampled_from([1, 64, 1 << 16])


def attention_inputs(draw, batches=((), (2,), (2, 2), (2, 1, 2))):
    """Query, key and value, whose batch axes may have to be broadcast, and the shape of the scores."""
    length, keys, wide, out = (draw(st.integers(1, 3)) for _ in range(4))
    batch = draw(st.sampled_from(batches))
    shapes = []
    for sizes in ((length, wide), (keys, wide), (keys, out)):
        mine = tuple(1 if draw(st.booleans()) else n for n in batch)
        shapes.append((*draw(st.sampled_from([batch, batch, mine, ()])), *sizes))
    inputs = [draw(tensors(shape, requires_grad=True)) for shape in shapes]
    lead = np.broadcast_shapes(*(shape[:-2] for shape in shapes))
    return *inputs, (*lead, length, keys)


@checks(Attention)
def test_attention(draw):
    """With a mask that has a gradient too, with dropout's noise, and with the softmax as a second result."""
    query, key, value, shape = attention_inputs(draw)
    weighted = draw(st.booleans())
    if weighted:
        shape = (*np.broadcast_shapes(query.shape[:-2], key.shape[:-2]), *shape[-2:])
        value = draw(tensors((*shape[:-2], *value.shape[-2:]), requires_grad=True))
    mask = draw(st.one_of(st.none(), tensors(shape[-2:], requires_grad=True), tensors(shape, requires_grad=True)))
    noise = draw(st.one_of(st.none(), tensors(shape, dtype=torch.bool)))
    settings = {
        "scale": draw(st.sampled_from([1.0, -0.5])), "weighted": weighted, "keep": draw(st.booleans()),
        "block": draw(blocks),
    }  # fmt: skip

    def apply(query, *others):
        noise_array = None if noise is None else backend.like(noise.array * 2.0, query.array, query.array.dtype)
        return Attention.apply(query, *others, noise=noise_array, **settings)

    return apply, query, key, value, mask


@checks(Attention)
def test_scaled_dot_product_attention(draw):
    query, key, value, shape = attention_inputs(draw)
    causal = draw(st.booleans())
    mask = None if causal else draw(st.one_of(st.none(), tensors(shape, dtype=torch.bool)))
    same = query.shape[:-2] == key.shape[:-2] == value.shape[:-2]
    p = draw(st.sampled_from([0.0, 0.5])) if same else 0.0
    return lambda *inputs: F.scaled_dot_product_attention(*inputs, p, causal), query, key, value, mask


@checks(Attention)
def test_attention_where_inputs_depend_on_each_other(draw):
    x = draw(tensors((2, 3, 2), requires_grad=True))
    return lambda x: F.scaled_dot_product_attention(x, x, x * x, x[0] @ x[1].mT), x


@given(st.data())
def test_attention_equals_its_decomposition(data):
    query, key, value, shape = attention_inputs(data.draw)
    mask = np.where(data.draw(tensors(shape, dtype=torch.bool)).array, -np.inf, 0.0)
    settings = {"scale": 0.7, "noise": None, "weighted": False, "keep": False}
    node = Attention()
    vars(node).update(settings)
    empty = np.isinf(mask).all(-1, keepdims=True)
    steps = node.decomposition(query, key, value, mask, empty)
    for block in (1, 3, 100):
        fused = Attention.apply(query, key, value, mask, block=block, **settings)
        np.testing.assert_allclose(fused.array, steps.array, 1e-12, 1e-12)
        assert not fused.array[np.broadcast_to(empty, fused.shape)].any()


def test_scores_that_are_computed_again_give_the_same_gradients_where_a_row_has_no_key():
    inputs = [torch.randn(2, n, 3, requires_grad=True) for n in (2, 4, 4)]
    mask = torch.tensor([[0.0, -math.inf, 0, 0], [-math.inf] * 4])
    settings = {"scale": 0.7, "noise": None, "weighted": False, "block": 1}
    kept, again = (
        torch.autograd.grad(Attention.apply(*inputs, mask, keep=keep, **settings).sin().sum(), inputs)
        for keep in (True, False)
    )
    for expected, found in zip(kept, again, strict=True):
        np.testing.assert_allclose(found.array, expected.array, rtol=1e-6)
    assert not again[0].array[:, 1].any()


@given(st.lists(st.integers(1, 5), max_size=3), st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 7, 30, 200]))
def test_score_blocks_cover_each_row_once(batch, length, keys, block):
    seen = np.zeros((*batch, length), int)
    for batch_index, rows in score_blocks(tuple(batch), length, keys, block):
        part = seen[(*batch_index, rows)]
        assert part.size * keys <= max(block, block * keys)
        part += 1
    assert (seen == 1).all()


def test_few_heads_of_keys_are_those_of_neighboring_queries():
    query, key, value = (torch.randn(2, heads, 3, 2) for heads in (4, 2, 2))
    found = F.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    key, value = (x.repeat_interleave(2, 1) for x in (key, value))
    np.testing.assert_array_equal(found.array, F.scaled_dot_product_attention(query, key, value).array)


@pytest.mark.parametrize("shape", [(3, 4), (2, 1, 3, 4)])
def test_a_mask_is_added_to_the_causal_one(shape):
    query, key, value = (torch.randn(2, 2, n, 5) for n in (3, 4, 4))
    mask = torch.randn(shape)
    found = F.scaled_dot_product_attention(query, key, value, mask, is_causal=True)
    both = mask.masked_fill(torch.ones(3, 4).triu(1).bool(), -math.inf)
    np.testing.assert_array_equal(found.array, F.scaled_dot_product_attention(query, key, value, both).array)


@pytest.mark.parametrize("largest", [80, 88])
def test_large_scores_lose_no_precision(largest):
    """Products of their exponentials with values would overflow, or leave no digits of a small gradient."""
    rng = np.random.default_rng(0)
    q, k, v, grad = (rng.standard_normal((128, n)).astype(np.float32) for n in (16, 16, 8, 8))
    q *= largest / (q @ k.T / 4).max()
    results = []
    for dtype in (torch.float32, torch.float64):
        inputs = [torch.tensor(x, dtype=dtype, requires_grad=True) for x in (q, k, v * 10)]
        out = F.scaled_dot_product_attention(*inputs)
        gradients = torch.autograd.grad(out, inputs, torch.tensor(grad * 1e-6, dtype=dtype))
        results.append([x.detach().array for x in (out, *gradients)])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, 0, 1e-5 * np.abs(expected).max())
