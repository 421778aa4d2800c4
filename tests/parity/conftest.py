"""Without PyTorch there is nothing to compare with: what imports it at once is left out, the rest skips."""

import re
from importlib.util import find_spec
from pathlib import Path

AT_ONCE = re.compile(r"^import torch|^from (torch|\.both|\.derivatives|\.op_db\.compare)\b", re.MULTILINE)
collect_ignore = [
    path.name
    for path in Path(__file__).parent.glob("*.py")
    if not find_spec("torch") and AT_ONCE.search(path.read_text())
]
