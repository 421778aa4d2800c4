"""What torchvision is to a program that imports it: its rooms, as far as microgad has them."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.28.0"
_ROOMS = {"datasets": "microgad.datasets", "models": "microgad.models", "transforms": "microgad.transforms"}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(_ROOMS[name])
    raise AttributeError(f"microgad has no torchvision.{name}")
