"""microgad's exceptions, and how they are worded.

Each class is also the built-in class that PyTorch or NumPy raises in the same place, so that `except RuntimeError`
written for PyTorch still works.
"""

from __future__ import annotations

import numpy as np


class MicrogadError(Exception):
    """Base class of every exception that microgad raises on purpose."""


class ShapeError(MicrogadError, RuntimeError, ValueError):
    """Shapes or sizes that do not fit together."""


class DtypeError(MicrogadError, RuntimeError, TypeError):
    """A dtype or a type that the operation does not take."""


class KindError(DtypeError, NotImplementedError):
    """A dtype for which the operation isn't implemented."""


class DimError(MicrogadError, IndexError, ValueError):
    """A dimension or an index out of range."""


class DeviceError(MicrogadError, RuntimeError, AssertionError):
    """Arrays on different devices, or a device that isn't available."""


class GraphError(MicrogadError, RuntimeError):
    """A backward pass that can't be right: values freed or overwritten, no path, a non-scalar without gradient."""


class FunctionError(GraphError, DtypeError):
    """A Function that breaks a rule of how Functions are written."""


class ArgumentError(MicrogadError, RuntimeError, ValueError):
    """An argument outside of what the operation allows."""


class CallError(MicrogadError, AssertionError, RuntimeError, ValueError):
    """Arguments that contradict each other, for which PyTorch has an assertion."""


class UnsupportedError(MicrogadError, NotImplementedError):
    """Arguments that the operation doesn't support."""


class NoMemoryError(MicrogadError, RuntimeError, MemoryError):
    """Out of memory."""


class LinAlgError(MicrogadError, RuntimeError, np.linalg.LinAlgError):
    """A matrix that can't be inverted or factorized, or an iteration that doesn't converge."""


FROM_FORWARD = (IndexError, TypeError, ValueError, RuntimeError, MemoryError)


def place(op: str, path: str) -> str:
    """An operation and the path of the module that called it: `Conv2d (features.0)`."""
    return f"{op} ({path})" if path else op
