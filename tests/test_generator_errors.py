"""Draws with bad arguments, or into arrays that can't be written: they raise, draw nothing and write nothing."""

import numpy as np
import pytest

from microgad.generator import (
    Generator,
    bernoulli_,
    cauchy_,
    dropout_noise,
    exponential_,
    geometric_,
    log_normal_,
    multinomial,
    normal_,
    random_,
    randperm,
    uniform_,
)

NAN, INF = float("nan"), float("inf")


def seeded() -> Generator:
    return Generator().manual_seed(2024)


@pytest.mark.parametrize(
    ("fill", "arguments", "dtype", "error", "message"),
    [
        (uniform_, (2, 1), "f4", RuntimeError, "found from=2 > to=1"),
        (uniform_, (NAN, 1), "f4", RuntimeError, "from is out of bounds for float32: nan"),
        (uniform_, (0, INF), "f8", RuntimeError, "to is out of bounds for float64: inf"),
        (uniform_, (0, 1e6), "f2", RuntimeError, "to is out of bounds for float16"),
        (uniform_, (-3e38, 3e38), "f4", RuntimeError, "uniform_ expects to-from <="),
        (uniform_, (), "i8", NotImplementedError, "must be float16, float32 or float64, but is int64"),
        (normal_, (0, -1), "f4", RuntimeError, "normal expects std >= 0.0, but found std -1"),
        (normal_, (0, NAN), "f4", RuntimeError, "found std nan"),
        (normal_, (), "i8", NotImplementedError, "but is int64"),
        (exponential_, (0,), "f4", RuntimeError, "expects lambda > 0.0, but found lambda=0"),
        (exponential_, (), "i4", RuntimeError, "but is int32"),
        (cauchy_, (0, 0), "f4", RuntimeError, "expects sigma > 0.0, but found sigma=0"),
        (cauchy_, (), "i4", RuntimeError, "but is int32"),
        (geometric_, (1,), "f4", RuntimeError, r"expects p to be in \(0, 1\), but got p=1"),
        (geometric_, (0.5,), "?", NotImplementedError, "not implemented for bool"),
        (log_normal_, (0, 0), "f4", RuntimeError, "expects std > 0.0, but found std=0"),
        (log_normal_, (), "i8", NotImplementedError, "but is int64"),
        (bernoulli_, (1.5,), "f4", RuntimeError, r"p must be in \[0, 1\], but got 1.5"),
        (bernoulli_, (NAN,), "f4", RuntimeError, "but got nan"),
        (bernoulli_, (np.array([0.5, -0.25, 1]),), "f4", RuntimeError, "but contains -0.25"),
        (bernoulli_, (np.array([0, 1, 1]),), "f4", NotImplementedError, "p must be float16.* is int64"),
        (bernoulli_, (np.zeros(2),), "f4", RuntimeError, r"\(2,\), which doesn't broadcast to \(4, 3\)"),
        (random_, (5, 5), "i8", RuntimeError, "but got from=5 >= to=5"),
        (random_, (-1, 5), "u1", RuntimeError, "from is out of bounds for uint8"),
        (random_, (0, 257), "u1", RuntimeError, "to - 1 is out of bounds for uint8: 256"),
        (random_, (300,), "u1", RuntimeError, "from is out of bounds for uint8: 300"),
        (random_, (0, 3), "?", RuntimeError, "to - 1 is out of bounds for bool"),
        (random_, (5, 3), "f2", RuntimeError, "expects .from. to be less than .to."),
        (random_, (-(2**63),), "i4", RuntimeError, "is out of bounds for int32"),
        (random_, (), "u4", NotImplementedError, "uint32 without high"),
        (random_, (0, 3), "c8", NotImplementedError, "complex64"),
        (random_, (0.5, 3), "i8", TypeError, "float"),
    ],
)
def test_bad_arguments_draw_nothing_and_write_nothing(fill, arguments, dtype, error, message):
    source, array = seeded(), np.ones((4, 3), dtype)
    with pytest.raises(error, match=message):
        fill(array, *arguments, generator=source)
    assert (array == 1).all()
    np.testing.assert_array_equal(source.snapshot(), seeded().snapshot())


