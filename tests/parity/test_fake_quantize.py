"""Fake quantization gives PyTorch's values, gradients and node names."""

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")
X = np.random.default_rng(0).normal(0, 3, 64)
X[:5] = np.nan, 0.25, 0.05, 0.15, -0.05
LARGE = [np.inf, -np.inf, 1e30]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("zero_point", [3, [3], [3.5], "channels", "halves"])
def test_fake_quantize_gives_torchs_values_and_gradients(dtype, zero_point):
    def found(library):
        with np.errstate(over="ignore"):
            # per channel, PyTorch clamps ∞ to the lower end
            array = X if isinstance(zero_point, str) else [*X[:-3], *LARGE]
            x = library.tensor(np.array(array, dtype).reshape(4, 4, 4), requires_grad=True)
        if isinstance(zero_point, str):
            offsets = [0.5, 1.0, 2.5, 3.0] if zero_point == "halves" else [0, 1, 2, 3]
            points = library.tensor(offsets, dtype=library.float32 if zero_point == "halves" else library.int32)
            y = library.fake_quantize_per_channel_affine(x, library.tensor([0.1, 0.2, 0.037, 1.0]), points, 1, 0, 15)
        elif zero_point == 3:
            y = library.fake_quantize_per_tensor_affine(x, 0.037, 3, -8, 7)
        else:
            y = library.fake_quantize_per_tensor_affine(x, library.tensor([0.1]), library.tensor(zero_point), 0, 15)
        y.backward(library.arange(64).reshape(4, 4, 4).to(y.dtype))
        return y.tolist(), x.grad.tolist(), y.grad_fn.name()

    assert found(microgad) == found(torch)
