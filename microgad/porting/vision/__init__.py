"""The package torchvision, with the submodules that microgad has."""

from __future__ import annotations

from typing import Any

from ...lazy import raise_missing as _refuse
from ..alias import find_module as _find_module

__version__ = "0.28.0"
__all__ = ["datasets", "get_image_backend", "io", "models", "ops", "set_image_backend", "transforms", "utils"]


def get_image_backend() -> str:
    """Return the name of the package that opens images. Source: torchvision.get_image_backend.

    >>> torch.porting.vision.get_image_backend()
    'PIL'
    """
    return "PIL"


def set_image_backend(backend: str) -> None:
    """Do nothing for "PIL", the only backend; raise ValueError for others. Source: torchvision.set_image_backend.

    >>> torch.porting.vision.set_image_backend("PIL")
    """
    if backend != "PIL":
        raise ValueError(f"set_image_backend: backend is {backend!r}, microgad has 'PIL'")


def disable_beta_transforms_warning() -> None:
    """Do nothing: there is no such warning. Source: torchvision.disable_beta_transforms_warning.

    >>> torch.porting.vision.disable_beta_transforms_warning()
    """


def __getattr__(name: str) -> Any:
    return _find_module(f"torchvision.{name}") or _refuse(__name__, name)
