"""torch._tensor_str: the options of printing, and a context that changes them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...methods import printing
from ...methods.printing import get_printoptions as get_printoptions
from ...methods.printing import set_printoptions as set_printoptions


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


def __getattr__(name: str) -> Any:
    if name == "PRINT_OPTS":
        return printing._options
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
