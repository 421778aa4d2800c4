"""NumPy's reductions, scans, sorting and statistics. Where NumPy's rules differ from PyTorch's, NumPy's hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..backend.axes import reduced_shape
from ..errors import ArgumentError, DtypeError
from ..ops import reduction
from ..ops.elementwise import imag, real, sqrt, where
from ..ops.movement import cat, expand, unsqueeze
from ..ops.movement.dims import wrap_dims
from ..ops.softmax import logsumexp
from .elementwise import as_exact_tensor, floating, promoted


def _over_axes(op: Callable[..., Any], a: Any, axis: Any, keepdims: bool) -> Any:
    """Reduce over axes. For an empty tuple of axes NumPy reduces each element by itself, while PyTorch reduces all."""
    if isinstance(axis, (list, tuple)):
        return op(a, tuple(axis), keepdims) if axis else op(unsqueeze(a, -1), -1, False)
    return op(a, axis, keepdims)


def _reduced(op: Callable[..., Any]) -> Callable[..., Any]:
    """Make a NumPy function (a, axis, out, keepdims)."""

    def function(a: Any, axis: Any = None, out: None = None, keepdims: bool = False) -> Any:
        return _over_axes(op, a, axis, keepdims)

    return function


def _typed(op: Callable[..., Any]) -> Callable[..., Any]:
    """Make a NumPy function (a, axis, dtype, out, keepdims)."""

    def function(a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Any:
        return _over_axes(op, _cast(a, dtype), axis, keepdims)

    return function


def _cast(a: Any, dtype: Any) -> Any:
    return a if dtype is None else a.to(np.dtype(dtype))


sum = _typed(reduction.sum)
_mean = _typed(lambda a, axis, keepdims: reduction.mean(floating(a), axis, keepdims))


def _prod(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Multiply over one axis, or over several, one after the other."""
    if axis is None:
        return reduction.prod(a).reshape([1] * a.ndim if keepdims else ())
    if not isinstance(axis, tuple):
        return reduction.prod(a, axis, keepdims)
    for i in sorted(wrap_dims(axis, a.ndim, "prod"), reverse=True):
        a = reduction.prod(a, i, keepdims)
    return a


def _with_ddof(op: Callable[..., Any]) -> Callable[..., Any]:
    """Make a NumPy function (a, axis, dtype, out, ddof, keepdims), such as np.var."""

    def function(
        a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0, keepdims: bool = False
    ) -> Any:
        def spread(a: Any, axis: Any, keepdims: bool) -> Any:
            return op(a, axis, correction=ddof, keepdim=keepdims)

        return _over_axes(spread, floating(_cast(a, dtype)), axis, keepdims)

    return function


def _nanvar(a: Any, axis: Any, *, correction: float, keepdim: bool) -> Any:
    known = a == a
    x = where(known, a, 0)
    off = where(known, x - reduction.sum(x, axis, True) / reduction.sum(known, axis, True), 0)
    squares = real(off) ** 2 + imag(off) ** 2 if off.is_complex() else off * off
    n = reduction.sum(known, axis, keepdim) - correction
    return (reduction.sum(squares, axis, keepdim) / where(n > 0, n, math.nan)).to(squares.dtype)


def _nanstd(a: Any, axis: Any, *, correction: float, keepdim: bool) -> Any:
    variance = _nanvar(a, axis, correction=correction, keepdim=keepdim)
    positive = variance > 0
    return where(positive, sqrt(where(positive, variance, 1)), variance * 0)  # the derivative at 0 is 0, as np.std's


