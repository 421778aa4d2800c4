"""First derivatives against PyTorch's where they are easily wrong: 0, infinities, NaN, ties, outside of a domain."""

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
REDUCING = """
    amax amin cumsum logsumexp mean nanmean nansum sum softmax log_softmax cummax cummin max min median nanmedian sort
    linalg.vector_norm
"""
FULL = "max min mean median nanmedian sum nansum norm amax amin std var"
CALLS = {
    "logit": lambda t, x: t.logit(x + 0.0),  # of -0 PyTorch's is ∞ and -∞, by the dtype
    "logit held": lambda t, x: t.logit(x, 0.1),
    "hardsigmoid": lambda t, x: t.nn.functional.hardsigmoid(x.float()),  # PyTorch's sixth is float32's
    "elu": lambda t, x: t.nn.functional.elu(x, 2.0),
    "0 to the power x": lambda t, x: t.pow(0.0, x),
    "x cubed": lambda t, x: x**3,
    "x to the power -2": lambda t, x: x**-2,
    "x to the power 0": lambda t, x: x**0,
    "held": lambda t, x: x.clamp(-1, 2),
    "norm of order 1": lambda t, x: t.linalg.vector_norm(x, 1),
    "norm of order 3": lambda t, x: t.linalg.vector_norm(x.clamp(-9, 9), 3),
    "norms but for a dimension": lambda t, x: t.norm_except_dim(x.clamp(-9, 9)),
    "both ends": lambda t, x: t.aminmax(x).max,
    "masked": lambda t, x: t.where(x > 1, t.acosh(x), 0),
}


def slopes(library, function, *arrays):
    """Gradients of values, each weighted otherwise; arrays are short: in long ones PyTorch treats NaN otherwise."""
    found = []
    for part in zip(*(np.array_split(x, max(1, x.size // 3)) if x.ndim == 1 else [x] for x in arrays), strict=True):
        inputs = [library.tensor(x, requires_grad=True) for x in part]
        result = function(*inputs)
        result = result if isinstance(result, library.Tensor) else result[0]
        weights = library.arange(1, result.numel() + 1, dtype=result.dtype).reshape(result.shape)
        found.append([x.numpy(force=True) for x in library.autograd.grad(result, inputs, weights)])
    return [np.concatenate(x) for x in zip(*found, strict=True)]


def compare(make, *arrays, apart=None):
    """`apart` says at which points PyTorch's is plainly wrong."""
    for dtype, eps in ((np.float64, 1e-12), (np.float32, 2e-6)):
        mine, other = (slopes(t, make(t), *(x.astype(dtype) for x in arrays)) for t in (microgad, torch))
        for a, b in zip(mine, other, strict=True):
            if apart is not None:
                b = np.where(apart(*arrays), a, b)
            np.testing.assert_allclose(a, b, eps, eps)


def named(name):
    def find(library):
        for part in name.split("."):
            library = getattr(library, part)
        return library

    return find


@pytest.mark.parametrize("name", UNARY.split())
def test_unary(name):
    apart = {"special.erfcx": np.isposinf}  # NaN, of a slope that goes to 0
    compare(named(name), POINTS, apart=apart.get(name))


@pytest.mark.parametrize("name", BINARY.split())
def test_binary(name):
    apart = {"copysign": lambda a, b: np.isinf(a)}  # NaN, but only the sign is another's
    compare(named(name), *PAIRS, apart=apart.get(name))


@pytest.mark.parametrize("name", REDUCING.split())
def test_along_a_dimension(name):
    for dim in (0, 1):
        compare(lambda t, dim=dim: lambda x: named(name)(t)(x, dim=dim), ROWS)


@pytest.mark.parametrize("name", FULL.split())
def test_of_all(name):
    for row in ROWS:
        compare(lambda t: lambda x: named(name)(t)(x), row[None])


@pytest.mark.parametrize("name", CALLS)
def test_calls(name):
    compare(lambda t: lambda x: CALLS[name](t, x), POINTS)
