"""torch.backends.cudnn: flags without effect."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ....lazy import absent as _absent

enabled, benchmark, deterministic, allow_tf32, benchmark_limit = True, False, False, True, 10


def is_available() -> bool:
    """False. Source: torch.backends.cudnn.is_available.

    >>> torch.backends.cudnn.benchmark = True
    >>> torch.backends.cudnn.is_available()
    False
    """
    return False


def version() -> None:
    """None: there is none. Source: torch.backends.cudnn.version."""


@contextlib.contextmanager
def flags(**options: Any) -> Iterator[None]:
    """A block in which flags have other values. Source: torch.backends.cudnn.flags."""
    before = {name: globals()[name] for name in options}
    globals().update(options)
    try:
        yield
    finally:
        globals().update(before)


_absent(globals())
