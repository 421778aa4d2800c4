"""Fills: uniform_, normal_, bernoulli_, random_ and dropout's noise (ATen's DistributionTemplates).

In each function, `draw(part)` fills one contiguous 1-d part of the destination with the next values.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from operator import index
from typing import Any

import numpy as np

from ..backend.axis_order import inverse
from ..backend.memory_layout import expanded_axes
from ..duck_arrays import DuckArray
from ..errors.notices import warn
from .stream import LOW_24, LOW_53, Generator, generator_or_default

Array = np.ndarray[Any, Any]

CHUNK = 1 << 15  # elements drawn at a time, so that words and temporaries stay in the cache
FLOAT64, _FLOAT32 = np.dtype(np.float64), np.dtype(np.float32)
FEW = 1000  # the largest count for which it takes longer to choose a faster formula than to do without
SMALL_LOOP = 32  # the largest count for which a Python loop is faster than NumPy


def uniform_(array: Array, low: float = 0.0, high: float = 1.0, *, generator: Generator | None = None) -> Array:
    """Fill an array of any shape with uniform numbers in [low, high), and return it: `Tensor.uniform_`, `torch.rand`.

    The dtype is floating-point or complex, with both parts drawn; another raises NotImplementedError. Raises
    RuntimeError where low > high, and for bounds that the dtype can't hold.

    >>> uniform_(np.empty(1, np.float32), -2, 5, generator=Generator().manual_seed(2024))
    array([1.7220111], dtype=float32)
    """
    if array.dtype.kind == "c":
        uniform_(_parts(array), low, high, generator=generator)
        return array
    check_floating("uniform_", array)
    source, working = generator_or_default(generator), working_dtype(array)
    if low == 0 and high == 1 and working is array.dtype:
        return fill("uniform_", array, lambda part: np.copyto(part, source.uniform(part.size, working)))
    limit = float(np.finfo(array.dtype).max)
    for name, bound in (("from", low), ("to", high)):
        if not -limit <= bound <= limit:
            raise RuntimeError(f"uniform_: {name} is out of bounds for {array.dtype}: {bound} is not in ±{limit:g}")
    if low > high:
        raise RuntimeError(f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}")
    if high - low > limit:
        raise RuntimeError(f"uniform_ expects to-from <= {limit:g}, but found to={high:g} and from={low:g}")
    start, width = float(working.type(low)), float(working.type(high) - working.type(low))
    end, centered = array.dtype.type(high), start == -width / 2 != 0
    rounds = not centered or working is not array.dtype
    exact = not centered and array.size > FEW and array.dtype == np.float32 and start != 0
    exact = exact and _is_exact_in_double(width, start)
    if exact:
        rounds = bool(np.float32(start + width * (1 - 2.0**-24)) == end)  # the largest number drawn

    def draw(part: Array) -> None:
        if centered:  # as the bounds ±b of layers' weights
            numbers = source.uniform(part.size, working)
            numbers -= 0.5  # exact, so that only the product is rounded
            numbers *= width
            part[...] = numbers
        elif exact:
            words = source.random32(part.size)
            words &= LOW_24
            numbers = words.view(np.int32).astype(np.float64)
            numbers *= width * 2.0**-24
            numbers += start
            part[...] = numbers
        else:
            part[...] = fma(source.uniform(part.size, working), width, start)
        if rounds and (rounded_up := part == end).any():
            part[rounded_up] = start  # high itself is excluded

    return fill("uniform_", array, draw)


def _is_exact_in_double(width: float, start: float) -> bool:
    """Whether float64 holds u·width + start for all 24-bit fractions u, so that float32 gets it with one rounding."""
    smallest_digit = max(width.as_integer_ratio()[1] << 24, start.as_integer_ratio()[1])  # its inverse
    return (width + abs(start)) * smallest_digit <= 2**53


def normal_(array: Array, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Array:
    """Fill an array of any shape with draws of N(mean, std²), and return it: `Tensor.normal_`, `torch.randn`.

    The method is Box and Muller's (1958): by blocks of 16 if the array is contiguous with 16 elements or more, else
    pair by pair. Each part of a complex number has the mean, and half of the variance. Raises RuntimeError for
    std < 0, NotImplementedError for other than floating-point and complex dtypes.

    >>> normal_(np.empty(3, np.float32), generator=Generator().manual_seed(2024)).round(4)
    array([-0.0404,  1.726 , -0.814 ], dtype=float32)
    """
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")
    if array.dtype.kind == "c":
        normal_(_parts(array), mean, std / math.sqrt(2), generator=generator)
        return array
    if array.size:  # nothing is drawn for an empty array, whatever its dtype
        check_floating("normal_", array)
    source = generator_or_default(generator)
    if array.size >= 16 and array.flags.c_contiguous:
        _check_writable("normal_", array)
        _normal_blocks(array.reshape(-1), mean, std, source)
        return array

    def draw(part: Array) -> None:
        part[...] = fma(normal_pairs(source, part.size), std, mean).astype(working_dtype(part))

    return fill("normal_", array, draw)


def _parts(array: Array) -> Array:
    """View the real and imaginary parts of a complex array along a new last axis."""
    size = array.itemsize // 2
    return np.lib.stride_tricks.as_strided(array.real, (*array.shape, 2), (*array.strides, size))


def _normal_blocks(flat: Array, mean: float, std: float, source: Generator) -> None:
    """Draw blocks of 16 normal numbers: 8 uniform numbers for radii and 8 for angles make 8 cosines and 8 sines.

    If the last block isn't full, a whole block is drawn over the last 16 elements.
    """
    working, left_over = working_dtype(flat), flat.size % 16
    scale, shift, whole = float(working.type(std)), float(working.type(mean)), flat.size - left_over
    unused = 0 if flat.dtype == np.float16 else left_over  # numbers that PyTorch draws before the last block

    for start in range(0, whole, CHUNK):
        blocks = flat[start : min(start + CHUNK, whole)].reshape(-1, 2, 8)
        ends = left_over and start + CHUNK >= whole
        units = source.uniform(blocks.size + (unused + 16 if ends else 0), working)
        if ends:
            units = np.concatenate((units[: blocks.size], units[-16:]))
        # Copied, since NumPy takes long for runs of 8 numbers.
        radii, angles = pairs = units.reshape(-1, 2, 8).swapaxes(0, 1).reshape(2, -1)
        radius, angle = np.sqrt(np.log(1 - radii) * -2), angles * (2 * math.pi)
        np.multiply(radius, np.cos(angle), out=radii)
        np.multiply(radius, np.sin(angle), out=angles)
        normal = fma(pairs, scale, shift).reshape(2, -1, 8).swapaxes(0, 1)
        blocks[...] = normal[:-1] if ends else normal
        if ends:
            flat[-16:].reshape(2, 8)[...] = normal[-1]


def normal_pairs(source: Generator, count: int) -> Array:
    """Draw `count` values of N(0, 1) in pairs. The generator caches one that is left over for the next such draw."""
    cached = [] if source.cached_normal is None else [source.cached_normal]
    missing = (count - len(cached) + 1) // 2 * 2
    if missing <= SMALL_LOOP:
        few, numbers = list(cached), iter(source.units(missing))
        for unit, other in zip(numbers, numbers, strict=True):
            radius, angle = math.sqrt(math.log1p(-other) * -2), unit * (2 * math.pi)
            few += (radius * math.cos(angle), radius * math.sin(angle))
        source.cached_normal = few[count] if len(few) > count else None
        return np.array(few[:count])
    units = source.uniform(missing, FLOAT64)
    pairs = units.reshape(-1, 2)
    logs = [math.log1p(-unit) for unit in pairs[:, 1].tolist()]  # NumPy's is off by an ulp on some processors
    radii, angles = np.sqrt(np.array(logs) * -2), pairs[:, 0] * (2 * math.pi)
    pairs[:, 0], pairs[:, 1] = radii * np.cos(angles), radii * np.sin(angles)
    values = np.concatenate((cached, pairs.reshape(-1)))
    source.cached_normal = float(values[count]) if len(values) > count else None
    return values[:count]


def bernoulli_(array: Array, p: float | Array = 0.5, *, generator: Generator | None = None) -> Array:
    """Fill an array of any shape and dtype with 1 with probability p, else 0, and return it: `Tensor.bernoulli_`.

    p is a number, or a floating-point array that broadcasts to the array's shape. A number or a float64 array takes
    two words an element, a float16 or float32 array one. Raises RuntimeError for p outside of [0, 1].

    >>> bernoulli_(np.empty(10, np.int8), 0.3, generator=Generator().manual_seed(2024))
    array([1, 0, 0, 0, 0, 1, 0, 0, 0, 1], dtype=int8)
    """
    source = generator_or_default(generator)
    if isinstance(p, np.ndarray):
        return _bernoulli_by_array(array, p, source)
    threshold = _threshold("bernoulli_", "p", p)

    def draw(part: Array) -> None:
        part[...] = _below(threshold, source, part.size)

    return fill("bernoulli_", array, draw)


def _bernoulli_by_array(array: Array, p: Array, source: Generator) -> Array:
    """Fill with draws whose probabilities are an array."""
    check_floating("bernoulli_", p, "p")
    inside = (p >= 0) & (p <= 1)
    if not inside.all():
        raise RuntimeError(f"bernoulli_: p must be in [0, 1], but contains {p[~inside].flat[0]}")
    try:
        p = p if p.shape == array.shape else np.broadcast_to(p, array.shape)
    except ValueError:
        raise RuntimeError(f"bernoulli_: p has shape {p.shape}, which doesn't broadcast to {array.shape}") from None
    ordered = p if _in_order(array) else p.transpose(_axes_in_memory(array))
    in_memory_order, working, done = ordered.reshape(-1), working_dtype(p), 0

    def draw(part: Array) -> None:
        nonlocal done
        part[...] = source.uniform(part.size, working) < in_memory_order[done : done + part.size]
        done += part.size

    return fill("bernoulli_", array, draw)


def dropout_noise(array: Array, keep: float, scale: float, *, generator: Generator | None = None) -> Array:
    """Return a new array with `scale` with probability `keep`, else 0: the factor of dropout.

    It has the shape, dtype and memory order of `array`, and the draws of `empty_like(array).bernoulli_(keep)`. Raises
    RuntimeError for keep outside of [0, 1], NotImplementedError for dtypes that aren't floating-point.

    >>> dropout_noise(np.empty(4, np.float32), 0.5, 2.0, generator=Generator().manual_seed(2024))
    array([2., 0., 2., 0.], dtype=float32)
    """
    check_floating("dropout_noise", array)
    source, threshold = generator_or_default(generator), _threshold("dropout_noise", "keep", keep)

    def draw(part: Array) -> None:
        part[...] = _below(threshold, source, part.size)
        part *= scale

    return fill("dropout_noise", empty_like(array), draw)


def random_(
    array: Array, low: int | None = None, high: int | None = None, *, generator: Generator | None = None
) -> Array:
    """Fill an array of any shape with integers in [low, high), and return it: `Tensor.random_`, `torch.randint`.

    low defaults to 0; without high the range includes the dtype's largest integer (2**24 in float32). Raises
    RuntimeError for an empty range, and for bounds that the dtype can't hold; NotImplementedError for a dtype that
    PyTorch doesn't fill.

    >>> random_(np.empty(6, np.int64), 0, 10, generator=Generator().manual_seed(2024))
    array([2, 0, 4, 0, 3, 0])
    """
    dtype = array.dtype
    bounded = (np.uint64,) if low is not None else (np.uint16, np.uint32, np.uint64)
    if dtype.kind not in "biuf" or (high is None and dtype in bounded):
        raise NotImplementedError(f"random_: not implemented for {dtype}{' without high' if dtype.kind == 'u' else ''}")
    if low is None and high is None:
        start, count, wide = 0, largest_integer(dtype) + 1, dtype.itemsize == 8
    elif low == -(2**63) and high is None and dtype in (np.int64, np.float32, np.float64):
        start, count, wide = 0, 2**64, True  # every int64
    else:
        start, end = _integer_bounds(dtype, low, high)
        count = end - start
        wide = count >= 2**28
    source = generator_or_default(generator)

    def draw(part: Array) -> None:
        words = source.random64(part.size) if wide else source.random32(part.size)
        if count < 2**64:
            words -= words // count * count  # words % count, but NumPy does this four times as fast
        # start + words, wrapping around in int64 as in C++
        part[...] = (words.astype(np.uint64) + start % 2**64).view(np.int64) if wide or start else words

    return fill("random_", array, draw)


def _integer_bounds(dtype: np.dtype[Any], low: int | None, high: int | None) -> tuple[int, int]:
    """Check random_'s bounds, and move them inwards where a floating-point dtype would round them outwards."""
    low = 0 if low is None else index(low)
    high = largest_integer(dtype) + 1 if high is None else index(high)
    smallest, largest, digits = _limits(dtype)
    for name, bound in (("from", low), ("to - 1", high - 1)):
        if not smallest <= bound <= min(largest, 2**63 - 1):
            raise RuntimeError(
                f"random_: {name} is out of bounds for {dtype}: {bound} is not in [{smallest}, {largest}]"
            )
        if abs(bound) > 2**digits:
            limits = f"is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations"
            said = f"{name} {limits} {dtype} can support discrete uniform distribution only within this range."
            warn(said)
    if dtype.kind == "f":
        if (first := int(dtype.type(low + 1))) < low:
            low = first + 2 ** (abs(low + 1).bit_length() - digits)
        if high <= (last := int(dtype.type(high - 1))) < 2**63:
            high = last - 2 ** (abs(high - 1).bit_length() - digits)
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    return low, high


