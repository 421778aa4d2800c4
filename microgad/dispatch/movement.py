"""NumPy's functions that move values about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..ops import creation, movement


def _reshape(a: Any, /, shape: Any) -> Any:
    return movement.reshape(a, (shape,) if isinstance(shape, int) else shape)


def _transpose(a: Any, axes: Any = None) -> Any:
    return movement.permute(a, range(a.ndim)[::-1] if axes is None else axes)


def _moveaxis(a: Any, source: int, destination: int) -> Any:
    order = [i for i in range(a.ndim) if i != source % a.ndim]
    order.insert(destination % a.ndim, source % a.ndim)
    return movement.permute(a, order)


def _broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    return movement.expand(array, (shape,) if isinstance(shape, int) else shape)


def _concatenate(arrays: Any, /, axis: int | None = 0) -> Any:
    tensors = [creation.as_tensor(a) for a in arrays]
    return movement.cat([movement.flatten(t) for t in tensors] if axis is None else tensors, axis or 0)


def _stack(arrays: Any, axis: int = 0) -> Any:
    return movement.stack([creation.as_tensor(a) for a in arrays], axis)


def _pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    pairs = np.broadcast_to(pad_width, (array.ndim, 2)).tolist()
    modes = {"edge": "replicate", "wrap": "circular"}
    return movement.pad(array, [n for pair in pairs[::-1] for n in pair], modes.get(mode, mode), constant_values)


def _flip(m: Any, axis: Any = None) -> Any:
    return movement.flip(m, tuple(range(m.ndim)) if axis is None else axis)


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.reshape: _reshape,
    np.transpose: _transpose,
    np.swapaxes: movement.transpose,
    np.moveaxis: _moveaxis,
    np.broadcast_to: _broadcast_to,
    np.squeeze: lambda a, axis=None: movement.squeeze(a, axis),
    np.expand_dims: lambda a, axis: movement.unsqueeze(a, axis),
    np.ravel: lambda a, order="C": movement.flatten(a),
    np.concatenate: _concatenate,
    np.stack: _stack,
    np.pad: _pad,
    np.copy: lambda a, order="K", subok=False: movement.clone(a),
    np.flip: _flip,
    np.shape: lambda a: tuple(a.shape),
    np.ndim: lambda a: a.ndim,
    np.size: lambda a, axis=None: a.numel() if axis is None else a.shape[axis],
}
