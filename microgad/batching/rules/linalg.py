"""Rules of products, linear algebra and Fourier transforms."""

from __future__ import annotations

import math
from typing import Any

import numpy

from ...type_aliases import Array
from ..array import BatchedArray, Level, align, is_batched_at, ndim_of
from ..dispatch import RULES, NoRuleError, wrap
from .common import Rule, all_axes, batch_of, flatten_slices, rule, shift_axes

np: Any = numpy  # NumPy's stubs don't know BatchedArray


@rule(np.matmul)
def _matmul(level: Level, a: Array, b: Array, **kwargs: Any) -> Array:
    line, column = ndim_of(a) == 1, ndim_of(b) == 1
    if not ndim_of(a) or not ndim_of(b):
        raise NoRuleError
    if not is_batched_at(b, level) and b.ndim < 3:  # one product for all slices
        found = np.matmul(a.whole.reshape(math.prod(a.whole.shape[:-1]), a.shape[-1]), b, **kwargs)
        return BatchedArray(found.reshape(*a.whole.shape[:-1], *b.shape[1:]), level)
    a, b = (a[None, :] if line else a), (b[:, None] if column else b)
    ndim = max(a.ndim, b.ndim)
    found = np.matmul(align(a, level, ndim), align(b, level, ndim), **kwargs)
    found = found[..., 0, :] if line else found
    return BatchedArray(found[..., 0] if column else found, level)


@rule(np.dot)
def _dot(level: Level, a: Array, b: Array) -> Array:
    if ndim_of(a) > 2 or ndim_of(b) > 2:
        raise NoRuleError
    return _matmul(level, a, b)


@rule(np.vecdot)
def _vecdot(level: Level, a: Array, b: Array) -> Array:
    if not ndim_of(a) or not ndim_of(b):
        raise NoRuleError
    ndim = max(a.ndim, b.ndim)
    return BatchedArray(np.vecdot(align(a, level, ndim), align(b, level, ndim)), level)


@rule(np.einsum)
def _einsum(level: Level, subscripts: Any, *operands: Array, **kwargs: Any) -> Array:
    if not isinstance(subscripts, str) or "->" not in subscripts:
        raise NoRuleError
    inputs, result = subscripts.replace(" ", "").split("->")
    terms = inputs.split(",")
    given = [x.whole if is_batched_at(x, level) else x for x in operands]
    if "." in subscripts:  # the batch axis is one more axis of the ellipsis, if it is the outermost one
        axes = {ndim_of(x) - len(term) for term, x in zip(terms, operands, strict=True)}
        if len(axes) > 1 or not all(term.startswith("...") for term in (*terms, result)):
            raise NoRuleError
        return BatchedArray(np.einsum(subscripts, *given, **kwargs), level)
    letter = next(c for c in map(chr, range(65, 123)) if c.isalpha() and c not in subscripts)
    marked = [letter * is_batched_at(x, level) + term for term, x in zip(terms, operands, strict=True)]
    return BatchedArray(np.einsum(f"{','.join(marked)}->{letter}{result}", *given, **kwargs), level)


def _triangle(func: Any) -> Rule:
    def of_matrices(level: Level, m: Array, k: int = 0) -> Array:
        if m.ndim < 2:
            raise NoRuleError
        return BatchedArray(func(batch_of(m, level), k), level)

    return of_matrices


def _matrices(func: Any) -> Rule:
    """Make the rule for a function of a matrix that accepts stacks of matrices."""
    return lambda level, a, *args, **kwargs: wrap(func(batch_of(a, level), *args, **kwargs), level)


RULES[np.tril], RULES[np.triu] = _triangle(np.tril), _triangle(np.triu)
for _func in (
    np.linalg.cholesky, np.linalg.det, np.linalg.eig, np.linalg.eigh, np.linalg.eigvals, np.linalg.eigvalsh,
    np.linalg.inv, np.linalg.pinv, np.linalg.qr, np.linalg.slogdet, np.linalg.svd,
):  # fmt: skip
    RULES[_func] = _matrices(_func)


@rule(np.linalg.solve)
def _solve(level: Level, a: Array, b: Array) -> Array:
    if b.ndim == 1:
        raise NoRuleError
    ndim = max(a.ndim, b.ndim)
    return BatchedArray(np.linalg.solve(align(a, level, ndim), align(b, level, ndim)), level)


@rule(np.linalg.norm)
def _norm(level: Level, x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    if axis is not None:
        return BatchedArray(np.linalg.norm(batch_of(x, level), ord, shift_axes(axis, x.ndim), keepdims), level)
    if keepdims or (ord is not None and x.ndim != 1):
        raise NoRuleError
    return BatchedArray(np.linalg.norm(flatten_slices(x), ord, 1), level)


def _transform(func: Any) -> Rule:
    def of_axis(level: Level, a: Array, n: Any = None, axis: int = -1, norm: Any = None) -> Array:
        return BatchedArray(func(batch_of(a, level), n, shift_axes(axis, a.ndim), norm), level)

    return of_axis


def _transform_of_axes(func: Any) -> Rule:
    def of_axes(level: Level, a: Array, s: Any = None, axes: Any = None, norm: Any = None) -> Array:
        if axes is None and s is not None:
            raise NoRuleError
        return BatchedArray(func(batch_of(a, level), s, all_axes(axes, a), norm), level)

    return of_axes


for _func in (np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft, np.fft.hfft, np.fft.ihfft):
    RULES[_func] = _transform(_func)
for _func in (np.fft.fftn, np.fft.ifftn, np.fft.rfftn, np.fft.irfftn):
    RULES[_func] = _transform_of_axes(_func)
