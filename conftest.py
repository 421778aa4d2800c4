"""Doctests see microgad under the name that its users give it."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

import microgad

# Without the package that they need.
collect_ignore_glob = [] if importlib.util.find_spec("onnx") else ["microgad/onnx/*", "tests/fuzz/graphs.py"]


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace.update(np=np, torch=microgad, microgad=microgad, nn=microgad.nn, F=microgad.nn.functional)
