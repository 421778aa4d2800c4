"""The linear maps that transforms are made of. The matrix of one is symmetric, so each is its own transpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...function.linear_map import LinearMap
from ..layouts import contiguous
from ..movement.dims import stretch

# by which norm an inverse has the factor that the transform has by this one
TURNED: dict[Any, Any] = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}


class Fft(LinearMap):
    """Σⱼ xⱼ exp(-2πi jk/n) along each axis."""

    symbol = "fft"

    def forward(self, x):
        return _along(lambda x, axes: np.fft.fftn(x, axes=axes, norm=self.norm), x, _by_strides(x, self.axes))

    adjoint = forward


class Ifft(LinearMap):
    """1/n Σⱼ xⱼ exp(2πi jk/n) along each axis."""

    symbol = "ifft"

    def forward(self, x):
        return _along(lambda x, axes: np.fft.ifftn(x, axes=axes, norm=self.norm), x, _by_strides(x, self.axes))

    adjoint = forward


class RealFft(LinearMap):
    """Fft of real numbers: half of the results, and their conjugates at the opposite frequencies."""

    symbol = "fft"

    def forward(self, x):
        return _along(self._whole, x, _by_strides(x, self.axes))

    def _whole(self, x, axes):
        *others, last = axes
        half = _half(x, axes, self.norm)
        rest = half[stretch(last, x.shape[last] - half.shape[last], 0, -1)]
        return np.concatenate((half, np.conj(_opposite(rest, others))), last)

    def adjoint(self, grad):
        """The real part of the transform, which is that of as much of the gradient as has its conjugate opposite."""
        *others, last = self.axes
        n, norm = grad.shape[last], TURNED[self.norm]
        front = stretch(last, 0, n // 2 + 1)
        half = (np.conj(grad[front]) + _opposite(grad, self.axes)[front]) / 2
        return np.fft.irfft(np.fft.ifftn(half, axes=others, norm=norm) if others else half, n, last, norm)


def _half(x: Any, axes: Sequence[int], norm: Any) -> Any:
    """The transform of real numbers, up to the middle of the last axis."""
    *others, last = axes
    half = np.fft.rfft(x, axis=last, norm=norm)
    return np.fft.fftn(half, axes=others, norm=norm) if others else half


def _along(transform: Callable[[Any, Any], Any], x: Any, axes: Sequence[int]) -> Any:
    """transform(x, axes), lying in memory with the axes innermost, in their order, and the others as they lie in x.

    That is where PyTorch's results lie, and programs see it: noise for what follows is drawn in that order.
    """
    order = (*_by_strides(x, [axis for axis in range(x.ndim) if axis not in axes]), *axes)
    out = transform(contiguous(x.transpose(order)), tuple(range(x.ndim - len(axes), x.ndim)))
    return contiguous(out).transpose(sorted(range(x.ndim), key=order.__getitem__))


def _by_strides(x: Any, axes: Sequence[int]) -> list[int]:
    """Axes in the order in which they lie in memory, the innermost last."""
    return sorted(axes, key=lambda axis: -x.strides[axis])


def _opposite(x: Any, axes: Sequence[int]) -> Any:
    """What stands at -k, for each k along the axes."""
    for axis in axes:
        x = np.roll(np.flip(x, axis), 1, axis)
    return x


class Rfft(LinearMap):
    """The first n // 2 + 1 of fft's results along the last axis of real numbers: the others are their conjugates."""

    symbol = "rfft"

    def forward(self, x):
        *others, last = self.axes
        return _along(lambda x, axes: _half(x, axes, self.norm), x, [*_by_strides(x, others), last])

    def adjoint(self, grad):
        *others, last = self.axes
        n, norm = self.x_shape[last], TURNED[self.norm]
        half = np.conj(np.fft.fftn(grad, axes=others, norm=self.norm) if others else grad)
        half[stretch(last, 1, (n + 1) // 2)] /= 2  # the inverse puts their conjugates opposite
        return np.fft.irfft(half, n, last, norm)


class Irfft(LinearMap):
    """The n numbers whose rfft are these n // 2 + 1; imaginary parts of the first and the middle one are left out."""

    symbol = "irfft"

    def forward(self, x):
        return _along(lambda x, axes: np.fft.irfft(x, self.n, axes[0], self.norm), x, [self.axis])

    def adjoint(self, grad):
        found = np.conj(np.fft.rfft(grad, axis=self.axis, norm=TURNED[self.norm]))
        found[stretch(self.axis, 1, (self.n + 1) // 2)] *= 2  # they stand for their conjugates as well
        return found
