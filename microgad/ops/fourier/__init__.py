"""Discrete and short-time Fourier transforms, and window functions."""

from .linear_maps import Fft, Ifft, Irfft, RealFft, Rfft
from .short_time import istft, stft
from .windows import bartlett_window, blackman_window, hamming_window, hann_window, kaiser_window
