"""Values and derivatives against PyTorch's where they are easily wrong: at 0, the ends of the range, NaN, thresholds.

Elementwise functions are walked at all points, those of two arguments at all pairs: values down to the sign of 0, first
and second derivatives, and tangents. PyTorch's vectorized code treats NaN otherwise than its scalar code, which it uses
for few elements: microgad, whose own code for many elements differs as well, has to agree with either.
"""

import operator
import re

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's forward mode compiles formulas

ENDS = (0.0, 0.5, 1.0, 2.0, 3.0, np.inf)
THRESHOLDS = (6.0, 20.0, 100.0)
ROWS = np.array(
    [[1.0, 2, 2, 0], [0, 0, 3, 0], [np.nan, 1, 2, 1], [np.inf, 1, np.inf, 2], [-1, -1, -1, -1], [-0.0, 0, 1, 1]]
)
UNARY = """
    abs acos acosh asin asinh atan atanh ceil cos cosh deg2rad digamma erf erfc erfinv exp exp2 expm1 floor frac i0
    lgamma log log10 log1p log2 logit nan_to_num neg positive rad2deg reciprocal relu round rsqrt selu sgn sigmoid sign
    sin sinc sinh sqrt square tan tanh trunc celu nn.functional.elu nn.functional.gelu nn.functional.hardshrink
    nn.functional.hardsigmoid nn.functional.hardswish nn.functional.hardtanh nn.functional.leaky_relu
    nn.functional.logsigmoid nn.functional.mish nn.functional.relu6 nn.functional.silu nn.functional.softplus
    nn.functional.softshrink nn.functional.softsign nn.functional.tanhshrink special.entr special.erfcx special.i0e
    special.i1 special.i1e special.log_ndtr special.ndtr special.ndtri
"""
BINARY = """
    add atan2 copysign div float_power fmax fmin fmod hypot ldexp logaddexp logaddexp2 maximum minimum mul
    pow remainder sub xlogy special.xlog1py nn.functional.huber_loss nn.functional.kl_div nn.functional.l1_loss
    nn.functional.mse_loss nn.functional.poisson_nll_loss nn.functional.smooth_l1_loss
    nn.functional.binary_cross_entropy_with_logits
"""
REDUCING = """
    amax amin cumsum logsumexp mean nanmean nansum prod sum softmax log_softmax cummax cummin max min median
    nanmedian sort linalg.vector_norm
"""
FULL = "max min mean median nanmedian sum nansum norm amax amin std var prod"
CALLS = {
    "logit held": lambda t, x: t.logit(x, 0.1),
    "elu of 2": lambda t, x: t.nn.functional.elu(x, 2.0),
    "gelu by tanh": lambda t, x: t.nn.functional.gelu(x, approximate="tanh"),
    "3 glu": lambda t, x: 3 * t.nn.functional.glu(t.stack([x, x], 1), 1)[:, 0],
    "0 to the power x": lambda t, x: t.pow(0.0, x),
    "x cubed": lambda t, x: x**3,
    "x to the power -2": lambda t, x: x**-2,
    "x to the power 0": lambda t, x: x**0,
    "clamp": lambda t, x: x.clamp(-1, 2),
    "fmod 0.5": lambda t, x: x.fmod(0.5),
    "remainder -0.5": lambda t, x: x.remainder(-0.5),
    "0.5 / x": lambda t, x: 0.5 / x,
    "xlogy of -1": lambda t, x: t.xlogy(x, -1.0),
    "norm of each": lambda t, x: t.linalg.vector_norm(x[:, None], 2, dim=1),
    "cubic norm of each": lambda t, x: t.linalg.vector_norm(x[:, None], 3, dim=1),
    "hinge_embedding_loss": lambda t, x: t.nn.functional.hinge_embedding_loss(
        x, -t.ones_like(x), 2.0, reduction="none"
    ),
    "soft_margin_loss": lambda t, x: t.nn.functional.soft_margin_loss(x, -t.ones_like(x), reduction="none"),
    "normalized by the number": lambda t, x: t.nn.functional.normalize(x[:, None], 0.0, 1)[:, 0],
    "softmax of each": lambda t, x: x[:, None].softmax(1)[:, 0],
    "cumprod of each": lambda t, x: x[:, None].cumprod(1)[:, 0],
    "cross_entropy of each": lambda t, x: t.nn.functional.cross_entropy(
        x[:, None], t.zeros(len(x), dtype=t.int64), reduction="none"
    ),
    "masked": lambda t, x: t.where(x > 1, t.acosh(x), 0),
}
PAIR_CALLS = {
    "clamp from below": lambda t, a, b: a.clamp(min=b),
    "clamp from above": lambda t, a, b: a.clamp(max=b),
    "clamp to one number": lambda t, a, b: a.clamp(b, b),
    "clamp to crossed bounds": lambda t, a, b: a.clamp(b, -b),
    "lerp": lambda t, a, b: t.lerp(a, b, 1.0),
    "add 0 times": lambda t, a, b: t.add(a, b, alpha=0),
    "addcdiv": lambda t, a, b: t.addcdiv(t.zeros_like(a), a, b, value=0.5),
    "binary_cross_entropy": lambda t, a, b: t.nn.functional.binary_cross_entropy(
        *(x.clamp(0, 1).nan_to_num(0.25) for x in (a, b)), reduction="none"
    ),
    "gaussian_nll_loss": lambda t, a, b: t.nn.functional.gaussian_nll_loss(a, b, t.full_like(a, 0.5), reduction="none"),
    "margin_ranking_loss": lambda t, a, b: t.nn.functional.margin_ranking_loss(
        a, b, t.ones_like(a), 0.5, reduction="none"
    ),
}


