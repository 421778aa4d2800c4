"""Checks of derivatives for anyone's functions: by number, by law, and by hypothesis strategies that feed them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..lazy import absent as _absent
from ..lazy import refuse as _refuse
from .adapters import torch_function
from .calls import GradcheckError
from .check_grads import check_grads
from .gradcheck import gradcheck, gradgradcheck

if TYPE_CHECKING:
    from . import strategies
    from .comparing import assert_close
    from .laws import check_module, check_op
    from .making import make_tensor
    from .programs.machine import GradMachine, check_engine

__all__ = [
    "GradMachine",
    "GradcheckError",
    "assert_close",
    "check_engine",
    "check_grads",
    "check_module",
    "check_op",
    "gradcheck",
    "gradgradcheck",
    "make_tensor",
    "strategies",
    "torch_function",
]


_LATER = {"assert_close": ".comparing", "make_tensor": ".making"}


if not TYPE_CHECKING:  # to a type checker every name would be there

    def __getattr__(name: str) -> Any:  # what needs hypothesis, or is for programs, when first asked for
        if name in _LATER:
            return getattr(importlib.import_module(_LATER[name], __name__), name)
        if name == "strategies":
            return importlib.import_module(".strategies", __name__)
        if name in ("check_module", "check_op"):
            return getattr(importlib.import_module(".laws", __name__), name)
        if name in ("GradMachine", "check_engine"):
            return getattr(importlib.import_module(".programs.machine", __name__), name)
        return _refuse(__name__, name)


_absent(globals(), __all__)
