"""The gradients of complex results: derivatives are those of calculus, and PyTorch's convention is their conjugate."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend, function, state
from ..function import Function
from ..function.half import HALF, wide
from ..type_aliases import Array

_FLOAT32 = np.dtype("float32")
_POSITIVE_ZERO = complex(-0.0, 0.0)  # a sum with it turns an imaginary -0 into 0, and leaves the real part as it is


def for_derivatives(node: Any, grad: Any, kept: Any) -> tuple[Any, Any]:
    """Prepare a gradient and kept values for a derivative: conjugate complex gradients, widen float16 to float32."""
    kinds = node.dtype if type(node.dtype) is list else [node.dtype]
    if kinds.count(_FLOAT32) == len(kinds):
        return grad, kept
    if any(d.kind == "c" for d in kinds) and conjugates(node):
        grad = tuple(map(conjugate, grad)) if type(grad) is tuple else conjugate(grad)
    native = node.native_half == "cuda" and backend.is_gpu(grad[0] if type(grad) is tuple else grad)
    if HALF in kinds and not node.calls_back and not native:
        grad, kept = wide(grad), [wide(x) for x in kept]
    return grad, kept


def conjugates(node: Any) -> bool:
    """Whether the engine conjugates a node's complex gradients: not where its class does so, nor in a complex step."""
    return node.conjugates and not state.current().holomorphic


def conjugate(x: Array | None) -> Any:
    """The complex conjugate; None for None."""
    if isinstance(x, function.Tensor):
        return Conjugation.apply(x)
    found = x if x is None else np.conjugate(x)
    return backend.as_array(found) if isinstance(found, np.generic) else found


def conjugate_back(x: Array) -> Array:
    """The conjugate of a gradient that was computed from conjugates, where imaginary parts of 0 are positive.

    PyTorch doesn't conjugate twice: its products with a real, positive factor have 0 there, where this would have -0.
    """
    found = conjugate(x)
    values = getattr(found, "array", found)
    values = getattr(values, "innermost", values)
    if backend.is_array(values) and values.dtype.kind == "c":
        values += _POSITIVE_ZERO
    return found


class Conjugation(Function):
    """A conjugate that the engine takes under create_graph. PyTorch takes none: hence the zeros of its derivative."""

    symbol, node_name, conjugates = "conj", "Conj", False

    def forward(self, x: Array) -> Array:
        return np.conjugate(x)

    def grad_x(self, grad: Array) -> Array:
        return conjugate_back(grad)
