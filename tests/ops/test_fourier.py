"""Fourier transforms compared with NumPy's, inverses, windows, dtypes and errors."""

import numpy as np
import pytest

import microgad as torch
from microgad import errors

X = np.random.default_rng(0).normal(size=(3, 5))


@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "hfft", "ihfft", "fftn", "ifftn", "rfftn", "fft2", "rfft2"])
def test_torch_fft_and_numpy_fft_of_a_tensor_equal_numpy(name):
    expected = getattr(np.fft, name)(X)
    np.testing.assert_allclose(getattr(torch.fft, name)(torch.tensor(X)).cpu().numpy(), expected)
    np.testing.assert_allclose(getattr(np.fft, name)(torch.tensor(X)).cpu().numpy(), expected)


@pytest.mark.parametrize("norm", ["backward", "forward", "ortho"])
@pytest.mark.parametrize(("sizes", "dims"), [((3, 6, 5), (2, 0, 1)), ((4, 7), (1, -3)), ((1, 3), (0, 2)), ((8,), (1,))])
def test_transforms_along_several_dimensions_equal_numpy_s(rng, sizes, dims, norm):
    x = rng.normal(size=(2, 4, 5)) + 1j * rng.normal(size=(2, 4, 5))
    inverse = {"backward": "forward", "forward": "backward"}.get(norm, norm)

    def compare(name, x, expected):
        found = getattr(torch.fft, name)(torch.tensor(x), sizes, dims, norm).cpu().numpy()
        np.testing.assert_allclose(found, expected, atol=1e-12)

    for name in ("fftn", "ifftn", "irfftn"):
        compare(name, x, getattr(np.fft, name)(x, sizes, dims, norm))
    compare("rfftn", x.real, np.fft.rfftn(x.real, sizes, dims, norm))
    compare("ihfftn", x.real, np.fft.rfftn(x.real, sizes, dims, inverse).conj())
    compare("hfftn", x, np.fft.irfftn(x.conj(), sizes, dims, inverse))


@pytest.mark.parametrize("name", ["irfft", "irfftn", "irfft2"])
def test_inverses_of_real_transforms_give_the_input(name):
    spectrum = torch.fft.rfftn(torch.tensor(X)) if name != "irfft" else torch.fft.rfft(torch.tensor(X))
    sizes = 5 if name == "irfft" else (3, 5)
    np.testing.assert_allclose(getattr(torch.fft, name)(spectrum, sizes).cpu().numpy(), X)


def test_float32_gives_complex64_and_windows_of_float32():
    assert torch.fft.fft(torch.ones(4)).dtype == torch.complex64
    assert torch.fft.irfft(torch.ones(4)).dtype == torch.float32
    assert torch.hann_window(4).dtype == torch.float32
    assert torch.blackman_window(4)[0] == 0.08 - torch.tensor(0.5) + 0.42 != 0  # with PyTorch's rounding errors
    assert torch.blackman_window(4, dtype=torch.float64)[0] == 0
    assert torch.signal.windows.blackman(5)[0] == torch.tensor(0.42) - 0.5 + 0.08 != 0
    assert torch.fft.fftfreq(100, 0.3)[3] == torch.tensor(3.0) * (1 / 30) != torch.tensor(3 * (1 / 30))


def cosines(*weights):
    return lambda n, size: sum((-1) ** k * w * np.cos(2 * np.pi * k * n / size) for k, w in enumerate(weights))


