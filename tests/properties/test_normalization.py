"""Layer, group and RMS normalization; batch normalization is in test_fused.py."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import microgad.nn.functional as F
from microgad.ops.normalization import GroupNorm, LayerNorm, RmsNorm
from microgad.testing.strategies import shapes, tensors

from .registry import checks

big_eps = st.sampled_from([0.3, 1.0])  # a small one makes derivatives huge where all values are equal


def parameter(draw, size):
    return draw(st.one_of(st.none(), tensors(size, requires_grad=True)))


@checks(LayerNorm)
def test_layer_norm(draw):
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    size = tuple(x.shape[-draw(st.integers(1, x.ndim)) :])
    weight, bias, eps = parameter(draw, size), parameter(draw, size), draw(big_eps)
    return lambda x, weight, bias: F.layer_norm(x, size, weight, bias, eps), x, weight, bias


@checks(RmsNorm)
def test_rms_norm(draw):
    x = draw(tensors(shapes(min_dims=1), requires_grad=True))
    size = tuple(x.shape[-draw(st.integers(1, x.ndim)) :])
    weight, eps = parameter(draw, size), draw(big_eps)
    return lambda x, weight: F.rms_norm(x, size, weight, eps), x, weight


@checks(GroupNorm)
def test_group_norm(draw):
    groups, each = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    lead = draw(st.integers(2, 3))
    x = draw(tensors((lead, groups * each, *draw(shapes(max_dims=2))), requires_grad=True))
    weight, bias, eps = parameter(draw, (x.shape[1],)), parameter(draw, (x.shape[1],)), draw(big_eps)
    return lambda x, weight, bias: F.group_norm(x, groups, weight, bias, eps), x, weight, bias


@checks(LayerNorm)
def test_layer_norm_where_inputs_depend_on_each_other(draw):
    x, eps = draw(tensors((3, 2), requires_grad=True)), draw(big_eps)
    return lambda x: F.layer_norm(x, (2,), x[0], x[1] * x[2], eps), x


@given(tensors((2, 3, 4)))
def test_group_norm_equals_instance_norm_and_layer_norm(x):
    np.testing.assert_allclose(F.group_norm(x, 3).array, F.instance_norm(x).array, atol=1e-9)
    np.testing.assert_allclose(F.group_norm(x, 1).array, F.layer_norm(x, (3, 4)).array, atol=1e-12)


@given(tensors((2, 3, 2)))
def test_layer_norm_of_values_far_from_zero_is_precise(x):
    shifted = (x + 1e6).to(dtype=x.dtype)
    expected = F.layer_norm(shifted - 1e6, (3, 2))
    np.testing.assert_allclose(F.layer_norm(shifted, (3, 2)).array, expected.array, atol=1e-6)
