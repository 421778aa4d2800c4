"""Gamma, Poisson and binomial draws, of which each takes a random number of uniform numbers."""

import gc
import weakref

import numpy as np
import pytest

from microgad.generator import Generator, binomial, gamma, normal_, poisson
from microgad.generator.gamma_dirichlet import dirichlet
from microgad.generator.uniform_buffer import UniformBuffer

from .memory import with_peak


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("draw", "parameters"),
    [
        (poisson, (30.0,)),
        (poisson, (1e4,)),
        (poisson, (np.linspace(0, 9.5, 2000),)),
        (poisson, (np.linspace(0, 100, 200),)),
        (poisson, (np.array([0, np.inf, 3, 30.0] * 50),)),
        (binomial, (100.0, 0.4)),
        (binomial, (100.0, 0.75)),
        (binomial, (1e6, 0.3)),
        (binomial, (np.arange(1, 2001.0) % 19 + 1, 0.5)),
        (binomial, (2000.0, 1 / 512)),
        (binomial, (np.arange(200.0), np.linspace(0, 1, 200))),
        (binomial, (np.arange(200.0) % 9 + 1, np.linspace(0.01, 0.99, 200))),
        (gamma, (0.5,)),
        (gamma, (2.0,)),
        (gamma, (np.linspace(0, 3, 200),)),
    ],
)
def test_many_draws_are_those_of_one_after_the_other(draw, parameters, dtype):
    parameters = np.broadcast_arrays(np.zeros(200 if np.ndim(parameters[0]) == 0 else 1), *parameters)[1:]
    many, single = (Generator().manual_seed(2024) for _ in range(2))
    for source in many, single:  # leaves a cached normal
        normal_(np.empty(1), generator=source)
    parameters = [p.astype(dtype) for p in parameters]
    expected = [draw(*(p[i : i + 1] for p in parameters), generator=single)[0] for i in range(len(parameters[0]))]
    np.testing.assert_array_equal(draw(*parameters, generator=many), expected)
    np.testing.assert_array_equal(many.snapshot(), single.snapshot())


@pytest.mark.parametrize("draw", [gamma, dirichlet, poisson])
def test_memory_of_many_draws_is_a_small_multiple_of_the_result(draw):
    parameters = np.linspace(1, 9, 20_000).reshape(-1, 2)
    many, parts = (Generator().manual_seed(2024) for _ in range(2))
    drawn, peak = with_peak(lambda: draw(parameters, generator=many))
    assert peak < 6 * drawn.nbytes
    np.testing.assert_array_equal(drawn, np.concatenate([draw(x, generator=parts) for x in np.split(parameters, 5)]))
    np.testing.assert_array_equal(many.snapshot(), parts.snapshot())


@pytest.mark.parametrize("size", [3, 300])
def test_poisson_draws_of_negative_zero_are_zero(size):
    assert not np.signbit(poisson(np.full(size, -0.0))).any()


def test_draws_round_as_pytorchs_do():
    """What PyTorch 2.13 returns; other roundings give other numbers here."""
    assert gamma(np.full(6, 2.0), generator=Generator().manual_seed(2024))[-1] == 1.922530565306614
    counts, chances = (np.full(27372, x, np.float32) for x in (21928, 0.17197369))
    assert binomial(counts, chances, generator=Generator().manual_seed(5))[-1] == 3791


def test_gamma_draws_of_nan_and_of_negative_numbers_are_the_smallest_normal_number():
    """PyTorch gives it by taking the maximum with NaN."""
    assert (gamma(np.array([np.nan, -1.0])) == np.finfo(np.float64).tiny).all()


def test_a_buffer_that_gave_back_what_it_drew_ahead_is_freed_at_once():
    buffer = UniformBuffer(Generator(), 100)
    buffer.next()
    buffer.rewind()
    alive = weakref.ref(buffer)
    gc.disable()
    try:
        del buffer
        assert alive() is None
    finally:
        gc.enable()


def test_gamma_of_small_negative_shapes_is_infinite_as_in_pytorch():
    shapes = np.array([-0.001, -0.001, -0.5, -0.9, 0.5, -0.001], np.float32)
    drawn = gamma(shapes, generator=Generator().manual_seed(0))
    np.testing.assert_allclose(drawn, [np.inf, np.inf, 1.1586e-02, 1.1755e-38, 2.0048e-01, np.inf], rtol=1e-4)
