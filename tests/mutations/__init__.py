"""Plant faults in the library one at a time, and count those that are caught: `python -m tests.mutations`."""

import sys
from pathlib import Path

ROOT = str(Path(__file__).parents[2])
if ROOT not in sys.path:  # pytest imports this package by its path; it needs tests.properties too
    sys.path.insert(0, ROOT)
