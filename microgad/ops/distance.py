"""Distances and angles between vectors, and normalization of vectors to length 1."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import backend, dtypes
from ..backend.copies import copied_row_major
from ..errors import ArgumentError, DtypeError, ShapeError
from ..function import Function
from ..state import composite
from ..type_aliases import Array, Tensor
from .elementwise import RaisedCopy, Select, clamp
from .elementwise.selection_kernels import fast_select
from .linalg.common import bare, check_same_dtype, safe_divide
from .linalg.norms import VectorNorm
from .movement import broadcast_shapes
from .movement.dims import wrap_dims
from .support import fast_numpy
from .support.out import into
from .support.spelling import numpy_spelling, tensors_only


@composite
def normalize(
    input: Tensor, p: float = 2.0, dim: int | tuple[int, ...] = 1, eps: float | Tensor = 1e-12,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Divide input by its p-norm along dim, or by eps if the norm is smaller.

    (...) -> the same. Raises RuntimeError for integers, IndexError for a dimension out of range.
    Source: torch.nn.functional.normalize.

    >>> F.normalize(torch.tensor([[3.0, 4.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return into(out, input / clamp(input.norm(p, dim, keepdim=True), min=eps))


@numpy_spelling
@composite
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """Return the p-norm of x1 - x2 + eps over the last dimension; the two broadcast.

    (..., D), (..., D) -> (...). Raises RuntimeError if they don't broadcast. Source: torch.pairwise_distance.

    >>> torch.pairwise_distance(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0]]))
    tensor([5.0000])
    """
    return (x1 - x2 + float(eps)).norm(p, -1, keepdim)


@numpy_spelling
@composite
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine of the angle between x1 and x2 along dim; the two broadcast. Source: torch.cosine_similarity.

    A norm that is less than eps is replaced by eps, but keeps its derivative. Raises RuntimeError if the common dtype
    is not floating-point and real, or eps is negative.

    >>> torch.cosine_similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 1.0]]))
    tensor([0.7071])
    """
    common = dtypes.result_dtype([x1.array, x2.array])
    if common.kind != "f":
        raise DtypeError(f"cosine_similarity: expected floating-point numbers, got {x1.dtype} and {x2.dtype}")
    if eps < 0:
        raise ArgumentError(f"cosine_similarity: eps must be non-negative, got: {eps:g}")
    size = x1.shape if x1.array.shape == x2.array.shape else broadcast_shapes(x1.shape, x2.shape)
    wide = [x if x.array.dtype.kind == "f" else x.to(common) for x in (x1, x2)]
    wide = [x if x.array.shape == size else x.expand(size) for x in wide]
    norm = {"p": 2.0, "axis": wrap_dims(dim, len(size), "linalg.vector_norm") if size else (), "keepdims": True}
    a, b = (x / RaisedCopy.apply(VectorNorm.apply(x, **norm), low=eps) for x in wide)
    return (a * b).sum(dim)


BLOCK = 1 << 15  # numbers that stay in the cache
MANY_BATCHES, MANY_PAIRS = 1 << 6, 1 << 9
FEW_ROWS = 1 << 7  # rows, at most, for which the mask of pairs is cached


