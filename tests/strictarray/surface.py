"""What CuPy has, by surface.json, and of which dtypes."""

from __future__ import annotations

import functools
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np

SURFACE = json.loads(Path(__file__).with_name("surface.json").read_text())
FUNCTIONS, UFUNCS, ATTRIBUTES = SURFACE["functions"], SURFACE["ufuncs"], frozenset(SURFACE["attributes"])
# The methods of ufuncs that CuPy has, and of which ufuncs.
METHODS = {
    "reduce": {"add", "multiply"},
    "accumulate": {"add", "multiply"},
    "reduceat": {"add"},
    "at": {"add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"},
}
# The dtypes of CUDA's atomic operations.
ATOMIC = {"add": "ilqILQefd", "subtract": "iI", "maximum": "ilqILQfd", "minimum": "ilqILQfd"}


def check_scattered(name: str, dtype: Any) -> None:
    """Raise TypeError if CUDA has no atomic operation on the dtype."""
    if dtype.char not in ATOMIC.get(name, "ilqILQ"):
        raise TypeError(f"cupy.{name}.at doesn't support {dtype} as data type")


def check_dtypes(name: str, kinds: tuple[Any, ...]) -> None:
    """Raise TypeError if CuPy has no loop for inputs of these dtypes and Python types."""
    if not has_loop(name, kinds):
        raise TypeError(f"Wrong type ({kinds}) of arguments for cupy_{name}")


@functools.cache
def has_loop(name: str, kinds: tuple[Any, ...]) -> bool:
    """Whether CuPy's ufunc has a loop for inputs of these dtypes and Python types."""
    weak = {bool: "?", int: "b", float: "e", complex: "F"}
    chars = [weak.get(kind) or np.dtype(kind).char for kind in kinds]
    return any(
        len(taken) == len(chars)
        and all(np.can_cast(c, t, "same_kind" if k in weak else "safe")
                for c, t, k in zip(chars, taken, kinds, strict=True))
        for taken in (loop.partition("->")[0] for loop in UFUNCS[name])
    )  # fmt: skip


@functools.cache
def positional(func: Any) -> list[str]:
    """Names of the parameters that NumPy takes by position."""
    try:
        signature = inspect.signature(func)
    except ValueError:  # written in C
        return []
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    return [p.name for p in signature.parameters.values() if p.kind in kinds]
