"""Fourier transforms over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import LazyModule

if TYPE_CHECKING:
    from ..ops import fourier
else:
    fourier = LazyModule("microgad.ops.fourier")


class Fourier:
    """Methods of signals."""

    __slots__ = ()

    stft, istft = fourier.stft, fourier.istft
