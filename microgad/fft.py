"""Fourier transforms under the names of torch.fft.

Numbers of any dtype are taken, integers as floats; results are complex64 or complex128, real ones float32 or float64. A
dim out of range raises IndexError; a size below 1, an unknown norm, and complex numbers given to rfft, ihfft and their
kin raise RuntimeError.
"""

from .lazy import define_getattr as _define_getattr
from .ops.fourier.transforms import fft as fft
from .ops.fourier.transforms import fft2 as fft2
from .ops.fourier.transforms import fftfreq as fftfreq
from .ops.fourier.transforms import fftn as fftn
from .ops.fourier.transforms import fftshift as fftshift
from .ops.fourier.transforms import hfft as hfft
from .ops.fourier.transforms import hfft2 as hfft2
from .ops.fourier.transforms import hfftn as hfftn
from .ops.fourier.transforms import ifft as ifft
from .ops.fourier.transforms import ifft2 as ifft2
from .ops.fourier.transforms import ifftn as ifftn
from .ops.fourier.transforms import ifftshift as ifftshift
from .ops.fourier.transforms import ihfft as ihfft
from .ops.fourier.transforms import ihfft2 as ihfft2
from .ops.fourier.transforms import ihfftn as ihfftn
from .ops.fourier.transforms import irfft as irfft
from .ops.fourier.transforms import irfft2 as irfft2
from .ops.fourier.transforms import irfftn as irfftn
from .ops.fourier.transforms import rfft as rfft
from .ops.fourier.transforms import rfft2 as rfft2
from .ops.fourier.transforms import rfftfreq as rfftfreq
from .ops.fourier.transforms import rfftn as rfftn

_define_getattr(globals())
