"""Dropout against PyTorch's: the same seed drops the same elements and leaves the generator in the same state."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad
from microgad.ops.dropout import dropout

torch = pytest.importorskip("torch")
seeds = st.integers(0, 2**32 - 1)


def generator_states():
    return microgad.get_rng_state().array.tobytes(), torch.get_rng_state().numpy().tobytes()


def seed_both(seed):
    microgad.manual_seed(seed)
    torch.manual_seed(seed)


@given(
    st.sampled_from([(), (1,), (7,), (128, 100), (3, 5, 2), (0, 4)]),
    st.one_of(st.floats(0, 0.999), st.sampled_from([0.5, 1.0])),
    st.sampled_from(["float16", "float32", "float64"]),
    st.booleans(),
    seeds,
)
def test_masks_and_gradients(shape, p, dtype, training, seed):
    array = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    results = []
    seed_both(seed)
    for library, function in ((microgad, dropout), (torch, torch.nn.functional.dropout)):
        x = library.tensor(array, requires_grad=True)
        y = function(x, p, training)
        (g,) = library.autograd.grad(y, x, library.tensor(np.asarray(array * 2)))
        results.append((y.detach().numpy(), g.numpy()))
    for a, b in zip(*results, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_array_equal(a, b)
    assert len(set(generator_states())) == 1


@pytest.mark.parametrize("p", [0.15, 0.42])  # in float64, 1/(1 - p) would round to another float32
def test_scale_is_computed_in_float32(p):
    array = np.ones(50, np.float32)
    seed_both(0)
    mine = dropout(microgad.tensor(array), p)
    np.testing.assert_array_equal(mine.array, torch.nn.functional.dropout(torch.tensor(array), p).numpy())


@pytest.mark.parametrize("name", ["dropout", "dropout1d", "alpha_dropout", "feature_alpha_dropout"])
@given(st.permutations(range(3)))
def test_results_and_gradients_keep_the_input_strides(name, order):
    array, results = np.ones((2, 3, 4), np.float32), []
    seed_both(0)
    for library in (microgad, torch):
        x = library.tensor(array).permute(*order).requires_grad_()
        y = getattr(library.nn.functional, name)(x, training=True)
        (g,) = library.autograd.grad(y.square().sum(), x)
        results.append((y.stride(), g.stride(), y.tolist()))
    assert results[0][:2] == results[1][:2]
    np.testing.assert_allclose(results[0][2], results[1][2], rtol=1e-6)


@given(st.permutations(range(3)), seeds)
def test_masks_follow_memory_order_of_permuted_inputs(order, seed):
    array = np.ones((2, 3, 4), np.float32)
    seed_both(seed)
    mine = dropout(microgad.tensor(array).permute(*order))
    other = torch.nn.functional.dropout(torch.tensor(array).permute(*order))
    np.testing.assert_array_equal(mine.array, other.numpy())


@given(seeds)
def test_infinities_and_negative_zero(seed):
    array = np.array([np.inf, -np.inf, np.nan, -0.0, 0.0] * 8, np.float32)
    seed_both(seed)
    with np.errstate(invalid="ignore"):
        mine = dropout(microgad.tensor(array))
    other = torch.nn.functional.dropout(torch.tensor(array)).numpy()
    np.testing.assert_array_equal(mine.array, other)
    np.testing.assert_array_equal(np.signbit(mine.array), np.signbit(other), "signs of zero")


@given(seeds)
def test_in_place_dropout(seed):
    array = np.random.default_rng(seed).standard_normal(20).astype(np.float32)
    seed_both(seed)
    mine, other = microgad.tensor(array.copy()), torch.tensor(array.copy())
    dropout(mine, 0.3, inplace=True)
    torch.nn.functional.dropout(other, 0.3, inplace=True)
    np.testing.assert_array_equal(mine.array, other.numpy())


@pytest.mark.parametrize("name", ["Dropout", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout"])
def test_which_layers_write_in_place(name):
    results = []
    for library in (microgad, torch):
        library.manual_seed(0)
        x = library.ones(2, 3, 2, 2)
        y = getattr(library.nn, name)(inplace=True)(x)
        results.append((y is x, x.tolist()))
    assert results[0] == results[1]


def test_errors_have_torchs_class():
    for p, dtype in ((1.5, "float32"), (-0.1, "float32"), (0.5, "int64")):
        errors = []
        for library, function in ((microgad, dropout), (torch, torch.nn.functional.dropout)):
            with pytest.raises((ValueError, RuntimeError)) as caught:
                function(library.tensor(np.ones(3, dtype)), p)
            errors.append(caught.value)
        assert isinstance(errors[0], ValueError if isinstance(errors[1], ValueError) else RuntimeError)


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_the_mask_of_nothing_has_the_dtype_of_its_input(dtype):
    for training in (True, False):
        masks = [t.native_dropout(t.empty(0, dtype=getattr(t, dtype)), 0.5, training)[1] for t in (torch, microgad)]
        assert str(masks[0].dtype) == str(masks[1].dtype)


@pytest.mark.parametrize(("features", "values"), [(0, 0), (2, 0), (0, 3)])
def test_attention_draws_for_no_empty_result(features, values):
    seed_both(0)
    for t in (torch, microgad):
        query = t.ones(4, features)
        t.nn.functional.scaled_dot_product_attention(query, query, t.ones(4, values), dropout_p=0.5)
    assert len(set(generator_states())) == 1
