"""torch.backends: which backends are available, and their flags, which have no effect."""

from contextlib import AbstractContextManager as _AbstractContextManager

from . import cpu as cpu
from . import cuda as cuda
from . import cudnn as cudnn
from . import mha as mha
from . import mkl as mkl
from . import mkldnn as mkldnn
from . import mps as mps
from . import openmp as openmp
from . import opt_einsum as opt_einsum
from .flag_contexts import changed as _changed

fp32_precision = "none"

_frozen = False


def disable_global_flags() -> None:
    """Let `flags_frozen` be True. Flags can be set as before. Source: torch.backends.disable_global_flags."""
    global _frozen
    _frozen = True


def flags_frozen() -> bool:
    """Whether `disable_global_flags` was called. Source: torch.backends.flags_frozen."""
    return _frozen


def __allow_nonbracketed_mutation() -> _AbstractContextManager[None]:
    """A context in which `flags_frozen` is False. MONAI's set_determinism enters it."""
    return _changed(globals(), {"_frozen": False})
