"""Fourier transforms: of complex numbers, of real ones, over time, and the windows that go with them."""

from .maps import Fft as Fft
from .maps import Ifft as Ifft
from .maps import Irfft as Irfft
from .maps import RealFft as RealFft
from .maps import Rfft as Rfft
from .short_time import istft as istft
from .short_time import stft as stft
from .windows import bartlett_window as bartlett_window
from .windows import blackman_window as blackman_window
from .windows import hamming_window as hamming_window
from .windows import hann_window as hann_window
from .windows import kaiser_window as kaiser_window
