"""Reductions, scans, sorting, statistics and softmax as methods."""

from typing import TYPE_CHECKING

from ..lazy import LazyModule
from .factories import by_copy, unlike_numpy, with_dims

if TYPE_CHECKING:
    from ..ops import native, reduction
    from ..ops import softmax as exponentials
else:
    reduction = LazyModule("microgad.ops.reduction")
    exponentials = LazyModule("microgad.ops.softmax")
    native = LazyModule("microgad.ops.native")


class Reduction:
    """Reductions, scans, sorting and statistics."""

    __slots__ = ()

    sum, mean, prod = reduction.sum, reduction.mean, reduction.prod
    nansum, nanmean = reduction.nansum, reduction.nanmean
    max, min = unlike_numpy(reduction.max, "()"), unlike_numpy(reduction.min, "()")
    amax, amin = reduction.amax, reduction.amin
    aminmax, argmax, argmin = reduction.aminmax, reduction.argmax, reduction.argmin
    median, nanmedian, mode, kthvalue = reduction.median, reduction.nanmedian, reduction.mode, reduction.kthvalue
    topk, sort, argsort, msort = reduction.topk, unlike_numpy(reduction.sort), reduction.argsort, reduction.msort
    quantile, nanquantile = reduction.quantile, reduction.nanquantile
    var, std = unlike_numpy(reduction.var), unlike_numpy(reduction.std)
    cov, corrcoef = reduction.cov, reduction.corrcoef
    renorm, dist = reduction.renorm, reduction.dist
    cumsum, cumprod, cummax, cummin = reduction.cumsum, reduction.cumprod, reduction.cummax, reduction.cummin
    logcumsumexp, diff = reduction.logcumsumexp, reduction.diff
    any, all, count_nonzero = reduction.any, reduction.all, with_dims(reduction.count_nonzero)
    nonzero, nonzero_static = unlike_numpy(reduction.nonzero), reduction.nonzero_static
    argwhere = reduction.argwhere
    unique, unique_consecutive = reduction.unique, reduction.unique_consecutive
    bincount, histc, histogram = reduction.bincount, reduction.histc, reduction.histogram
    hash_tensor = reduction.hash_tensor
    logsumexp = exponentials.logsumexp

    cumsum_, cumprod_, renorm_ = by_copy(reduction.cumsum), by_copy(reduction.cumprod), by_copy(reduction.renorm)
    softmax, log_softmax = native.softmax, native.log_softmax
