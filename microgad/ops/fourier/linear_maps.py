"""The Fourier transforms as LinearMaps. The matrix of a DFT is symmetric, so fft and ifft are their own transposes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...backend.axes import slice_along
from ...backend.axis_order import inverse
from ...function.linear_map import LinearMap
from ...type_aliases import Array
from ..support.layouts import contiguous

# The norm under which the inverse transform has the factor that the forward transform has under the key.
INVERSE_NORM: dict[Any, Any] = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


def _fftn(x: Array, axes: Sequence[int], norm: Any) -> Array:
    """np.fft.fftn, which takes longer along a single axis than np.fft.fft does."""
    return np.fft.fftn(x, axes=axes, norm=norm) if len(axes) > 1 else np.fft.fft(x, axis=axes[0], norm=norm)


def _ifftn(x: Array, axes: Sequence[int], norm: Any) -> Array:
    """np.fft.ifftn, which takes longer along a single axis than np.fft.ifft does."""
    return np.fft.ifftn(x, axes=axes, norm=norm) if len(axes) > 1 else np.fft.ifft(x, axis=axes[0], norm=norm)


class Fft(LinearMap):
    """Xₖ = Σⱼ xⱼ exp(-2πi jk/n) along each axis."""

    symbol, operator, node_name = "fft", "fft_fft", "FftC2C"

    def forward(self, x):
        return _transform(_fftn, x, _by_stride(x, self.axes), self.norm)

    adjoint = forward


class Ifft(LinearMap):
    """Xₖ = 1/n Σⱼ xⱼ exp(2πi jk/n) along each axis."""

    symbol, operator, node_name = "ifft", "fft_ifft", "FftC2C"

    def forward(self, x):
        return _transform(_ifftn, x, _by_stride(x, self.axes), self.norm)

    adjoint = forward


class RealFft(LinearMap):
    """Fft of real numbers: compute half of the spectrum, and fill in the rest with the conjugates X₋ₖ = conj(Xₖ)."""

    symbol, operator, node_name = "fft", None, "FftR2C"

    def forward(self, x):
        return _transform(_full_spectrum, x, _by_stride(x, self.axes), self.norm)

    def adjoint(self, grad):
        """Re(fft(grad)): the inverse real transform of the gradient's Hermitian part (conj(gₖ) + g₋ₖ) / 2."""
        *others, last = self.axes
        n, norm = grad.shape[last], INVERSE_NORM[self.norm]
        front = slice_along(last, 0, n // 2 + 1)
        half = (np.conj(grad[front]) + _negate_frequencies(grad, self.axes)[front]) / 2
        return np.fft.irfft(_ifftn(half, others, norm) if others else half, n, last, norm)


def _half_spectrum(x: Array, axes: Sequence[int], norm: Any) -> Array:
    """The transform of real numbers, with frequencies 0, ..., n // 2 only along the last of the axes."""
    *others, last = axes
    half = np.fft.rfft(x, axis=last, norm=norm)
    return _fftn(half, others, norm) if others else half


def _full_spectrum(x: Array, axes: Sequence[int], norm: Any) -> Array:
    """The transform of real numbers, with all frequencies."""
    *others, last = axes
    half = _half_spectrum(x, axes, norm)
    rest = half[slice_along(last, x.shape[last] - half.shape[last], 0, -1)]
    return np.concatenate((half, np.conj(_negate_frequencies(rest, others))), last)


def _transform(fft: Callable[..., Any], x: Array, axes: Sequence[int], norm: Any) -> Array:
    """fft(x, axes, norm), laid out in memory with `axes` innermost, in their order, and the other axes as in x.

    PyTorch lays its results out so, and programs can see it: random noise for the result is drawn in memory order.
    """
    if len(axes) == 1 and axes[0] == x.ndim - 1 and x.flags.c_contiguous:
        return fft(x, axes=axes, norm=norm)
    order = (*_by_stride(x, [axis for axis in range(x.ndim) if axis not in axes]), *axes)
    out = fft(contiguous(x.transpose(order)), axes=tuple(range(x.ndim - len(axes), x.ndim)), norm=norm)
    return contiguous(out).transpose(inverse(order))


def _by_stride(x: Array, axes: Sequence[int]) -> list[int]:
    """The axes sorted by their stride in memory, the innermost last."""
    return sorted(axes, key=lambda axis: -x.strides[axis])


def _negate_frequencies(x: Array, axes: Sequence[int]) -> Array:
    """Reorder x along each axis so that place k holds what was at place -k, modulo the size."""
    for axis in axes:
        x = np.concatenate((x[slice_along(axis, 0, 1)], x[slice_along(axis, None, 0, -1)]), axis)
    return x


class Rfft(LinearMap):
    """Fft of real numbers, of which only frequencies 0, ..., n // 2 along the last axis are kept."""

    symbol, operator, node_name = "rfft", "fft_rfft", "FftR2C"

    def forward(self, x):
        *others, last = self.axes
        return _transform(_half_spectrum, x, [*_by_stride(x, others), last], self.norm)

    def adjoint(self, grad):
        *others, last = self.axes
        n, norm = self.x_shape[last], INVERSE_NORM[self.norm]
        half = np.conj(_fftn(grad, others, self.norm) if others else grad)
        half[slice_along(last, 1, (n + 1) // 2)] /= 2  # irfft adds their conjugates at the negative frequencies
        return np.fft.irfft(half, n, last, norm)


class Irfft(LinearMap):
    """The inverse of rfft, n real numbers. The imaginary parts at frequencies 0 and n/2 are ignored."""

    symbol, operator, node_name = "irfft", "fft_irfft", "FftC2R"

    def forward(self, x):
        return _transform(lambda x, axes, norm: np.fft.irfft(x, self.n, axes[0], norm), x, [self.axis], self.norm)

    def adjoint(self, grad):
        half = np.conj(np.fft.rfft(grad, axis=self.axis, norm=INVERSE_NORM[self.norm]))
        half[slice_along(self.axis, 1, (self.n + 1) // 2)] *= 2  # each stands for its conjugate at -k as well
        return half
