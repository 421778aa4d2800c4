"""The types for which hypothesis's `from_type` has a strategy. The kit is imported when one is asked for."""

from __future__ import annotations

import importlib
import sys
from typing import Any

TYPES: list[type] = []


def know(*types: type) -> None:
    """Have hypothesis know these types: at once where it has been imported, else when it is."""
    TYPES.extend(types)
    if sys.modules.get("hypothesis") is not None:
        register(*types)


def register(*types: type) -> None:
    """Have `from_type` ask the kit for strategies of these types."""
    from hypothesis import strategies as st

    for cls in types:
        st.register_type_strategy(cls, _strategy)


def _strategy(cls: type) -> Any:
    room = importlib.import_module("microgad.testing.plugins.hypothesis_plugin")  # a room above this one
    return room.STRATEGIES[cls]
