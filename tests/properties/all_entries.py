"""All entries of the registry, sorted by name, and their examples: this imports every file of property tests."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings

from .registry import REGISTRY

for file in sorted(Path(__file__).parent.glob("test_*.py")):
    if file.stem not in ("test_false_alarms", "test_every_function_is_tested"):
        importlib.import_module(f".{file.stem}", __package__)
ENTRIES = sorted({id(e): e for found in REGISTRY.values() for e in found}.values(), key=lambda e: e.name)


def for_examples(entry, config, check):
    """Call check(case) for two examples of an entry, or twenty with --thorough; warnings are ignored."""

    @settings(
        max_examples=20 if config.getoption("--thorough") else 2,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(entry.examples)
    def checked(case):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            check(case)

    checked()
