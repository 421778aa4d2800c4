"""The random number streams: PyTorch's numbers, written down here, their state and errors."""

import copy
import io
import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import microgad as torch
from microgad import generator
from microgad.generator import (
    Generator,
    bernoulli_,
    binomial,
    cauchy_,
    dropout_noise,
    exponential_,
    gamma_dirichlet,
    geometric_,
    log_normal_,
    multinomial,
    normal_,
    poisson,
    random_,
    randperm,
    uniform_,
)
from microgad.generator.choices import _shuffle_by_loop, _shuffle_by_sort
from microgad.generator.fills import CHUNK, _add_to_odd, fma

from .processes import output_of


def seeded() -> Generator:
    return Generator().manual_seed(2024)


def float32(*shape):
    return np.full(shape, 7, np.float32)


def int64(*shape):
    return np.full(shape, 7, np.int64)


# What PyTorch 2.13 prints for each of these after torch.manual_seed(2024).
DRAWS = {
    "rand": (lambda g: uniform_(float32(3), generator=g), [0.53171587, 0.83126795, 0.97183800]),
    "uniform_": (lambda g: uniform_(float32(1), -2, 5, generator=g), [1.7220111]),
    "randn": (lambda g: normal_(float32(3), generator=g), [-0.04042917, 1.72599208, -0.81403875]),
    "randn, blocks": (lambda g: normal_(float32(17), generator=g)[[0, 1, 16]], [-1.2262355, -2.1806846, -0.0776451]),
    "randint": (lambda g: random_(int64(6), 0, 10, generator=g), [2, 0, 4, 0, 3, 0]),
    "randint, wide": (lambda g: random_(int64(2), 0, 2**40, generator=g), [587367501306, 415489755776]),
    "randperm": (lambda g: randperm(8, generator=g), [0, 1, 6, 3, 7, 4, 2, 5]),
    "bernoulli_": (lambda g: bernoulli_(float32(10), 0.3, generator=g), [1, 0, 0, 0, 0, 1, 0, 0, 0, 1]),
    "bernoulli": (
        lambda g: bernoulli_(float32(10), np.full(10, 0.3, np.float32), generator=g),
        [0, 0, 0, 1, 1, 0, 1, 0, 0, 0],
    ),
    "exponential_": (lambda g: exponential_(float32(1), generator=g), [0.29266423]),
    "multinomial": (lambda g: multinomial(np.array([1, 2, 3, 4], np.float32), 3, generator=g), [2, 0, 3]),
    "cauchy_": (lambda g: cauchy_(float32(2), generator=g), [-0.97685057, 1.1686497]),
    "geometric_": (lambda g: geometric_(int64(4), 0.3, generator=g), [4, 1, 4, 1]),
    "log_normal_": (lambda g: log_normal_(float32(2), 0, 0.25, generator=g), [0.98994362, 1.5395621]),
    "poisson": (lambda g: poisson(np.array([3.0, 30, 7], np.float32), generator=g), [3, 37, 5]),
    "binomial": (
        lambda g: binomial(np.array([10, 200], np.float32), np.array([0.5, 0.4], np.float32), generator=g),
        [6.0, 78.0],
    ),
    "complex normal_": (lambda g: normal_(np.zeros(1, np.complex64), generator=g), [-0.0285877 + 1.2204608j]),
    "dropout": (
        lambda g: dropout_noise(float32(10), 0.3, 2.5, generator=g),
        [2.5, 0, 0, 0, 0, 2.5, 0, 0, 0, 2.5],
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_draws_are_those_of_pytorch(name):
    draw, expected = DRAWS[name]
    np.testing.assert_allclose(draw(seeded()), expected, rtol=5e-7)


@pytest.mark.parametrize("name", DRAWS)
def test_without_a_generator_the_default_one_draws(name):
    draw, _ = DRAWS[name]
    generator.default_generator.manual_seed(2024)
    np.testing.assert_array_equal(draw(None), draw(seeded()))


def test_fills_return_their_array_and_write_every_element_of_a_view_only():
    for fill in (uniform_, normal_, exponential_, bernoulli_):
        base = np.full((40, 6), 7.0)
        view = base[:, ::2].T
        assert fill(view) is view
        assert not (view == 7).any()
        assert (base[:, 1::2] == 7).all()


def test_fills_write_in_the_order_of_memory():
    expected = uniform_(np.empty((3, 5)), generator=seeded())
    np.testing.assert_array_equal(uniform_(np.empty((3, 5)).T, generator=seeded()), expected.T)
    np.testing.assert_array_equal(uniform_(np.empty((3, 10))[:, ::2].T, generator=seeded()), expected.T)


def test_a_fill_in_chunks_equals_consecutive_fills():
    size = CHUNK + 23
    at_once, parts = uniform_(np.empty(size), generator=seeded()), np.empty(size)
    source = seeded()
    for start in range(0, size, 1000):
        uniform_(parts[start : start + 1000], generator=source)
    np.testing.assert_array_equal(at_once, parts)


def test_fma_rounds_once_where_float64_would_round_to_a_tie():
    """The product is ±(2⁻²⁴ - 2⁻⁶⁰). Added to 1 + 2⁻²³ it is almost a tie, and exactly one in float64."""
    x = np.array([1, -1], np.float32) * np.float32(2**-24 * (1 - 2**-18))
    np.testing.assert_array_equal(fma(x, 1 + 2**-18, 1 + 2**-23), np.full(2, 1 + 2**-23, np.float32))


@pytest.mark.parametrize("scale", [2.0, -0.125, 0.6, 1 / 3])
@pytest.mark.parametrize("shift", [1.0, -0.3, 1 + 2.0**-23, 1e-3])
def test_fma_rounds_once_for_random_and_small_numbers(scale, shift):
    scale, shift = float(np.float32(scale)), float(np.float32(shift))
    for x in (np.random.default_rng(0).normal(size=5000), np.arange(5000) * 2.0**-24):
        x = x.astype(np.float32)
        once = _add_to_odd(x.astype(np.float64) * scale, shift).astype(np.float32)
        np.testing.assert_array_equal(fma(x, scale, shift), once, strict=True)


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2)])
def test_empty_arrays_draw_nothing(shape):
    source = seeded()
    for fill in (uniform_, normal_, exponential_, bernoulli_, random_):
        assert fill(np.empty(shape, np.float32), generator=source).shape == shape
    assert dropout_noise(np.empty(shape), 0.5, 2.0, generator=source).shape == shape
    assert randperm(0, generator=source).shape == randperm(1, generator=source)[1:].shape == (0,)
    assert multinomial(np.empty((0, 3)), 2, generator=source).shape == (0, 2)
    assert multinomial(np.empty((0, 3)), 4, True, generator=source).shape == (0, 4)
    np.testing.assert_array_equal(source.snapshot(), seeded().snapshot())


