"""Window functions, (M,): symmetric ones for filter design, and periodic ones for spectral analysis."""

from __future__ import annotations

import functools
import inspect
import math
import operator
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, Unpack

import numpy as np

from ... import dtypes
from ...errors import ArgumentError
from ...type_aliases import Array, Device, Dtype, Layout, Options, Tensor, WindowOptions
from ..creation import tensor
from ..creation.data import check_layout, check_options
from ..creation.ranges import linspace
from ..support.spelling import tensors_only

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = {"dtype": None, "layout": None, "device": None, "requires_grad": False}


def _with_options(function: F) -> F:
    """Name the keywords of a window's `**options` in its signature, and raise TypeError for others."""
    own, options = [*inspect.signature(function).parameters.values()][:-1], dict(_OPTIONS)
    if own[0].name == "window_length":  # the older functions have one more
        options["pin_memory"] = False
    shown = own + [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=x) for name, x in options.items()]
    names = {parameter.name for parameter in shown}

    @functools.wraps(function)
    def window(*args: Any, **kwargs: Any) -> Tensor:
        check_options(function.__name__, kwargs, names)
        return function(*args, **kwargs)

    window.__signature__ = inspect.Signature(shown, return_annotation="Tensor")  # type: ignore[attr-defined]
    return window  # type: ignore[return-value]


@_with_options
def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, **options: Unpack[WindowOptions]) -> Tensor:
    """Σₖ (-1)ᵏ aₖ cos(2πkn/N) for n = 0, ..., M - 1. Source: torch.signal.windows.general_cosine.

    N is M - 1 for a symmetric window, or M for a periodic one (sym=False). The options of all windows are `dtype`
    (float32 or float64), `device` and `requires_grad`. Raises RuntimeError for another dtype, a negative M and a
    parameter out of range.

    >>> torch.signal.windows.general_cosine(5, a=[0.5, 0.5])
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    weights = list(a)
    if not weights:
        raise ArgumentError("general_cosine: Coefficients cannot be empty")

    def values(n: Array, size: float) -> Array:
        angles = np.arange(len(weights), dtype=n.dtype)[:, None] * _line(n, 0, (len(n) - 1) * (2 * math.pi / size))
        signed = np.array([-w if k % 2 else w for k, w in enumerate(weights)], n.dtype)
        return (signed[:, None] * np.cos(angles)).sum(0)

    return _make_window("general_cosine", values, M, sym, **options)


@_with_options
def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Unpack[WindowOptions]) -> Tensor:
    """alpha - (1 - alpha) cos(2πn/N). Source: torch.signal.windows.general_hamming.

    >>> torch.signal.windows.general_hamming(3, alpha=0.5)
    tensor([0., 1., 0.])
    """
    return general_cosine(M, a=[alpha, 1 - alpha], sym=sym, **options)


@_with_options
def hamming(M: int, *, sym: bool = True, **options: Unpack[WindowOptions]) -> Tensor:
    """0.54 - 0.46 cos(2πn/N). Source: torch.signal.windows.hamming.

    >>> torch.signal.windows.hamming(3)
    tensor([0.0800, 1.0000, 0.0800])
    """
    return general_hamming(M, sym=sym, **options)


@_with_options
def hann(M: int, *, sym: bool = True, **options: Unpack[WindowOptions]) -> Tensor:
    """(1 - cos(2πn/N)) / 2. Source: torch.signal.windows.hann.

    >>> torch.signal.windows.hann(4, sym=False)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return general_hamming(M, alpha=0.5, sym=sym, **options)


@_with_options
def blackman(M: int, *, sym: bool = True, **options: Unpack[WindowOptions]) -> Tensor:
    """0.42 - 0.5 cos(2πn/N) + 0.08 cos(4πn/N). In float32 it starts at -1e-08. Source: torch.signal.windows.blackman.

    >>> torch.signal.windows.blackman(5)[1:4]
    tensor([0.3400, 1.0000, 0.3400])
    """
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, **options)


