"""What is said of arguments that can't be right, once they are found so: Tensors that are none, unfit gradients."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from .errors import ArgumentError, DtypeError, MicrogadError, ShapeError


class NoTensorError(MicrogadError, TypeError, AttributeError):
    """An argument that is no Tensor and has to be. PyTorch's functions raise the one in C++, the other in Python."""


def no_tensor(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], error: AttributeError
) -> Exception:
    """The error to raise where a call failed for want of an attribute: NoTensorError, if an argument lacks it.

    So calls with Tensors pay nothing for the check. What was no argument, or is a Tensor, keeps its AttributeError.
    """
    lacking = error.obj
    if error.name is None or hasattr(lacking, "array"):
        return error
    op, kind = function.__name__.replace("_call", "_"), type(lacking).__name__
    for name, place, value in _named(function, args, kwargs):
        if value is lacking:
            return NoTensorError(f"{op}(): argument '{name}'{place} must be Tensor, not {kind}")
        if isinstance(value, (list, tuple)):
            for i, item in enumerate(value):
                if item is lacking:
                    return NoTensorError(
                        f"{op}(): expected Tensor as element {i} in argument '{name}'{place}, got {kind}"
                    )
    return error


def _named(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[tuple[str, str, Any]]:
    """Name, place and value of each argument; all that `*tensors` takes goes by that name."""
    code = inspect.unwrap(function).__code__
    own, count = code.co_varnames, code.co_argcount
    rest = own[count + code.co_kwonlyargcount] if code.co_flags & inspect.CO_VARARGS else ""
    for i, value in enumerate(args):
        yield own[i] if i < count else rest, f" (position {i + 1})", value
    for name, value in kwargs.items():
        yield name, "", value


def unfit_gradient(i: int, grad: Any, shape: tuple[int, ...], dtype: Any) -> Exception:
    """The error for a gradient that can't be that of the i-th result, of this shape and dtype."""
    if not hasattr(grad, "array"):
        return DtypeError(f"gradients can be either Tensors or None, but got {type(grad).__name__}")
    if grad.array.shape != shape:
        return ShapeError(
            f"Mismatch in shape: grad_output[{i}] has a shape of {grad.shape} and output[{i}] has a shape of {shape}"
        )
    return DtypeError(
        "for complex Tensors, grad_output and output must have the same dtype: "
        f"grad_output[{i}] has {grad.dtype} and output[{i}] has torch.{dtype}"
    )


def old_gradients(grad_tensors: Any, grad_variables: Any) -> Any:
    """The gradients for `backward` under the name that they had before version 0.4."""
    warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=3)
    if grad_tensors is not None:
        raise ArgumentError("backward: both grad_tensors and grad_variables were given; use grad_tensors")
    return grad_variables


def check_grad(inputs: tuple[Any, ...], only_inputs: bool, materialize_grads: bool, allow_unused: bool | None) -> None:
    """Refuse what `grad` can't be called with, and warn of what has no effect."""
    if not only_inputs:
        said = "only_inputs argument is deprecated and is ignored now (defaults to True); `backward` adds to .grad"
        warnings.warn(said, FutureWarning, stacklevel=3)
    if not inputs:
        raise ArgumentError("`inputs` argument to `grad()` cannot be empty.")
    if materialize_grads and allow_unused is False:
        raise ArgumentError("grad: materialize_grads needs allow_unused to be True or None, got False")
