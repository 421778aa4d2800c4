"""The linear maps that transforms are made of. The matrix of one is symmetric, so each is its own transpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...linear_map import LinearMap

# by which norm an inverse has the factor that the transform has by this one
TURNED: dict[Any, Any] = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


class Fft(LinearMap):
    """Σⱼ xⱼ exp(-2πi jk/n) along each axis."""

    symbol = "fft"

    def forward(self, x):
        return np.fft.fftn(x, axes=self.axes, norm=self.norm)

    adjoint = forward


class Ifft(LinearMap):
    """1/n Σⱼ xⱼ exp(2πi jk/n) along each axis."""

    symbol = "ifft"

    def forward(self, x):
        return np.fft.ifftn(x, axes=self.axes, norm=self.norm)

    adjoint = forward


class RealFft(LinearMap):
    """Fft of real numbers: half of the results, and their conjugates at the opposite frequencies."""

    symbol = "fft"

    def forward(self, x):
        *others, last = self.axes
        half = np.fft.rfft(x, axis=last, norm=self.norm)
        half = np.fft.fftn(half, axes=others, norm=self.norm) if others else half
        rest = half[(*(slice(None),) * last, slice(x.shape[last] - half.shape[last], 0, -1))]
        return np.concatenate((half, np.conj(_opposite(rest, others))), last)

    def adjoint(self, grad):
        """The real part of the transform, which is that of as much of the gradient as has its conjugate opposite."""
        *others, last = self.axes
        n, norm = grad.shape[last], TURNED[self.norm]
        front = (*(slice(None),) * last, slice(n // 2 + 1))
        half = (np.conj(grad[front]) + _opposite(grad, self.axes)[front]) / 2
        return np.fft.irfft(np.fft.ifftn(half, axes=others, norm=norm) if others else half, n, last, norm)


def _opposite(x: Any, axes: Sequence[int]) -> Any:
    """What stands at -k, for each k along the axes."""
    for axis in axes:
        x = np.roll(np.flip(x, axis), 1, axis)
    return x


class Rfft(LinearMap):
    """The first n // 2 + 1 of fft's results along an axis of real numbers: the others are their conjugates."""

    symbol = "rfft"

    def forward(self, x):
        return np.fft.rfft(x, axis=self.axis, norm=self.norm)

    def adjoint(self, grad):
        n, half = self.x_shape[self.axis], np.conj(grad)
        half[(*(slice(None),) * self.axis, slice(1, (n + 1) // 2))] /= 2  # the inverse puts their conjugates opposite
        return np.fft.irfft(half, n, self.axis, TURNED[self.norm])


class Irfft(LinearMap):
    """The n real numbers whose rfft is x: what its first and its middle element have of imaginary parts is left out."""

    symbol = "irfft"

    def forward(self, x):
        return np.fft.irfft(x, self.n, self.axis, self.norm)

    def adjoint(self, grad):
        m = self.x_shape[self.axis]
        front = (slice(None),) * self.axis
        found = np.conj(np.fft.rfft(grad, axis=self.axis, norm=TURNED[self.norm]))[(*front, slice(m))]
        found[(*front, slice(1, (self.n + 1) // 2))] *= 2  # they stand for their conjugates as well
        if found.shape[self.axis] < m:  # what lies beyond n // 2 + 1 isn't looked at
            out = np.zeros_like(found, shape=self.x_shape)
            out[(*front, slice(found.shape[self.axis]))] = found
            return out
        return found
