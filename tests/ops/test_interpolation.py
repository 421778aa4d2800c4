"""interpolate compared with its definition, a product with a matrix along each axis; which sizes and scales count."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad.ops.window import resample

LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def keys(x: float, a: float) -> float:
    x = abs(x)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


KERNELS: dict[str, Any] = {"linear": lambda x: max(1 - abs(x), 0), "bicubic": lambda x: keys(x, -0.5)}


def matrix(mode: str, n: int, steps: int, scale: float | None = None, align: bool = False, antialias: bool = False):
    """The matrix (steps, n) of a mode along one axis. Without a scale, sizes have the ratio n / steps."""
    out, step = np.zeros((steps, n)), 1 / scale if scale else n / steps
    if align:
        step = (n - 1) / (steps - 1) if steps > 1 else 0.0
    for i in range(steps):
        center = (i + 0.5) * step
        at = i * step if align else center - 0.5
        if mode == "area":
            cells = range(i * n // steps, -(-(i + 1) * n // steps))
            out[i, cells] = 1 / len(cells)
        elif antialias:
            wide = max(step, 1)
            reach = wide * (1 if mode == "linear" else 2)
            cells = range(max(int(center - reach + 0.5), 0), min(int(center + reach + 0.5), n))
            out[i, cells] = [KERNELS[mode]((cell + 0.5 - center) / wide) for cell in cells]
            out[i] /= out[i].sum()
        elif mode.startswith("nearest"):
            out[i, min(int(i * step if mode == "nearest" else center), n - 1)] = 1
        elif mode == "bicubic":
            for cell in range(int(np.floor(at)) - 1, int(np.floor(at)) + 3):
                out[i, min(max(cell, 0), n - 1)] += keys(at - cell, -0.75)
        else:
            at = min(max(at, 0), n - 1)
            low = int(at)
            out[i, low] += 1 - (at - low)
            out[i, min(low + 1, n - 1)] += at - low
    return out


def interpolated(x: Any, matrices: Any) -> Any:
    for axis, each in enumerate(matrices, 2):
        x = np.moveaxis(np.tensordot(x, each, (axis, 1)), -1, axis)
    return x


def check(x: Any, matrices: Any, **settings: Any) -> None:
    """Compare values, and the gradient with the product with the transposed matrices."""
    given = torch.tensor(x, requires_grad=True)
    found, expected = F.interpolate(given, **settings), interpolated(x, matrices)
    np.testing.assert_allclose(found.detach().cpu().numpy(), expected, rtol=1e-9, atol=1e-12)
    grad = np.random.default_rng(1).normal(size=expected.shape)
    found.backward(torch.tensor(grad))
    expected = interpolated(grad, [each.T for each in matrices])
    np.testing.assert_allclose(given.grad.cpu().numpy(), expected, rtol=1e-9, atol=1e-12)


SIZES = [(5, 3), (5, 8), (4, 1), (1, 4), (3, 6), (4, 4), (2, 7), (50, 3)]


@pytest.mark.parametrize("sizes", ["small", "not small", "large"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "area", "linear", "bicubic"])
def test_resizing_multiplies_by_the_matrix_of_each_axis(rng, monkeypatch, mode, align, antialias, sizes):
    plain = mode not in ("linear", "bicubic")
    if plain and (align or antialias):
        return
    if sizes != "small":  # as of larger arrays: no product with a dense matrix
        monkeypatch.setattr(resample, "MOST_DENSE", 0)
    if sizes == "large":  # in blocks
        monkeypatch.setattr(resample, "FEW_CELLS", 0)
        monkeypatch.setattr(resample, "BLOCK_SIZE", 30)
    settings = {} if plain else {"align_corners": align}
    for (n, steps), (m, more) in itertools.pairwise([*SIZES, SIZES[0]]):
        matrices = [matrix(mode, *sizes, None, align, antialias) for sizes in ((n, steps), (m, more))]
        name = "bilinear" if mode == "linear" else mode
        check(rng.normal(size=(2, 2, n, m)), matrices, size=(steps, more), mode=name, antialias=antialias, **settings)
        if mode == "bicubic" or antialias:
            continue
        for dims in (1, 3):
            name = LINEAR[dims] if mode == "linear" else mode
            shape, size = (m, n, 2)[-dims:] if dims == 3 else (n,), (more, steps, 3) if dims == 3 else (steps,)
            matrices = [matrix(mode, *sizes, None, align) for sizes in zip(shape, size, strict=True)]
            check(rng.normal(size=(1, 2, *shape)), matrices, size=size, mode=name, **settings)


# The sizes, of planes, to which a side n goes without regard to the exact scale
IGNORED = {
    "nearest": lambda n: (n, 2 * n),
    "linear": lambda n: (n,),
    "nearest-exact": lambda n: (),
    "bicubic": lambda n: (),
}


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "bicubic"])
def test_a_scale_counts_where_the_size_stays_or_doubles_except_where_pytorch_ignores_it(rng, mode):
    x, settings = rng.normal(size=(1, 2, 4, 5)), {"mode": "bilinear" if mode == "linear" else mode}
    for scale in (1.2, 1.5, 2.3, 0.7):
        sizes = [(n, int(n * scale)) for n in (4, 5)]
        kept = [(n, steps, None if steps in IGNORED[mode](n) else scale) for n, steps in sizes]
        check(x, [matrix(mode, *each) for each in kept], scale_factor=scale, **settings)
        check(x, [matrix(mode, *each) for each in sizes], scale_factor=scale, recompute_scale_factor=True, **settings)
        if mode.startswith("nearest"):
            check(x[:, :, 0], [matrix(mode, *sizes[1], scale)], scale_factor=scale, mode=mode)


@pytest.mark.parametrize("mode", ["area", "bilinear", "bicubic"])
def test_an_infinity_reaches_only_what_is_computed_from_it(mode):
    x = torch.randn(1, 1, 8, 8)
    x[..., 0, 0] = torch.inf
    found = F.interpolate(x, (4, 4), mode=mode)
    assert not found[..., 0, 0].isfinite()
    assert found[..., 2:, 2:].isfinite().all()


def test_bytes_stay_between_0_and_255():
    x = torch.tensor([[[[0, 255, 255, 0, 0, 255]]]], dtype=torch.uint8)
    found = F.interpolate(x, (1, 24), mode="bicubic")
    real = F.interpolate(x.double(), (1, 24), mode="bicubic")
    assert real.min() < -5
    assert real.max() > 260
    assert (found.double() - real.clamp(0, 255)).abs().max() <= 1
