"""Without PyTorch there is no operator database to walk; with it, on one thread."""

from importlib.util import find_spec

import pytest

collect_ignore_glob = [] if find_spec("torch") and find_spec("expecttest") else ["*.py"]


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a second one waits for a core longer than so little work takes
    yield
    torch.set_num_threads(threads)
