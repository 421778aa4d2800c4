"""Leave out these tests where PyTorch or expecttest is missing, and run them on one thread."""

from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("torch") and find_spec("expecttest") else ["*.py"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # starting a second one takes longer than the work itself
    yield
    torch.set_num_threads(threads)
