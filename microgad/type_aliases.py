"""Type aliases for signatures of operations, where Tensor itself can't be imported. Only type checkers read them."""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias, TypedDict

import numpy as np

from .backend import device
from .backend.arrays import Array as Array
from .backend.memory_formats import layout, memory_format
from .dtypes import dtype

GivenDtype: TypeAlias = dtype | type | np.dtype[Any]
Dtype: TypeAlias = GivenDtype | None  # None for the default
Device: TypeAlias = device | str | int | None
Layout: TypeAlias = layout | None
MemoryFormat: TypeAlias = memory_format | None
# What a call may leave out, as None says, but if it is given, it must not be None. `errors.arguments` checks that.
GivenInt: TypeAlias = int | None
GivenDims: TypeAlias = int | Sequence[int] | None
GivenDim: TypeAlias = Any  # or a Tensor
GivenNumber: TypeAlias = Any
Truth: TypeAlias = bool  # or anything else: PyTorch tests it in Python code, so it isn't checked

if TYPE_CHECKING:
    from .generator import Generator
    from .tensor import Operand as Operand
    from .tensor import Tensor as Tensor

    Real: TypeAlias = float | np.number[Any] | Tensor  # a number or a 0-d Tensor; Operand has complex ones, too
    _Item: TypeAlias = SupportsIndex | slice | EllipsisType | Tensor | np.ndarray[Any, Any] | list[Any] | range | None
    Index: TypeAlias = _Item | tuple[_Item | tuple[Any, ...], ...]  # what x[...] takes

    class WindowOptions(TypedDict, total=False):
        """Keywords of the functions that make a Tensor: what several overloads, or functions, have in common."""

        dtype: Dtype
        layout: Layout
        device: Device
        requires_grad: bool

    class Options(WindowOptions, total=False):
        pin_memory: bool | None

    class OutOptions(Options, total=False):
        out: Tensor | None

    class EmptyOptions(OutOptions, total=False):
        memory_format: MemoryFormat

    class LikeOptions(Options, total=False):
        memory_format: MemoryFormat
        generator: Generator | None

    class RandomOptions(OutOptions, total=False):
        generator: Generator | None

else:  # operations are defined before the class Tensor
    Operand = Tensor = Real = Index = WindowOptions = Options = OutOptions = EmptyOptions = LikeOptions = (
        RandomOptions
    ) = Any
