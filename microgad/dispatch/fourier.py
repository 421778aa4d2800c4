"""NumPy's Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops.fourier import transforms
from .elementwise import floating


def _single(op: Callable[..., Any]) -> Callable[..., Any]:
    def transform(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None, out: None = None) -> Any:
        return op(floating(a), n, axis, norm)

    return transform


def _multiple(op: Callable[..., Any], last: tuple[int, ...] | None) -> Callable[..., Any]:
    def transform(a: Any, s: Any = None, axes: Any = last, norm: str | None = None, out: None = None) -> Any:
        return op(floating(a), s, axes, norm)

    return transform


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.fft.fft: _single(transforms.fft),
    np.fft.ifft: _single(transforms.ifft),
    np.fft.rfft: _single(transforms.rfft),
    np.fft.irfft: _single(transforms.irfft),
    np.fft.hfft: _single(transforms.hfft),
    np.fft.ihfft: _single(transforms.ihfft),
    np.fft.fft2: _multiple(transforms.fftn, (-2, -1)),
    np.fft.ifft2: _multiple(transforms.ifftn, (-2, -1)),
    np.fft.rfft2: _multiple(transforms.rfftn, (-2, -1)),
    np.fft.irfft2: _multiple(transforms.irfftn, (-2, -1)),
    np.fft.fftn: _multiple(transforms.fftn, None),
    np.fft.ifftn: _multiple(transforms.ifftn, None),
    np.fft.rfftn: _multiple(transforms.rfftn, None),
    np.fft.irfftn: _multiple(transforms.irfftn, None),
    np.fft.fftshift: lambda x, axes=None: transforms.fftshift(x, axes),
    np.fft.ifftshift: lambda x, axes=None: transforms.ifftshift(x, axes),
}