@functools.cache
def _limits(dtype: np.dtype[Any]) -> tuple[int, int, int]:
    """Return a dtype's smallest and largest number, and how many binary digits of an integer it holds."""
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype) if dtype.kind in "iu" else None
    smallest, largest = (0, 1) if info is None else (int(info.min), int(info.max))
    return smallest, largest, np.finfo(dtype).nmant + 1 if dtype.kind == "f" else 63


def fill(name: str, array: Array, draw: Callable[[Array], None]) -> Array:
    """Fill an array in memory order: call `draw` for one contiguous 1-d part after the other."""
    _check_writable(name, array)
    ordered = array if array.flags.c_contiguous else array.transpose(_axes_in_memory(array))
    dense = ordered.flags.c_contiguous
    flat = ordered.reshape(-1) if dense else np.empty(array.size, array.dtype)
    for start in range(0, flat.size, CHUNK):
        draw(flat[start : start + CHUNK])
    if not dense:
        ordered[...] = flat.reshape(ordered.shape)
    return array


def _check_writable(name: str, array: Array) -> None:
    if expanded_axes(array):
        raise RuntimeError(f"{name}: elements of the array {array.shape} share memory (it was expanded); copy it first")
    if not array.flags.writeable:
        raise ValueError(f"{name}: the array {array.shape} is read-only; copy it first")


