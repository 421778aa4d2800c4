"""PyTorch's memory formats and layouts."""

from __future__ import annotations

from typing import Any

from ..errors import DtypeError, ShapeError


class _Format:
    """A name that prints as PyTorch's."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name: str = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class memory_format(_Format):
    """The order of the axes in memory: `contiguous_format`, `channels_last`, … Source: torch.memory_format.

    >>> torch.ones(1, 2, 3, 3).to(memory_format=torch.channels_last).stride()
    (18, 1, 6, 2)
    """

    __slots__ = ()


class layout(_Format):
    """How elements are addressed. All Tensors are `strided`; the other names exist for comparisons in programs.

    Source: torch.layout.

    >>> torch.ones(1).layout
    torch.strided
    """

    __slots__ = ()


contiguous_format, preserve_format = memory_format("contiguous_format"), memory_format("preserve_format")
channels_last, channels_last_3d = memory_format("channels_last"), memory_format("channels_last_3d")
strided, sparse_coo = layout("strided"), layout("sparse_coo")
sparse_csr, sparse_csc = layout("sparse_csr"), layout("sparse_csc")
sparse_bsr, sparse_bsc = layout("sparse_bsr"), layout("sparse_bsc")

# The axes from the outermost in memory to the innermost, of the formats that aren't row-major.
AXES = {channels_last: (0, 2, 3, 1), channels_last_3d: (0, 2, 3, 4, 1)}


def check(op: str, given: Any) -> None:
    """Raise TypeError for anything but a memory format."""
    if type(given) is not memory_format:
        raise DtypeError(f"{op}(): argument 'memory_format' must be torch.memory_format, not {type(given).__name__}")


def axes_of_format(op: str, wanted: Any, ndim: int) -> tuple[int, ...]:
    """The axes from the outermost in memory to the innermost. Raises RuntimeError if the format needs another ndim."""
    check(op, wanted)
    axes = AXES.get(wanted, tuple(range(ndim)))
    if len(axes) != ndim:
        raise ShapeError(
            f"{op}: required rank {len(axes)} tensor to use {wanted} format, but input has {ndim} dimensions"
        )
    return axes
