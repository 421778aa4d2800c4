"""Reductions, cumulative operations, sorting and statistics: sums, extrema, quantiles, counts, histograms."""

# isort: skip_file
from .axes import axes
from .calculus import cumulative_trapezoid, gradient, trapezoid, trapz
from .counting import All, Any_, CountNonzero, all, any, argwhere, count_nonzero, nonzero, nonzero_static
from .unique_values import unique, unique_consecutive
from .distances import Renorm, dist, renorm
from .extrema import Amax, Amin, Argmax, Argmin, Max, Median, Min, amax, amin, aminmax, argmax, argmin, max, min
from .hashing import HashTensor, hash_tensor
from .histograms import bincount, bucketize, histc, histogram, histogramdd, searchsorted
from .sorting import argsort, kthvalue, median, mode, msort, nanmedian, sort, topk
from .picking import Pick
from .products import Cumprod, Prod, cumprod, prod
from .quantiles import nanquantile, quantile
from .scans import Cummax, Cummin, Cumsum, Diff, LogCumSumExp, cummax, cummin, cumsum, diff, logcumsumexp
from .segments import SegmentExtreme, SegmentSum, segment_reduce
from .sums import Mean, NanSum, Sum, mean, nanmean, nansum, sum
from .variance import Std, StdMean, Var, VarMean, corrcoef, cov, std, std_mean, var, var_mean
