"""Random draws against PyTorch's: values, and the generator's whole state after each draw."""

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import microgad
from microgad import generator as ours
from microgad.generator.fills import CHUNK
from microgad.generator.gamma_dirichlet import gamma

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*Due to precision limitations")

FLOATS = ["float16", "float32", "float64"]
DTYPES = [*FLOATS, "bool", "uint8", "int8", "int16", "int32", "int64"]
# Units in the last place by which NumPy's logarithm, sine and cosine may change a value. All other draws are equal.
NORMAL_ULPS = {"float16": 1, "float32": 5, "float64": 2}
EXPONENTIAL_ULPS = {"float16": 0, "float32": 0, "float64": 2}
SIZES = [0, 1, 2, 15, 16, 17, 31, 32, 33, 1000]

sizes = st.one_of(st.sampled_from(SIZES), st.integers(0, 100))
shapes = st.one_of(
    st.just(()),
    st.tuples(sizes),
    st.lists(st.sampled_from([0, 1, 2, 3, 5, 16, 17]), min_size=2, max_size=4).map(tuple),
    st.sampled_from([(CHUNK + 17,), (3, CHUNK // 2 + 1)]),
)
chances = st.one_of(st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.floats(0, 1))
moderate = st.floats(-1e3, 1e3).map(lambda x: x if abs(x) > 1e-200 else 0.0)  # the error of a product can't underflow


class Pair(NamedTuple):
    """PyTorch's generator and ours, in the same state."""

    theirs: Any
    ours: ours.Generator

    def check_state(self):
        np.testing.assert_array_equal(self.theirs.get_state().numpy(), self.ours.snapshot())


def pair(seed):
    return Pair(torch.Generator().manual_seed(seed), ours.Generator().manual_seed(seed))


def same(theirs, array, ulps=0):
    """Assert that values differ by at most `ulps` units in the last place."""
    expected = theirs.numpy()
    assert (expected.shape, expected.dtype) == (array.shape, array.dtype)
    if ulps == 0:
        np.testing.assert_array_equal(array, expected)
    else:
        np.testing.assert_array_less(np.abs(array - expected), (ulps + 0.5) * np.spacing(np.abs(expected)))


@st.composite
def destinations(draw, dtypes):
    """A Tensor and an array with the same layout: axes in any order, contiguous or strided."""
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(shapes)
    axes = draw(st.permutations(range(len(shape))))
    stride = draw(st.sampled_from([1, 1, 2, 3])) if shape else 1

    def make_array():
        permuted_shape = [shape[axis] for axis in axes]
        array = np.zeros([*permuted_shape[:-1], permuted_shape[-1] * stride] if shape else (), dtype)
        return array[..., ::stride].transpose(np.argsort(axes)) if shape else array

    return torch.from_numpy(make_array()), make_array()


# Each strategy gives a step: a function that draws from both generators and compares the values.


@st.composite
def uniform(draw):
    theirs, array = draw(destinations(FLOATS))
    low, high = draw(st.one_of(st.just((0.0, 1.0)), st.tuples(moderate, moderate).map(sorted)))

    def step(both):
        same(theirs.uniform_(low, high, generator=both.theirs), ours.uniform_(array, low, high, generator=both.ours))

    return step


@st.composite
def normal(draw):
    theirs, array = draw(destinations(FLOATS))
    mean, std = draw(st.one_of(st.just((0.0, 1.0)), st.tuples(moderate, moderate.map(abs))))

    def step(both):
        standard = ours.normal_(array.copy(order="K"), generator=both.ours.clone_state())
        theirs.normal_(mean, std, generator=both.theirs)
        ours.normal_(array, mean, std, generator=both.ours)
        blocks = array.size >= 16 and array.flags.c_contiguous
        ulps = NORMAL_ULPS[array.dtype.name] if blocks else 0
        if (mean, std) == (0, 1) or not blocks:
            same(theirs, array, ulps)
        else:  # the error of N(0, 1), scaled, and one rounding error
            scaled = ulps * std * np.spacing(np.abs(standard)).astype(np.float64)
            error = np.abs(array.astype(np.float64) - theirs.numpy())
            assert (error <= scaled + np.spacing(np.abs(array)).astype(np.float64)).all()

    return step


@st.composite
def exponential(draw):
    theirs, array = draw(destinations(FLOATS))
    lambd = draw(st.floats(0.01, 100))

    def step(both):
        theirs.exponential_(lambd, generator=both.theirs)
        same(theirs, ours.exponential_(array, lambd, generator=both.ours), EXPONENTIAL_ULPS[array.dtype.name])

    return step


# Name, arguments, dtypes, and by how many units in the last place NumPy's tan, exp and log may change a float64.
TRANSFORMED = [
    ("cauchy_", (0, 1), FLOATS, 3),
    ("cauchy_", (0, 2.5), FLOATS, 3),
    ("geometric_", (0.3,), [*FLOATS, "uint8", "int32", "int64"], 0),
    ("geometric_", (0.9,), [*FLOATS, "uint8", "int32", "int64"], 0),
    ("log_normal_", (0, 0.25), FLOATS, 4),
    ("log_normal_", (1, 2), FLOATS, 9),
]


@st.composite
def transformed(draw):
    name, arguments, dtypes, ulps = draw(st.sampled_from(TRANSFORMED))
    theirs, array = draw(destinations(dtypes))

    def step(both):
        getattr(theirs, name)(*arguments, generator=both.theirs)
        getattr(ours, name)(array, *arguments, generator=both.ours)
        same(theirs, array, ulps if array.dtype == np.float64 else 0)

    return step


@st.composite
def complex_numbers(draw):
    theirs, array = draw(destinations(["complex64", "complex128"]))

    def step(both):
        same(theirs.uniform_(-2, 3, generator=both.theirs), ours.uniform_(array, -2, 3, generator=both.ours))
        theirs.normal_(generator=both.theirs)
        ours.normal_(array, generator=both.ours)
        np.testing.assert_allclose(array, theirs.numpy(), rtol=1e-6, atol=1e-6)

    return step


@st.composite
def gammas(draw):
    n, dtype = draw(st.sampled_from([0, 1, 31, 32, 400])), draw(st.sampled_from(FLOATS[1:]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    concentrations = np.where(rng.random(n) < 0.1, 0, rng.choice([0.1, 1, 20], n) * rng.uniform(0.5, 1, n)).astype(
        dtype
    )

    def step(both):
        drawn = torch._standard_gamma(torch.from_numpy(concentrations), generator=both.theirs)
        same(drawn, gamma(concentrations, generator=both.ours))

    return step


@st.composite
def counts(draw):
    n, dtype = draw(st.one_of(st.integers(0, 40), st.sampled_from([65, 3000]))), draw(st.sampled_from(FLOATS[1:]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = draw(st.sampled_from([5, 60, 3000]))
    alike = [draw(st.booleans()) for _ in range(3)]  # whether all draws have the same rate, trials, chance
    rates = np.where(rng.random(n) < 0.1, 0, rng.uniform(0, size, n))
    parameters = rates, rng.integers(-1, size, n), rng.uniform(-0.05, 1.05, n)
    rates, trials, chance = (
        np.full_like(x, x[0]).astype(dtype) if n and equal else x.astype(dtype)
        for x, equal in zip(parameters, alike, strict=True)
    )

    def step(both):
        same(torch.poisson(torch.from_numpy(rates), generator=both.theirs), ours.poisson(rates, generator=both.ours))
        same(
            torch.binomial(torch.from_numpy(trials), torch.from_numpy(chance), generator=both.theirs),
            ours.binomial(trials, chance, generator=both.ours),
        )

    return step


@st.composite
def bernoulli(draw):
    theirs, array = draw(destinations(DTYPES))
    p = draw(chances)

    def step(both):
        same(theirs.bernoulli_(p, generator=both.theirs), ours.bernoulli_(array, p, generator=both.ours))

    return step


@st.composite
def bernoulli_by_array(draw):
    theirs, array = draw(destinations(DTYPES))
    broadcast = [size if draw(st.booleans()) else 1 for size in array.shape]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    p = np.asarray(rng.random(broadcast[::-1]).T, draw(st.sampled_from(FLOATS)))

    def step(both):
        theirs.bernoulli_(torch.from_numpy(p), generator=both.theirs)
        same(theirs, ours.bernoulli_(array, p, generator=both.ours))

    return step


def dropout_pair(both, x, array, p):
    """PyTorch's dropout of ones, and our noise. Values, strides and the two states must agree."""
    wide = np.float64 if array.dtype == np.float64 else np.float32
    torch.default_generator.set_state(both.theirs.get_state())
    expected = torch.nn.functional.dropout(x, p)
    both.theirs.set_state(torch.default_generator.get_state())
    noise = ours.dropout_noise(array, 1 - p, float(wide(1) / wide(1 - p)), generator=both.ours)
    same(expected, noise)
    if noise.size:
        long = [axis for axis, size in enumerate(noise.shape) if size > 1]
        assert [noise.strides[axis] for axis in long] == [expected.stride(axis) * noise.itemsize for axis in long]
    both.check_state()


@st.composite
def dropout(draw):
    x, array = draw(destinations(FLOATS))
    p = draw(st.floats(0.01, 0.99))
    return lambda both: dropout_pair(both, x.fill_(1), array, p)


# Beyond 2**62 the float nearest to a bound may exceed int64, whose conversion is undefined in C++.
integers = st.one_of(st.integers(-300, 300), st.integers(-(2**62), 2**62), st.just(2**28))
ranges = st.one_of(
    st.sampled_from([(None, None), (-(2**63), None), (-(2**63), 2**63 - 1)]),
    st.tuples(integers, st.none()),
    st.tuples(integers, st.sampled_from([1, 2, 10, 128, 2**16, 2**28 - 1, 2**28, 2**31, 2**53 + 7])).map(
        lambda bounds: (bounds[0], sum(bounds))
    ),
    st.tuples(integers, integers).map(sorted).map(tuple),
)


@st.composite
def random(draw):
    theirs, array = draw(destinations(DTYPES))
    low, high = draw(ranges) if array.size else (None, None)  # PyTorch only checks some bounds of an empty Tensor

    def step(both):
        before = both.theirs.get_state()
        try:
            theirs.random_(*(() if low is None else (low, high)), generator=both.theirs)
        except RuntimeError:
            both.theirs.set_state(before)
            with pytest.raises(RuntimeError):
                ours.random_(array, low, high, generator=both.ours)
        else:
            same(theirs, ours.random_(array, low, high, generator=both.ours))

    return step


@st.composite
def permutation(draw):
    n = draw(st.one_of(st.integers(0, 200), st.sampled_from([499, 500, 501, 5000])))
    dtype = draw(st.sampled_from(["int64", "int32", "float32", "float64"]))

    def step(both):
        same(
            torch.randperm(n, dtype=getattr(torch, dtype), generator=both.theirs),
            ours.randperm(n, dtype, generator=both.ours),
        )

    return step


@st.composite
def multinomial(draw):
    shape = draw(st.one_of(st.tuples(st.integers(1, 40)), st.tuples(st.integers(0, 5), st.integers(1, 40))))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = rng.random(shape[::-1]).T
    weights[weights < draw(st.sampled_from([0, 0.3]))] = 0
    weights[..., 0] = 0.5
    replacement = draw(st.booleans())
    positive = int((weights > 0).sum(-1).min()) if weights.size else 1
    count = draw(st.integers(1, 20 if replacement else positive))
    # float16 quotients may be equal, and PyTorch's topk takes any of them
    weights = weights.astype(draw(st.sampled_from(FLOATS if count == 1 or replacement else FLOATS[1:])))

    def step(both):
        same(
            torch.multinomial(torch.from_numpy(weights), count, replacement, generator=both.theirs),
            ours.multinomial(weights, count, replacement, generator=both.ours),
        )

    return step


steps = st.one_of(
    uniform(), normal(), normal(), exponential(), bernoulli(), bernoulli_by_array(), dropout(), random(),
    permutation(), multinomial(), transformed(), complex_numbers(), counts(), gammas(),
)  # fmt: skip
seeds = st.integers(-(2**63), 2**64 - 1)


@settings(deadline=None, max_examples=150)
@given(seeds, st.lists(steps, min_size=1, max_size=8))
def test_sequences_of_draws_are_torchs(seed, sequence):
    both = pair(seed)
    for step in sequence:
        step(both)
        both.check_state()


@settings(deadline=None, max_examples=30)
@given(seeds, steps, steps)
def test_generators_continue_from_each_others_state(seed, before, after):
    both = pair(seed)
    before(both)
    continued = pair(0)
    continued.ours.set_state(both.theirs.get_state().numpy())
    continued.theirs.set_state(torch.from_numpy(both.ours.snapshot()))
    after(continued)
    continued.check_state()
    assert continued.ours.initial_seed() == continued.theirs.initial_seed() == seed % 2**64


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [*SIZES, 3 * CHUNK + 5])
@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided"])
def test_normal_at_every_size(dtype, size, layout):
    both = pair(size)

    def make_array():
        if layout == "contiguous":
            return np.zeros(size, dtype)
        return np.zeros((2, size), dtype).T if layout == "transposed" else np.zeros((size, 2), dtype)[:, 0]

    theirs, array = torch.from_numpy(make_array()).normal_(generator=both.theirs), make_array()
    ours.normal_(array, generator=both.ours)
    same(theirs, array, NORMAL_ULPS[dtype] if size >= 16 and array.flags.c_contiguous else 0)
    both.check_state()


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_excludes_its_upper_bound(dtype):
    """Between neighboring numbers about half the values round up to the end; they become the start."""
    for low, high in ((1.0, math.nextafter(1, 2)), (1.0, 1 + 2**-23), (1.0, 1 + 2**-10), (0.1, 2.1), (0.0, 1.0)):
        both = pair(1)
        theirs = torch.zeros(20000, dtype=getattr(torch, dtype)).uniform_(low, high, generator=both.theirs)
        array = ours.uniform_(np.zeros(20000, dtype), low, high, generator=both.ours)
        same(theirs, array)
        assert array.max() < high or np.dtype(dtype).type(high) == low


@pytest.mark.parametrize(("dtype", "least"), [("float32", 1e-30), ("float64", 5e-300)])
@pytest.mark.parametrize("width", [1.0, 0.2, 1e-9, 1e3, 1e37])
def test_uniform_rounds_once(dtype, least, width):
    for low in (0.0, -1.0, 0.3, -1e30, least):
        both = pair(7)
        theirs = torch.zeros(5000, dtype=getattr(torch, dtype)).uniform_(low, low + width, generator=both.theirs)
        same(theirs, ours.uniform_(np.zeros(5000, dtype), low, low + width, generator=both.ours))


@pytest.mark.parametrize("dtype", DTYPES)
def test_integers_from_every_range_are_pytorchs(dtype):
    """Ranges that need 32 or 64 random bits, and bounds that a floating-point dtype can't represent."""
    bounds = [(None, None), (-3, 5), (0, 2), (1, None), (0, 2**28 - 1), (0, 2**28), (-5, 2**28 - 4), (0, 2**32)]
    bounds += [(4097, 4200), (2047, 5001), (2**25 + 1, 2**25 + 99), (-(2**25) - 3, 2**25 + 3), (2**54 + 1, 2**55 - 1)]
    drawn = 0
    for low, high in bounds:
        both = pair(drawn)
        theirs = torch.zeros(300, dtype=getattr(torch, dtype))
        try:
            theirs.random_(*(() if low is None else (low, high)), generator=both.theirs)
        except RuntimeError:
            with pytest.raises(RuntimeError):
                ours.random_(np.zeros(300, dtype), low, high, generator=both.ours)
        else:
            same(theirs, ours.random_(np.zeros(300, dtype), low, high, generator=both.ours))
            drawn += 1
        both.check_state()
    assert drawn >= 2


@pytest.mark.parametrize(("n", "dtype"), [(500, "int64"), (60000, "int64"), (200_001, "float32")])
def test_randperm_of_long_ranges(n, dtype):
    both = pair(n)
    theirs = torch.randperm(n, dtype=getattr(torch, dtype), generator=both.theirs)
    same(theirs, ours.randperm(n, dtype, generator=both.ours))
    both.check_state()


@pytest.mark.parametrize(("n", "dtype"), [(256, "uint8"), (128, "int8"), (2049, "float16")])
def test_randperm_of_the_largest_size_of_a_dtype(n, dtype):
    both = pair(n)
    theirs = torch.randperm(n, dtype=getattr(torch, dtype), generator=both.theirs)
    same(theirs, ours.randperm(n, dtype, generator=both.ours))
    with pytest.raises(RuntimeError):
        ours.randperm(n + 1, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("count", "replacement"), [(1, False), (1, True), (9, True)])
def test_multinomial_of_many_rows(dtype, count, replacement):
    weights = np.random.default_rng(0).random((500, 30)).astype(dtype)
    both = pair(5)
    theirs = torch.multinomial(torch.from_numpy(weights), count, replacement, generator=both.theirs)
    same(theirs, ours.multinomial(weights, count, replacement, generator=both.ours))
    both.check_state()


@pytest.mark.parametrize("base", [(4, 5), (4, 1), (1, 5), (1, 1)])
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
@pytest.mark.parametrize("step", [1, 2])
def test_dropout_noise_of_expanded_inputs(base, axes, step):
    x = torch.ones(base).expand(6, 4, 5)[:, ::step].permute(axes)
    array = np.broadcast_to(np.ones(base, np.float32), (6, 4, 5))[:, ::step].transpose(axes)
    dropout_pair(pair(3), x, array, 0.5)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("count", [500, 20])
def test_multinomial_without_replacement_where_quotients_are_equal(dtype, count):
    weights = np.random.default_rng(0).random((3, 1000)).astype(dtype)
    drawn = []
    for library in torch, microgad:
        library.manual_seed(5)
        drawn.append(library.multinomial(library.from_numpy(weights), count).numpy())
    same(torch.from_numpy(drawn[0]), drawn[1])
