"""What torchvision is to a program that imports it: its rooms, as far as microgad has them."""

from __future__ import annotations

from typing import Any

from ...lazy import raise_missing as _refuse
from ..alias import room_of as _room_of

__version__ = "0.28.0"
__all__ = ["datasets", "get_image_backend", "io", "models", "ops", "set_image_backend", "transforms", "utils"]


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
    return _room_of(f"torchvision.{name}") or _refuse(__name__, name)
