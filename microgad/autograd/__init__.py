"""PyTorch's torch.autograd: derivatives, grad modes, custom Functions with ctx, anomaly detection, gradcheck."""

from typing import TYPE_CHECKING

from ..gradients import backward as backward
from ..lazy import define_getattr as _define_getattr
from . import function as function
from .function import Function as Function
from .grad_mode import enable_grad as enable_grad
from .grad_mode import inference_mode as inference_mode
from .grad_mode import is_grad_enabled as is_grad_enabled
from .grad_mode import is_multithreading_enabled as is_multithreading_enabled
from .grad_mode import no_grad as no_grad
from .grad_mode import set_grad_enabled as set_grad_enabled
from .grad_mode import set_multithreading_enabled as set_multithreading_enabled
from .variable import Variable as Variable

if TYPE_CHECKING:
    from ..testing.gradcheck import gradcheck as gradcheck
    from ..testing.gradcheck import gradgradcheck as gradgradcheck
    from . import forward_ad as forward_ad
    from . import function_hooks as function_hooks
    from . import functional as functional
    from . import graph as graph
    from . import profiler as profiler
    from . import profiler_util as profiler_util
    from .anomaly import detect_anomaly as detect_anomaly
    from .anomaly import set_detect_anomaly as set_detect_anomaly
    from .grad_type import Grad as _Grad
    from .profiler import kineto_available as kineto_available
    from .profiler_util import DeviceType as DeviceType

    grad: _Grad
else:
    from ..gradients import grad as grad

# Loaded on first use (PEP 562).
_LAZY_NAMES = {name: f".{name}" for name in ("forward_ad", "function_hooks", "functional", "graph")}
_LAZY_NAMES |= {name: f".{name}" for name in ("profiler", "profiler_util")}
_LAZY_NAMES |= dict.fromkeys(("detect_anomaly", "set_detect_anomaly"), ".anomaly")
_LAZY_NAMES |= {"kineto_available": ".profiler", "DeviceType": ".profiler_util"}
_LAZY_NAMES |= dict.fromkeys(("gradcheck", "gradgradcheck"), "microgad.testing")

_define_getattr(globals(), _LAZY_NAMES)
