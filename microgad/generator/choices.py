"""randperm and multinomial: permutations and weighted choices (ATen's TensorFactories and Distributions)."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend.radix_sort import stable_argsort
from .fills import SMALL_LOOP, check_floating, empty_like, largest_integer, working_dtype
from .stream import Generator, generator_or_default
from .transformed import exponential_

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray


FEW = 32  # categories of many rows up to which a loop over them is faster than one over the rows


def randperm(n: int, dtype: DTypeLike = np.int64, *, generator: Generator | None = None) -> NDArray[Any]:
    """Return a random permutation of 0 .. n-1, shape (n,): `torch.randperm`.

    The method is Fisher and Yates' shuffle, in Durstenfeld's form (1964). Raises RuntimeError for n < 0 and for more
    than the dtype holds; NotImplementedError for a dtype that PyTorch doesn't offer, and for n >= 214,748,364, where
    PyTorch changes the algorithm.

    >>> randperm(8, generator=Generator().manual_seed(2024))
    array([0, 1, 6, 3, 7, 4, 2, 5])
    """
    n, dtype = index(n), np.dtype(dtype)
    if dtype.kind not in "iuf" or dtype in (np.uint16, np.uint32, np.uint64):
        raise NotImplementedError(f"randperm: not implemented for {dtype}; use int64 and convert")
    if n < 0:
        raise RuntimeError(f"randperm: n must be >= 0, but got {n}")
    if n > largest_integer(dtype) + 1:
        raise RuntimeError(f"randperm: n must be at most {largest_integer(dtype) + 1} for {dtype}, but got {n}")
    if n >= 214748364:
        raise NotImplementedError(f"randperm: n must be less than 214748364, but got {n}")
    if n < 2:
        return np.arange(n, dtype=dtype)
    partners = generator_or_default(generator).random32(n - 1)
    partners %= np.arange(n, 1, -1, dtype=np.uint32)
    partners += np.arange(n - 1, dtype=np.uint32)
    shuffle = _shuffle_by_loop if n < 250 else _shuffle_by_sort
    return shuffle(partners, n).astype(dtype, copy=False)


def _shuffle_by_loop(partners: NDArray[np.uint32], n: int) -> NDArray[np.int64]:
    """Return 0 .. n-1 after swapping the places i and partners[i] >= i for i = 0 .. n-2 in turn."""
    order = list(range(n))
    for i, j in enumerate(partners.tolist()):
        order[i], order[j] = order[j], order[i]
    return np.array(order)


def _shuffle_by_sort(partners: NDArray[np.uint32], n: int) -> NDArray[np.int64]:
    """Return what `_shuffle_by_loop` does, without a loop.

    Step i takes for good what lies in place j = partners[i], and leaves there what lay in place i. So what place x
    holds when step x begins is what place i held when step i began, where i < x is the last step with partner x;
    x itself if there was none. `held` follows these links to their ends. Step i then takes what the step before it
    with the same partner left, or j if there was none.
    """
    # In the order of places, for each place in the order of steps. NumPy sorts numbers of 16 bits faster.
    step = stable_argsort(partners.astype(np.uint16) if n <= 1 << 16 else partners)
    place = partners.take(step).astype(np.int64)
    held = np.arange(n)
    # The last step with this partner stays; nobody asks for a place that was swapped with itself.
    held[place] = step
    while not ((followed := held.take(held)) == held).all():
        held = followed
    del followed
    order = np.empty(n, np.int64)
    order[step] = place
    again = np.flatnonzero(place[1:] == place[:-1])
    order[step.take(again + 1)] = held.take(step.take(again))
    order[n - 1] = held[n - 1]
    return order


def _first_of_sorted(speeds: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Return the indices of the `count` greatest along the last axis, equal ones in the order of indices."""
    return np.ascontiguousarray(stable_argsort(-speeds)[..., :count])


def multinomial(
    probabilities: NDArray[Any], num_samples: int, replacement: bool = False, *, generator: Generator | None = None,
    greatest: Callable[[NDArray[Any], int], NDArray[np.int64]] = _first_of_sorted,
) -> NDArray[np.int64]:  # fmt: skip
    """Draw indices with the weights in each row: `torch.multinomial`.

    (K,) or (N, K) weights -> (num_samples,) or (N, num_samples) indices, int64. Weights are floating-point and needn't
    add up to 1. Raises RuntimeError where one is negative, infinite or NaN, where a row has none above 0, and where
    more are drawn without replacement than there are.

    Without replacement, the samples are those with the `greatest` of random numbers. PyTorch's order of equal ones is
    known to ops/reduction, which this package can't import.

    >>> multinomial(np.array([1.0, 2, 3, 4], np.float32), 3, generator=Generator().manual_seed(2024))
    array([2, 0, 3])
    """
    _check_multinomial(probabilities, num_samples, replacement)
    if num_samples == 1 or not replacement:
        # Efraimidis and Spirakis (2006): exponential clocks with these rates ring in the order of a weighted draw.
        clocks = exponential_(empty_like(probabilities), generator=generator)
        with np.errstate(divide="ignore", over="ignore"):
            speeds = probabilities / clocks
        if num_samples == 1:
            return speeds.argmax(-1, keepdims=True)
        return greatest(speeds, num_samples)
    rows = probabilities.reshape(-1, probabilities.shape[-1])
    cumulative = np.cumsum(rows, -1, dtype=working_dtype(rows))
    cumulative /= cumulative[:, -1:]
    units = generator_or_default(generator).uniform(len(rows) * num_samples, np.dtype(np.float64))
    units = units.reshape(len(rows), num_samples)
    if rows.shape[1] < min(FEW, len(rows)):
        samples = np.zeros(units.shape, np.int64)
        for total in cumulative.T:
            samples += total[:, None] < units
    else:
        samples = np.array([row.searchsorted(unit) for row, unit in zip(cumulative, units, strict=True)], np.int64)
    return samples.reshape(*probabilities.shape[:-1], num_samples)


def _check_multinomial(probabilities: NDArray[Any], num_samples: int, replacement: bool) -> None:
    """Raise RuntimeError for bad arguments of multinomial."""
    check_floating("multinomial", probabilities, "probabilities", RuntimeError)
    if probabilities.ndim not in (1, 2):
        raise RuntimeError(f"multinomial: prob_dist must be 1 or 2 dim, but has shape {probabilities.shape}")
    categories = probabilities.shape[-1]
    if num_samples < 1:
        raise RuntimeError(f"multinomial: cannot sample n_sample <= 0 samples: num_samples is {num_samples}")
    if categories > 2**24:
        raise RuntimeError(f"multinomial: number of categories cannot exceed 2^24, but there are {categories}")
    if num_samples > categories and not (replacement and categories):
        raise RuntimeError(
            "multinomial: cannot sample n_sample > prob_dist.size(-1) samples without replacement: "
            f"{num_samples} of {categories}; pass replacement=True to draw one more than once"
        )
    if probabilities.size <= SMALL_LOOP:
        rows = probabilities.reshape(-1, categories).tolist()
        if all(min(row) >= 0 and 0 < sum(row) < math.inf for row in rows):
            return
    if not (np.isfinite(probabilities) & (probabilities >= 0)).all():
        raise RuntimeError("multinomial: probability tensor contains either `inf`, `nan` or element < 0")
    if not (probabilities > 0).any(-1).all():
        raise RuntimeError("multinomial: invalid multinomial distribution (sum of probabilities <= 0) in a row")
