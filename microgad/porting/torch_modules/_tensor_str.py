"""torch._tensor_str: the options of printing, a context that changes them, and functions that subclasses print by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...methods import printing
from ...methods.printing import add_suffixes as _add_suffixes  # noqa: F401
from ...methods.printing import get_printoptions as get_printoptions
from ...methods.printing import set_printoptions as set_printoptions
from ...tensor import Tensor


@contextmanager
def printoptions(**options: Any) -> Iterator[None]:
    """Change the options of `torch.set_printoptions` for a block. Source: torch._tensor_str.printoptions.

    >>> with torch._tensor_str.printoptions(precision=1):
    ...     print(torch.tensor([0.25]))
    tensor([0.2])
    """
    before = get_printoptions()
    set_printoptions(**options)
    try:
        yield
    finally:
        set_printoptions(**before)


def _tensor_str(self: Tensor, indent: int) -> str:
    """Return the entries of a Tensor in brackets, as repr prints them. Source: torch._tensor_str._tensor_str."""
    return printing.format_array(self.array, indent)


def _str(self: Tensor, *, tensor_contents: str | None = None) -> str:
    """Return what repr prints, with other contents if these are given. Source: torch._tensor_str._str."""
    return Tensor.__repr__(self, tensor_contents=tensor_contents)  # type: ignore[call-arg]


_str_intern = _str


def __getattr__(name: str) -> Any:
    if name == "PRINT_OPTS":
        return printing._options
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
