"""torch.utils.flop_counter: what is counted here is in microgad.graph."""

from __future__ import annotations

from typing import Any

from ..errors import UnsupportedError
from ..lazy import absent as _absent


class FlopCounterMode:
    """Counts nothing until it is entered, and refuses that. Source: torch.utils.flop_counter.FlopCounterMode.

    >>> from microgad.utils.flop_counter import FlopCounterMode
    >>> with FlopCounterMode(): pass
    Traceback (most recent call last):
    microgad.errors.UnsupportedError: FlopCounterMode: torch.record() and tape.table(sort="flops") count operations
    """

    def __init__(self, mods: Any = None, depth: int = 2, display: bool = True, custom_mapping: Any = None) -> None:
        pass

    def __enter__(self) -> Any:
        raise UnsupportedError('FlopCounterMode: torch.record() and tape.table(sort="flops") count operations')

    def __exit__(self, *exception: Any) -> None:
        pass

    def get_total_flops(self) -> int:
        """0: a summary that has entered none asks as well."""
        return 0

    def get_flop_counts(self) -> dict[str, dict[Any, int]]:
        """Of no module."""
        return {}


_absent(globals())
