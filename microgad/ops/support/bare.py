"""The bare arrays of Tensors, for what a derivative only decides by."""

from __future__ import annotations

from typing import Any

from ... import function


def bare(x: Any) -> Any:
    """Return the array of a Tensor, or what isn't one. It is for decisions only: operations on it are not recorded."""
    return x.array if isinstance(x, function.Tensor) else x
