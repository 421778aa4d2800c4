"""Window functions under the names of torch.signal.windows."""

from ..ops.fourier.windows import bartlett as bartlett
from ..ops.fourier.windows import blackman as blackman
from ..ops.fourier.windows import cosine as cosine
from ..ops.fourier.windows import exponential as exponential
from ..ops.fourier.windows import gaussian as gaussian
from ..ops.fourier.windows import general_cosine as general_cosine
from ..ops.fourier.windows import general_hamming as general_hamming
from ..ops.fourier.windows import hamming as hamming
from ..ops.fourier.windows import hann as hann
from ..ops.fourier.windows import kaiser as kaiser
from ..ops.fourier.windows import nuttall as nuttall
