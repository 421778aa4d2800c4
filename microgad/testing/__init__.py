"""Checks of derivatives for anyone's functions: by number, by law, and by hypothesis strategies that feed them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .adapters import torch_function
from .calls import GradcheckError
from .check_grads import check_grads
from .gradcheck import gradcheck, gradgradcheck

if TYPE_CHECKING:
    from . import strategies
    from .laws import check_module, check_op
    from .programs.machine import GradMachine, check_engine

__all__ = [
    "GradMachine",
    "GradcheckError",
    "check_engine",
    "check_grads",
    "check_module",
    "check_op",
    "gradcheck",
    "gradgradcheck",
    "strategies",
    "torch_function",
]


def __getattr__(name: str) -> Any:  # what needs hypothesis, when first asked for
    if name == "strategies":
        return importlib.import_module(".strategies", __name__)
    if name in ("check_module", "check_op"):
        return getattr(importlib.import_module(".laws", __name__), name)
    if name in ("GradMachine", "check_engine"):
        return getattr(importlib.import_module(".programs.machine", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
