"""microgad's exceptions, and how they are worded.

Each class is also the built-in class that PyTorch or NumPy raises in the same place, so that `except RuntimeError`
written for PyTorch still works.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from .wording import cannot_cast, in_torchs_words


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
# What NumPy or CuPy raise inside a forward -> the class that PyTorch's users expect there.
_REWORDED = (
    (np.linalg.LinAlgError, LinAlgError),
    (MemoryError, NoMemoryError),
    (IndexError, DimError),
    (TypeError, KindError),
    (ValueError, ShapeError),
    (RuntimeError, ShapeError),
)


def place(op: str, path: str) -> str:
    """An operation and the path of the module that called it: `Conv2d (features.0)`."""
    return f"{op} ({path})" if path else op


def no_memory(error: MemoryError) -> str:
    """The message of a NoMemoryError. It begins in PyTorch's words, by which programs decide to try a smaller batch."""
    if type(error).__name__ == "OutOfMemoryError":  # CuPy's
        return f"CUDA out of memory. {error}"
    if not hasattr(error, "shape"):
        return str(error) or "DefaultCPUAllocator: can't allocate memory"
    size = math.prod(error.shape) * error.dtype.itemsize  # type: ignore[attr-defined]
    return f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {size} bytes. {error}"


def in_forward(
    error: Exception, op: str, path: str, names: tuple[str, ...], inputs: tuple[Any, ...],
    settings: dict[str, Any] | None = None,
) -> Exception:  # fmt: skip
    """The error to raise instead of `error`, which the forward of `op` raised.

    It names the operation, the module, the broken rule, every argument, and those settings that are arrays on another
    device.
    """
    if len(names) < len(inputs):  # forward(self, *inputs)
        last = names[-1] if names else "input"  # there is no forward
        names = tuple(f"{last}[{i}]" for i in range(len(inputs)))
    for name, x in (settings or {}).items():
        for part in x if isinstance(x, tuple) else (x,):
            if _device(part) not in (None, *map(_device, inputs)):
                names, inputs = (*names, name), (*inputs, part)
    devices = list(dict.fromkeys(filter(None, map(_device, inputs))))
    kind, rule = type(error), no_memory(error) if isinstance(error, MemoryError) else str(error)
    if apart := len(devices) > 1:
        found = f"but found at least two devices, {' and '.join(devices)}!"
        kind, rule = DeviceError, f"Expected all tensors to be on the same device, {found}"
    elif cast := re.match(r"Cannot cast .* from dtype\('(\w+)'\) to dtype\('(\w+)'\)", rule):  # NumPy's words
        kind, rule = DtypeError, cannot_cast(cast[1], cast[2])
    elif not isinstance(error, MicrogadError):
        kind, rule = next(cls for base, cls in _REWORDED if isinstance(error, base)), in_torchs_words(rule)
    said = ", ".join(f"{name} {_describe(x, apart)}" for name, x in zip(names, inputs, strict=False) if x is not None)
    return kind(f"{place(op, path)}: {rule} ({said})")


def _device(x: Any) -> str | None:
    """The device's name, as Tensors spell it; None for what isn't an array."""
    if not hasattr(x, "shape"):
        return None
    where: Any = getattr(x, "device", None)
    return f"cuda:{where.id}" if hasattr(where, "id") else where and str(where)


def _describe(x: Any, where: bool) -> str:
    if not hasattr(x, "shape"):
        return repr(x)
    dtype, said = str(x.dtype).removeprefix("torch."), str(tuple(x.shape))
    said = said if dtype == "float32" else f"{said} {dtype}"
    return f"{said} on {_device(x)}" if where else said
