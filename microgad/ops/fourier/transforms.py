"""Discrete Fourier transforms: PyTorch's `fft` module."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from ... import dtypes
from ...errors import ArgumentError, DtypeError
from ...function.linear_map import LinearMap
from ...function.naming import with_torch_name
from ...state import composite
from ...type_aliases import Array, Device, Dtype, Layout, Tensor
from ..creation import from_array_into
from ..creation.ranges import warn_of_resizing
from ..elementwise import conj
from ..movement import narrow, pad, roll
from ..movement.dims import as_tuple, wrap_dim
from ..support.out import into
from ..support.spelling import numpy_spelling
from .linear_maps import INVERSE_NORM, Fft, Ifft, Irfft, RealFft, Rfft

Dims = int | Sequence[int] | None


@numpy_spelling
@composite
def fft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """The discrete Fourier transform along dim. Source: torch.fft.fft.

    The input is cut or padded with zeros to n elements. `norm` says which transform has the factor 1/n: the inverse
    ("backward", the default) or this one ("forward"), or both have 1/√n ("ortho"). Integers are converted to the
    default floating dtype. Raises RuntimeError for n < 1 or an unknown norm, and IndexError for a dim that
    doesn't exist.

    >>> torch.fft.fft(torch.tensor([1.0, 2.0]))
    tensor([ 3.+0.j, -1.+0.j])
    """
    return into(out, _fft_c2c("fft", Fft, input, [n], [dim], norm))


@numpy_spelling
@composite
def ifft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """The inverse of fft.

    Raises RuntimeError for a size below 1 or an unknown norm, IndexError for a dim out of range.
    Source: torch.fft.ifft.

    >>> torch.fft.ifft(torch.fft.fft(torch.tensor([1.0, 2.0]))).real
    tensor([1., 2.])
    """
    if input.is_complex():
        return into(out, _fft_c2c("ifft", Ifft, input, [n], [dim], norm))
    return into(out, conj(_fft_c2c("ifft", Fft, input, [n], [dim], _inverse_norm("ifft", norm))))


@numpy_spelling
@composite
def fftn(
    input: Tensor, s: Dims = None, dim: Dims = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """fft along several dimensions: those of dim, else the last len(s), else all.

    Raises as fft does, RuntimeError for repeated dims and for an s of another length than dim. Source: torch.fft.fftn.

    >>> torch.fft.fftn(torch.ones(2, 2))
    tensor([[4.+0.j, 0.+0.j],
            [0.+0.j, 0.+0.j]])
    """
    return into(out, _fft_c2c("fftn", Fft, input, *_sizes_and_dims("fftn", input, s, dim), norm))


@numpy_spelling
@composite
def ifftn(
    input: Tensor, s: Dims = None, dim: Dims = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """The inverse of fftn. Raises as fftn does. Source: torch.fft.ifftn.

    >>> torch.fft.ifftn(torch.ones(1, 2))
    tensor([[1.+0.j, 0.+0.j]])
    """
    return into(out, _fft_c2c("ifftn", Ifft, input, *_sizes_and_dims("ifftn", input, s, dim), norm))


@numpy_spelling
def fft2(
    input: Tensor, s: Dims = None, dim: Dims = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """fftn along the last two dimensions. Raises as fft does. Source: torch.fft.fft2.

    >>> torch.fft.fft2(torch.ones(1, 2))
    tensor([[2.+0.j, 0.+0.j]])
    """
    return fftn(input, s, dim, norm, out=out)


@numpy_spelling
def ifft2(
    input: Tensor, s: Dims = None, dim: Dims = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """ifftn along the last two dimensions. Raises as fft does. Source: torch.fft.ifft2.

    >>> torch.fft.ifft2(torch.ones(1, 2))
    tensor([[1.+0.j, 0.+0.j]])
    """
    return ifftn(input, s, dim, norm, out=out)


@numpy_spelling
@composite
def rfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """fft of a real input, reduced to frequencies 0, ..., n // 2. Source: torch.fft.rfft.

    The other frequencies are their complex conjugates. Raises RuntimeError for a complex input, a size
    below 1 or an unknown norm, IndexError for a dim out of range.

    >>> torch.fft.rfft(torch.tensor([1.0, 2.0, 3.0]))
    tensor([ 6.0000+0.0000j, -1.5000+0.8660j])
    """
    return into(out, _fft_r2c("rfft", input, [n], [dim], norm))


@numpy_spelling
@composite
def rfftn(
    input: Tensor, s: Dims = None, dim: Dims = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """rfft along the last dimension, fft along the others.

    Raises as fftn does, RuntimeError for complex numbers and no dims. Source: torch.fft.rfftn.

    >>> torch.fft.rfftn(torch.ones(2, 2))
    tensor([[4.+0.j, 0.+0.j],
            [0.+0.j, 0.+0.j]])
    """
    return into(out, _fft_r2c("rfftn", input, *_sizes_and_dims("rfftn", input, s, dim), norm))


@numpy_spelling
def rfft2(
    input: Tensor, s: Dims = None, dim: Dims = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """rfftn along the last two dimensions. Raises as rfft does. Source: torch.fft.rfft2.

    >>> torch.fft.rfft2(torch.ones(1, 2))
    tensor([[2.+0.j, 0.+0.j]])
    """
    return rfftn(input, s, dim, norm, out=out)


@numpy_spelling
@composite
def irfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """The inverse of rfft: n real numbers, by default 2 · (size - 1).

    Raises RuntimeError for a size below 1 or an unknown norm, IndexError for a dim out of range.
    Source: torch.fft.irfft.

    >>> torch.fft.irfft(torch.fft.rfft(torch.tensor([1.0, 2.0, 3.0])), n=3)
    tensor([1., 2., 3.])
    """
    return into(out, _fft_c2r("irfft", input, [n], [dim], norm))


@numpy_spelling
@composite
def irfftn(
    input: Tensor, s: Dims = None, dim: Dims = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """irfft along the last dimension, ifft along the others.

    Raises as fftn does, RuntimeError for no dims. Source: torch.fft.irfftn.

    >>> torch.fft.irfftn(torch.fft.rfftn(torch.ones(2, 2)))
    tensor([[1., 1.],
            [1., 1.]])
    """
    return into(out, _fft_c2r("irfftn", input, *_sizes_and_dims("irfftn", input, s, dim), norm))


@numpy_spelling
def irfft2(
    input: Tensor, s: Dims = None, dim: Dims = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """irfftn along the last two dimensions. Raises as irfft does. Source: torch.fft.irfft2.

    >>> torch.fft.irfft2(torch.fft.rfft2(torch.ones(1, 2)))
    tensor([[1., 1.]])
    """
    return irfftn(input, s, dim, norm, out=out)


@numpy_spelling
@composite
def hfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """The real-valued transform of a signal that is Hermitian in time, given by its first half.

    Raises RuntimeError for a size below 1 or an unknown norm, IndexError for a dim out of range.
    Source: torch.fft.hfft.

    >>> torch.fft.hfft(torch.tensor([1.0, 2.0]))
    tensor([ 3., -1.])
    """
    return into(out, _fft_c2r("hfft", conj(input), [n], [dim], _inverse_norm("hfft", norm)))


@numpy_spelling
@composite
def hfftn(
    input: Tensor, s: Dims = None, dim: Dims = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """hfft along the last dimension, fft along the others. Raises as irfftn does. Source: torch.fft.hfftn.

    >>> torch.fft.hfftn(torch.ones(1, 2))
    tensor([[2., 0.]])
    """
    sizes, dims = _sizes_and_dims("hfftn", input, s, dim)
    return into(out, _fft_c2r("hfftn", conj(input), sizes, dims, _inverse_norm("hfftn", norm)))


@numpy_spelling
def hfft2(
    input: Tensor, s: Dims = None, dim: Dims = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """hfftn along the last two dimensions. Raises as hfft does. Source: torch.fft.hfft2.

    >>> torch.fft.hfft2(torch.ones(1, 2))
    tensor([[2., 0.]])
    """
    return hfftn(input, s, dim, norm, out=out)


@numpy_spelling
@composite
def ihfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """The inverse of hfft: the first half of a Hermitian signal.

    Raises RuntimeError for complex numbers, a size below 1 or an unknown norm, IndexError for a dim out of range.
    Source: torch.fft.ihfft.

    >>> torch.fft.ihfft(torch.tensor([5.0, -3.0])).real
    tensor([1., 4.])
    """
    return into(out, conj(_fft_r2c("ihfft", input, [n], [dim], _inverse_norm("ihfft", norm))))


@numpy_spelling
@composite
def ihfftn(
    input: Tensor, s: Dims = None, dim: Dims = None, norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """ihfft along the last dimension, ifft along the others. Raises as rfftn does. Source: torch.fft.ihfftn.

    >>> torch.fft.ihfftn(torch.ones(1, 2)).real
    tensor([[1., 0.]])
    """
    sizes, dims = _sizes_and_dims("ihfftn", input, s, dim)
    half = conj(_fft_r2c("ihfftn", input, sizes[-1:], dims[-1:], _inverse_norm("ihfftn", norm)))
    return into(out, _fft_c2c("ihfftn", Ifft, half, sizes[:-1], dims[:-1], norm) if dims[1:] else half)


@numpy_spelling
def ihfft2(
    input: Tensor, s: Dims = None, dim: Dims = (-2, -1), norm: str | None = None, *, out: Tensor | None = None
) -> Tensor:
    """ihfftn along the last two dimensions. Raises as ihfft does. Source: torch.fft.ihfft2.

    >>> torch.fft.ihfft2(torch.ones(1, 2)).real
    tensor([[1., 0.]])
    """
    return ihfftn(input, s, dim, norm, out=out)


@numpy_spelling
def fftshift(input: Tensor, dim: Dims = None) -> Tensor:
    """Move frequency 0 from the start to the middle of each dimension.

    Raises IndexError for a dim out of range. Source: torch.fft.fftshift.

    >>> torch.fft.fftshift(torch.arange(4))
    tensor([2, 3, 0, 1])
    """
    dims = _dims("fftshift", input, dim)
    return roll(input, [input.shape[d] // 2 for d in dims], dims)


@numpy_spelling
def ifftshift(input: Tensor, dim: Dims = None) -> Tensor:
    """The inverse of fftshift. Raises IndexError for a dim out of range. Source: torch.fft.ifftshift.

    >>> torch.fft.ifftshift(torch.arange(3))
    tensor([1, 2, 0])
    """
    dims = _dims("ifftshift", input, dim)
    return roll(input, [-(input.shape[d] // 2) for d in dims], dims)


@numpy_spelling
def fftfreq(
    n: int, d: float = 1.0, *, out: Tensor | None = None, dtype: Dtype = None, layout: Layout = None,
    device: Device = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of the n elements of fft, for samples at a distance d.

    (n), of the default floating dtype. Raises RuntimeError for a negative n, and for a dtype of integers.
    Source: torch.fft.fftfreq.

    >>> torch.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    n = index(n)
    cycles = np.fft.ifftshift(np.arange(-(n // 2), n - n // 2))
    return _frequencies("fftfreq", cycles, n, d, out, dtype, device, requires_grad)


@numpy_spelling
def rfftfreq(
    n: int, d: float = 1.0, *, out: Tensor | None = None, dtype: Dtype = None, layout: Layout = None,
    device: Device = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of the n // 2 + 1 elements of rfft.

    Raises RuntimeError for a negative n, and for a dtype of integers. Source: torch.fft.rfftfreq.

    >>> torch.fft.rfftfreq(4)
    tensor([0.0000, 0.2500, 0.5000])
    """
    n = index(n)
    return _frequencies("rfftfreq", np.arange(n // 2 + 1), n, d, out, dtype, device, requires_grad)


def _frequencies(
    op: str, cycles: Array, n: int, d: float, out: Any, dtype: Any, device: Any, requires_grad: bool
) -> Tensor:
    if n < 0:
        raise ArgumentError(f"{op}: n must not be negative, got {n}")
    result_dtype = dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)
    if not (result_dtype.is_floating_point or result_dtype.is_complex):
        raise DtypeError(f"{op} requires a floating point or complex dtype, got {result_dtype}")
    warn_of_resizing(out, len(cycles))
    frequencies = cycles.astype(result_dtype.dtype) * float(np.divide(1.0, n * float(d)))
    return from_array_into(out, frequencies.astype(result_dtype.dtype), device, requires_grad)


def _fft_c2c(op: str, cls: type[LinearMap], x: Tensor, sizes: Sequence[Any], dims: Sequence[int], norm: Any) -> Tensor:
    """The complex transform `cls` of x, resized to `sizes` along `dims`. Fft of real numbers is computed by RealFft."""
    dims = _dims(op, x, dims)
    x = _resize(op, _to_floating(x), sizes, dims)
    if not dims or cls is not Fft or x.is_complex():
        x = x.to(dtype=x.dtype.to_complex())
    else:
        cls = RealFft
    result: Tensor = cls.apply(x, axes=tuple(dims), norm=_check_norm(op, norm)) if dims else x.clone()
    if len(dims) > 1:
        return with_torch_name("FftC2C", result)
    return with_torch_name("FftR2C", result) if cls is RealFft else result


def _fft_r2c(op: str, x: Tensor, sizes: Sequence[Any], dims: Sequence[int], norm: Any) -> Tensor:
    """The half spectrum (Rfft) of real x, resized to `sizes` along `dims`."""
    if x.is_complex():
        raise DtypeError(f"{op} expects a {'real-valued' if op == 'rfftn' else 'real'} input tensor, but got {x.dtype}")
    dims = _dims(op, x, dims, least=1)
    x = _resize(op, _to_floating(x), sizes, dims)
    return Rfft.apply(x, axes=tuple(dims), norm=_check_norm(op, norm))


def _fft_c2r(op: str, x: Tensor, sizes: Sequence[Any], dims: Sequence[int], norm: Any) -> Tensor:
    """The real numbers of which x is the half spectrum: Irfft along the last of `dims`, Ifft along the others."""
    dims = _dims(op, x, dims, least=1)
    *others, last = dims
    x, norm, n = _to_floating(x), _check_norm(op, norm), sizes[-1]
    n = 2 * (x.shape[last] - 1) if n is None else n
    if n < 1:
        raise ArgumentError(f"{op}: Invalid number of data points ({n}) specified")
    x = _resize(op, x, [*sizes[:-1], n // 2 + 1], dims).to(dtype=x.dtype.to_complex())
    if others:
        x = Ifft.apply(x, axes=tuple(others), norm=norm)
    return Irfft.apply(x, axis=last, n=n, norm=norm)


def _resize(op: str, x: Tensor, sizes: Sequence[Any], dims: Sequence[int]) -> Tensor:
    """Cut x or pad it with zeros to sizes[i] elements along dims[i]; None keeps a size."""
    for n, d in zip(sizes, dims, strict=True):
        size = x.shape[d] if n is None else n
        if size < 1:
            raise ArgumentError(f"{op}: Invalid number of data points ({size}) specified")
        if size < x.shape[d]:
            x = narrow(x, d, 0, size)
        elif size > x.shape[d]:
            x = pad(x, [0, 0] * (x.ndim - 1 - d) + [0, size - x.shape[d]])
    return x


def _sizes_and_dims(op: str, x: Tensor, s: Any, dim: Any) -> tuple[list[Any], list[int]]:
    """Return the sizes and dimensions of an n-dimensional transform: those of dim, else the last len(s), else all.

    A size of -1 becomes None, which keeps the size of x. The one-dimensional transforms don't take -1.
    Raises RuntimeError for repeated dimensions.
    """
    s = s if s is None else [None if n == -1 else n for n in as_tuple(s)]
    if dim is None:
        count = x.ndim if s is None else len(s)
        if count > x.ndim:
            raise ArgumentError(f"{op}: Got shape with {count} values but input tensor only has {x.ndim} dimensions")
        dims = list(range(x.ndim - count, x.ndim))
    else:
        dims = _dims(op, x, dim)
        if len(set(dims)) < len(dims):
            raise ArgumentError(f"{op}: FFT dims must be unique, got {tuple(dims)}")
    sizes = [None] * len(dims) if s is None else s
    if len(sizes) != len(dims):
        raise ArgumentError(f"{op}: When given, dim and shape arguments must have the same length")
    return sizes, dims


def _dims(op: str, x: Tensor, dim: Any, least: int = 0) -> list[int]:
    """Return non-negative dimensions. Raises RuntimeError for fewer than `least`."""
    given = range(x.ndim) if dim is None else as_tuple(dim)
    dims = [wrap_dim(d, x.ndim, op, wrap_scalar=False) for d in given]
    if len(dims) < least:
        raise ArgumentError(f"{op} must transform at least one axis")
    return dims


def _check_norm(op: str, norm: Any) -> Any:
    if norm not in tuple(INVERSE_NORM):
        raise ArgumentError(f'{op}: Invalid normalization mode: "{norm}"')
    return norm


def _inverse_norm(op: str, norm: Any) -> str:
    return INVERSE_NORM[_check_norm(op, norm)]


def _to_floating(x: Tensor) -> Tensor:
    """Convert integers to the default floating dtype. Raises RuntimeError for float16, as PyTorch does."""
    if x.dtype == dtypes.float16:
        raise DtypeError("Unsupported dtype torch.float16: convert it to float32")
    return x if x.dtype.is_floating_point or x.dtype.is_complex else x.to(dtype=dtypes.get_default_dtype())