LESS_EXACT = "PyTorch's has fewer digits"
OVERFLOW = "PyTorch's overflows on the way, or is NaN of ∞ - ∞, 0 · ∞ or 0 / 0; microgad's is the limit"
SIGN = "PyTorch's of -0 is 0, but the function is odd"
SIGNS = "whether PyTorch's zeros are negative depends on the processor"
LOST = "PyTorch gives equal bounds no gradient where x is below them"
ZEROS = "of 0 and -0 NumPy takes the other one"
# Where the two may differ: a name, of what, at which arguments, and why. NaN is nowhere.
APART = {
    ("digamma", "value"): (lambda x: x < 0, LESS_EXACT),
    ("digamma", "first"): (lambda x: True, LESS_EXACT),
    ("lgamma", "first"): (lambda x: x < 0, LESS_EXACT),
    ("lgamma", "second"): (lambda x: True, LESS_EXACT),
    ("i0", "value"): (np.isinf, OVERFLOW),
    ("i0", "first"): (np.isinf, OVERFLOW),
    ("sinc", "value"): (lambda x: abs(x) >= 0.5, "microgad's is 0 at integers"),
    ("nn.functional.gelu", "value"): (lambda x: (x > 1e38) | (abs(x) < 1e-37) | (x < -19), OVERFLOW + "; " + SIGNS),
    ("nn.functional.hardswish", "tangent"): (np.isinf, "microgad's is NaN of 0 · ∞, by the double-backward trick"),
    ("nn.functional.softplus", "second"): (lambda x: x == 20, "PyTorch's is 0 at the threshold, as if x were above"),
    ("special.erfcx", "first"): (lambda x: x > 1e38, OVERFLOW),
    ("special.erfcx", "second"): (lambda x: x > 1, LESS_EXACT),
    ("special.i0e", "second"): (lambda x: True, LESS_EXACT),
    ("special.i1", "value"): (lambda x: np.isinf(x) | (x == 0), OVERFLOW + "; " + SIGN),
    ("special.i1e", "value"): (lambda x: x == 0, SIGN),
    ("special.i1e", "second"): (lambda x: (abs(x) < 1e-9) | np.isinf(x), "PyTorch's is 0 near 0, microgad's NaN at ∞"),
    ("special.log_ndtr", "first"): (lambda x: x < -19, LESS_EXACT + "; " + OVERFLOW),
    ("special.log_ndtr", "second"): (lambda x: x < 0, LESS_EXACT),
    ("special.i1", "first"): (np.isnan, "PyTorch's of NaN is 0.5"),
    ("special.i1e", "first"): (np.isnan, "PyTorch's of NaN is 0.5"),
    ("gelu by tanh", "first"): (lambda x: (abs(x) > 1e30) & np.isfinite(x), OVERFLOW),
    ("3 glu", "again"): (lambda x: abs(x) > 1e38, "microgad's is NaN of 0 · ∞"),
    ("norm of each", "first"): (lambda x: abs(x) < 1e-37, "PyTorch has another formula for single elements"),
    ("cubic norm of each", "first"): (lambda x: (abs(x) < 1e-12) | (abs(x) > 1e12), OVERFLOW),
    ("norm of each", "second"): (lambda x: abs(x) < 1e-37, "PyTorch has another formula for single elements"),
    ("nn.functional.hardsigmoid", "first"): (lambda x: abs(x) < 3, "PyTorch's sixth is float32's"),
    ("nn.functional.hardsigmoid", "again"): (lambda x: abs(x) < 3, "PyTorch's sixth is float32's"),
    ("soft_margin_loss", "value"): (lambda x: x > 80, OVERFLOW),
    ("soft_margin_loss", "first"): (lambda x: x > 80, OVERFLOW),
    ("cumprod of each", "tangent"): (lambda x: (abs(x) < 1e-37) | np.isinf(x), OVERFLOW),
    ("float_power", "second"): (lambda a, b: b == 0, "PyTorch's of the derivative by a, 1 / a, is 0"),
    ("pow", "second"): (lambda a, b: b == 0, "PyTorch's of the derivative by a, 1 / a, is 0"),
    ("fmax", "value"): (lambda a, b: (a == 0) & (b == 0), ZEROS),
    ("fmin", "value"): (lambda a, b: (a == 0) & (b == 0), ZEROS),
    ("ldexp", "first"): (lambda a, b: abs(a) > 1e38, OVERFLOW),
    ("ldexp", "second"): (lambda a, b: abs(a) > 1e38, OVERFLOW),
    ("logaddexp2", "value"): (lambda a, b: (a == -1) & (b == -1), "PyTorch's isn't 0"),
    ("nn.functional.huber_loss", "second"): (lambda a, b: np.isinf(a) & (a == b), "PyTorch's of NaN is 0"),
    ("nn.functional.smooth_l1_loss", "second"): (lambda a, b: np.isinf(a) & (a == b), "PyTorch's of NaN is 0"),
    ("addcdiv", "first"): (lambda a, b: (abs(b) < 1e-37) | (abs(b) > 1e37), OVERFLOW),
    ("addcdiv", "second"): (lambda a, b: (abs(b) < 1e-12) | (abs(b) > 1e37), OVERFLOW),
    ("clamp to one number", "first"): (lambda a, b: a < b, LOST),
    ("clamp to crossed bounds", "first"): (lambda a, b: (b == 0) & (a < 0), LOST),
    ("binary_cross_entropy", "second"): (lambda a, b: True, "to the divisor PyTorch adds 1e-12"),
}


