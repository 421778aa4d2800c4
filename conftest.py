"""Doctests see microgad under the name that its users give it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import microgad


@pytest.fixture(autouse=True)
def _names(doctest_namespace: dict[str, Any]) -> None:
    doctest_namespace.update(np=np, torch=microgad, microgad=microgad, nn=microgad.nn, F=microgad.nn.functional)