@_with_options
def nuttall(M: int, *, sym: bool = True, **options: Unpack[WindowOptions]) -> Tensor:
    """Nuttall's minimum four-term cosine window. Source: torch.signal.windows.nuttall.

    >>> torch.signal.windows.nuttall(3)
    tensor([3.6280e-04, 1.0000e+00, 3.6280e-04])
    """
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, **options)


@_with_options
def bartlett(M: int, *, sym: bool = True, **options: Unpack[WindowOptions]) -> Tensor:
    """The triangular window 1 - |2n/N - 1|.

    Raises as general_cosine does. Source: torch.signal.windows.bartlett.

    >>> torch.signal.windows.bartlett(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    return _make_window(
        "bartlett", lambda n, size: 1 - np.abs(_line(n, -1, (len(n) - 1) * (2 / size) - 1)), M, sym, **options
    )


@_with_options
def cosine(M: int, *, sym: bool = True, **options: Unpack[WindowOptions]) -> Tensor:
    """sin(π (n + 1/2) / M), with M + 1 for M unless `sym`.

    Raises as general_cosine does. Source: torch.signal.windows.cosine.

    >>> torch.signal.windows.cosine(3)
    tensor([0.5000, 1.0000, 0.5000])
    """

    def values(n: Array, size: float) -> Array:
        step = math.pi / (size + 1)
        return np.sin(_line(n, 0.5 * step, (len(n) - 0.5) * step))

    return _make_window("cosine", values, M, sym, **options)


@_with_options
def exponential(
    M: int, *, center: float | None = None, tau: float = 1.0, sym: bool = True, **options: Unpack[WindowOptions]
) -> Tensor:
    """exp(-|n - center| / tau), centered at N/2 by default.

    Raises as general_cosine does, RuntimeError unless tau > 0, and for a center with `sym`.
    Source: torch.signal.windows.exponential.

    >>> torch.signal.windows.exponential(3)
    tensor([0.3679, 1.0000, 0.3679])
    """
    if tau <= 0:
        raise ArgumentError(f"exponential: Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ArgumentError("exponential: Center must be None for symmetric windows")

    def values(n: Array, size: float) -> Array:
        first = -size / 2 if center is None else -center
        return np.exp(-np.abs(_line(n, first * (1 / tau), (first + len(n) - 1) * (1 / tau))))

    return _make_window("exponential", values, M, sym, **options)


@_with_options
def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Unpack[WindowOptions]) -> Tensor:
    """exp(-(n - N/2)² / (2 std²)).

    Raises as general_cosine does, RuntimeError unless std > 0. Source: torch.signal.windows.gaussian.

    >>> torch.signal.windows.gaussian(3)
    tensor([0.6065, 1.0000, 0.6065])
    """
    if std <= 0:
        raise ArgumentError(f"gaussian: Standard deviation must be positive, got: {std} instead.")
    step = 1 / (std * math.sqrt(2))

    def values(n: Array, size: float) -> Array:
        return np.exp(-(_line(n, -size / 2 * step, (len(n) - 1 - size / 2) * step) ** 2))

    return _make_window("gaussian", values, M, sym, **options)


@_with_options
def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Unpack[WindowOptions]) -> Tensor:
    """I₀(beta √(1 - (2n/N - 1)²)) / I₀(beta).

    Raises as general_cosine does, RuntimeError for a negative beta. Source: torch.signal.windows.kaiser.

    >>> torch.signal.windows.kaiser(3, beta=1.0)
    tensor([0.7898, 1.0000, 0.7898])
    """
    if beta < 0:
        raise ArgumentError(f"kaiser: beta must be non-negative, got: {beta} instead.")
    return _make_window("kaiser", lambda n, size: _kaiser(n, size, beta), M, sym, **options)


def _kaiser(n: Array, size: float, beta: float) -> Array:
    x = 2 * n.astype(np.float64) / size - 1
    return np.i0(beta * np.sqrt(np.maximum(1 - x * x, 0))) / np.i0(beta)


def _line(n: Array, first: float, last: float) -> Array:
    """As many evenly spaced numbers from first to last as n has, in its dtype."""
    return linspace(first, last, len(n), dtype=n.dtype, device="cpu").array


def _make_window(
    op: str, values: Any, M: int, sym: bool, dtype: Dtype = None, layout: Layout = None, device: Device = None,
    requires_grad: bool = False, pin_memory: bool | None = False,
    kinds: tuple[Dtype, ...] = (dtypes.float32, dtypes.float64),
) -> Tensor:  # fmt: skip
    """Make the window values(n, N) for n = 0, ..., M - 1 in the window's dtype; a window of one element is 1."""
    check_layout(op, layout)
    M = operator.index(M)
    if M < 0:
        raise ArgumentError(f"{op} requires non-negative window_length, got window_length={M}")
    result_dtype = dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)
    if result_dtype not in kinds:
        raise ArgumentError(f"{op} expects floating point dtypes {' or '.join(map(str, kinds))}, got: {result_dtype!r}")
    window = values(np.arange(M).astype(result_dtype.dtype), M - 1 if sym else M) if M > 1 else np.ones(M)
    return tensor(window, dtype=result_dtype, device=device, requires_grad=requires_grad)


