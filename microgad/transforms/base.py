"""What the transforms share: how they print, and how their arguments are read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from enum import Enum
from typing import Any

from ..errors import ArgumentError, DtypeError
from ..nn import Module
from ..ops import creation
from ..ops.random import rand
from ..tensor import Tensor
from .images import NUMBERS, get_dimensions


class Shown(Module):
    """A transform that prints as Name(a=…, b=…), of the attributes that `shown` names."""

    shown = ""
    between = ", "

    def __repr__(self) -> str:
        said = self.between.join(f"{name}={self._said(getattr(self, name))}" for name in self.shown.split())
        return f"{type(self).__name__}({said})"

    def _said(self, value: Any) -> Any:
        return value.value if isinstance(value, Enum) else value


class Sometimes(Shown):
    """A transform that is used with probability p, else the image is returned."""

    shown = "p"

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return self.change(img) if (rand(1) < self.p).item() else img

    def change(self, img: Any) -> Any:
        """What the transform is, when it is used."""
        raise NotImplementedError


def uniform(low: float, high: float) -> float:
    """A number from low to high, drawn as PyTorch draws it."""
    return float(creation.empty(1).uniform_(low, high).item())


def range_of(x: Any, name: str, lengths: Sequence[int] = (2,)) -> list[float]:
    """-x to x of a number; else as many numbers as `lengths` allows. TypeError of what is neither, ValueError else."""
    if isinstance(x, NUMBERS):
        if x < 0:
            raise ArgumentError(f"If {name} is a single number, it must be positive, not {x}")
        return [float(-x), float(x)]
    sequence(x, name, lengths)
    return [float(v) for v in x]


def sequence(x: Any, name: str, lengths: Sequence[int] = (2,)) -> None:
    """TypeError of what is no sequence, ValueError of one of another length."""
    said = " or ".join(map(str, lengths))
    if not isinstance(x, Sequence):
        raise DtypeError(f"{name} should be a sequence of length {said}, not {type(x).__name__}")
    if len(x) not in lengths:
        raise ArgumentError(f"{name} should be a sequence of length {said}, not {len(x)}")


def filling(fill: Any) -> Any:
    """What to fill with: a number, or one for each channel. TypeError of anything else."""
    if fill is None:
        return 0
    if not isinstance(fill, (*NUMBERS, Sequence)):
        raise DtypeError(f"fill is {type(fill).__name__}, expected a number or a sequence")
    return fill


def fill_for(fill: Any, img: Any) -> Any:
    """`fill`, of a Tensor as a float for each channel."""
    if not isinstance(img, Tensor) or fill is None:
        return fill
    if isinstance(fill, NUMBERS):
        return [float(fill)] * get_dimensions(img)[0]
    return [float(f) for f in fill]


def scale_and_ratio(scale: Any, ratio: Any) -> None:
    """TypeError of what is no sequence; a warning of ranges that are upside down."""
    for name, x in (("Scale", scale), ("Ratio", ratio)):
        if not isinstance(x, Sequence):
            raise DtypeError(f"{name} should be a sequence, not {type(x).__name__}")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)
