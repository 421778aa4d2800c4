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

__all__ = [
    "GradcheckError",
    "check_grads",
    "gradcheck",
    "gradgradcheck",
    "strategies",
    "torch_function",
]


def __getattr__(name: str) -> Any:  # what needs hypothesis, when first asked for
    if name == "strategies":
        return importlib.import_module(".strategies", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
