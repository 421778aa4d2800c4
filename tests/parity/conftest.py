"""Without PyTorch, leave out the test files that import it unconditionally; the others skip themselves."""

import re
from importlib.util import find_spec
from pathlib import Path

IMPORTS_TORCH = re.compile(r"^import torch|^from (torch|\.side_by_side|\.derivatives|\.op_db\.compare)\b", re.MULTILINE)
collect_ignore = [
    path.name
    for path in Path(__file__).parent.glob("*.py")
    if not find_spec("torch") and IMPORTS_TORCH.search(path.read_text())
]
