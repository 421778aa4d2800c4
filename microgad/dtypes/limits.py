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
        vars(self).update(_of_floats(found.to_real()))

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


@functools.lru_cache(maxsize=16)
def _of_floats(found: Any) -> dict[str, Any]:
    """The attributes of `finfo` for a real dtype, cached: np.finfo computes them at each call."""
    limits = getattr(found, "limits", None)
    if limits is not None:  # a dtype that NumPy doesn't have, see unsupported.py
        most, eps, tiny, resolution = limits
        name, bits, least = found.name, 8 * found.itemsize, -most
    elif found.dtype.kind in "fc":
        info = np.finfo(found.dtype)
        name, bits, resolution = str(info.dtype), int(info.bits), float(f"{info.resolution:.0e}")
        least, most, eps, tiny = (float(x) for x in (info.min, info.max, info.eps, info.smallest_normal))
    else:
        raise DtypeError(f"torch.finfo() requires a floating point input type, got {found}; use torch.iinfo")
    return {
        "dtype": name, "bits": bits, "min": least, "max": most, "eps": eps, "tiny": tiny, "smallest_normal": tiny,
        "resolution": resolution,
    }  # fmt: skip


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
