"""What a program is told once: that something it asked for has no effect. And what it isn't told."""

from __future__ import annotations

import sys
import warnings
from typing import Any

# What NumPy says of the logarithm of 0, of ∞ - ∞, of a float that is too large for a cast.
OF_NUMBERS = "(divide by zero|overflow|underflow|invalid value) encountered"
TO_SCALAR = (
    "Converting a tensor with requires_grad=True to a scalar takes it off the graph without a word: tensor.detach() or "
    "tensor.item() says so"
)


heard: set[str] = set()  # what was said once
always = False  # set_warn_always: it is said every time


def once(said: str) -> None:
    """Warn of it, the first time only."""
    if always or said not in heard:
        warn(said)
        heard.add(said)


def warn(said: str, category: type[Warning] = UserWarning) -> None:
    """Warn of it at the line outside of microgad that led to it, by however many of our functions."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("microgad."):
        frame, level = frame.f_back, level + 1
    warnings.warn(said, category, stacklevel=level)


def quiet_numbers() -> None:
    """Let microgad's arithmetic give ∞ and NaN without NumPy's warnings, as PyTorch's does.

    It is a filter of `warnings`, and so costs nothing where there is nothing to warn of. It stays the first one: a
    program that makes warnings errors, or wants to see each, hears no more than with PyTorch. NumPy warns of what a
    program computes with NumPy itself as before. Under `np.errstate(all="raise")`, operations raise.
    """
    if isinstance(warnings.filters, _BehindOurs):
        return
    warnings.filterwarnings("ignore", OF_NUMBERS, RuntimeWarning, "microgad")
    action, message, category, _, line = warnings.filters[0]
    first: Any = (action, message, category, _CalledByMicrogad(), line)
    warnings.filters = _BehindOurs([first, *warnings.filters[1:]])


class _BehindOurs(list[Any]):
    """The filters of `warnings`: what comes later is put behind the first, in the copies of `catch_warnings` too."""

    def insert(self, index: Any, item: Any) -> None:
        """As a list's, but not before the first."""
        super().insert(index or 1, item)

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _BehindOurs(found) if index == slice(None) else found

    def __setitem__(self, index: Any, items: Any) -> None:
        super().__setitem__(slice(1, None) if index == slice(None) else index, items)  # of `warnings.resetwarnings`


class _CalledByMicrogad:
    """In the place of a pattern of modules: the module may be NumPy's, where microgad has called it."""

    pattern = r"microgad\."  # for who hands the filters on to other threads and processes: scikit-learn

    def match(self, module: str) -> bool:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(("numpy.", "warnings")):
            frame = frame.f_back
        name: str = frame.f_globals.get("__name__", "")
        return name.startswith("microgad.")
