"""In-place updates that nothing records, as programs write optimizers and moving averages with them.

`x.add_(g, alpha=-lr)` and its like are several operations. Where no gradient and no observer needs them one by one,
they are computed here with the same arithmetic and without Tensors in between, in a third of the time for few elements.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray

from . import function as core
from . import gradients
from .backend.inner_loops import unbuffered_into
from .errors import FROM_FORWARD
from .state import current
from .type_aliases import Array

_LARGEST = 1e30  # finite factors up to it are finite in float32


def update(
    name: str, formula: Callable[..., None], target: Any, factor: Any, *others: Any, joined: bool = False
) -> bool:
    """Compute formula(target's array, factor, *other arrays), or return False if that isn't plain.

    Plain are float Tensors of one dtype and shape, which are the same or share no memory; those that are `joined` into
    the target, or that `replace` it, may be of any dtype, and the former of any shape. A binary NumPy function is a
    formula, too, if target is given once more, for the result: `update("mul_", np.multiply, x, 2.0, x)`.
    """
    state, array = current(), target.array
    if (
        type(factor) not in (int, float)
        or _LARGEST <= abs(factor) < math.inf
        or type(array) is not ndarray
        or (array.dtype.char not in "fd" and formula is not replace and not joined)
        or state.observer is not None
        or state.deriving
        or gradients.dual_level.get() is not None
        or (state.grad_enabled and getattr(target, "fresh_node", target) is not None)
    ):
        return False
    arrays = []
    for x in others:
        if not isinstance(x, core.Tensor) or (state.grad_enabled and getattr(x, "fresh_node", x) is not None):
            return False
        other = x.array
        if type(other) is not ndarray or other.dtype is not array.dtype:
            return False
        if other.shape != array.shape and not joined:
            return False
        if other is not array and np.may_share_memory(other, array):
            return False
        arrays.append(other)
    try:
        target._check_writable(name, False)
        if array.size < core.MANY:
            formula(array, factor, *arrays)  # writes last
        else:
            with unbuffered_into(array, *arrays):
                formula(array, factor, *arrays)
    except FROM_FORWARD:
        return False  # the operation says what is wrong
    target._bump()
    return True


def with_number(name: str, ufunc: np.ufunc, target: Any, number: Any) -> bool:
    """Write ufunc(target, number) into target, or return False if that isn't plain: see `update`.

    Plain is also an int that every integer dtype holds, for a signed one.
    """
    whole = type(number) is int and 0 <= number < 128 and target.array.dtype.kind == "i"
    return update(name, ufunc, target, number, target, joined=whole)


def fill(out: Array, factor: float) -> None:
    """factor"""
    out.fill(factor)


def replace(out: Array, factor: float, other: Array) -> None:
    """other; there is no factor"""
    out[...] = other


def add_scaled(out: Array, factor: float, other: Array) -> None:
    """out + factor · other"""
    out += factor * other


def subtract_scaled(out: Array, factor: float, other: Array) -> None:
    """out - factor · other"""
    out -= factor * other


def add_product(out: Array, factor: float, a: Array, b: Array) -> None:
    """out + factor · a · b"""
    product = a * b if factor == 1 else factor * a
    if factor != 1:
        product *= b
    out += product


def add_quotient(out: Array, factor: float, a: Array, b: Array) -> None:
    """out + factor · a / b"""
    quotient = factor * a
    quotient /= b
    out += quotient


def to_radians(out: Array, factor: float) -> None:
    """out in radians; there is no factor"""
    out *= math.pi / 180


def to_degrees(out: Array, factor: float) -> None:
    """out in degrees; there is no factor"""
    out *= 180 / math.pi


def interpolate(out: Array, weight: float, end: Array) -> None:
    """out + weight · (end - out), computed from the nearer end as `lerp` does."""
    far = abs(weight) >= 0.5
    step = end - out
    step *= weight - far
    np.add(step, end if far else out, out=out)