@pytest.mark.parametrize(
    ("array", "shape", "strides"),
    [
        (np.empty((4, 6)), (4, 6), (48, 8)),
        (np.empty((4, 6)).T, (6, 4), (8, 48)),
        (np.empty((4, 6))[:, ::2].T, (3, 4), (8, 24)),
        (np.empty((2, 3, 4)).transpose(2, 0, 1), (4, 2, 3), (8, 96, 32)),
        (np.broadcast_to(np.empty((4, 1)), (4, 5)), (4, 5), (40, 8)),
        (np.broadcast_to(np.empty((4, 1)), (4, 5)).T, (5, 4), (32, 8)),
        (np.empty(()), (), ()),
    ],
)
def test_dropout_noise_is_dense_and_keeps_the_order_of_axes(array, shape, strides):
    noise = dropout_noise(array, 0.5, 2.0, generator=seeded())
    assert (noise.shape, noise.strides, noise.dtype) == (shape, strides, array.dtype)
    in_memory = np.lib.stride_tricks.as_strided(noise, (noise.size,), (8,))
    np.testing.assert_array_equal(in_memory, bernoulli_(np.empty(noise.size), 0.5, generator=seeded()) * 2)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dropout_noise_is_mask_times_scale(dtype):
    scale = float(dtype(1) / dtype(0.7))
    noise = dropout_noise(np.empty((50, 40), dtype), 0.7, scale, generator=seeded())
    mask = bernoulli_(np.empty((50, 40), dtype), 0.7, generator=seeded())
    np.testing.assert_array_equal(noise, mask * dtype(scale))
    assert noise.dtype == dtype


