"""Registers types for `hypothesis.strategies.from_type`, without importing hypothesis or the testing kit early."""

from __future__ import annotations

import importlib
import sys
from typing import Any

TYPES: list[type] = []


def register(*types: type) -> None:
    """Register types with hypothesis: at once if it has been imported, else when its plugin is loaded."""
    TYPES.extend(types)
    if sys.modules.get("hypothesis") is not None:
        register_now(*types)


def register_now(*types: type) -> None:
    """Register types with hypothesis, which is imported for it."""
    from hypothesis import strategies as st

    for cls in types:
        st.register_type_strategy(cls, _strategy)


def _strategy(cls: type) -> Any:
    """Return the testing kit's strategy for a type. The kit is imported only now, since it imports this package."""
    kit = importlib.import_module("microgad.testing.plugins.hypothesis_plugin")
    return kit.STRATEGIES[cls]