def _in_order(array: Array) -> bool:
    """Whether the axes of an array surely lie in C order in memory; those of one element may have any strides."""
    return array.flags.c_contiguous and 1 not in array.shape


def _axes_in_memory(array: Array) -> list[int]:
    """List the axes from the outermost to the innermost in memory; those of stride 0 (expanded) keep their place.

    >>> _axes_in_memory(np.empty((2, 3, 4)).transpose(2, 0, 1))
    [1, 2, 0]
    """
    strides = array.strides
    moving = sorted((axis for axis in range(array.ndim) if strides[axis]), key=lambda axis: -abs(strides[axis]))
    by_stride = iter(moving)
    return [next(by_stride) if strides[axis] else axis for axis in range(array.ndim)]


def empty_like(array: Array, dtype: Any = None) -> Array:
    """Return an uninitialized dense array with this one's shape and memory order: `torch.empty_like`.

    >>> empty_like(np.empty((4, 6))[:, ::2].T).strides
    (8, 24)
    """
    if isinstance(array, DuckArray):
        return array.map_innermost(lambda all_slices: empty_like(all_slices, dtype))
    dtype = array.dtype if dtype is None else dtype
    if _in_order(array):
        return np.empty(array.shape, dtype)
    axes = _axes_in_memory(array)
    ordered = np.empty([array.shape[axis] for axis in axes], dtype)
    return ordered.transpose(inverse(axes))