@pytest.mark.parametrize(("p", "value"), [(0, 0), (1, 1)])
def test_bernoulli_of_probability_0_or_1_advances_the_generator(p, value):
    source, other = seeded(), seeded()
    assert (bernoulli_(float32(9), p, generator=source) == value).all()
    other.random64(9)
    np.testing.assert_array_equal(source.snapshot(), other.snapshot())


def test_bernoulli_compares_all_53_bits():
    for position in range(20):
        source = seeded()
        source.random64(position)
        p = source.clone_state().uniform(1, np.dtype(np.float64))[0]
        assert bernoulli_(np.empty(1), p, generator=source.clone_state()) == 0
        assert bernoulli_(np.empty(1), np.nextafter(p, 1), generator=source) == 1


@pytest.mark.parametrize("n", [2, 3, 50, 499, 500, 5000])
def test_both_shuffles_make_the_same_permutation(n):
    partners = np.arange(n - 1) + seeded().random32(n - 1) % (n - np.arange(n - 1))
    np.testing.assert_array_equal(_shuffle_by_loop(partners, n), _shuffle_by_sort(partners, n))
    np.testing.assert_array_equal(np.sort(randperm(n, generator=seeded())), np.arange(n))


def test_a_new_generator_has_pytorchs_seed():
    assert Generator().initial_seed() == 67280421310721
    np.testing.assert_array_equal(Generator().snapshot(), Generator().manual_seed(67280421310721).snapshot())


def test_a_process_that_sets_no_seed_draws_differently_each_time():
    program = "import microgad as torch; print(torch.initial_seed(), torch.get_rng_state().tolist())"
    first, second = (output_of(program) for _ in range(2))
    assert first.split()[0] != second.split()[0]
    assert first.split()[1:] != second.split()[1:]


@pytest.mark.parametrize("seed", [0, 1, 2**32 + 1, 2**64 - 1, -1, -(2**63), np.int64(-5)])
def test_seeds_are_stored_modulo_2_64_and_their_low_32_bits_decide_the_stream(seed):
    assert Generator().manual_seed(seed).initial_seed() == int(seed) % 2**64
    low_word = Generator().manual_seed(int(seed) % 2**32)
    np.testing.assert_array_equal(Generator().manual_seed(seed).random32(4), low_word.random32(4))


@pytest.mark.parametrize(
    ("seed", "error"), [(2**64, ValueError), (-(2**63) - 1, ValueError), (1.5, RuntimeError), ("1", RuntimeError)]
)
def test_bad_seeds_leave_the_generator_as_it_was(seed, error):
    source = seeded()
    source.random32(5)
    before = source.snapshot()
    with pytest.raises(error, match="manual_seed: seed must be"):
        source.manual_seed(seed)
    np.testing.assert_array_equal(source.snapshot(), before)


def test_seed_sets_a_new_random_seed():
    a, b = Generator(), Generator()
    assert a.seed() == a.initial_seed() != b.seed()


def test_the_state_has_pytorch_s_layout():
    source = seeded()

    def numbers():
        state = source.snapshot()
        assert (state.dtype, state.shape) == (np.uint8, (5056,))
        return [
            int(state[at : at + size].view(dtype)[0])
            for at, size, dtype in ((0, 8, "<u8"), (8, 4, "<i4"), (12, 4, "<i4"), (16, 8, "<u8"), (5040, 4, "<i4"))
        ]

    assert numbers() == [2024, 1, 1, 0, 0]
    source.random32(0)
    assert numbers() == [2024, 1, 1, 0, 0]
    source.random32(1)
    assert numbers() == [2024, 624, 1, 1, 0]
    source.random32(623)
    assert numbers() == [2024, 1, 1, 624, 0]
    normal_(np.empty(()), generator=source)
    assert numbers() == [2024, 621, 1, 4, 1]
    cached = source.snapshot()[5024:5032].view("<f8")[0]
    assert normal_(np.empty(()), generator=source) == cached
    assert numbers() == [2024, 621, 1, 4, 0]