def points(dtype, few=False):
    info = np.finfo(dtype)
    found = [*ENDS, info.smallest_subnormal, info.tiny, info.max]
    if not few:
        found += THRESHOLDS
        found += [np.nextafter(dtype(x), dtype(to)) for x in (*ENDS[1:-1], *THRESHOLDS) for to in (0, np.inf)]
    return np.array([np.nan, *found, *np.negative(found)], dtype)


def derivatives(library, function, arrays, second):
    """The value, and for each argument: the gradient, second derivatives, and the tangent; as arrays by name."""
    inputs = [library.tensor(x, requires_grad=True) for x in arrays]
    value = function(library, *inputs)
    found = {"value": value}
    ones = library.ones_like(value).requires_grad_()
    for i, g in enumerate(library.autograd.grad(value, inputs, ones, retain_graph=True)):
        found[f"first {i}"] = g
    for i, g in enumerate(library.autograd.grad(value, inputs, ones, create_graph=True)):
        found[f"again {i}"] = g
        if g.requires_grad and second:
            again = library.autograd.grad(g, inputs, library.ones_like(g), retain_graph=True, allow_unused=True)
            found |= {f"second {i}{j}": h for j, h in enumerate(again)}
    mode = library.autograd.forward_ad
    for i in range(len(inputs)):
        with mode.dual_level():
            given = [x.detach() for x in inputs]
            given[i] = mode.make_dual(given[i], library.ones_like(given[i]))
            found[f"tangent {i}"] = mode.unpack_dual(function(library, *given)).tangent
    return {
        name: np.zeros(value.shape, arrays[0].dtype) if x is None else x.numpy(force=True) for name, x in found.items()
    }


