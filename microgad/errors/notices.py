"""Warnings: given at the program's line, once or each time. NumPy's are silenced where PyTorch gives none."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from .callers import program_frame

# NumPy's warnings of the logarithm of 0, of ∞ - ∞, of a float that is too large for a cast.
OF_NUMBERS = "(divide by zero|overflow|underflow|invalid value) encountered"
TO_SCALAR = (
    "Converting a tensor with requires_grad=True to a scalar takes it off the graph without a word: tensor.detach() or "
    "tensor.item() says so"
)


heard: set[str] = set()  # the warnings given so far
always = False  # set by set_warn_always: give them every time


def once(said: str) -> None:
    """Give a warning the first time only."""
    if always or said not in heard:
        warn(said)
        heard.add(said)


def warn(said: str, category: type[Warning] = UserWarning) -> None:
    """Give a warning at the innermost line outside of microgad on the call stack."""
    warnings.warn(said, category, stacklevel=program_frame()[1])


def quiet_numbers() -> None:
    """Silence NumPy's warnings of ∞ and NaN in microgad's own arithmetic, since PyTorch gives none.

    This is done by a filter of `warnings`, which costs nothing as long as there is no warning. It stays the first
    filter, so that it also works in programs that turn warnings into errors or show all of them. NumPy still warns of
    what a program computes with NumPy itself, and under `np.errstate(all="raise")` operations raise.
    """
    if isinstance(warnings.filters, _BehindOurs):
        return
    warnings.filterwarnings("ignore", OF_NUMBERS, RuntimeWarning, "microgad")
    action, message, category, _, line = warnings.filters[0]
    first = (action, message, category, _CalledByMicrogad(), line)
    warnings.filters = _BehindOurs([first, *warnings.filters[1:]])


class _BehindOurs(list[Any]):
    """A list of warning filters whose first one stays first, also in the copies that `catch_warnings` makes."""

    def insert(self, index: Any, item: Any) -> None:
        """Insert an item, but not before the first."""
        super().insert(index or 1, item)

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return _BehindOurs(found) if index == slice(None) else found

    def __setitem__(self, index: Any, items: Any) -> None:
        super().__setitem__(_behind(index), items)  # [:] by warnings.resetwarnings

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(_behind(index))  # [:] by warnings.resetwarnings since Python 3.14


def _behind(index: Any) -> Any:
    """The slice of all but the first in place of the slice of all."""
    return slice(1, None) if index == slice(None) else index


FOREIGN = ("numpy.", "cupy.", "warnings")  # names of modules that microgad's arithmetic goes through


class _CalledByMicrogad:
    """A filter's module pattern that also matches modules of NumPy and CuPy where microgad is the caller."""

    pattern = r"microgad\."  # scikit-learn reads it, to pass the filters on to other threads and processes

    def match(self, module: str) -> bool:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(FOREIGN):
            frame = frame.f_back
        name: str = frame.f_globals.get("__name__", "")
        return name.startswith("microgad.")