@pytest.mark.parametrize("words", [0, 1, 623, 624, 625, 3000])
@pytest.mark.parametrize("normals", [0, 1])
def test_copies_and_set_states_continue_the_stream(words, normals):
    source = seeded()
    source.random32(words)
    normal_(np.empty(normals), generator=source)
    copies = [
        Generator(),
        source.clone_state(),
        copy.copy(source),
        copy.deepcopy(source),
        pickle.loads(pickle.dumps(source)),
    ]
    copies[0].set_state(source.snapshot())
    for other in copies:
        np.testing.assert_array_equal(other.snapshot(), source.snapshot())
    expected = normal_(np.empty(3), generator=source), randperm(700, generator=source)
    for other in copies:
        assert other.initial_seed() == 2024
        assert other.device.type == "cpu"
        np.testing.assert_array_equal(normal_(np.empty(3), generator=other), expected[0])
        np.testing.assert_array_equal(randperm(700, generator=other), expected[1])
        np.testing.assert_array_equal(other.snapshot(), source.snapshot())


def test_set_state_and_manual_seed_restart_a_stream_whatever_came_before():
    source, other = Generator().manual_seed(3), Generator().manual_seed(4)
    mixed, seeded_with_4 = source.snapshot(), other.snapshot()
    mixed[24:] = seeded_with_4[24:]  # the words of seed 4 with the number of seed 3
    source.set_state(mixed)
    assert source.initial_seed() == 3
    assert np.array_equal(source.snapshot(), mixed)
    assert np.array_equal(source.random32(3), other.random32(3))
    source.manual_seed(3)
    assert np.array_equal(source.snapshot(), Generator().manual_seed(3).snapshot())
    source.snapshot()[:] = 0  # snapshot gives a copy
    assert np.array_equal(source.snapshot(), Generator().manual_seed(3).snapshot())
    assert np.array_equal(source.random32(3), Generator().manual_seed(3).random32(3))
    source.cached_normal = 0.5
    source.set_state(Generator().manual_seed(3).snapshot())
    assert source.cached_normal is None
    assert np.array_equal(source.random32(3), Generator().manual_seed(3).random32(3))
    other.manual_seed(3)
    other.set_state(seeded_with_4)
    assert other.initial_seed() == 4
    assert np.array_equal(other.random32(3), Generator().manual_seed(4).random32(3))


def test_a_state_is_saved_and_loaded():
    source, file = seeded(), io.BytesIO()
    source.random32(700)
    torch.save({"stream": source.get_state()}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)["stream"].cpu()
    assert loaded.dtype == torch.uint8
    other = Generator()
    other.set_state(loaded)
    np.testing.assert_array_equal(other.random32(5), source.random32(5))


def test_seeding_clears_the_cached_normal():
    source = seeded()
    normal_(np.empty(1), generator=source)
    np.testing.assert_array_equal(source.manual_seed(2024).snapshot(), seeded().snapshot())


def test_block_draws_keep_the_cached_normal():
    source = seeded()
    normal_(np.empty(1), generator=source)
    cached = source.cached_normal
    normal_(np.empty(16), generator=source)
    assert normal_(np.empty(1), generator=source) == cached


def state_with(**fields):
    """The bytes of a state with some fields changed."""
    record = seeded().snapshot().view(generator.stream.STATE)
    for name, value in fields.items():
        record[name] = value
    return record.view(np.uint8)


@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (np.zeros(5056), TypeError, "must be uint8, but got float64"),
        (np.zeros(10, np.uint8), RuntimeError, "must have 5056 bytes, but got 10"),
        (np.zeros(5056, np.uint8), RuntimeError, r"seeded = 0 \(must be 1\)"),
        (state_with(left=0), RuntimeError, r"left = 0 \(must be 1 to 624\)"),
        (state_with(left=625), RuntimeError, "left = 625"),
        (state_with(left=3, next=5), RuntimeError, r"next = 5 \(must be 625 - left\)"),
    ],
)
def test_bad_states_leave_the_generator_as_it_was(state, error, message):
    source = seeded()
    source.random32(5)
    before = source.snapshot()
    with pytest.raises(error, match=message):
        source.set_state(state)
    np.testing.assert_array_equal(source.snapshot(), before)


