"""What PyTorch offers under this name: derivatives, grad modes, Functions with ctx, anomaly detection, gradcheck."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..gradients import backward as backward
from ..gradients import grad as grad
from ..lazy import absent as _absent
from ..lazy import refuse as _refuse
from . import custom
from .custom import Function as Function
from .grad_mode import enable_grad as enable_grad
from .grad_mode import inference_mode as inference_mode
from .grad_mode import is_grad_enabled as is_grad_enabled
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
    from .anomaly import detect_anomaly as detect_anomaly
    from .anomaly import set_detect_anomaly as set_detect_anomaly

# Loaded when first asked for (PEP 562).
_ELSEWHERE = {
    "detect_anomaly": "microgad.autograd.anomaly",
    "set_detect_anomaly": "microgad.autograd.anomaly",
    "gradcheck": "microgad.testing",
    "gradgradcheck": "microgad.testing",
}


function = custom  # PyTorch's name of the room of `FunctionCtx`
_ROOMS = ("forward_ad", "function_hooks", "functional", "graph", "profiler")


if not TYPE_CHECKING:  # to a type checker every name would be there

    def __getattr__(name: str) -> Any:
        if name in _ROOMS:
            return importlib.import_module(f"{__name__}.{name}")
        if name in _ELSEWHERE:
            return getattr(importlib.import_module(_ELSEWHERE[name]), name)
        return _refuse(__name__, name)


_absent(globals(), (*_ROOMS, *_ELSEWHERE))
