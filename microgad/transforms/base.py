"""Base classes of the transforms, and the parsing of their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from ..errors import ArgumentError, DtypeError
from ..errors.notices import warn
from ..nn import Module
from ..ops import creation
from ..ops.random import rand, randint
from ..tensor import Tensor
from .images import NUMERIC_TYPES, get_dimensions


class ReprTransform(Module):
    """Base of transforms whose repr is Name(a=…, b=…) with the attributes listed in `repr_names`."""

    repr_names = ""
    between = ", "

    def __repr__(self) -> str:
        said = self.between.join(f"{name}={self._repr_value(getattr(self, name))}" for name in self.repr_names.split())
        return f"{type(self).__name__}({said})"

    def _repr_value(self, value: Any) -> Any:
        return value.value if isinstance(value, Enum) else value


class RandomApplyTransform(ReprTransform):
    """Base of transforms that apply `change` with probability p and else return the image."""

    repr_names = "p"

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        return self.change(img) if (rand(1) < self.p).item() else img

    def change(self, img: Any) -> Any:
        """Transform the image."""
        raise NotImplementedError


def uniform(low: float, high: float) -> float:
    """Draw a number from low to high, as PyTorch draws it."""
    return float(creation.empty(1).uniform_(low, high).item())


def random_int(low: int, high: int) -> int:
    """Draw an integer from low to high - 1, as PyTorch draws it."""
    return int(randint(low, high, (1,)).item())


def parse_range(x: Any, name: str, lengths: Sequence[int] = (2,)) -> list[float]:
    """Return (-x, x) for a number x, or a sequence as floats. Raises TypeError or ValueError for anything else."""
    if isinstance(x, NUMERIC_TYPES):
        if x < 0:
            raise ArgumentError(f"If {name} is a single number, it must be positive, not {x}")
        return [float(-x), float(x)]
    require_sequence(x, name, lengths)
    return [float(v) for v in x]


def require_sequence(x: Any, name: str, lengths: Sequence[int] = (2,)) -> None:
    """Raise TypeError unless x is a sequence, and ValueError unless its length is one of `lengths`."""
    said = " or ".join(map(str, lengths))
    if not isinstance(x, Sequence):
        raise DtypeError(f"{name} should be a sequence of length {said}, not {type(x).__name__}")
    if len(x) not in lengths:
        raise ArgumentError(f"{name} should be a sequence of length {said}, not {len(x)}")


def parse_fill(fill: Any) -> Any:
    """Return a fill, a number or one for each channel, or 0 for None. Raises TypeError for anything else."""
    if fill is None:
        return 0
    if not isinstance(fill, (*NUMERIC_TYPES, Sequence)):
        raise DtypeError(f"fill is {type(fill).__name__}, expected a number or a sequence")
    return fill


def tensor_fill(fill: Any, img: Any) -> Any:
    """Return `fill`, for a Tensor image as a float for each channel."""
    if not isinstance(img, Tensor) or fill is None:
        return fill
    if isinstance(fill, NUMERIC_TYPES):
        return [float(fill)] * get_dimensions(img)[0]
    return [float(f) for f in fill]


def require_scale_and_ratio(scale: Any, ratio: Any) -> None:
    """Raise TypeError unless both are sequences; warn of reversed ranges."""
    for name, x in (("Scale", scale), ("Ratio", ratio)):
        if not isinstance(x, Sequence):
            raise DtypeError(f"{name} should be a sequence, not {type(x).__name__}")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warn("Scale and ratio should be of kind (min, max)")
