"""All entries of the registry, sorted by name: this imports every file of property tests."""

from __future__ import annotations

import importlib
from pathlib import Path

from .registry import REGISTRY

for file in sorted(Path(__file__).parent.glob("test_*.py")):
    if file.stem not in ("test_false_alarms", "test_every_function_is_tested"):
        importlib.import_module(f".{file.stem}", __package__)
ENTRIES = sorted({id(e): e for found in REGISTRY.values() for e in found}.values(), key=lambda e: e.name)