def _legacy_window(op: str, values: Any, M: int, periodic: bool, **options: Unpack[Options]) -> Tensor:
    """Make a window of PyTorch's older functions, which also support float16."""
    kinds = (dtypes.float16, dtypes.float32, dtypes.float64)
    return _make_window(op, values, M, not periodic, kinds=kinds, **options)


def _cosine_window(op: str, M: int, periodic: bool, alpha: float, beta: float, options: Options) -> Tensor:
    return _legacy_window(op, lambda n, N: np.cos(n * (2 * math.pi / N)) * -beta + alpha, M, periodic, **options)


@_with_options
@tensors_only
def hann_window(window_length: int, periodic: bool = True, **options: Unpack[Options]) -> Tensor:
    """`signal.windows.hann`, periodic by default. Source: torch.hann_window.

    >>> torch.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return _cosine_window("hann_window", window_length, periodic, 0.5, 0.5, options)


@_with_options
@tensors_only
def hamming_window(
    window_length: int, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, **options: Unpack[Options]
) -> Tensor:
    """alpha - beta cos(2πn/N), periodic by default. Source: torch.hamming_window.

    >>> torch.hamming_window(2)
    tensor([0.0800, 1.0000])
    """
    return _cosine_window("hamming_window", window_length, periodic, alpha, beta, options)


@_with_options
@tensors_only
def blackman_window(window_length: int, periodic: bool = True, **options: Unpack[Options]) -> Tensor:
    """`signal.windows.blackman`, periodic by default. In float32 it starts at -3e-08. Source: torch.blackman_window.

    >>> torch.blackman_window(4)[1:]
    tensor([0.3400, 1.0000, 0.3400])
    """

    def values(n: Array, size: float) -> Array:
        angle = n * (math.pi / size)
        return np.cos(angle * 4) * 0.08 - np.cos(angle * 2) * 0.5 + 0.42

    return _legacy_window("blackman_window", values, window_length, periodic, **options)


@_with_options
@tensors_only
def bartlett_window(window_length: int, periodic: bool = True, **options: Unpack[Options]) -> Tensor:
    """`signal.windows.bartlett`, periodic by default. Source: torch.bartlett_window.

    >>> torch.bartlett_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """

    def values(n: Any, size: float) -> Any:
        up = n * (2 / size)
        return np.where(np.arange(len(n)) <= size // 2, up, 2 - up)

    return _legacy_window("bartlett_window", values, window_length, periodic, **options)


@_with_options
@tensors_only
def kaiser_window(window_length: int, periodic: bool = True, beta: float = 12.0, **options: Unpack[Options]) -> Tensor:
    """`signal.windows.kaiser`, periodic by default. Source: torch.kaiser_window.

    >>> torch.kaiser_window(2, beta=1.0)
    tensor([0.7898, 1.0000])
    """

    return _legacy_window("kaiser_window", lambda n, size: _kaiser(n, size, beta), window_length, periodic, **options)