def host_array(array: Array) -> Array:
    """Return an uninitialized array on the host to draw into for `array`, which then gets the draws that it would get.

    It has the same memory order, and gaps if that is C order with gaps: normal_ draws otherwise into contiguous memory.
    """
    if isinstance(array, DuckArray):
        return array.map_innermost(host_array)
    host = empty_like(array)
    if array.flags.c_contiguous or not host.flags.c_contiguous:
        return host
    return np.empty((*array.shape, 2), array.dtype)[..., 0]


def largest_integer(dtype: np.dtype[Any]) -> int:
    """Return the largest n such that the dtype holds all integers from 0 to n: 255 for uint8, 2**24 for float32."""
    if dtype.kind == "b":
        return 1
    return 2 ** (np.finfo(dtype).nmant + 1) if dtype.kind == "f" else int(np.iinfo(dtype).max)


def check_floating(
    name: str, array: Array, argument: str = "array", error: type[Exception] = NotImplementedError
) -> None:
    """Raise `error` unless the array is float16, float32 or float64."""
    if array.dtype.char not in "efd":
        raise error(f"{name}: {argument} must be float16, float32 or float64, but is {array.dtype}")


def working_dtype(array: Array) -> np.dtype[Any]:
    """Return the dtype in which draws are computed: float32 for float16, else the array's own."""
    return _FLOAT32 if array.dtype.char == "e" else array.dtype


