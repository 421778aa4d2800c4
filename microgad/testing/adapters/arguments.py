"""with_arguments: adapt a function together with its arguments, among them torch's tensors and NumPy's arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ... import backend
from ...function import Function
from ...tensor import Tensor
from .adapt import adapt
from .from_torch import torch_function
from .names import is_from, unwrap


def with_arguments(
    target: Any, args: Sequence[Any], vjp: Callable[..., Any] | None = None
) -> tuple[Callable[..., Any], list[Any]]:
    """Return `target` as a callable on Tensors, by `adapt`, and the arguments to call it with.

    Torch's tensors become Tensors with copies of their values, which require grad where they did. With any of them,
    `target` counts as a torch function, unless it is microgad's or has a `vjp`. Of a Function, or with `vjp`,
    floating-point arrays become Tensors that require grad, if nothing else does.

    Raises what `adapt` raises.

    >>> call, args = with_arguments(np.square, [np.ones(2)], vjp=lambda grad, x: 2 * x * grad)
    >>> call(*args)
    tensor([1., 1.], dtype=torch.float64, grad_fn=<squareBackward>)
    """
    torch = _imported_torch()
    theirs = {id(x): x for x in args if torch is not None and isinstance(x, torch.Tensor)}
    made = {i: _as_tensor(x) for i, x in theirs.items()}
    args = [made.get(id(x), x) for x in args]
    inner = unwrap(target).target
    on_arrays = vjp is not None or (isinstance(inner, type) and issubclass(inner, Function))
    if on_arrays and not any(isinstance(x, Tensor) and (x.requires_grad or vjp is None) for x in args):
        arrays = {id(x): x for x in args if backend.is_array(x) and x.dtype.kind in ("f" if vjp else "fc")}
        fresh = {i: Tensor._wrap(x).requires_grad_() for i, x in arrays.items()}
        args = [fresh.get(id(x), x) for x in args]
    call = adapt(target, vjp)
    if theirs and call is target and not is_from(target, "microgad"):
        call = torch_function(target)
    return call, args


def _imported_torch() -> Any:
    """Return PyTorch; None if nobody imported it, so that no tensor is torch's, or if microgad stands in for it."""
    torch = sys.modules.get("torch")
    return None if getattr(torch, "__name__", None) != "torch" else torch


def _as_tensor(x: Any) -> Tensor:
    """Copy a torch tensor, of any device, to a Tensor on the CPU."""
    return Tensor._wrap(np.array(x.numpy(force=True))).requires_grad_(x.requires_grad)
