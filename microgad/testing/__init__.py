"""Checks of gradients, and hypothesis strategies to feed them: `gradcheck`, `gradgradcheck`, `strategies`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .gradcheck import GradcheckError, gradcheck, gradgradcheck

if TYPE_CHECKING:
    from . import strategies

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck", "strategies"]


def __getattr__(name: str) -> Any:
    if name == "strategies":  # when first asked for: it needs hypothesis, gradcheck doesn't
        return importlib.import_module(".strategies", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