def test_a_generator_of_another_device_is_refused():
    with pytest.raises(RuntimeError, match="device is mps:0"):
        Generator("mps:0")
    assert Generator(device=None).device == Generator().device


def test_importing_does_not_load_numpy_random():
    program = "import sys, microgad.generator; assert 'numpy.random' not in sys.modules"
    output_of(program)


def test_uniform_numbers_of_a_range_as_wide_as_the_dtype_are_finite():
    drawn = uniform_(np.empty(1000), -1.7976931348623157e308, -3.4e38)
    assert np.isfinite(drawn).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_dirichlet_draw_is_the_number_before_1(dtype):
    draws = gamma_dirichlet.dirichlet(np.full((200, 2), 0.01, dtype), generator=Generator().manual_seed(0))
    assert draws.dtype == dtype
    assert draws.max() == np.nextafter(dtype(1), dtype(0))


@pytest.mark.parametrize(("count", "replacement"), [(1, False), (3, False), (3, True)])
def test_multinomial_draws_row_after_row(count, replacement):
    rows, whole, single = np.random.default_rng(0).random((40, 10)), seeded(), seeded()
    expected = [multinomial(row, count, replacement, generator=single) for row in rows]
    np.testing.assert_array_equal(multinomial(rows, count, replacement, generator=whole), expected)


def test_vmap_with_different_randomness_draws_for_the_whole_batch_at_once():
    """The k-th draws of all samples are one draw of the whole batch, unless their shapes differ."""
    _ = torch.manual_seed(2024)
    expected = torch.rand(4, 3), torch.randn(4, 20), torch.stack([torch.randperm(5) for _ in range(4)]), torch.rand(1)
    _ = torch.manual_seed(2024)
    batched = torch.func.vmap(lambda x: (torch.rand(3), torch.randn(20), torch.randperm(5)), randomness="different")
    for one, other in zip((*batched(torch.zeros(4)), torch.rand(1)), expected, strict=True):
        assert one.equal(other)
    widths = iter((2, 3, 2))
    uneven = torch.func.vmap(lambda x: torch.rand(next(widths)).sum(), randomness="different")(torch.zeros(3))
    assert len(set(uneven.tolist())) == 3


def test_threads_whose_first_draws_coincide_share_one_stream(monkeypatch):
    source, expected = Generator().manual_seed(3), np.sort(Generator().manual_seed(3).random32(80))
    slow = np.random.RandomState

    def engine(bits):
        time.sleep(0.05)
        return slow(bits)

    monkeypatch.setattr(np.random, "RandomState", engine)
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: source.random32(20), range(4)))
    assert np.sort(np.concatenate(drawn)).tolist() == expected.tolist()


def test_threads_that_draw_at_once_get_the_numbers_of_draws_in_turn(monkeypatch):
    uniform = Generator.uniform

    def slow(self, *args):
        time.sleep(0.01)
        return uniform(self, *args)

    def draws(source, each):
        return np.sort([*each(lambda _: normal_(np.empty(3), generator=source), range(4))], axis=None).tolist()

    expected = draws(Generator().manual_seed(3), map)
    monkeypatch.setattr(Generator, "uniform", slow)
    with ThreadPoolExecutor(4) as pool:
        assert draws(Generator().manual_seed(3), pool.map) == expected


def test_a_forked_process_draws_though_a_thread_drew_at_the_fork():
    program = """
import os, signal, threading, microgad as torch
held, done = threading.Event(), threading.Event()
def draw():
    with torch.default_generator.lock:
        held.set()
        done.wait(60)
threading.Thread(target=draw).start()
held.wait(60)
if hasattr(os, "fork") and not (child := os.fork()):
    signal.alarm(20)
    torch.rand(1)
    os._exit(7)
done.set()
assert not hasattr(os, "fork") or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""
    output_of(program, "-W", "ignore")
