"""Strategy of the available devices."""

from __future__ import annotations

from hypothesis import strategies as st

from ... import cuda
from ...backend import device


def devices() -> st.SearchStrategy[device]:
    """Draw the CPU, or the GPU if `torch.cuda.is_available()`.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.devices(), lambda device: True)
    device(type='cpu')
    """
    return st.sampled_from([device("cpu"), device("cuda")] if cuda.is_available() else [device("cpu")])
