"""Errors for arguments of `backward` and `grad`: inputs without a node, gradients that don't fit."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from . import ArgumentError, DeviceError, DtypeError, GraphError, ShapeError
from .notices import warn


def unused(i: int, shape: tuple[int, ...]) -> GraphError:
    """The error for an input of `grad` on which the outputs don't depend."""
    return GraphError(
        f"grad: The differentiated Tensor at index {i} appears to not have been used in the graph. Set "
        f"allow_unused=True if this is the desired behavior. It has shape {shape}"
    )


def no_node(op: str, i: int, given: Any) -> GraphError:
    """The error for an input of `grad` or `backward` that has no node, or isn't a Tensor at all."""
    if not hasattr(given, "node"):
        return GraphError(f"{op}: all inputs have to be Tensors or GradientEdges, but got {type(given).__name__}")
    return GraphError(f"{op}: inputs[{i}] of shape {tuple(given.shape)} does not require grad")


def no_root(i: int, given: Any) -> Exception:
    """The error for an output from which no backward pass can start."""
    if not hasattr(given, "node"):
        return AssertionError(f"Expected output to be a torch.Tensor, but output {i} is of type {type(given).__name__}")
    return GraphError(
        f"element {i} of tensors does not require grad and does not have a grad_fn: nothing that it was computed from "
        "requires grad, or the way there was cut, as by detach(), item(), no_grad() or a conversion to integers"
    )


def gradient_count(tensors: Sequence[Any], grads: Sequence[Any]) -> Exception:
    """The error for another number of gradients than of outputs, or for such as are none."""
    for grad in grads:
        if grad is not None and not hasattr(grad, "array"):
            return DtypeError(f"gradients can be either Tensors or None, but got {type(grad).__name__}")
    return ArgumentError(f"got {len(tensors)} tensors and {len(grads)} gradients")


def no_gradient(i: int, shape: tuple[int, ...], dtype: Any) -> GraphError:
    """The error for an output that isn't a scalar and for which no gradient is given."""
    return GraphError(
        f"grad can be implicitly created only for {'real ' * (dtype.kind == 'c')}scalar outputs, but "
        f"element {i} has shape {shape} and dtype {dtype}: reduce it, or give its gradient"
    )


def unfit_gradient(i: int, grad: Any, shape: tuple[int, ...], dtype: Any) -> Exception:
    """The error for a gradient that doesn't fit output i, which has this shape and dtype."""
    if not hasattr(grad, "array"):
        return DtypeError(f"gradients can be either Tensors or None, but got {type(grad).__name__}")
    if grad.array.shape != shape:
        return ShapeError(
            f"Mismatch in shape: grad_output[{i}] has a shape of torch.Size({[*grad.array.shape]}) and "
            f"output[{i}] has a shape of torch.Size({[*shape]})."
        )
    return DtypeError(
        "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: "
        f"grad_output[{i}] has a dtype of {grad.dtype} and output[{i}] has a dtype of torch.{dtype}."
    )


def check_device(grad: Any, result: Any, i: int) -> None:
    """Raise RuntimeError if `grad`, the gradient of the i-th result, isn't on its device. A GradientEdge has none."""
    if (expected := getattr(result, "device", grad.device)) != grad.device:
        raise DeviceError(f"invalid gradient at index {i} - expected device {expected} but got {grad.device}")


def old_gradients(grad_tensors: Any, grad_variables: Any) -> Any:
    """The gradients for `backward` where they are given by their name before PyTorch 0.4, `grad_variables`."""
    warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning)
    if grad_tensors is not None:
        raise ArgumentError("backward: both grad_tensors and grad_variables were given; use grad_tensors")
    return grad_variables


def check_grad(inputs: tuple[Any, ...], only_inputs: bool, materialize_grads: bool, allow_unused: bool | None) -> None:
    """Check the less usual arguments of `grad`: raise for wrong ones, warn of those without effect."""
    operator.index(materialize_grads), operator.index(False if allow_unused is None else allow_unused)
    if not only_inputs:
        said = "only_inputs argument is deprecated and is ignored now (defaults to True); `backward` adds to .grad"
        warn(said, FutureWarning)
    if not inputs:
        raise ArgumentError("`inputs` argument to `grad()` cannot be empty.")
    if materialize_grads and allow_unused is not None and not allow_unused:
        raise ArgumentError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            f"allow_unused={allow_unused}."
        )
