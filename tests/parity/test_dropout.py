"""Dropout against PyTorch's: the same seed drops the same elements, bit for bit, and leaves the same state."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad
from microgad.ops.dropout import dropout

torch = pytest.importorskip("torch")
seeds = st.integers(0, 2**32 - 1)


def states():
    return microgad.get_rng_state().array.tobytes(), torch.get_rng_state().numpy().tobytes()


def seeded(seed):
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
    seeded(seed)
    for library, function in ((microgad, dropout), (torch, torch.nn.functional.dropout)):
        x = library.tensor(array, requires_grad=True)
        y = function(x, p, training)
        (g,) = library.autograd.grad(y, x, library.tensor(np.asarray(array * 2)))
        results.append((y.detach().numpy(), g.numpy()))
    for a, b in zip(*results, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_array_equal(a, b)
    assert len(set(states())) == 1


@pytest.mark.parametrize("p", [0.15, 0.42])  # in float64, 1/(1 - p) would round to another float32
def test_the_scale_is_a_float32(p):
    array = np.ones(50, np.float32)
    seeded(0)
    mine = dropout(microgad.tensor(array), p)
    np.testing.assert_array_equal(mine.array, torch.nn.functional.dropout(torch.tensor(array), p).numpy())


@pytest.mark.parametrize("name", ["dropout", "dropout1d", "alpha_dropout", "feature_alpha_dropout"])
@given(st.permutations(range(3)))
def test_what_is_dropped_out_lies_as_it_did(name, order):
    array, results = np.ones((2, 3, 4), np.float32), []
    seeded(0)
    for library in (microgad, torch):
        x = library.tensor(array).permute(*order).requires_grad_()
        y = getattr(library.nn.functional, name)(x, training=True)
        (g,) = library.autograd.grad(y.square().sum(), x)
        results.append((y.stride(), g.stride(), y.tolist()))
    assert results[0][:2] == results[1][:2]
    np.testing.assert_allclose(results[0][2], results[1][2], rtol=1e-6)


@given(st.permutations(range(3)), seeds)
def test_a_permuted_input_is_drawn_for_in_the_order_of_its_memory(order, seed):
    array = np.ones((2, 3, 4), np.float32)
    seeded(seed)
    mine = dropout(microgad.tensor(array).permute(*order))
    other = torch.nn.functional.dropout(torch.tensor(array).permute(*order))
    np.testing.assert_array_equal(mine.array, other.numpy())


@given(seeds)
def test_infinities_and_negative_zero(seed):
    array = np.array([np.inf, -np.inf, np.nan, -0.0, 0.0] * 8, np.float32)
    seeded(seed)
    with np.errstate(invalid="ignore"):
        mine = dropout(microgad.tensor(array))
    other = torch.nn.functional.dropout(torch.tensor(array)).numpy()
    np.testing.assert_array_equal(mine.array, other)
    np.testing.assert_array_equal(np.signbit(mine.array), np.signbit(other), "signs of zero")


@given(seeds)
def test_in_place(seed):
    array = np.random.default_rng(seed).standard_normal(20).astype(np.float32)
    seeded(seed)
    mine, other = microgad.tensor(array.copy()), torch.tensor(array.copy())
    dropout(mine, 0.3, inplace=True)
    torch.nn.functional.dropout(other, 0.3, inplace=True)
    np.testing.assert_array_equal(mine.array, other.numpy())


def test_the_same_class_of_error():
    for p, dtype in ((1.5, "float32"), (-0.1, "float32"), (0.5, "int64")):
        kinds = []
        for library, function in ((microgad, dropout), (torch, torch.nn.functional.dropout)):
            with pytest.raises((ValueError, RuntimeError)) as caught:
                function(library.tensor(np.ones(3, dtype)), p)
            kinds.append(caught.value)
        assert isinstance(kinds[0], ValueError if isinstance(kinds[1], ValueError) else RuntimeError)