def _threshold(name: str, argument: str, p: float) -> int:
    """Check a probability, and convert it to the integer with which `_below` compares."""
    if not 0 <= p <= 1:
        raise RuntimeError(f"{name}: {argument} must be in [0, 1], but got {p}")
    return math.ceil(p * 2**53)


def _below(threshold: int, source: Generator, count: int) -> Array:
    """Compute `source.uniform(count, float64) < p` for threshold = ceil(p·2**53), with integers in half the time."""
    pairs = source.random64(count)
    pairs &= LOW_53
    return pairs < threshold


def fma(x: Array, scale: float, shift: float) -> Array:
    """Compute x·scale + shift with one rounding (where nothing underflows); x is float32 or float64."""
    if shift == 0 or not math.isfinite(scale + shift):
        return x if scale == 1 and not shift else x * scale + shift
    if abs(math.frexp(scale)[0]) == 0.5 and x.dtype.type(shift) == shift:  # a product with a power of 2 is exact
        return x * scale + shift
    if x.dtype == np.float32:  # in float64 the product is exact
        product = x.astype(np.float64)
        product *= scale
        total = product + shift
        halfway = (total.view(np.int64) & (2**29 - 1)) == 2**28  # between two float32 numbers
        if halfway.any():  # the sum's rounding error decides which of the two is nearer
            total[halfway] = _add_to_odd(product[halfway], shift)
        return total.astype(np.float32)
    # Dekker (1971): halves of at most 27 bits multiply exactly, so that the product's error is known
    if max(abs(scale), abs(shift)) > 2.0**1000:  # or the sums below could overflow
        return fma(x, scale / 256, shift / 256) * 256
    mantissa, exponent = math.frexp(scale)
    scale_high = math.ldexp(math.trunc(mantissa * 2**27), exponent - 27)
    scale_low = scale - scale_high
    x_high = x * 134217729.0
    x_high -= x_high - x
    x_low = x - x_high
    product = x * scale
    error = x_high * scale_high - product + x_high * scale_low + x_low * scale_high + x_low * scale_low
    total, rest = _two_sum(product, shift)
    return total + _add_to_odd(error, rest)


def _two_sum(a: Array, b: Array | float) -> tuple[Array, Array]:
    """Return a + b and its rounding error: Knuth, The Art of Computer Programming, 4.2.2."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


def _add_to_odd(a: Array, b: Array | float) -> Array:
    """Compute a + b in float64, rounded to odd: truncated, with the last bit set if that was inexact.

    Rounding the result again, to fewer bits or by a last addition, is as good as one rounding (Boldo and Melquiond
    2008).
    """
    total, lost = _two_sum(a, b)
    inexact = lost != 0
    bits = total.view(np.int64)
    bits -= inexact & ((lost < 0) != (total < 0))
    bits |= inexact
    return total