@pytest.mark.parametrize("shape", [(4, 3), (4, 30)])
@pytest.mark.parametrize("fill", [uniform_, normal_, exponential_, bernoulli_, random_])
def test_read_only_and_expanded_arrays_raise_and_draw_nothing(fill, shape):
    source, frozen = seeded(), np.ones(shape)
    frozen.flags.writeable = False
    for array, error in ((frozen, ValueError), (np.broadcast_to(np.ones(shape[1:]), shape), RuntimeError)):
        with pytest.raises(error, match=fill.__name__):
            fill(array, generator=source)
    np.testing.assert_array_equal(source.snapshot(), seeded().snapshot())


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda g: randperm(-1, generator=g), RuntimeError, "n must be >= 0, but got -1"),
        (lambda g: randperm(300, np.uint8, generator=g), RuntimeError, "n must be at most 256 for uint8, but got 300"),
        (lambda g: randperm(2050, np.float16, generator=g), RuntimeError, "at most 2049 for float16"),
        (lambda g: randperm(3, np.bool_, generator=g), NotImplementedError, "bool"),
        (lambda g: randperm(2.5, generator=g), TypeError, "float"),
        (lambda g: randperm(2**28, generator=g), NotImplementedError, "less than 214748364"),
        (lambda g: multinomial(np.ones(()), 1, generator=g), RuntimeError, r"must be 1 or 2 dim.* has shape \(\)"),
        (lambda g: multinomial(np.ones((2, 2, 2)), 1, generator=g), RuntimeError, r"shape \(2, 2, 2\)"),
        (lambda g: multinomial(np.ones(3), 0, generator=g), RuntimeError, "cannot sample n_sample <= 0 samples"),
        (lambda g: multinomial(np.ones(3), 4, generator=g), RuntimeError, "without replacement: 4 of 3"),
        (lambda g: multinomial(np.ones((2, 0)), 1, True, generator=g), RuntimeError, "without replacement: 1 of 0"),
        (lambda g: multinomial(np.ones(2**24 + 1, "f2"), 1, generator=g), RuntimeError, "cannot exceed 2\\^24"),
        (lambda g: multinomial(np.array([[0, 1.0], [0, 0]]), 1, generator=g), RuntimeError, "of probabilities <= 0"),
        (lambda g: multinomial(np.array([-1, 2.0]), 2, True, generator=g), RuntimeError, "`inf`, `nan` or element < 0"),
        (lambda g: multinomial(np.array([NAN, 2]), 1, generator=g), RuntimeError, "either `inf`, `nan` or element < 0"),
        (lambda g: multinomial(np.array([1, 2]), 1, generator=g), RuntimeError, "probabilities must be float16"),
        (lambda g: g.get_offset(), RuntimeError, "does not use offset"),
        (lambda g: dropout_noise(np.ones(3), 1.5, 1.0, generator=g), RuntimeError, r"keep must be in \[0, 1\]"),
        (lambda g: dropout_noise(np.ones(3, np.int64), 0.5, 2.0, generator=g), NotImplementedError, "but is int64"),
    ],
)
def test_draws_that_raise_leave_the_generator_as_it_was(draw, error, message):
    source = seeded()
    with pytest.raises(error, match=message):
        draw(source)
    np.testing.assert_array_equal(source.snapshot(), seeded().snapshot())


@pytest.mark.parametrize("seed", [True, False, np.True_, 1.0, "1", None])
def test_a_seed_that_is_no_integer_changes_nothing(seed: object) -> None:
    generator = seeded()
    with pytest.raises(RuntimeError, match=f"seed must be an integer, but got {type(seed).__name__}"):
        generator.manual_seed(seed)
    assert generator.initial_seed() == 2024
