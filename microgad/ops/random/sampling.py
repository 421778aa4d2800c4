"""Draws whose parameters are Tensors: bernoulli, multinomial, poisson, binomial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ... import backend, function
from ... import generator as draws
from ...backend.meta import new_empty
from ...errors import DtypeError, ShapeError
from ...function.naming import with_torch_name
from ...generator import Generator
from ...state import observed
from ...type_aliases import Array, Tensor
from ..creation import from_array
from ..creation.scalars import as_scalar
from ..elementwise import Flat
from ..support.out import into
from ..support.spelling import tensors_only
from .in_place import bernoulli_, check_real


def fill_out_or_new(
    fill: Callable[..., Tensor], shape: tuple[int, ...], dtype: Any, out: Tensor | None, device: Any, *by: Any,
    generator: Generator | None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Fill `out`, resized, or a new Tensor of a shape by the in-place draw `fill` with parameters `by`."""
    if out is None:
        given = [backend.to_numpy(x.array) if isinstance(x, function.Tensor) else x for x in by]
        draw = getattr(draws, fill.__name__)
        return from_array(draw(new_empty(shape, dtype, device), *given, generator=generator), device, requires_grad)
    if out.array.shape != shape:
        out = into(out, from_array(np.empty(shape, out.array.dtype), out.device), quiet=True)
    return fill(out, *by, generator=generator)


def with_zero_gradients(drawn: Tensor, *inputs: Any) -> Tensor:
    """Record a draw as a function of its parameters, with zeros as their gradients."""
    for x in inputs:
        if isinstance(x, function.Tensor) and x.node is not None:
            drawn = Flat.apply(drawn, x)
    return drawn


@tensors_only
@observed
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None, out: Tensor | None = None
) -> Tensor:
    """Draw 1 with the probabilities in input (or with p), else 0, in input's shape and dtype. Source: torch.bernoulli.

    The gradient is zeros. Raises RuntimeError for probabilities outside of [0, 1] and for integers.

    >>> _ = torch.manual_seed(2024)
    >>> torch.bernoulli(torch.full((10,), 0.3))
    tensor([0., 0., 0., 1., 1., 0., 1., 0., 0., 0.])
    """
    check_real(input if out is None else out)
    x, probability = input.array, input if p is None else as_scalar("bernoulli", "p", p)
    drawn = fill_out_or_new(bernoulli_, x.shape, x.dtype, out, input.device, probability, generator=generator)
    return drawn if out is not None else with_torch_name("BernoulliBackward0", with_zero_gradients(drawn, input))


def _greatest(x: Array, count: int) -> Array:
    """Return the indices of the `count` greatest along the last axis, with equal ones in PyTorch's order."""
    from ..reduction.sorting import topk_indices  # not at the top: reduction imports random

    return np.ascontiguousarray(topk_indices(x.reshape(-1, x.shape[-1]), count, True)).reshape(*x.shape[:-1], count)


@tensors_only
@observed
def multinomial(
    input: Tensor, num_samples: int, replacement: bool = False, *, generator: Generator | None = None,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Draw num_samples indices (int64) by the weights in each row of input.

    (C) -> (n), (N, C) -> (N, n). Raises RuntimeError for integers, negative weights, and more draws than weights
    without replacement. Source: torch.multinomial.

    >>> _ = torch.manual_seed(2024)
    >>> torch.multinomial(torch.tensor([1.0, 2.0, 3.0, 4.0]), 3)
    tensor([2, 0, 3])
    """
    if out is not None and out.array.dtype != np.int64:
        raise DtypeError(f"multinomial expects Long tensor out, got: {out.dtype}")
    if input.is_meta:
        return into(out, from_array(new_empty((*input.shape[:-1], num_samples), np.int64, input.device)))
    weights = backend.to_numpy(input.array)
    drawn = draws.multinomial(weights, num_samples, replacement, generator=generator, greatest=_greatest)
    return into(out, from_array(drawn, input.device), quiet=True)


@tensors_only
@observed
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw from Poisson distributions with the rates in input, in its shape and dtype. Source: torch.poisson.

    The gradient is zeros. Raises RuntimeError for negative rates and for integers.

    >>> _ = torch.manual_seed(2024)
    >>> torch.poisson(torch.tensor([3.0, 30.0, 7.0]))
    tensor([ 3., 37.,  5.])
    """
    drawn = draws.poisson(backend.to_numpy(input.array), generator=generator)
    return with_torch_name("PoissonBackward0", with_zero_gradients(from_array(drawn, input.device), input))


@tensors_only
@observed
def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """Draw the number of successes in `count` trials of probability prob; the two broadcast. Source: torch.binomial.

    The gradients are zeros. Raises RuntimeError if they don't broadcast.

    >>> _ = torch.manual_seed(2024)
    >>> torch.binomial(torch.tensor([10.0, 200.0]), torch.tensor([0.5, 0.4]))
    tensor([ 6., 78.])
    """
    a, b = (backend.to_numpy(x.array) for x in (count, prob))
    if a.dtype != b.dtype and a.dtype.kind == b.dtype.kind == "f":
        raise DtypeError(f"binomial: Found dtype {prob.dtype} but expected {count.dtype}")
    try:
        a, b = np.broadcast_arrays(a, b)
    except ValueError:
        raise ShapeError(f"binomial: count {tuple(count.shape)} and prob {tuple(prob.shape)} must broadcast") from None
    return with_zero_gradients(from_array(draws.binomial(a, b, generator=generator), count.device), count, prob)
