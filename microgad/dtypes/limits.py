"""The numerical limits of dtypes: `finfo` and `iinfo`."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import dtypes
from ..errors import DtypeError

if TYPE_CHECKING:
    from ..type_aliases import Dtype, GivenDtype


class finfo:
    """The limits of a floating-point dtype, the default one if none is given.

    Raises RuntimeError for other dtypes. Source: torch.finfo.

    >>> torch.finfo(torch.float32).eps
    1.1920928955078125e-07
    """

    dtype: str
    bits: int
    min: float
    max: float
    eps: float
    tiny: float
    smallest_normal: float
    resolution: float

    def __init__(self, type: Dtype = None) -> None:
        found = dtypes.get_default_dtype() if type is None else dtypes.of(type)
        found = found.to_real()
        limits = getattr(found, "limits", None)
        if limits is not None:  # a dtype that NumPy doesn't have, see unsupported.py
            self.dtype, self.bits = found.name, 8 * found.itemsize
            self.max, self.eps, self.tiny, self.resolution = limits
            self.min, self.smallest_normal = -self.max, self.tiny
            return
        if found.dtype.kind not in "fc":
            raise DtypeError(f"torch.finfo() requires a floating point input type, got {found}; use torch.iinfo")
        info = np.finfo(found.dtype)
        self.dtype = str(info.dtype)
        self.bits = int(info.bits)
        self.min, self.max, self.eps = float(info.min), float(info.max), float(info.eps)
        self.tiny = self.smallest_normal = float(info.smallest_normal)
        self.resolution = float(f"{info.resolution:.0e}")

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, finfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(self.dtype)


class iinfo:
    """The limits of an integer dtype. Raises RuntimeError for other dtypes. Source: torch.iinfo.

    >>> torch.iinfo(torch.int8)
    iinfo(min=-128, max=127, dtype=int8)
    """

    dtype: str
    bits: int
    min: int
    max: int

    def __init__(self, type: GivenDtype) -> None:
        found = dtypes.of(type)
        if found.dtype.kind not in "iu":
            raise DtypeError(f"torch.iinfo() requires an integer input type, got {found}; use torch.finfo")
        info = np.iinfo(found.dtype)
        self.dtype, self.bits, self.min, self.max = found.name, int(info.bits), int(info.min), int(info.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, iinfo) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(self.dtype)


def lowest(dtype: np.dtype[Any]) -> Any:
    """The lowest value of a NumPy dtype: -inf of floats."""
    return -np.inf if dtype.kind == "f" else bounds(dtype)[0]


def highest(dtype: np.dtype[Any]) -> Any:
    """The highest value of a NumPy dtype: inf of floats."""
    return np.inf if dtype.kind == "f" else bounds(dtype)[1]


@functools.lru_cache(maxsize=16)
def bounds(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The lowest and highest value of an integer NumPy dtype, cached: np.iinfo computes them at each call."""
    info = np.iinfo(dtype)
    return int(info.min), int(info.max)
