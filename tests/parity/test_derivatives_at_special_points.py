"""First derivatives against PyTorch's at 0, infinities, NaN and ties, and outside of domains."""

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")

POINTS = np.array([0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 6, 20, 21, -20, 100, -100, np.inf, -np.inf, np.nan])
PAIRS = [x.reshape(-1) for x in np.meshgrid(POINTS, POINTS)]
ROWS = np.array(
    [[1.0, 2, 2, 0], [0, 0, 3, 0], [np.nan, 1, 2, 1], [np.inf, 1, np.inf, 2], [-1, -1, -1, -1], [-0.0, 0, 1, 1]]
)
UNARY = """
    abs acos acosh asin asinh atan atanh ceil cos cosh deg2rad erf erfc erfinv exp exp2 expm1 floor frac lgamma log
    log10 log1p log2 nan_to_num neg positive rad2deg reciprocal relu round rsqrt sgn sigmoid sign sin sinc sinh sqrt
    square tan tanh trunc nn.functional.leaky_relu nn.functional.logsigmoid nn.functional.mish nn.functional.selu
    nn.functional.softplus nn.functional.softsign nn.functional.tanhshrink special.entr special.erfcx special.i0e
    special.ndtr special.ndtri
"""
BINARY = """
    add atan2 copysign div float_power fmax fmin fmod hypot ldexp logaddexp logaddexp2 maximum minimum mul pow
    remainder sub xlogy special.xlog1py
"""
ALONG_DIM = """
    amax amin cumsum logsumexp mean nanmean nansum sum softmax log_softmax cummax cummin max min median nanmedian sort
    linalg.vector_norm
"""
OVER_ALL = "max min mean median nanmedian sum nansum norm amax amin std var"
CALLS = {
    "logit": lambda t, x: t.logit(x + 0.0),  # PyTorch's at -0 is ∞ or -∞, depending on the dtype
    "logit with eps": lambda t, x: t.logit(x, 0.1),
    "hardsigmoid": lambda t, x: t.nn.functional.hardsigmoid(x.float()),  # PyTorch's 1/6 is a float32
    "elu": lambda t, x: t.nn.functional.elu(x, 2.0),
    "0 to the power x": lambda t, x: t.pow(0.0, x),
    "x cubed": lambda t, x: x**3,
    "x to the power -2": lambda t, x: x**-2,
    "x to the power 0": lambda t, x: x**0,
    "clamp": lambda t, x: x.clamp(-1, 2),
    "norm of order 1": lambda t, x: t.linalg.vector_norm(x, 1),
    "norm of order 3": lambda t, x: t.linalg.vector_norm(x.clamp(-9, 9), 3),
    "norms but for a dimension": lambda t, x: t.norm_except_dim(x.clamp(-9, 9)),
    "aminmax": lambda t, x: t.aminmax(x).max,
    "where": lambda t, x: t.where(x > 1, t.acosh(x), 0),
}


def gradients(library, function, *arrays):
    """Gradients of a weighted sum of the result. Inputs are split: PyTorch treats NaN differently in long arrays."""
    found = []
    for part in zip(*(np.array_split(x, max(1, x.size // 3)) if x.ndim == 1 else [x] for x in arrays), strict=True):
        inputs = [library.tensor(x, requires_grad=True) for x in part]
        result = function(*inputs)
        result = result if isinstance(result, library.Tensor) else result[0]
        weights = library.arange(1, result.numel() + 1, dtype=result.dtype).reshape(result.shape)
        found.append([x.numpy(force=True) for x in library.autograd.grad(result, inputs, weights)])
    return [np.concatenate(x) for x in zip(*found, strict=True)]


def compare(make, *arrays, skip=None):
    """Compare the gradients, except at points for which `skip` is true, where PyTorch's are wrong."""
    for dtype, eps in ((np.float64, 1e-12), (np.float32, 2e-6)):
        mine, other = (gradients(t, make(t), *(x.astype(dtype) for x in arrays)) for t in (microgad, torch))
        for a, b in zip(mine, other, strict=True):
            if skip is not None:
                b = np.where(skip(*arrays), a, b)
            np.testing.assert_allclose(a, b, eps, eps)


def function_named(name):
    def find(library):
        for part in name.split("."):
            library = getattr(library, part)
        return library

    return find


@pytest.mark.parametrize("name", UNARY.split())
def test_unary(name):
    skip = {"special.erfcx": np.isposinf}  # NaN, where the derivative goes to 0
    compare(function_named(name), POINTS, skip=skip.get(name))


@pytest.mark.parametrize("name", BINARY.split())
def test_binary(name):
    skip = {"copysign": lambda a, b: np.isinf(a)}  # NaN, although only b's sign matters
    compare(function_named(name), *PAIRS, skip=skip.get(name))


@pytest.mark.parametrize("name", ALONG_DIM.split())
def test_reductions_along_a_dimension(name):
    for dim in (0, 1):
        compare(lambda t, dim=dim: lambda x: function_named(name)(t)(x, dim=dim), ROWS)


@pytest.mark.parametrize("name", OVER_ALL.split())
def test_reductions_of_all_elements(name):
    for row in ROWS:
        compare(lambda t: lambda x: function_named(name)(t)(x), row[None])


@pytest.mark.parametrize("name", CALLS)
def test_other_calls(name):
    compare(lambda t: lambda x: CALLS[name](t, x), POINTS)
