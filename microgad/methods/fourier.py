"""Fourier transforms over time."""

from __future__ import annotations

from ..ops import fourier


class Fourier:
    """Methods of signals."""

    __slots__ = ()

    stft, istft = fourier.stft, fourier.istft