def _scan(op: Callable[..., Any]) -> Callable[..., Any]:
    """Make a NumPy function (a, axis, dtype, out), which scans the flattened array if axis is None."""

    def function(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Any:
        a = _cast(a, dtype)
        return op(a.reshape(-1), 0) if axis is None or not a.ndim else op(a, axis)

    return function


def _fill_nan(op: Callable[..., Any], filling: float) -> Callable[..., Any]:
    """Make an operation that replaces NaN by a number first."""
    return lambda a, *args, **options: op(where(a == a, a, filling), *args, **options)


def _nan_extremum(op: Callable[..., Any], filling: float) -> Callable[..., Any]:
    def function(a: Any, axis: Any, keepdims: bool) -> Any:
        if not a.is_floating_point():
            return op(a, axis, keepdims)
        result = op(where(a == a, a, filling), axis, keepdims)
        return where(reduction.any(a == a, axis, keepdims), result, math.nan)

    return function


def _sorted(op: Callable[..., Any]) -> Callable[..., Any]:
    """Make a NumPy function (a, axis, kind, order, stable), which sorts the flattened array if axis is None."""

    def function(a: Any, axis: int | None = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> Any:
        if order is not None:
            raise ArgumentError("cannot specify order where the array has no fields")
        return op(a.reshape(-1), -1) if axis is None else op(a, axis)

    return function


_sort = _sorted(lambda a, axis: reduction.sort(a, axis).values)


def _partition(a: Any, kth: Any, axis: int | None = -1, kind: Any = None, order: Any = None) -> Any:
    if as_exact_tensor(kth).array.dtype.kind not in "iu":
        raise TypeError("Partition index must be integer")
    return _sort(a, axis, kind, order)


METHODS_OF_QUANTILES = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(op: Callable[..., Any], scale: float = 1) -> Callable[..., Any]:
    """Make np.quantile, with five of NumPy's methods; with scale=100 np.percentile."""

    def function(
        a: Any,
        q: Any,
        axis: Any = None,
        out: None = None,
        overwrite_input: bool = False,
        method: str = "linear",
        keepdims: bool = False,
        **others: Any,
    ) -> Any:
        if isinstance(axis, (tuple, list)) or others.get("weights") is not None or method not in METHODS_OF_QUANTILES:
            raise DtypeError(
                "numpy.quantile over several axes, with weights or by other methods than "
                f"{', '.join(METHODS_OF_QUANTILES)} is not recorded on Tensors"
            )
        a = floating(a)
        q = as_exact_tensor(q).to(a.device, a.dtype) / scale
        flat = op(a, q.reshape(-1), axis, keepdims, interpolation=method)
        return flat.reshape((*q.shape, *flat.shape[1:]))

    return function


def _median(op: Callable[..., Any]) -> Callable[..., Any]:
    def function(
        a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False, keepdims: bool = False
    ) -> Any:
        if not a.numel():
            return _mean(a, axis, keepdims=keepdims)
        # NumPy's median is the mean of the middle two. PyTorch's is the lower one, and its "midpoint" fails for
        # infinity.
        low, high = (op(floating(a), 0.5, axis, keepdims, interpolation=side) for side in ("lower", "higher"))
        return low * 0.5 + high * 0.5

    return function


def _average(a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    if returned:
        raise DtypeError("numpy.average with returned=True is not recorded on Tensors")
    if weights is None:
        return _mean(a, axis, keepdims=keepdims)
    a, w = promoted(floating(a), weights)
    if axis is None and w.shape != a.shape:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    if w.ndim == 1 and a.ndim > 1:
        w = w.reshape([-1 if i == axis % a.ndim else 1 for i in range(a.ndim)])
    total = _over_axes(reduction.sum, expand(w, a.shape), axis, keepdims)
    return _over_axes(reduction.sum, a * w, axis, keepdims) / total


def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    if n == 0:
        return a
    ends = [None if x is None or isinstance(x, type(np._NoValue)) else as_exact_tensor(x) for x in (prepend, append)]
    a, *given = promoted(a, *(x for x in ends if x is not None))
    shape = reduced_shape(a.shape, axis)
    slices = iter([x if x.ndim else x.expand(shape) for x in given])
    return reduction.diff(a, n, axis, *(None if x is None else next(slices) for x in ends))


def _cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    if y is not None:
        raise DtypeError("numpy.cov of two arrays is not recorded on Tensors; stack them first")
    fweights, aweights = (None if w is None else as_exact_tensor(w) for w in (fweights, aweights))
    correction = ddof if ddof is not None else int(not bias)
    return reduction.cov(_by_row(m, rowvar, dtype), correction=correction, fweights=fweights, aweights=aweights)


def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    if y is not None:
        raise DtypeError("numpy.corrcoef of two arrays is not recorded on Tensors; stack them first")
    return reduction.corrcoef(_by_row(x, rowvar, dtype))


def _by_row(x: Any, rowvar: bool, dtype: Any) -> Any:
    """Transpose x if its variables are columns."""
    x = floating(_cast(x, dtype))
    return x if rowvar or x.ndim < 2 else x.transpose(0, 1)


def _trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    if x is None:
        return reduction.trapezoid(floating(y), dx=dx, dim=axis)
    y, x = map(floating, promoted(y, x))
    if x.ndim in (1, y.ndim):
        return reduction.trapezoid(y, x, dim=axis)
    intervals = y.shape[axis] - 1  # the axis is counted in y, in x and in their product, where PyTorch counts it in y
    heights = y.narrow(axis, 1, intervals) + y.narrow(axis, 0, intervals)
    return reduction.sum(heights * reduction.diff(x, dim=axis), axis) / 2


def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    steps = [floating(v) if isinstance(v, (list, tuple)) or np.ndim(v) else v for v in varargs]
    spacing = steps[0] if len(steps) == 1 and not np.ndim(steps[0]) else steps or 1
    f = as_exact_tensor(f)
    f = f if f.array.dtype == bool else floating(f)  # for bools an error
    found = [g.to(f.dtype) for g in reduction.gradient(f, spacing=spacing, dim=axis, edge_order=edge_order)]
    return found[0] if len(found) == 1 else tuple(found)


def _unique(
    ar: Any,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
    sorted: bool = True,
) -> Any:
    """Return the unique values. For NumPy all NaNs are one value; they are sorted to the end."""
    if return_index:
        raise DtypeError("numpy.unique with return_index=True is not recorded on Tensors")
    found = reduction.unique(ar, True, return_inverse, return_counts, axis)
    values, *others = found if isinstance(found, tuple) else (found,)
    count = values.shape[0] - (int((values != values).sum()) if equal_nan and axis is None else 0) + 1
    if count < values.shape[0]:
        values = values[:count]
        if return_inverse:
            others[0] = others[0].clamp(max=count - 1)
        if return_counts:
            others[-1] = cat([others[-1][: count - 1], others[-1][count - 1 :].sum().reshape(1)])
    return (values, *others) if others else values


def _searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    sorter = None if sorter is None else as_exact_tensor(sorter)
    return reduction.searchsorted(*promoted(a, v), side=side, sorter=sorter)


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.sum: sum,
    np.mean: _mean,
    np.prod: _typed(_prod),
    np.nansum: _typed(reduction.nansum),
    np.nanmean: _typed(reduction.nanmean),
    np.nanprod: _typed(_fill_nan(_prod, 1)),
    np.max: _reduced(reduction.amax),
    np.amax: _reduced(reduction.amax),
    np.min: _reduced(reduction.amin),
    np.amin: _reduced(reduction.amin),
    np.nanmax: _reduced(_nan_extremum(reduction.amax, -math.inf)),
    np.nanmin: _reduced(_nan_extremum(reduction.amin, math.inf)),
    np.ptp: _reduced(lambda a, axis, keep: reduction.amax(a, axis, keep) - reduction.amin(a, axis, keep)),
    np.argmax: lambda a, axis=None, out=None, *, keepdims=False: reduction.argmax(a, axis, keepdims),
    np.argmin: lambda a, axis=None, out=None, *, keepdims=False: reduction.argmin(a, axis, keepdims),
    np.var: _with_ddof(reduction.var),
    np.std: _with_ddof(reduction.std),
    np.nanvar: _with_ddof(_nanvar),
    np.nanstd: _with_ddof(_nanstd),
    np.any: _reduced(lambda a, axis, keepdims: reduction.any(_cast(a, bool), axis, keepdims)),
    np.all: _reduced(lambda a, axis, keepdims: reduction.all(_cast(a, bool), axis, keepdims)),
    np.cumsum: _scan(reduction.cumsum),
    np.cumprod: _scan(reduction.cumprod),
    np.nancumsum: _scan(_fill_nan(reduction.cumsum, 0)),
    np.nancumprod: _scan(_fill_nan(reduction.cumprod, 1)),
    np.sort: _sort,
    np.argsort: _sorted(reduction.argsort),
    np.partition: _partition,
    np.quantile: _quantile(reduction.quantile),
    np.nanquantile: _quantile(reduction.nanquantile),
    np.percentile: _quantile(reduction.quantile, 100),
    np.nanpercentile: _quantile(reduction.nanquantile, 100),
    np.median: _median(reduction.quantile),
    np.nanmedian: _median(reduction.nanquantile),
    np.average: _average,
    np.diff: _diff,
    np.cov: _cov,
    np.corrcoef: _corrcoef,
    np.trapezoid: _trapezoid,
    np.gradient: _gradient,
    np.unique: _unique,
    np.count_nonzero: lambda a, axis=None, *, keepdims=False: _over_axes(reduction.sum, a != 0, axis, keepdims),
    np.nonzero: lambda a: reduction.nonzero(a, as_tuple=True),
    np.flatnonzero: lambda a: reduction.nonzero(a.reshape(-1))[:, 0],
    np.argwhere: reduction.argwhere,
    np.searchsorted: _searchsorted,
    np.bincount: lambda x, /, weights=None, minlength=0: reduction.bincount(x, weights, minlength),
}

# ufunc.reduce and ufunc.accumulate, which work along the first axis by default
METHODS: dict[str, dict[Any, Callable[..., Any]]] = {
    "reduce": {
        np.add: sum,
        np.multiply: FUNCTIONS[np.prod],
        np.maximum: FUNCTIONS[np.max],
        np.minimum: FUNCTIONS[np.min],
        np.logical_and: FUNCTIONS[np.all],
        np.logical_or: FUNCTIONS[np.any],
        np.logaddexp: _reduced(
            lambda a, axis, keep: logsumexp(floating(a), tuple(range(a.ndim)) if axis is None else axis, keep)
        ),
    },
    "accumulate": {
        np.add: FUNCTIONS[np.cumsum],
        np.multiply: FUNCTIONS[np.cumprod],
        np.maximum: lambda a, axis: reduction.cummax(a, axis).values,
        np.minimum: lambda a, axis: reduction.cummin(a, axis).values,
        np.logaddexp: reduction.logcumsumexp,
    },
}
