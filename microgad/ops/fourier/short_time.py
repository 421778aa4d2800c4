"""The short-time Fourier transform, which transforms the windowed frames of a signal, and its inverse."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError, DtypeError, ShapeError
from ...errors.notices import once, warn
from ...state import composite
from ...type_aliases import Tensor
from ..creation import ones
from ..elementwise import view_as_real
from ..movement import pad, transpose
from ..movement.strided import SlidingWindows, unfold
from .transforms import fft, ifft, irfft, rfft


@composite
def stft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, pad_mode: str = "reflect", normalized: bool = False,
    onesided: bool | None = None, return_complex: bool | None = None, align_to_window: bool | None = None,
) -> Tensor:  # fmt: skip
    """The Fourier transform of overlapping, windowed frames of a signal. Source: torch.stft.

    (L,) or (B, L) -> (..., frequencies, frames). A frame has n_fft samples, and one starts every hop_length samples, by
    default n_fft // 4. With `center` the signal is padded, so that frame t is centered at sample t · hop_length; with
    `align_to_window` it is padded with zeros, so that a shorter window begins there. Of a real signal only the first
    n_fft // 2 + 1 frequencies are returned, unless onesided=False. `normalized` divides by √n_fft. With
    return_complex=False real and imaginary parts lie along a last dimension of size 2. Raises RuntimeError where sizes
    don't fit.

    >>> torch.stft(torch.ones(8), 4, window=torch.ones(4), return_complex=True).shape
    torch.Size([3, 9])
    """
    complex_ = input.is_complex() or (window is not None and window.is_complex())
    if return_complex is None:
        if not complex_:
            raise ArgumentError("stft requires the return_complex parameter be given for real inputs")
        return_complex = True
    if not return_complex:
        once("stft with return_complex=False is deprecated: torch.view_as_real gives the parts of the complex result")
    onesided = not complex_ if onesided is None else onesided
    if onesided and complex_:
        raise ArgumentError("stft: Cannot have onesided output if window or input is complex")
    if center and align_to_window is not None:
        raise ArgumentError("stft: align_to_window should only be set when center=False")
    hop, window = _hop_and_window("stft", input, n_fft, hop_length, win_length, window)
    if input.ndim not in (1, 2):
        raise ShapeError(f"stft: expected a 1D or 2D tensor, but got {input.ndim}D")
    x = input.unsqueeze(0) if input.ndim == 1 else input
    if center:
        x = pad(x.unsqueeze(1), (n_fft // 2, n_fft // 2), pad_mode).squeeze(1)
    if not 0 < n_fft <= x.shape[-1]:
        raise ArgumentError(f"stft: expected 0 < n_fft <= {x.shape[-1]}, but got n_fft={n_fft}")
    if align_to_window and win_length is not None:
        x = _pad_around(x, n_fft - win_length)
    frames = unfold(x, -1, n_fft, hop) * window  # (B, frames, n_fft)
    norm = "ortho" if normalized else None
    spectra = transpose(rfft(frames, norm=norm) if onesided else fft(frames, norm=norm), 1, 2)
    spectra = spectra.squeeze(0) if input.ndim == 1 else spectra
    return spectra if return_complex else view_as_real(spectra)


@composite
def istft(
    input: Tensor, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Tensor | None = None, center: bool = True, normalized: bool = False, onesided: bool | None = None,
    length: int | None = None, return_complex: bool = False,
) -> Tensor:  # fmt: skip
    """The least-squares inverse of stft: (..., frequencies, frames) -> (..., length). Source: torch.istft.

    The windowed frames are overlap-added and divided by the sum of the squared windows. Raises RuntimeError where that
    sum is zero, where no sample is left, and where sizes don't fit.

    >>> x, w = torch.arange(8.0), torch.hann_window(4)
    >>> torch.allclose(torch.istft(torch.stft(x, 4, window=w, return_complex=True), 4, window=w), x, atol=1e-5)
    True
    """
    if not input.is_complex():
        raise DtypeError(
            f"istft: requires a complex-valued input, as stft gives with return_complex=True, got {input.dtype}"
        )
    if input.ndim not in (2, 3) or 0 in input.shape:
        raise ShapeError(f"istft: expected a tensor of 2 or 3 dimensions, none of them empty, got {tuple(input.shape)}")
    batch = input.unsqueeze(0) if input.ndim == 2 else input
    hop, window = _hop_and_window("istft", input, n_fft, hop_length, win_length, window)
    if hop > (n_fft if win_length is None else win_length):
        raise ArgumentError(f"istft: expected hop_length <= win_length, but got hop_length={hop}")
    onesided = batch.shape[1] != n_fft if onesided is None else onesided
    rows, frames = n_fft // 2 + 1 if onesided else n_fft, batch.shape[2]
    if batch.shape[1] != rows:
        raise ShapeError(
            f"istft: expected the frequency dimension to be {rows} for n_fft={n_fft}, got {batch.shape[1]}"
        )
    if return_complex and onesided:
        raise ArgumentError("istft: Cannot have onesided output if window or input is complex")
    norm, spectra = "ortho" if normalized else None, transpose(batch, 1, 2)
    if return_complex:
        segments = ifft(spectra, norm=norm)
    else:
        segments = irfft(spectra[..., : n_fft // 2 + 1], n_fft, norm=norm)
    total = n_fft + hop * (frames - 1)
    signal = _overlap_add(segments * window, hop, total)
    weights = _overlap_add((window * window).expand(1, frames, n_fft), hop, total)
    start = n_fft // 2 if center else 0
    end = total - start if length is None else start + length
    signal, weights = signal[:, start:end], weights[:, start:end]
    if not weights.numel():
        raise ShapeError(f"istft: no sample of the {total} that the frames have is left by center and length")
    if bool((weights.abs() < 1e-11).any()):
        raise ArgumentError("istft: the sum of the squared windows has zeros: choose a window that overlaps more")
    signal = signal / weights
    if length is not None and signal.shape[1] < length:
        warn(
            "The length of signal is shorter than the length parameter. Result is being padded with zeros in the tail."
        )
        signal = pad(signal, (0, length - signal.shape[1]))
    return signal.squeeze(0) if input.ndim == 2 else signal


def _overlap_add(frames: Tensor, hop: int, total: int) -> Tensor:
    """Add frames that start every `hop` samples: (B, frames, n) -> (B, total)."""
    batch, _, n = frames.shape
    return SlidingWindows.transposed.apply(frames, axis=1, size=n, step=hop, x_shape=(batch, total))


def _hop_and_window(
    op: str, x: Tensor, n_fft: int, hop_length: int | None, win_length: int | None, window: Any
) -> tuple[int, Tensor]:
    """Return the distance between frames, and the window padded on both sides to n_fft elements."""
    hop = n_fft // 4 if hop_length is None else hop_length
    size = n_fft if win_length is None else win_length
    if hop <= 0:
        raise ArgumentError(f"{op}: expected hop_length > 0, but got hop_length={hop}")
    if not 0 < size <= n_fft:
        raise ArgumentError(f"{op}: expected 0 < win_length <= n_fft, but got win_length={size} and n_fft={n_fft}")
    if window is None:
        once("A window was not provided: a rectangular one leaks into all frequencies. torch.hann_window is one to use")
        window = ones(size, dtype=x.real.dtype, device=x.device)
    elif tuple(window.shape) != (size,):
        raise ShapeError(f"{op}: expected a 1D window tensor of size {size}, but got {tuple(window.shape)}")
    return hop, _pad_around(window, n_fft - size) if size < n_fft else window


def _pad_around(x: Tensor, count: int) -> Tensor:
    """Append `count` zeros, half of them before the last axis, and half of them after it."""
    return pad(x, (count // 2, count - count // 2))
