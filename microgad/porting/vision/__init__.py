"""What torchvision is to a program that imports it: its rooms, as far as microgad has them."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.28.0"
_ROOMS = {
    "datasets": "microgad.datasets",
    "models": "microgad.models",
    "transforms": "microgad.transforms",
    **{name: f"microgad.porting.vision.{name}" for name in ("io", "ops", "utils")},
}


def get_image_backend() -> str:
    """The package that opens images. Source: torchvision.get_image_backend.

    >>> torch.porting.vision.get_image_backend()
    'PIL'
    """
    return "PIL"


def set_image_backend(backend: str) -> None:
    """Nothing for "PIL", which opens images; ValueError of another. Source: torchvision.set_image_backend.

    >>> torch.porting.vision.set_image_backend("PIL")
    """
    if backend != "PIL":
        raise ValueError(f"set_image_backend: backend is {backend!r}, microgad has 'PIL'")


def disable_beta_transforms_warning() -> None:
    """Nothing: there is no such warning. Source: torchvision.disable_beta_transforms_warning.

    >>> torch.porting.vision.disable_beta_transforms_warning()
    """


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(_ROOMS[name])
    raise AttributeError(f"microgad has no torchvision.{name}")
