"""Faults planted in the library, one at a time, to see whether the kit catches each: `python -m tests.mutations`."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:  # pytest imports this package by its path, and the property tests are in the one beside it
    sys.path.insert(0, ROOT)
