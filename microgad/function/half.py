"""How float16 is computed, and with which casts results are written.

float16 is computed in float32 and rounded once, as in PyTorch. NumPy and CuPy round after every step, where squares
overflow, and NumPy adds up in float16, where 2048 + 1 is 2048: means and gradients of biases would be far too small.
Only a GPU's matrix products are left to float16, in which they are fast: CuPy adds them up in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import backend, dtypes
from ..backend.arrays import Array
from ..backend.inner_loops import UNCHANGED, unbuffered_into
from ..dtypes.conversions import convert
from ..errors import ShapeError

HALF, _SINGLE = np.dtype("float16"), np.dtype("float32")


def wide(x: Any) -> Any:
    """Convert float16 arrays, also those in a tuple, to float32. Anything else is returned as it is.

    >>> wide(np.ones(2, HALF)).dtype, wide(1.5)
    (dtype('float32'), 1.5)
    """
    if type(x) is tuple:
        return tuple(map(wide, x))
    if not backend.is_array(x) or x.dtype != HALF:
        return x
    return dtypes.cast([x], _SINGLE)[0]


def norm(x: Any, order: float = 2.0) -> Any:
    """The vector norm of all elements, a scalar. float16 is computed in float32, in which squares don't overflow.

    >>> norm(np.full((2, 2), 300, HALF))
    np.float32(600.0)
    """
    row = (convert(x, _SINGLE) if x.dtype == HALF else x).reshape(-1)
    if order == 2 and row.dtype.kind == "f":  # as NumPy computes it, in half the time for few elements
        return np.sqrt(row.dot(row))
    return np.linalg.norm(row, order)


def widened(node: Any, arrays: Sequence[Array | float | None]) -> Sequence[Array | float | None]:
    """Convert a node's float16 inputs to float32. Without such inputs, `arrays` itself is returned.

    Python numbers beside them are rounded to float16, as in PyTorch, unless the operation sets `exact_scalars`.
    """
    if node.native_half is True or (node.native_half and any(map(backend.is_gpu, arrays))):
        return arrays
    found = [wide(x) for x in arrays]
    if all(x is y for x, y in zip(found, arrays, strict=True)):
        return arrays
    if node.promote is not None and not node.exact_scalars:
        found = [float(HALF.type(x)) if type(x) in (float, int) else x for x in found]
    return found


def in_single(node: Any, arrays: Sequence[Array | float | None]) -> Any:
    """Compute a node's forward on float16 inputs: in float32, with one rounding at the end.

    >>> x = torch.ones(5000, 2, dtype=torch.half)
    >>> x.sum(0), x.array.sum(0).tolist()
    (tensor([5000., 5000.], dtype=torch.float16), [2048.0, 2048.0])
    """
    if node.may_share and not node.native_half:
        out = node.forward(*arrays)
        if shares(out, arrays):  # a view needs no rounding
            return out
    given = widened(node, arrays)
    out = node.forward(*given)
    if given is arrays:
        return out
    return tuple(map(_rounded, out)) if type(out) is tuple else _rounded(out)


def shares(out: Any, arrays: Sequence[Array]) -> bool:
    """Whether a result, or the first of several, is a view of an input."""
    memory = backend.owner(out[0] if type(out) is tuple else out)
    return any(backend.is_array(x) and backend.owner(x) is memory for x in arrays)


def by_forward(node: Any, out: Array, *arrays: Array | float | None) -> None:
    """The `write` of operations that aren't a NumPy ufunc, or whose forward differs from it: compute forward, copy."""
    result = node.forward(*(widened(node, arrays) if out.dtype == HALF else arrays))
    if np.shape(result) != out.shape:  # copyto alone would drop leading axes of size 1
        raise ShapeError(f"output with shape {[*out.shape]} doesn't match the broadcast shape {[*np.shape(result)]}")
    np.copyto(out, result, casting=casting(out, result))


def write_large(node: Any, out: Array, *arrays: Array | float | None) -> None:
    """Call node.write(out, *arrays) for many elements: where `out` has gaps, in a third to nine tenths of the time."""
    with unbuffered_into(out, *arrays) if node.elementwise else UNCHANGED:
        node.write(out, *arrays)


def unless_converted(write: Callable[..., None]) -> Callable[..., None]:
    """Decorate a `write` of elementwise operations: `by_forward` stands in for it if x had to be converted."""

    def checked(self: Any, out: Any, x: Any, *others: Any) -> None:
        if getattr(x, "dtype", None) is out.dtype and out.dtype != HALF:
            write(self, out, x, *others)
        else:
            by_forward(self, out, x, *others)

    return checked


def _rounded(x: Array | None) -> Array | None:
    return convert(x, HALF) if getattr(x, "dtype", HALF) == _SINGLE else x  # forward may have returned a number


def casting(out: Array, *arrays: Array | complex) -> Any:
    """The casting rule of NumPy that PyTorch's corresponds to: PyTorch casts freely between signed and unsigned."""
    whole = out.dtype.kind == "u" and all(np.result_type(x).kind in "biu" for x in arrays)
    return "unsafe" if whole else "same_kind"
