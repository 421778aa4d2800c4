"""Helpers for `Optimizer.update`: state of parameters, cache-sized chunks of arrays, and moving averages in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from .. import backend, dtypes
from ..tensor import Tensor
from ..type_aliases import Array

CHUNK_SIZE = 1 << 18  # elements; measured: with half of it steps take up to 10 % longer, with 32k a quarter


def init_state(state: dict[str, Any], p: Tensor, zeros: Sequence[str], **numbers: float) -> dict[str, Any]:
    """Fill a parameter's state if it is empty, and return it.

    `zeros` names the entries that start as zeros like the parameter; `numbers` become 0-d Tensors.

    >>> init_state({}, torch.tensor([1.0, 2.0]), ["exp_avg"], step=0)
    {'step': tensor(0.), 'exp_avg': tensor([0., 0.])}
    """
    if not state:
        arrays = {name: Tensor._wrap(np.zeros_like(p.array)) for name in zeros}  # if memory runs out, state stays empty
        state.update({name: scalar_tensor(value) for name, value in numbers.items()} | arrays)
    return state


def scalar_tensor(value: float) -> Tensor:
    """Return a 0-d Tensor on the CPU, of float64 if that is the default dtype, else of float32.

    >>> scalar_tensor(1.0)
    tensor(1.)
    """
    wide = dtypes.get_default_dtype() == dtypes.float64
    return Tensor._wrap(np.array(value, np.float64 if wide else np.float32))


def increment_step(state: dict[str, Any]) -> float:
    """Increment the step count of a parameter's state, and return it.

    >>> increment_step({"step": torch.tensor(2.0)})
    3.0
    """
    state["step"].array += 1
    return float(state["step"].array.item())  # item(): some programs make it of shape (1,)


def chunks(*arrays: Array, scratch: int) -> Iterator[tuple[Any, ...]]:
    """Yield matching flat chunks of arrays of one shape, each tuple followed by `scratch` uninitialized arrays.

    A chunk and its scratch arrays stay in the processor's cache. Of complex arrays the real parts come first, then the
    imaginary ones. Arrays that aren't on the CPU come whole, since a GPU prefers few large calls, and so do those that
    aren't contiguous, and those of different shapes, which NumPy then refuses.

    >>> [[len(part) for part in parts] for parts in chunks(np.zeros((500, 600)), np.ones((500, 600)), scratch=1)]
    [[262144, 262144, 262144], [37856, 37856, 37856]]
    """
    first = arrays[0]
    if first.dtype.kind == "c":
        yield from chunks(*(array.real for array in arrays), scratch=scratch)
        yield from chunks(*(array.imag for array in arrays), scratch=scratch)
    elif (
        first.size <= CHUNK_SIZE
        or not backend.on_cpu(first)
        or not all(x.flags.c_contiguous and x.shape == first.shape for x in arrays)
    ):
        yield *arrays, *(np.empty_like(first) for _ in range(scratch))
    else:
        flat = [array.reshape(-1) for array in arrays]
        spare = [np.empty_like(first, shape=CHUNK_SIZE) for _ in range(scratch)]
        for start in range(0, first.size, CHUNK_SIZE):
            yield *(array[start : start + CHUNK_SIZE] for array in flat), *(s[: first.size - start] for s in spare)


def update_chunks(p: Tensor, group: Mapping[str, Any], *kept: Tensor, scratch: int) -> Iterator[tuple[Any, ...]]:
    """Yield chunks of a parameter, of its effective gradient, of the `kept` state Tensors, and `scratch` arrays.

    With `maximize` the gradient is negated. Weight decay is then added to it, or, if the group's is decoupled, the
    parameter is already shrunk. With `fused` chunks of float16 are float32, rounded when the next one is asked for.

    >>> p = torch.tensor([1.0, 2.0])
    >>> p.grad = torch.tensor([1.0, 1.0])
    >>> next(update_chunks(p, {"weight_decay": 0.5, "maximize": True}, scratch=0))
    (array([1., 2.], dtype=float32), array([-0.5,  0. ], dtype=float32))
    """
    arrays = p.array, p.grad.array, *(tensor.array for tensor in kept)  # type: ignore[union-attr]
    found = chunks if not group.get("fused") or arrays[0].dtype != np.float16 else _chunks_in_float32
    if not (group.get("weight_decay") or group.get("maximize")):
        return found(*arrays, scratch=scratch)
    return _with_weight_decay(found(*arrays, scratch=scratch + 1), group)


def _chunks_in_float32(*arrays: Array, scratch: int) -> Iterator[tuple[Any, ...]]:
    """Yield chunks as float32, as PyTorch's fused steps compute them, and store all but those of the second, the grad.

    An eps of 1e-8 and the squares of small gradients are 0 in float16.
    """
    for parts in chunks(*arrays, scratch=0):
        wide = [part.astype(np.float32) for part in parts]
        yield *wide, *(np.empty_like(wide[0]) for _ in range(scratch))
        for part, value in zip(parts[:1] + parts[2:], wide[:1] + wide[2:], strict=True):
            part[...] = value


def _with_weight_decay(parts: Iterator[tuple[Any, ...]], group: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Apply `maximize` and weight decay to chunks of parameter and gradient."""
    decay, maximize = float(group.get("weight_decay", 0)), group.get("maximize", False)
    for values, grad, *rest, spare in parts:
        if decay and group.get("decoupled_weight_decay"):
            values *= 1 - float(group["lr"]) * decay
            yield values, effective_grad(grad, values, spare, 0, maximize), *rest
        else:
            yield values, effective_grad(grad, values, spare, decay, maximize), *rest


def effective_grad(grad: Array, values: Array, out: Array, weight_decay: float, maximize: bool) -> Array:
    """Return the gradient to descend along: ±grad + weight_decay · values, in `out` unless it is `grad` unchanged.

    >>> effective_grad(np.ones(2), np.array([1.0, 2.0]), np.empty(2), weight_decay=0.5, maximize=True)
    array([-0.5,  0. ])
    """
    if weight_decay:
        np.multiply(values, weight_decay, out=out)
        return (np.subtract if maximize else np.add)(out, grad, out=out)
    return np.negative(grad, out=out) if maximize else grad


def lerp_(start: Array, end: Array, weight: float, out: Array) -> None:
    """Set `start` to start + weight · (end − start), computed from the nearer end as torch.lerp does.

    `out` is scratch memory.

    >>> average = np.array([1.0, 2.0])
    >>> lerp_(average, np.array([2.0, 2.0]), 0.25, out=np.empty(2))
    >>> average
    array([1.25, 2.  ])
    """
    np.subtract(end, start, out=out)
    if weight < 0.5:
        out *= weight
        start += out
    else:
        out *= 1 - weight
        np.subtract(end, out, out=start)


def ema_square_(average: Array, x: Array, beta: float, out: Array) -> None:
    """Set `average` to beta · average + (1 − beta) · x², its exponential moving average. `out` is scratch memory.

    >>> average = np.array([1.0, 2.0])
    >>> ema_square_(average, np.array([2.0, 0.0]), 0.75, out=np.empty(2))
    >>> average
    array([1.75, 1.5 ])
    """
    average *= beta
    np.multiply(x, 1 - beta, out=out)
    out *= x
    average += out