def walk(name, function, count):
    """Compare at all points. PyTorch gets them a few at a time, then many; microgad gets them once, then many times."""
    second = name != "nn.functional.hardsigmoid"  # PyTorch's has none
    for dtype, eps in ((np.float64, 1e-12), (np.float32, 4e-6)):
        arrays = [x.reshape(-1) for x in np.meshgrid(*[points(dtype, few=count > 1)] * count)]
        n = arrays[0].size
        scalar = 64 // arrays[0].itemsize - 1  # PyTorch's vectorized loops take at least 64 bytes at a time
        parts = zip(*(np.array_split(x, -(-n // scalar)) for x in arrays), strict=True)
        parts = [derivatives(torch, function, part, second) for part in parts]
        few = {what: np.concatenate([part[what] for part in parts]) for what in parts[0]}
        many = derivatives(torch, function, [np.tile(x, 4) for x in arrays], second)
        for times in (1, 1 + 5000 // n):
            mine = derivatives(microgad, function, [np.tile(x, times) for x in arrays], second)
            for what in few:
                ours = mine[what][:n] if what in mine else np.zeros(n)
                kind, _, which = what.partition(" ")
                theirs = [few[what], many[what][:n]]
                if kind in ("again", "tangent"):  # of the derivative that PyTorch has, it may have another one there
                    theirs.append(mine[f"first {which}"][:n])
                fine = APART.get((name, kind), (lambda *x: False, ""))[0](*arrays)
                for x in theirs:
                    fine = fine | alike(kind, arrays, ours, x, eps)
                at = np.flatnonzero(~fine)[:9]
                assert not at.size, (
                    f"{what} of {dtype.__name__}, {times} times, at {[x[at] for x in arrays]}: is {ours[at]}, "
                    f"not {[x[at] for x in theirs]}"
                )


def alike(kind, arrays, ours, theirs, eps):
    found = np.isclose(ours, theirs, eps, eps, equal_nan=True)
    if kind == "value":
        found &= (ours != 0) | (np.signbit(ours) == np.signbit(theirs))
    if kind == "second":  # of NaN some of PyTorch's are numbers, and many others overflow
        found |= np.isnan(theirs) | np.any(np.isnan(arrays), 0)
    return found


def named(name):
    settings = {"reduction": "none"} if re.search("_loss|_div|logits", name) else {}
    return lambda library, *given, **more: operator.attrgetter(name)(library)(*given, **settings, **more)


@pytest.mark.parametrize("name", UNARY.split())
def test_functions_of_one_tensor_have_pytorchs_derivatives(name):
    walk(name, named(name), 1)


@pytest.mark.parametrize("name", CALLS)
def test_calls_with_options_have_pytorchs_derivatives(name):
    walk(name, CALLS[name], 1)


@pytest.mark.parametrize("name", BINARY.split())
def test_functions_of_two_tensors_have_pytorchs_derivatives(name):
    walk(name, named(name), 2)


@pytest.mark.parametrize("name", PAIR_CALLS)
def test_calls_of_two(name):
    walk(name, PAIR_CALLS[name], 2)


def slopes(library, function, array):
    """The gradient of a function's values, each weighted otherwise."""
    x = library.tensor(array, requires_grad=True)
    result = function(x)
    result = result if isinstance(result, library.Tensor) else result[0]
    weights = library.arange(1, result.numel() + 1, dtype=result.dtype).reshape(result.shape)
    return library.autograd.grad(result, x, weights)[0].numpy(force=True)


def compare_slopes(make, array):
    for dtype, eps in ((np.float64, 1e-12), (np.float32, 2e-6)):
        mine, other = (slopes(t, make(t), array.astype(dtype)) for t in (microgad, torch))
        np.testing.assert_allclose(mine, other, eps, eps)


@pytest.mark.parametrize("name", REDUCING.split())
def test_along_a_dimension(name):
    for dim in (0, 1):
        compare_slopes(lambda t, dim=dim: lambda x: named(name)(t, x, dim=dim), ROWS)
        compare_slopes(lambda t, dim=dim: lambda x: named(name)(t, x, dim=dim), ROWS[:1, :1])


@pytest.mark.parametrize("name", FULL.split())
def test_functions_of_all_elements_have_pytorchs_derivatives(name):
    for row in ROWS:
        compare_slopes(lambda t: named(name).__get__(t), row[None])


def test_cumprod_with_zeros_infinity_and_nan():
    for p in ([0.5, 0.5, 0, 0, 0], [0.4, 0.3, 0.3, 0, 0], [0.4, 0.2, 0.2, 0.1, 0.1]):
        rows = np.random.default_rng(0).choice([2.0, -0.5, 0, np.inf, np.nan], (40, 7), p=p)
        compare_slopes(lambda t: lambda x: x.cumprod(1), rows)
    compare_slopes(lambda t: lambda x: x.cumprod(0), rows)


@pytest.mark.parametrize("p", [1, 2, 3, np.inf])
def test_renorm_of_rows_whose_norm_is_no_number(p):
    rows = np.array([[1.0, np.nan], [3, 4], [0.1, 0.2], [0, 0], [np.nan, np.nan]])
    compare_slopes(lambda t: lambda x: x.renorm(p, 0, 1.0), rows)
    compare_slopes(lambda t: lambda x: x.t().renorm(p, 1, 1.0), rows)


def test_distances_from_infinity_and_nan():
    compare_slopes(lambda t: lambda x: t.pdist(x, 1), np.array([[1.0, np.inf], [0, 0], [2, -1]]))
    with_nan = np.array([[1.0, np.nan], [0, 0], [2, -1]])
    for count in (lambda t, x: t.cdist(x, x, 0.0), lambda t, x: t.pdist(x, 0.0)):
        ours, theirs = (count(t, t.tensor(with_nan)).numpy() for t in (microgad, torch))
        np.testing.assert_array_equal(ours, theirs)


def test_each_of_several_largest_differences_has_the_whole_gradient():
    rows = np.array([[0.0, 0.0], [1.0, -1.0], [1.0, 2.0], [1.0, 2.0]])
    for distances in (lambda t, x: t.cdist(x, x + 1, np.inf), lambda t, x: t.pdist(x, np.inf)):
        compare_slopes(lambda t, distances=distances: lambda x: distances(t, x), rows)
    x = microgad.tensor(rows, requires_grad=True)
    ours = [microgad.autograd.grad(microgad.pdist(x, np.inf).sum(), x, create_graph=c)[0] for c in (False, True)]
    assert ours[0].tolist() == ours[1].tolist()


def test_largest_difference_that_is_nan_has_gradient_nan():
    rows = np.array([[1.0, np.nan], [3.0, 2.0]])
    for p in (np.inf, 1.0):
        compare_slopes(lambda t, p=p: lambda x: t.cdist(x, t.ones_like(x), p)[:, 0], rows[:, 1:])
    x = microgad.tensor(rows, requires_grad=True)
    for create_graph in (False, True):
        for p in (np.inf, 1.0):
            distances = microgad.cdist(x, microgad.ones_like(x), p)
            (g,) = microgad.autograd.grad(distances[0].sum(), x, create_graph=create_graph)
            np.testing.assert_array_equal(g.numpy(force=True), [[0, np.nan], [0, 0]])
        (g,) = microgad.autograd.grad(microgad.pdist(x, np.inf), x, create_graph=create_graph)
        assert np.isnan(g.numpy(force=True)[:, 1]).all()


@pytest.mark.parametrize("create_graph", [False, True])
def test_logcumsumexp_of_infinities(create_graph):
    inf = np.inf
    for row in ([inf, 2, 0], [-inf, 1, 2], [-inf, -inf, 1], [1, -inf, 2], [1, inf, 2], [inf, inf, 1], [-inf, inf, 1]):

        def slope(t, row=row):
            x = t.tensor(row, requires_grad=True)
            values = t.logcumsumexp(x, 0)
            (g,) = t.autograd.grad(values, x, t.arange(1.0, 4), create_graph=create_graph)
            return g.numpy(force=True)

        np.testing.assert_allclose(slope(microgad), slope(torch), 1e-6)


def test_scaled_bessel_functions_have_second_derivatives_at_infinity():
    def slope(t, name):
        return lambda x: t.autograd.grad(getattr(t.special, name)(x).sum(), x, create_graph=True)[0]

    for name in ("i0e", "i1e"):
        compare_slopes(lambda t, name=name: slope(t, name), np.array([np.inf, -np.inf, 3.0, -0.5]))


@pytest.mark.filterwarnings("ignore:index_reduce:UserWarning")
@pytest.mark.parametrize("reduce", ["amax", "amin"])
@pytest.mark.parametrize("op", ["scatter_reduce", "index_reduce"])
def test_extreme_at_an_index_that_is_nan_has_torchs_gradients(op, reduce):
    def grads(t):
        x, values = (
            t.tensor(v, requires_grad=True) for v in ([np.nan, 1.0, 2.0, 4.0], [np.nan, 0.0, np.nan, 3.0, 2.0, 2.0])
        )
        result = getattr(t, op)(x, 0, t.tensor([0, 0, 1, 1, 2, 2]), values, reduce)
        return [g.numpy() for g in t.autograd.grad(result, (x, values), t.arange(1.0, 5.0))]

    for ours, theirs in zip(grads(microgad), grads(torch), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["hardsigmoid", "hardshrink", "hardswish", "hardtanh", "relu", "relu6", "softshrink"])
def test_zero_derivatives_of_activations_have_the_sign_of_pytorchs(name):
    for slope in (1.0, -1.0):
        found = []
        for lib in (microgad, torch):
            x = lib.tensor([-50.0, -6, -3, -2, -0.5, 0, 0.5, 2, 3, 6, 50], requires_grad=True)
            (grad,) = lib.autograd.grad((slope * getattr(lib.nn.functional, name)(x)).sum(), x)
            found.append(grad.numpy())
        np.testing.assert_array_equal(*(np.signbit(grad) for grad in found))
