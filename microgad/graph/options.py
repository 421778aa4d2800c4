"""The types of keyword arguments that several functions pass on, so that editors complete them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from .tape import Op


class DrawOptions(TypedDict, total=False):
    """The keyword arguments of `Tape.draw`."""

    depth: int | Literal["auto"] | None
    collapse: str | Sequence[str]
    expand: str | Sequence[str]
    roll: bool | None
    fold: bool | None
    leaves: bool
    frames: bool
    show_saved: bool
    rankdir: str
    color: str | None
    theme: str
    limit: int
    beside: bool
    mark: Collection[int | Op]


class GraphOptions(DrawOptions, total=False):
    """The keyword arguments of `Tensor.graph`."""

    params: Any


class ReplayOptions(TypedDict, total=False):
    """The keyword arguments of `Tape.replay`."""

    inputs: Mapping[str, Any] | None
    params: Any
    dtype: Any
    device: Any
    edits: Mapping[Any, Any] | None


class GradientOptions(ReplayOptions, total=False):
    """The keyword arguments of `Tape.gradient`."""

    grad: Any
