"""The short-time Fourier transform and its inverse as methods."""

from typing import TYPE_CHECKING

from ..lazy import LazyModule

if TYPE_CHECKING:
    from ..ops import fourier
else:
    fourier = LazyModule("microgad.ops.fourier")


class Fourier:
    """Short-time Fourier transforms."""

    __slots__ = ()

    stft, istft = fourier.stft, fourier.istft
