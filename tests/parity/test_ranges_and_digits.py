"""Results and gradients against PyTorch's near the ends of a dtype's range; digits of sums, linspace and logspace."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")
INF, NAN = math.inf, math.nan


def results(t: Any, program: Callable[[Any, Any], Any], values: Any, dtype: str) -> list[Any]:
    """The results of program(t, x) and, if they want one, the gradient of x, where the results weigh 1, 2, 3, ..."""
    x = t.tensor(values, dtype=getattr(t, dtype))
    x.requires_grad_(x.is_floating_point() or x.is_complex())
    found = program(t, x)
    found = list(found) if isinstance(found, tuple) else [found]
    if found[0].requires_grad:
        weights = [t.arange(1, y.numel() + 1).reshape(y.shape).to(y.dtype) for y in found]
        found += t.autograd.grad(found, x, weights)
    return [np.asarray(y.detach().cpu().resolve_conj().numpy()) for y in found]


def compare(program: Callable[[Any, Any], Any], values: Any, dtype: str = "float32", rtol: float = 1e-6) -> None:
    """Compare the results and gradients of both libraries."""
    theirs, ours = (results(t, program, values, dtype) for t in (torch, microgad))
    for a, b in zip(theirs, ours, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(b, a, rtol, rtol * np.abs(a[np.isfinite(a)]).max(initial=0))


SPREADS: dict[str, Callable[[Any, Any], Any]] = {
    "std": lambda t, x: x.std(),
    "var": lambda t, x: x.var(0),
    "std_mean": lambda t, x: t.std_mean(x, 0),
    "var_mean": lambda t, x: t.var_mean(x),
}


@pytest.mark.parametrize("scale", [1e-25, 1e-19, 1.0, 1e19, 1e37])
@pytest.mark.parametrize("name", SPREADS)
def test_spreads_of_tiny_and_huge_numbers(name: str, scale: float) -> None:
    compare(SPREADS[name], [1 * scale, 2 * scale, 4 * scale])


@pytest.mark.parametrize("name", SPREADS)
def test_spreads_of_numbers_far_from_zero(name: str) -> None:
    values = np.random.default_rng(0).normal(1e4, 1, (1000, 3)).astype(np.float32)
    program = SPREADS[name]
    compare(lambda t, x: program(t, x.detach()), values, rtol=1e-7)


def test_the_spread_of_no_numbers() -> None:
    compare(lambda t, x: t.std_mean(x, correction=-1), [])


EQUAL: dict[str, tuple[Callable[[Any, Any], Any], tuple[int, ...]]] = {
    "logcumsumexp": (lambda t, x: x.logcumsumexp(0)[-1], (20000,)),
    "logsumexp": (lambda t, x: x.logsumexp(0), (1000, 3)),
    "softmax": (lambda t, x: x.softmax(0), (1000, 3)),
    "log_softmax": (lambda t, x: x.log_softmax(0), (1000, 3)),
}


@pytest.mark.parametrize("name", EQUAL)
def test_gradients_of_many_equal_numbers_keep_their_digits(name: str) -> None:
    program, shape = EQUAL[name]
    compare(program, np.zeros(shape))


def test_logcumsumexp_up_to_infinity() -> None:
    compare(lambda t, x: x.logcumsumexp(0), [2, INF, 0.5])


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("power", [-2, -3, -4, -7])
def test_negative_powers_of_huge_complex_numbers(power: int, dtype: str) -> None:
    def slopes(t: Any, x: Any) -> Any:
        value = x**power
        (slope,) = t.autograd.grad(value.real.sum(), x, create_graph=True)
        return value, slope

    scale = 1e20 if dtype == "complex64" else 1e120
    compare(slopes, [scale * (1 + 1j), scale * 1j, 2 - 1j, -0.5 + 1j], dtype)


def test_the_first_power_of_complex_infinity() -> None:
    compare(lambda t, x: x**1, [complex(0, INF), complex(-INF, 1)], "complex64")


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_least_common_multiples_that_overflow(dtype: str) -> None:
    largest = np.iinfo(dtype).max
    compare(lambda t, x: t.lcm(x[:, None], x), [largest, largest - 1, 2, 3, -6, -largest], dtype, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_a_mean_in_float16_rounds_only_the_result(dtype: str) -> None:
    compare(lambda t, x: x.mean(dtype=t.float16), [2049, -2048], dtype)
    compare(lambda t, x: t.mean(x[None], 1, True, dtype=t.float16), [-32768, 22006, -19975, 32767], dtype)


def test_small_derivatives_of_logaddexp2() -> None:
    compare(lambda t, x: t.logaddexp2(x, t.zeros(1)) * 2.0**90, [-100, -90], rtol=1e-7)


@pytest.mark.parametrize(
    ("f", "values"),
    [
        (lambda t, x: t.nn.functional.normalize(x, dim=0), [1e18, 3e18, -1e18]),
        (lambda t, x: t.cosine_similarity(x, t.tensor([1.0, 0, 2]), dim=0), [1e18, 3e18, -1e18]),
        (lambda t, x: x.norm(), [1e-21, 3e-21, -1e-21]),
        (lambda t, x: t.linalg.vector_norm(x, dim=0), [1e19, 3e18, 0]),
        (lambda t, x: t.logaddexp(x, t.zeros(1)), [30, 20, -30]),
    ],
    ids=["normalize", "cosine_similarity", "norm", "vector_norm", "logaddexp"],
)
def test_second_derivatives_where_a_term_is_tiny_or_huge(f: Callable[[Any, Any], Any], values: list[float]) -> None:
    def slope(t: Any, x: Any) -> Any:
        value = f(t, x)
        return t.autograd.grad((value * t.arange(1, value.numel() + 1)).sum(), x, create_graph=True)

    compare(slope, values)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64"])
def test_integers_to_the_power_of_the_smallest_integer(dtype: str) -> None:
    compare(lambda t, x: x[:, None] ** x[[0, 1, 3, 4]], [np.iinfo(dtype).min, -1, 0, 1, 2], dtype, 0)


@pytest.mark.parametrize("value", [NAN, INF, 0, 2])
def test_the_product_of_one_number(value: float) -> None:
    compare(lambda t, x: x.prod(), value)
    compare(lambda t, x: x.prod(0), value)


@pytest.mark.parametrize("order", [INF, -INF])
def test_extreme_norms_of_complex_nan(order: float) -> None:
    compare(lambda t, x: t.linalg.vector_norm(x, order), [1, NAN, 2j], "complex64")


def test_the_gradient_of_a_failed_cholesky_factor_is_nan() -> None:
    A = microgad.tensor([[[1.0, 2], [2, 1]], [[4, 0], [0, 1]]], requires_grad=True)
    microgad.linalg.cholesky_ex(A).L.sum().backward()
    assert A.grad.isnan().all((1, 2)).tolist() == [True, False]
    assert A.grad[1].isfinite().all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_linspace_has_torchs_last_bits(dtype: str) -> None:
    rng = np.random.default_rng(0)
    for steps in (1, 2, 3, 7, 12, 51, 1000):
        start, end = (float(x) for x in rng.standard_normal(2) * 10)
        mine, other = (lib.linspace(start, end, steps, dtype=getattr(lib, dtype)) for lib in (microgad, torch))
        assert mine.tolist() == other.tolist()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_arange_has_torchs_last_bits(dtype: str) -> None:
    rng = np.random.default_rng(0)
    for count in (1, 7, 16, 33, 70, 1000, 40_000):
        start, step = float(rng.standard_normal()), float(rng.choice([0.1, -0.05, 1 / 8000, rng.standard_normal()]))
        end = start + step * count
        mine, other = (lib.arange(start, end, step, dtype=getattr(lib, dtype)) for lib in (microgad, torch))
        assert mine.tolist() == other.tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["blackman", "hann", "hamming", "bartlett", "nuttall"])
def test_windows_start_and_end_with_torchs_last_bits(name: str, dtype: str) -> None:
    for size, sym in itertools.product((2, 5, 50, 101), (True, False)):
        mine, other = (
            getattr(lib.signal.windows, name)(size, sym=sym, dtype=getattr(lib, dtype)) for lib in (microgad, torch)
        )
        assert (mine[0], mine[-1]) == (other[0].item(), other[-1].item())
        np.testing.assert_allclose(mine, other, rtol=0, atol=4e-16 if dtype == "float64" else 2.4e-7)


@pytest.mark.parametrize("n", [1, 8, 100])
def test_fftfreq_has_torchs_last_bits(n: int) -> None:
    assert microgad.fft.fftfreq(n, 0.3).tolist() == torch.fft.fftfreq(n, 0.3).tolist()


@pytest.mark.parametrize("bounds", [(4, -1), (-3, 5), (2.7, -3.9), (0, 6)])
@pytest.mark.parametrize("dtype", ["int8", "int64"])
def test_ranges_of_integers_are_truncated_as_torchs(dtype: str, bounds: tuple[float, float]) -> None:
    def ranges(t: Any, steps: int) -> list[list[int]]:
        to: Any = {"steps": steps, "dtype": getattr(t, dtype)}
        made = t.linspace(*bounds, **to), t.logspace(*bounds, base=2, **to), t.logspace(*bounds, base=0.5, **to)
        return [x.tolist() for x in made]

    for steps in (0, 1, 2, 7, 16, 67, 300):
        assert ranges(microgad, steps) == ranges(torch, steps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logspace_has_torchs_last_digits(dtype: str) -> None:
    for start, end, steps in ((16.0978, 17.3532, 17), (-9.1, 5.3, 64), (2.5, 1.0, 1)):
        mine, other = (lib.logspace(start, end, steps, base=3, dtype=getattr(lib, dtype)) for lib in (microgad, torch))
        np.testing.assert_allclose(mine, other, 1e-15 if dtype == "float64" else 1.2e-7)