WINDOWS = {  # of n = 0, ..., M - 1 and the size M - 1, or M of a periodic window
    "hann": cosines(0.5, 0.5),
    "hamming": cosines(0.54, 0.46),
    "blackman": cosines(0.42, 0.5, 0.08),
    "nuttall": cosines(0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "bartlett": lambda n, size: 1 - abs(2 * n / size - 1),
    "cosine": lambda n, size: np.sin(np.pi * (n + 0.5) / (size + 1)),
    "exponential": lambda n, size: np.exp(-abs(n - size / 2)),
    "gaussian": lambda n, size: np.exp(-((n - size / 2) ** 2) / 2),
    "kaiser": lambda n, size: np.i0(12 * np.sqrt(1 - (2 * n / size - 1) ** 2)) / np.i0(12),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_equal_their_definitions(name):
    for m in (0, 1, 2, 7, 8):
        for symmetric in (True, False):
            expected = WINDOWS[name](np.arange(m), m - 1 if symmetric else m) if m > 1 else np.ones(m)
            found = [getattr(torch.signal.windows, name)(m, sym=symmetric, dtype=torch.float64)]
            if older := getattr(torch, f"{name}_window", None):
                found += [older(m, not symmetric, dtype=torch.float64), older(m, not symmetric, dtype=torch.float16)]
            for x in found:
                np.testing.assert_allclose(x.cpu().numpy(), expected, atol=1e-12 if x.dtype == torch.float64 else 2e-3)


def test_an_exponential_window_may_begin_at_its_center():
    found = torch.signal.windows.exponential(4, center=0.0, tau=2.0, sym=False, dtype=torch.float64)
    np.testing.assert_allclose(found.cpu().numpy(), np.exp(-np.arange(4) / 2))


@pytest.mark.parametrize("window", [torch.signal.windows.hann, torch.signal.windows.cosine])
def test_the_length_of_a_window_is_an_integer(window):
    assert len(window(np.int64(4))) == len(window(torch.tensor(4))) == 4
    for length in (4.5, 4.0, "4", torch.tensor(4.5)):
        with pytest.raises(TypeError):
            window(length)


def test_wrong_arguments_raise():
    x = torch.ones(3, 4)
    with pytest.raises(errors.ArgumentError, match='Invalid normalization mode: "most"'):
        torch.fft.fft(x, norm="most")
    with pytest.raises(errors.ArgumentError, match=r"Invalid number of data points \(0\)"):
        torch.fft.fft(x, n=0)
    with pytest.raises(errors.DimError, match="but got 2"):
        torch.fft.fft(x, dim=2)
    with pytest.raises(errors.ArgumentError, match="FFT dims must be unique"):
        torch.fft.fftn(x, dim=(0, -2))
    with pytest.raises(errors.DtypeError, match="rfft expects a real input tensor"):
        torch.fft.rfft(x * 1j)
    with pytest.raises(errors.DtypeError, match="rfftn expects a real-valued input tensor"):
        torch.fft.rfftn(x * 1j)
    with pytest.raises(errors.ArgumentError, match="expected 0 < n_fft <= 3, but got n_fft=8"):
        torch.stft(torch.ones(3), 8, window=torch.ones(8), center=False, return_complex=True)


def test_istft_inverts_stft():
    x, w = torch.tensor(X), torch.hann_window(4, dtype=torch.float64)
    spectra = torch.stft(x, 4, 1, window=w, return_complex=True)
    assert torch.allclose(torch.istft(spectra, 4, 1, window=w, length=5), x)
    with pytest.raises(errors.ArgumentError, match="sum of the squared windows"):
        torch.istft(spectra, 4, 4, window=w, center=False)
    with pytest.raises(RuntimeError, match=r"istft: requires a complex-valued input.* got torch.float64"):
        torch.istft(torch.view_as_real(spectra), 4, 1, window=w)


def test_a_window_shorter_than_a_frame_has_the_frame_s_middle_or_with_align_to_window_its_own_place():
    x, w = torch.arange(1.0, 10.0), torch.tensor([1.0, 2.0])
    options = {"hop_length": 2, "win_length": 2, "window": w, "center": False, "return_complex": True}
    first = torch.stft(x, 5, **options)[0].real  # the frames' sums
    assert first.tolist() == [2 + 2 * 3, 4 + 2 * 5, 6 + 2 * 7]
    first = torch.stft(x, 5, align_to_window=True, **options)[0].real
    assert first.tolist() == [1 + 2 * 2, 3 + 2 * 4, 5 + 2 * 6, 7 + 2 * 8]


@pytest.mark.parametrize(("size", "hop"), [(8, 4), (9, 4), (16, 3), (32, 16), (40, 17)])
def test_istft_and_its_gradient_are_those_of_fold(rng, size, hop):
    window = torch.tensor(rng.uniform(1, 2, size))
    spectra = torch.tensor(rng.standard_normal((2, size // 2 + 1, 6)) + 0j, requires_grad=True)
    frames = torch.fft.irfft(spectra, size, dim=1) * window[:, None]
    total = size + 5 * hop
    fold = {"output_size": (1, total), "kernel_size": (1, size), "stride": (1, hop)}
    weights = torch.nn.functional.fold((window**2)[:, None].expand(1, size, 6), **fold)
    expected = (torch.nn.functional.fold(frames, **fold) / weights).reshape(2, total)
    found = torch.istft(spectra, size, hop, window=window, center=False)
    np.testing.assert_array_equal(found.detach().cpu().numpy(), expected.detach().cpu().numpy())
    grads = [torch.autograd.grad((y**3).sum(), spectra)[0].cpu().numpy() for y in (found, expected)]
    np.testing.assert_allclose(*grads, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm", [None, "forward", "ortho"])
@pytest.mark.parametrize("shape", [(1,), (2,), (5,), (6,), (1, 4), (4, 1), (3, 6), (6, 5), (2, 3, 4), (3, 2, 5)])
def test_transforms_and_gradients_of_real_input_equal_those_of_complex_input(rng, shape, norm):
    """The gradient is the real part of the complex one, computed from half of the frequencies."""
    x, grads = rng.standard_normal(shape), rng.standard_normal((2, *shape))
    leaf = torch.tensor(x, requires_grad=True)
    y = torch.fft.fftn(leaf, norm=norm)
    np.testing.assert_allclose(y.detach().array, np.fft.fftn(x, norm=norm), atol=1e-13)
    (grad,) = torch.autograd.grad(y.real, leaf, torch.tensor(grads[0]), retain_graph=True)
    np.testing.assert_allclose(grad.array, np.fft.fftn(grads[0], norm=norm).real, atol=1e-13)
    (grad,) = torch.autograd.grad(y.imag, leaf, torch.tensor(grads[1]))
    np.testing.assert_allclose(grad.array, np.fft.fftn(grads[1], norm=norm).imag, atol=1e-13)


def test_a_transform_along_no_dimension_returns_a_copy():
    x = torch.tensor([1j, 2])
    torch.fft.fftn(x, dim=()).zero_()
    assert x.tolist() == [1j, 2]


def test_zeros_in_the_inverse_of_real_input_have_pytorch_s_signs():
    """Programs that print the result show them."""
    assert str(torch.fft.ifft(torch.tensor([1.0, 3.0]))).startswith("tensor([ 2.-0.j, -1.-0.j]")


def test_a_dimension_given_twice_is_shifted_twice():
    assert torch.fft.fftshift(torch.arange(6), (0, -1)).tolist() == list(range(6))
    assert torch.fft.ifftshift(torch.arange(5), (0, 0)).tolist() == [4, 0, 1, 2, 3]
