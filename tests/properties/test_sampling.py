"""Interpolation, and sampling at the points of a grid."""

import numpy as np
import pytest
from hypothesis import strategies as st

import microgad as torch
import microgad.nn.functional as F
from microgad.ops.window.grid import GatherCells, GridSample, GridSourceIndex, reflect
from microgad.ops.window.resample import Resample
from microgad.testing.strategies import tensors

from .registry import checks

PLAIN = ("nearest", "nearest-exact", "area")
MODES = {1: ("linear", *PLAIN), 2: ("bilinear", "bicubic", *PLAIN), 3: ("trilinear", *PLAIN)}


@checks(Resample)
def test_interpolate(draw):
    dims = draw(st.integers(1, 3))
    mode = draw(st.sampled_from(MODES[dims]))
    most = 4 if dims < 3 else 2
    x = draw(
        tensors((1, draw(st.integers(1, 2)), *draw(st.tuples(*[st.integers(1, most)] * dims))), requires_grad=True)
    )
    options = {} if mode in PLAIN else {"align_corners": draw(st.booleans())}
    if draw(st.booleans()):
        size = draw(st.tuples(*[st.integers(1, most + 1)] * dims))
        return lambda x: F.interpolate(x, size, mode=mode, **options), x
    scale = draw(st.sampled_from([1.0, 1.5, 2.0]))
    return lambda x: F.interpolate(x, scale_factor=scale, mode=mode, **options), x


@checks(Resample)
def test_interpolate_antialiased(draw):
    mode = draw(st.sampled_from(["bilinear", "bicubic", "lanczos"]))
    x = draw(tensors((1, 1, draw(st.integers(1, 5)), draw(st.integers(1, 5))), requires_grad=True))
    size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    return lambda x: F.interpolate(x, size, mode=mode, antialias=True), x


@checks(GridSourceIndex, GridSample, GatherCells)
def test_grid_sample(draw):
    dims = draw(st.integers(2, 3))
    mode = draw(st.sampled_from(["bilinear", "bicubic"] if dims == 2 else ["bilinear"]))
    padding, align = draw(st.sampled_from(["zeros", "border", "reflection"])), draw(st.booleans())
    size = draw(st.tuples(*[st.integers(2, 3)] * dims))
    n = draw(st.integers(1, 2))
    x = draw(tensors((n, draw(st.integers(1, 2)), *size), requires_grad=True))
    # Between the centers of cells, and away from the edges: it has kinks at both. Far ones are reflected several times.
    far = 6 if padding == "reflection" else 0
    cells = st.integers(-1 - far, 3 + far).flatmap(lambda i: st.floats(i + 0.2, i + 0.3))
    cell = draw(tensors((n, *[1] * (dims - 1), draw(st.integers(1, 3)), dims), elements=cells))
    span = np.array(size[::-1], float)
    points = (cell.array / (span - 1) if align else (cell.array + 0.5) / span) * 2 - 1
    grid = torch.tensor(points, requires_grad=True)
    return lambda x, grid: F.grid_sample(x, grid, mode, padding, align), x, grid


@checks(GridSample, GatherCells)
def test_grid_sample_nearest(draw):
    x = draw(tensors((1, 2, draw(st.integers(1, 3)), draw(st.integers(1, 3))), requires_grad=True))
    grid = torch.tensor(np.random.default_rng(0).uniform(-1.2, 1.2, (1, 2, 2, 2)))
    padding, align = draw(st.sampled_from(["zeros", "border", "reflection"])), draw(st.booleans())
    return lambda x: F.grid_sample(x, grid.to(x), "nearest", padding, align), x


def test_nearest_sampling_has_a_zero_gradient_for_the_grid_and_takes_no_nan():
    grid = torch.tensor([[[[0.3, 0.1], [float("nan"), 0.0], [float("inf"), 0.0]]]], requires_grad=True)
    out = F.grid_sample(torch.ones(1, 1, 2, 2), grid, "nearest", align_corners=True)
    assert out.tolist() == [[[[1, 0, 0]]]]
    (slope,) = torch.autograd.grad(out.sum(), grid)
    assert not slope.any()
    bicubic = F.grid_sample(torch.ones(1, 1, 2, 2), grid, "bicubic", align_corners=True)
    assert bicubic.isnan().tolist() == [[[[False, True, True]]]]


@pytest.mark.parametrize("align", [False, True])
def test_far_places_are_reflected_until_they_are_inside(align):
    def reflected(at, n):
        low, high = (0.0, n - 1) if align else (-0.5, n - 0.5)
        while not low <= at <= high:
            at = 2 * (low if at < low else high) - at
        return at

    at, sizes = np.arange(-9.3, 12), np.array([[2.0], [5.0]])
    found, turn = reflect(np.stack([at, at])[None], sizes, align)
    expected = np.array([[reflected(x, n) for x in at] for (n,) in sizes.tolist()])
    step = np.array([[reflected(x + 1e-3, n) for x in at] for (n,) in sizes.tolist()]) - expected
    np.testing.assert_allclose(found[0], expected, atol=1e-12)
    np.testing.assert_array_equal(turn[0], np.sign(step))


@pytest.mark.parametrize("padding", ["border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_nothing_but_the_input_is_sampled_far_outside(mode, padding):
    grid = torch.linspace(-4, 4, 60).view(1, 6, 5, 2)
    for align in (True, False):
        out = F.grid_sample(torch.ones(1, 1, 3, 4), grid, mode, padding, align)
        np.testing.assert_allclose(out.array, 1, rtol=1e-5)


def test_the_grid_of_the_identity_samples_the_input_itself():
    x = torch.arange(24.0).reshape(1, 2, 3, 4)
    theta = torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    for align in (True, False):
        grid = F.affine_grid(theta, x.shape, align_corners=align)
        np.testing.assert_allclose(F.grid_sample(x, grid, align_corners=align).array, x.array, atol=1e-5)


def test_interpolation_keeps_constants_and_is_a_copy_at_the_same_size():
    x = torch.full((1, 1, 3, 5), 7.0)
    for mode in MODES[2]:
        np.testing.assert_allclose(F.interpolate(x, (4, 2), mode=mode).array, 7, rtol=1e-6)
    x = torch.arange(15.0).reshape(1, 1, 3, 5)
    for mode in MODES[2]:
        y = F.interpolate(x, (3, 5), mode=mode)
        np.testing.assert_allclose(y.array, x.array, rtol=1e-6)
        assert not np.may_share_memory(y.array, x.array)