class Pdist(Function):
    """The p-norms of the differences of rows i < j, (N, M) -> (N (N - 1) / 2). The differences are not kept."""

    symbol = "pdist"
    p: float

    def forward(self, x):
        n = len(x)
        if self.p == 2 and n:
            later, centered, lengths = _centered_squares(x)
            squares = lengths - 2 * np.matmul(centered, centered.T)
            near = first, second = fast_numpy.nonzero(later & ~(squares > lengths / 4))
            if len(first) <= n:
                if len(first):
                    differences = x.take(first, 0) - x.take(second, 0)
                    squares[near] = (differences * differences).sum(1)
                return np.sqrt(squares[later])
        out = np.empty_like(x, shape=(n * (n - 1) // 2,))
        for differences, _, pairs, upper in _row_blocks(x):
            out[pairs] = np.take(_norms_along_first(differences, self.p), upper)
        return out

    def grad_x(self, grad, x, out):
        n, p = len(x), self.p
        if p == 0 or not x.size:
            return np.zeros_like(x)
        grad = _divide_by_powers(grad, out, p)
        if p == 2:
            later, centered, lengths = _centered_squares(x)
            weight, squares = np.zeros_like(x, shape=(2, n, n))
            weight[later], squares[later] = grad, out * out
            near = first, second = fast_numpy.nonzero(later & ~(squares > lengths / 4))
            if len(first) <= n:
                close = weight[near][:, None] * (x.take(first, 0) - x.take(second, 0)) if len(first) else None
                weight[near] = 0
                weight += weight.T
                result = weight.sum(1)[:, None] * centered - np.matmul(weight, centered)
                if close is not None:
                    backend.add_at(result, first, close)
                    backend.add_at(result, second, -close)
                return result
        result = np.zeros_like(x.T, order="C")
        for differences, rows, pairs, upper in _row_blocks(x):
            weight = np.zeros_like(differences, shape=differences.shape[1:])
            weight.reshape(-1)[upper] = grad[pairs]
            slopes = _slopes(differences, p, weight)
            np.copyto(slopes, 0, where=weight == 0)  # rows minus themselves may be NaN
            result[:, rows] += slopes.sum(2)
            result[:, rows.start :] -= slopes.sum(1)
        return np.copy(result.T, "C")

    def decomposition(self, x):
        first, second = _pairs(x)
        return _norms_along_last(x[first] - x[second], self.p)


def _pairs(x: Any) -> list[Array]:
    """Return the indices of the first and of the second row of each pair, in the order of the results."""
    return [backend.like(rows, bare(x)) for rows in np.triu_indices(x.shape[0], 1)]


def _norms_along_last(x: Any, p: float) -> Any:
    """Return the p-norms along the last axis."""
    if p == 0:
        return np.square(np.sign(x)).sum(-1)  # which has a gradient, of 0, unlike the norm
    if p in (1, math.inf) and x.shape[-1]:
        size = x * np.sign(bare(x))  # abs, but with derivative NaN at NaN
        if p == 1:
            return size.sum(-1)
        # Each of several largest numbers has the whole gradient.
        largest = np.max(bare(size), -1, keepdims=True)
        reached = (bare(size) == largest) | np.isnan(bare(size))
        return np.where(reached, size - largest, 0).sum(-1) + largest[..., 0]
    length = np.linalg.norm(x, p if x.shape[-1] else 1, -1)  # p = inf would fail for an empty axis
    return Select.apply(bare(length) != 0, length)  # no gradient at 0, even of an infinite one


def _centered_squares(x: Array) -> tuple[Array, Array, Array]:
    """Return the mask of the pairs i < j, (N, N), x minus its mean, and |xᵢ|² + |xⱼ|² for all pairs, (N, N).

    Squared distances come from a matrix product. Pairs whose distance is small compared to these lengths would lose
    digits in it, and are computed one by one.
    """
    later = backend.like(_upper_pairs(len(x)) if len(x) <= FEW_ROWS else _upper_pairs.__wrapped__(len(x)), x)
    x = x - x.sum(0) / len(x)
    lengths = np.einsum("ij,ij->i", x, x)
    return later, x, lengths[:, None] + lengths


@functools.lru_cache(maxsize=16)
def _upper_pairs(n: int) -> Array:
    """Return the mask of the pairs i < j, (N, N)."""
    return np.less.outer(np.arange(n), np.arange(n))


def _row_blocks(x: Array) -> Iterator[tuple[Any, slice, slice, Any]]:
    """Yield for each block of rows: the differences from themselves and later rows, and the slice of the rows.

    Then follow the slice of their pairs in the result, and the positions of these pairs among the differences. The
    differences are (M, rows, later rows), since sums along the first axis are fast.
    """
    n, m = x.shape
    x = np.copy(x.T, "C")
    start = done = 0
    while start < n - 1:
        stop = min(n, start + max(1, BLOCK // ((n - start) * max(m, 1))))
        upper = np.flatnonzero(np.arange(start, n) > np.arange(start, stop)[:, None])
        differences = x[:, start:stop, None] - x[:, None, start:]
        yield differences, slice(start, stop), slice(done, done + len(upper)), backend.like(upper, x)
        start, done = stop, done + len(upper)


def _norms_along_first(x: Array, p: float) -> Array:
    """Return the p-norms along the first axis."""
    if p == 2:
        return np.sqrt((x * x).sum(0))
    if p == 0:
        return np.minimum(np.ceil(abs(x)), 1).sum(0)  # NaN stays NaN
    x = abs(x)
    if p == math.inf:
        return np.max(x, 0) if len(x) else x.sum(0)
    return x.sum(0) if p == 1 else (x**p).sum(0) ** (1 / p)


def _divide_by_powers(grad: Array, length: Array, p: float) -> Array:
    """Return grad / lengthᵖ⁻¹, and 0 where the length is 0; `_slopes` leaves that factor out."""
    if p in (0, 1, math.inf):
        return grad
    return fast_select(length != 0, grad / (length if p == 2 else length ** (p - 1)))


def _slopes(x: Array, p: float, weight: Array) -> Array:
    """Return weight · lengthᵖ⁻¹ times the derivatives of the p-norms along the first axis; p = inf: all to each tie."""
    if p == 2:
        return x * weight
    if p == 1:
        return np.sign(x) * weight
    size = abs(x)
    if p == math.inf:
        return fast_select((size == np.max(size, 0)) | (size != size), np.sign(x)) * weight
    slopes = np.sign(x) * size ** (p - 1) * weight
    return np.where(size == 0, 0, slopes) if p < 1 else slopes


@tensors_only
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Return the p-norms of the differences of rows i < j, ordered by i, then j: (N, M) -> (N (N - 1) / 2).

    Raises RuntimeError if input is not (N, M) or p is negative. Source: torch.pdist.

    >>> torch.pdist(torch.tensor([[0.0], [1.0], [4.0]]))
    tensor([1., 4., 3.])
    """
    if input.ndim != 2:
        raise ShapeError(f"pdist: only supports 2D tensors, got: {input.ndim}D")
    if not input.dtype.is_floating_point:
        raise DtypeError(f"pdist: only supports floating-point dtypes, got {input.dtype}")
    if not p >= 0:
        raise ArgumentError(f"pdist: only supports non-negative p values, got {p}")
    return Pdist.apply(input, p=float(p))


class Cdist(Function):
    """Euclidean distances of rows by one matrix product, (..., P, M), (..., R, M) -> (..., P, R)."""

    symbol, node_name, broadcasts = "cdist", "View", True

    def forward(self, a, b):
        squares = (a * a).sum(-1)[..., :, None] + (b * b).sum(-1)[..., None, :]
        squares = squares - 2 * (a @ np.swapaxes(b, -1, -2))
        return np.sqrt(np.maximum(squares, 0))

    def grad_a(self, grad, a, b, out):
        ratio = safe_divide(grad, out)
        return ratio.sum(-1)[..., None] * a - ratio @ b

    def grad_b(self, grad, a, b, out):
        ratio = np.swapaxes(safe_divide(grad, out), -1, -2)
        return ratio.sum(-1)[..., None] * b - ratio @ a


class Distances(Function):
    """The p-norms of the differences of rows, (..., P, M), (..., R, M) -> (..., P, R). The differences are not kept."""

    symbol, operator, node_name, broadcasts = "cdist", "_cdist_forward", "Cdist", True
    saved_names = {"x1": "a", "x2": "b"}
    p: float

    def forward(self, a, b):
        lead = fast_numpy.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        out = np.empty_like(a, shape=(*lead, a.shape[-2], b.shape[-2]), order="C")
        x, y = _columns_first(a, lead), _columns_first(b, lead)  # sums along the first axis are fast
        for rows in self._row_slices(a, out):
            out[..., rows, :] = _norms_along_first(x[..., rows, None] - y[..., None, :], self.p)
        return out

    def backward(self, grad, a, b, out):
        """Return both gradients, summed row by row in PyTorch's order."""
        grad = _divide_by_powers(grad, out, self.p)
        a, b = (fast_numpy.broadcast_to(x, out.shape[:-2] + x.shape[-2:]) for x in (a, b))
        count = math.prod(out.shape[:-2])
        many = count >= MANY_BATCHES and out.size >= max(MANY_PAIRS, 2 * count)
        if self.p and many and 0 < a.size * out.shape[-1] <= BLOCK * count:
            return self._backward_of_batches(grad, a, b)
        by_column = a.shape[-1] <= out.shape[-1]  # the longest axis is to be the last in memory
        x, y = ((_moved if by_column else fast_numpy.moveaxis)(z, -1, 0) for z in (a, b))
        from_a, from_b = np.zeros_like(x), np.zeros_like(y)
        for rows in self._row_slices(a, out) if self.p and a.size else ():
            slopes = _slopes(x[..., rows, None] - y[..., None, :], self.p, grad[..., rows, :])
            transposed = slopes.swapaxes(-1, -2)
            from_a[..., rows] = (copied_row_major(transposed) if by_column else transposed).sum(-2)
            slopes[..., 0, :] -= from_b
            from_b = 0 - slopes.sum(-2)
        return _moved(from_a, 0, -1), _moved(from_b, 0, -1)

    def _backward_of_batches(self, grad: Array, a: Array, b: Array) -> tuple[Array, Array]:
        """Compute `backward` with the batch axes last: where batches are many, and small, that is the longest axis."""
        x, y, grad = (_moved(z.reshape(-1, *z.shape[-2:]), 0, -1) for z in (a, b, grad))
        from_a, from_b = np.empty_like(x), np.empty_like(y)
        step = max(MANY_BATCHES, BLOCK * grad.shape[-1] // max(a.size * grad.shape[1], 1))
        for i in range(0, grad.shape[-1], step):
            part = slice(i, i + step)
            differences = x[:, None, :, part] - y[None, :, :, part]
            slopes = _slopes(fast_numpy.moveaxis(differences, 2, 0), self.p, grad[..., part])
            from_a[..., part] = fast_numpy.moveaxis(slopes.sum(2), 0, 1)
            from_b[..., part] = fast_numpy.moveaxis(slopes.sum(1), 0, 1)
        return _moved(from_a, -1, 0).reshape(a.shape), _moved(0 - from_b, -1, 0).reshape(b.shape)

    def _row_slices(self, a: Array, out: Array) -> Iterator[slice]:
        """Return slices of a's rows such that their differences from all rows of b stay in the cache."""
        step = max(1, BLOCK * out.shape[-2] // max(a.shape[-1] * out.size, 1))
        return (slice(start, start + step) for start in range(0, out.shape[-2], step))

    def decomposition(self, a, b):
        return _norms_along_last(a[..., :, None, :] - b[..., None, :, :], self.p)


def _columns_first(x: Array, lead: tuple[int, ...]) -> Array:
    """Copy (..., N, M) into (M, *lead, N)."""
    return _moved(fast_numpy.broadcast_to(x, lead + x.shape[-2:]), -1, 0)


def _moved(x: Array, source: int, destination: int) -> Array:
    """Copy a bare array with one of its axes moved, which is then in C order."""
    return copied_row_major(fast_numpy.moveaxis(x, source, destination))


@tensors_only
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """Return the p-norms of the differences of rows, (..., P, M), (..., R, M) -> (..., P, R).

    For p = 2 and more than 25 rows, the distances come from one matrix product, as in PyTorch: it is faster, but less
    exact. Raises RuntimeError for sizes that don't fit, integers, p < 0 and another compute_mode. Source: torch.cdist.

    >>> torch.cdist(torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    modes = [f"use_mm_for_euclid_dist{suffix}" for suffix in ("_if_necessary", "")] + ["donot_use_mm_for_euclid_dist"]
    if compute_mode not in modes:
        raise ArgumentError(f"cdist: {compute_mode} is not a valid value for compute_mode; they are {', '.join(modes)}")
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(
            "cdist: x1 and x2 need at least two dimensions and the same number of columns, got "
            f"{tuple(x1.shape)} and {tuple(x2.shape)}"
        )
    for name, x in (("x1", x1), ("x2", x2)):
        if x.array.dtype.kind != "f":
            raise DtypeError(f"cdist: only supports floating-point dtypes, {name} got {x.dtype}")
    if x1.shape[-1]:  # without columns PyTorch doesn't check it
        check_same_dtype("cdist", x1, x2)
    if not p >= 0:
        raise ArgumentError(f"cdist: only supports non-negative p values, got {p}")
    large = x1.shape[-2] > 25 or x2.shape[-2] > 25
    if p == 2 and x1.shape[-1] and (compute_mode == modes[1] or (large and compute_mode == modes[0])):
        return Cdist.apply(x1, x2)
    return Distances.apply(x1, x2, p=float(p))
