"""Resizing, grid_sample and affine_grid against PyTorch's: values, first derivatives and their derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad
import microgad.nn.functional as ours

torch = pytest.importorskip("torch")

from .derivatives import TOLERANCE, check, functional_pair, same  # noqa: E402

theirs = torch.nn.functional

# PyTorch warns of its own deprecations and slow paths.
pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")

sizes = st.integers(1, 3)
seeds = st.integers(0, 2**32 - 1)

LINEAR_MODES = {1: ["linear"], 2: ["bilinear", "bicubic"], 3: ["trilinear"]}


@given(st.integers(1, 3), st.sampled_from(["float32", "float64"]), st.data(), seeds)
def test_interpolate_equals_pytorchs_with_gradients(dims, dtype, data, seed):
    mode = data.draw(st.sampled_from([*LINEAR_MODES[dims], "nearest", "nearest-exact", "area"]))
    shape = (data.draw(sizes), data.draw(sizes), *data.draw(st.tuples(*[st.integers(1, 7)] * dims)))
    settings = {"align_corners": data.draw(st.booleans())} if mode in LINEAR_MODES[dims] else {}
    if data.draw(st.booleans()):
        settings["size"] = data.draw(st.tuples(*[st.integers(2, 9)] * dims))
    else:
        scales = st.sampled_from([1.0, 1.7, 2.0, 2.5])
        settings["scale_factor"] = data.draw(st.one_of(scales, st.tuples(*[scales] * dims)))
        settings["recompute_scale_factor"] = data.draw(st.sampled_from([None, False, True]))
    # PyTorch's result for size 1 is wrong
    if dims == 2 and mode in LINEAR_MODES[2] and min(settings.get("size", shape[2:])) > 1:
        settings["antialias"] = data.draw(st.booleans())
    check(*functional_pair("interpolate", mode=mode, **settings), (shape,), dtype, seed)


@pytest.mark.parametrize("scale", [1.3, 2.2])
def test_interpolate_uses_the_scale_even_if_sizes_stay_or_double(scale):
    check(*functional_pair("interpolate", scale_factor=scale), ((1, 2, 3, 4),), "float32", 0)


@pytest.mark.parametrize("mode", ["linear", "bicubic"])
@pytest.mark.parametrize("resized", [{"scale_factor": 1.7}, {"size": 45}, {"size": 91, "align_corners": True}])
def test_weights_are_torchs_bit_for_bit(mode, resized):
    """The rows of the identity become the weights of each cell. At a border the bicubic ones are sums of several."""
    shape = (1, 64, 64) if mode == "linear" else (1, 64, 1, 64)
    if mode == "bicubic":
        resized = {name: x if name == "align_corners" else (1, x) for name, x in resized.items()}
    results = [
        lib.nn.functional.interpolate(lib.eye(64).reshape(shape), mode=mode, **resized).numpy()[..., 2:-2]
        for lib in (microgad, torch)
    ]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("resized", [{"size": (4, 9)}, {"size": (31, 47)}, {"size": (16, 31)}, {"scale_factor": 0.7}])
def test_uint8_is_torchs_bit_for_bit(mode, antialias, resized):
    x = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 20), dtype=np.uint8)
    settings = {"mode": mode, "antialias": antialias and mode != "nearest", **resized}
    a, b = ours.interpolate(microgad.tensor(x), **settings), theirs.interpolate(torch.tensor(x), **settings)
    assert a.dtype == microgad.uint8
    np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    "resized", [{"size": (3, 2)}, {"size": (7, 40)}, {"size": (19, 5)}, {"scale_factor": (0.4, 1.05)}]
)
@pytest.mark.parametrize("last", [False, True])
def test_antialiased_float32_is_torchs_bit_for_bit(mode, resized, last):
    """With a scale that leaves a size as it is too, which PyTorch ignores then."""
    x = np.random.default_rng(0).normal(size=(2, 3, 17, 16)).astype(np.float32)
    results = [
        lib.nn.functional.interpolate(
            lib.tensor(x).to(memory_format=lib.channels_last if last else lib.contiguous_format),
            mode=mode, antialias=True, **resized,
        ).numpy()
        for lib in (microgad, torch)
    ]  # fmt: skip
    np.testing.assert_array_equal(*results)


def test_lanczos_equals_pytorchs_with_gradients():
    check(*functional_pair("interpolate", (4, 9), mode="lanczos", antialias=True), ((1, 2, 9, 5),), "float64", 0)


@given(
    st.sampled_from([("bilinear", 2), ("bilinear", 3), ("nearest", 2), ("nearest", 3), ("bicubic", 2)]),
    st.sampled_from(["zeros", "border", "reflection"]),
    st.booleans(),
    st.sampled_from(["float32", "float64"]),
    st.sampled_from([0.5, 1.0, 3.0]),
    seeds,
)
def test_grid_sample_equals_pytorchs_with_gradients(mode, padding, align, dtype, scale, seed):
    name, dims = mode
    rng = np.random.default_rng(seed)
    arrays = [
        rng.standard_normal((2, 3, *rng.integers(1, 6, dims))).astype(dtype),
        (scale * rng.standard_normal((2, *rng.integers(1, 4, dims), dims))).astype(dtype),
    ]
    settings = {"mode": name, "padding_mode": padding, "align_corners": align}
    a, b = ([lib.tensor(x, requires_grad=True) for x in arrays] for lib in (microgad, torch))
    out_a, out_b = ours.grid_sample(*a, **settings), theirs.grid_sample(*b, **settings)
    same(out_a, out_b, 10 * TOLERANCE[dtype])
    up = rng.standard_normal(out_a.shape).astype(dtype)
    for x, y in zip(
        microgad.autograd.grad(out_a, a, microgad.tensor(up)),
        torch.autograd.grad(out_b, b, torch.tensor(up)),
        strict=True,
    ):
        same(x, y, 100 * TOLERANCE[dtype])


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("size", [(2, 1, 3, 4), (1, 1, 1, 2), (2, 1, 2, 3, 4)])
def test_affine_grid_equals_pytorchs_with_gradients(align, size):
    dims = len(size) - 2
    check(*functional_pair("affine_grid", size, align_corners=align), ((size[0], dims, dims + 1),), "float64", 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [(2, 1, 6, 11), (1, 1, 6, 11), (1, 1, 2, 3, 5), (1, 1, 6, 12)], ids=str)
def test_affine_grid_is_torchs_bit_for_bit(size, dtype):
    """For small grids PyTorch uses its own matrix product, which rounds after each step; for the last one a BLAS."""
    dims = len(size) - 2
    a, b = (np.random.default_rng(0).standard_normal(shape).astype(dtype) for shape in ((72, 3), (3, 2)))
    if size == (1, 1, 6, 12) and not np.array_equal(a @ b, torch.tensor(a) @ torch.tensor(b)):
        pytest.skip("PyTorch's BLAS rounds products differently from NumPy's on this processor")
    for seed in range(5):
        theta = np.random.default_rng(seed).standard_normal((size[0], dims, dims + 1)).astype(dtype)
        mine, other = (
            f.affine_grid(lib.tensor(theta), size, align_corners=False)
            for lib, f in ((microgad, ours), (torch, theirs))
        )
        same(mine, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize(
    "size", [(2, 1, 28, 28), (1, 2, 100, 30), (1, 1, 12, 20), (1, 1, 1, 7), (1, 1, 3, 12, 20)], ids=str
)
def test_identity_grid_has_torchs_one_sided_derivatives(size, align, dtype):
    """Each coordinate is a pixel's center, where left and right derivatives differ: the last bits choose one."""
    rng, dims = np.random.default_rng(0), len(size) - 2
    x, up = (rng.standard_normal(size).astype(dtype) for _ in range(2))
    found = []
    for lib, f in ((microgad, ours), (torch, theirs)):
        theta = lib.tensor(np.eye(dims, dims + 1, dtype=dtype)[None].repeat(size[0], 0), requires_grad=True)
        grid = f.affine_grid(theta, size, align_corners=align)
        out = f.grid_sample(lib.tensor(x), grid, align_corners=align)
        found.append([grid, out, *lib.autograd.grad(out, (grid, theta), lib.tensor(up))])
    same(found[0][0], found[1][0])
    for mine, other in zip(found[0][1:], found[1][1:], strict=True):
        same(mine, other, 10 * TOLERANCE[dtype])


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_grid_sample_of_volumes_ignores_nonfinite_coordinates(mode, align):
    x, grid = np.random.default_rng(0).standard_normal((1, 2, 3, 3, 3)), np.zeros((1, 1, 2, 2, 3))
    grid.reshape(-1)[[0, 4, 8]] = np.nan, np.inf, -np.inf
    found = []
    for library, functions in ((microgad, ours), (torch, theirs)):
        a, g = (library.tensor(y, requires_grad=True) for y in (x, grid))
        out = functions.grid_sample(a, g, mode=mode, align_corners=align)
        found.append([y.detach().numpy() for y in (out, *library.autograd.grad(out.sum(), (a, g)))])
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-12)
