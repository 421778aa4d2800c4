"""Configuration of the comparisons with PyTorch, which runs on one thread.

Without PyTorch, the test files that import it unconditionally are left out; the others skip themselves.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

IMPORTS_TORCH = re.compile(r"^import torch|^from (torch|\.side_by_side|\.derivatives|\.op_db\.compare)\b", re.MULTILINE)
collect_ignore = [
    path.name
    for path in Path(__file__).parent.glob("*.py")
    if not find_spec("torch") and IMPORTS_TORCH.search(path.read_text())
]

if find_spec("torch"):
    import torch

    # Where there is no GPU, manual_seed would spend most of its time on the call stack, which it formats to be shown
    # if the seed can't be set later.
    torch.cuda.manual_seed_all = torch.xpu.manual_seed_all = torch.mtia.manual_seed_all = lambda seed: None

    def pytest_runtest_setup():
        """Skip the comparisons with another version: results, messages and the operator database change."""
        if not torch.__version__.startswith("2.13."):
            pytest.skip(f"compares with PyTorch 2.13; this is {torch.__version__}")

    @pytest.fixture(autouse=True, scope="module")
    def _one_thread():
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # starting a second one takes longer than the work itself
        yield
        torch.set_num_threads(threads)
