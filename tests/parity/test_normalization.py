"""Batch norm against PyTorch's: values, running statistics, first derivatives and their derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad
from microgad.ops.normalization import batch_norm

torch = pytest.importorskip("torch")

TOLERANCE = {"float32": 3e-5, "float64": 1e-11}
shapes = st.sampled_from([(4, 3), (6, 1), (3, 2, 5), (2, 3, 4, 2), (1, 2, 3, 3), (2, 2, 2, 2, 2)])


def close(mine, other, tolerance):
    mine, other = mine.detach().numpy(), other.detach().numpy(force=True)
    assert (mine.dtype, mine.shape) == (other.dtype, other.shape)
    np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance * max(1, np.abs(other).max(initial=0)))


@given(
    shapes,
    st.booleans(),
    st.sampled_from([(True, True), (True, False), (False, True), (False, False)]),
    st.sampled_from([0.1, 0.0, 1.0, 0.3]),
    st.sampled_from([1e-5, 0.1]),
    st.sampled_from(["float32", "float64"]),
    st.integers(0, 2**32 - 1),
)
def test_batch_norm_equals_pytorchs_with_gradients(shape, training, affine, momentum, eps, dtype, seed):
    results = []
    for library, function in ((microgad, batch_norm), (torch, torch.nn.functional.batch_norm)):
        rng = np.random.default_rng(seed)

        def tensor(*size, low=-2, library=library, rng=rng):
            return library.tensor(rng.uniform(low, 2, size).astype(dtype))

        x, g = tensor(*shape).requires_grad_(), tensor(*shape).requires_grad_()
        weight, bias = (tensor(shape[1]).requires_grad_() if given else None for given in affine)
        mean, var = tensor(shape[1]), tensor(shape[1], low=0.5)
        scale = weight
        if weight is None and library is torch:  # whose second derivative fails without a weight
            scale = library.tensor(np.ones(shape[1], dtype))
        out = function(x, mean, var, scale, bias, training, momentum, eps)
        leaves = [t for t in (x, weight, bias) if t is not None]
        plain = library.autograd.grad(out, leaves, g, retain_graph=True)
        first = library.autograd.grad(out, leaves, g, create_graph=True)
        probes = [tensor(*t.shape) for t in first]
        projection = sum((t * t * probe).sum() for t, probe in zip(first, probes, strict=True))
        second = library.autograd.grad(projection, [*leaves, g], allow_unused=True)
        results.append([out, mean, var, *plain, *first, *second])
    for i, (a, b) in enumerate(zip(*results, strict=True)):
        if a is None or b is None:  # one may have None and the other zeros if nothing depends on the input
            assert all(t is None or not t.any() for t in (a, b)), i
        else:
            close(a, b, TOLERANCE[dtype])


@pytest.mark.parametrize("case", [
    lambda library, f: f(library.ones(4, 5), None, None),
    lambda library, f: f(library.ones(4, 5), library.zeros(4), library.ones(5)),
    lambda library, f: f(library.ones(4, 5), library.zeros(5), library.ones(4), training=True),
    lambda library, f: f(library.ones(4, 5), library.zeros(5), library.ones(5), weight=library.ones(4)),
    lambda library, f: f(library.ones(1, 5), library.zeros(5), library.ones(5), training=True),
    lambda library, f: f(library.ones(4, 5), None, None, library.ones(5, dtype=library.float64), training=True),
    lambda library, f: f(library.ones(4, 5).long(), library.zeros(5), library.ones(5)),
])  # fmt: skip
def test_errors_have_torchs_class(case):
    raised = []
    for library, function in ((microgad, batch_norm), (torch, torch.nn.functional.batch_norm)):
        with pytest.raises((ValueError, RuntimeError)) as caught:
            case(library, function)
        raised.append(caught.value)
    assert isinstance(raised[0], ValueError if isinstance(raised[1], ValueError) else RuntimeError)


def test_running_statistics_after_fifty_steps():
    x = np.random.default_rng(0).standard_normal((50, 8, 3, 5)).astype(np.float32) * 3 + 2
    statistics = []
    for library, function in ((microgad, batch_norm), (torch, torch.nn.functional.batch_norm)):
        mean, var = library.zeros(3), library.ones(3)
        for batch in x:
            function(library.tensor(batch), mean, var, training=True)
        statistics.append((mean, var))
    for a, b in zip(*statistics, strict=True):
        close(a, b, 1e-6)


def test_running_mean_of_infinite_values_is_infinite():
    x = np.array([[1.0, -np.inf], [np.inf, 2.0], [3.0, 4.0]])
    found = []
    for library, function in ((microgad, batch_norm), (torch, torch.nn.functional.batch_norm)):
        mean, var = library.zeros(2).double(), library.ones(2).double()
        function(library.tensor(x), mean, var, training=True)
        found.append((mean.tolist(), var.isnan().tolist()))
    assert found[0] == found[1] == ([np.inf, -np.inf], [True, True])
