"""Names in scope that fail a check. The aim is that there are none."""

from __future__ import annotations

NAMES = """

"""
PENDING = tuple(NAMES.split())
