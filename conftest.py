"""Doctests see microgad under the name that its users give it."""

from __future__ import annotations

import importlib.util
import linecache
from typing import Any

import numpy as np
import pytest

import microgad

# Without the package that they need.
collect_ignore_glob = [] if importlib.util.find_spec("onnx") else ["microgad/onnx/*", "tests/fuzz/graphs.py"]


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace.update(np=np, torch=microgad, microgad=microgad, nn=microgad.nn, F=microgad.nn.functional)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A doctest begins by asking after each file of which lines have been read: now there is none."""
    if isinstance(item, pytest.DoctestItem):
        linecache.clearcache()
