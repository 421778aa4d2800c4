"""Names in scope that aren't done. None is to stay."""

from __future__ import annotations

NAMES = """

"""
PENDING = tuple(NAMES.split())
