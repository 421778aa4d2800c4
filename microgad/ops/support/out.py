"""The keyword `out=`: a result is written into Tensors that the caller passes in."""

from __future__ import annotations

from typing import Any, TypeVar

from ... import dtypes, errors, function
from ...backend.memory_layout import geometry, memory_of
from ...errors.forwards import called
from ...errors.notices import warn
from ...errors.wording import cannot_cast
from ...function import Function
from ...pytree import rebuilt
from ...type_aliases import Array, Tensor
from ...updates import replace, update
from .bare import is_recorded
from .layouts import expanded_axes

R = TypeVar("R")


def apply_into(out: Any, op: type[Function], *inputs: Any, exact: str = "", **settings: Any) -> Any:
    """Return op.apply(*inputs, **settings), of an elementwise operation, as `into` does.

    Where nothing is recorded and `out` is like the operands, float Tensors of one shape in C order, the result is
    computed in its memory.
    """
    if out is None:
        return op.apply(*inputs, **settings)
    if _written(out, op, inputs, settings):
        return out
    return into(out, op.apply(*inputs, **settings), exact, operands=inputs)


def _written(out: Any, op: type[Function], inputs: Any, settings: dict[str, Any]) -> bool:
    """Write the result into `out`, or return False if that isn't plain: see `updates.update`."""
    tensors = [x for x in inputs if isinstance(x, function.Tensor)]
    if not all(isinstance(x, function.Tensor) and x.array.flags.c_contiguous for x in (out, *tensors)):
        return False
    if not all(x is None or type(x) in (int, float) for x in inputs if not isinstance(x, function.Tensor)):
        return False

    def write(array: Array, _: float, *arrays: Array) -> None:
        rest = iter(arrays)
        given = [next(rest) if isinstance(x, function.Tensor) else x for x in inputs]
        node = op()
        node._set(dict(settings))
        node.write(array, *(given if op.promote is None else op.promote(given)))

    try:
        return update(op.__name__, write, out, 1, *tensors)
    except errors.FROM_FORWARD:
        return False  # computed apart from `out`, it raises a better message


def into(out: Any, result: R, exact: str = "", quiet: bool = False, operands: Any = ()) -> R:
    """Return the result, or, if `out` is given, write the result into it and return `out`.

    Several results take a tuple of as many Tensors. An `out` of another shape is resized, as in PyTorch, with a warning
    unless `quiet`; one of the `operands` isn't. Raises RuntimeError if the result cannot be cast to out's dtype, or,
    where `exact` names an operation that does not cast, if the dtypes differ; and, as in PyTorch, if a gradient is
    required. Raises TypeError for a single Tensor in place of several, and for the opposite.
    """
    if out is None:
        return result
    several = isinstance(result, tuple)
    if isinstance(out, (tuple, list)) is not several:
        wanted = "a tuple of Tensors" if several else "Tensor"
        raise errors.DtypeError(f"argument 'out' must be {wanted}, not {type(out).__name__}")
    outs, results = (out, result) if isinstance(result, tuple) else ((out,), (result,))
    if len(outs) != len(results):
        raise TypeError(f"out= takes {len(results)} Tensors, got {len(outs)}")
    for target, value in zip(outs, results, strict=True):
        if not hasattr(target, "array"):
            raise errors.DtypeError(f"argument 'out' must be Tensor, not {type(target).__name__}")
        _check(target, value, exact, operands)  # all are checked before the first one is written to
    for target, value in zip(outs, results, strict=True):
        _put(target, value, quiet)
    if several:
        out = rebuilt(result, out)
    return out


def _check(out: Tensor, result: Any, exact: str, operands: Any) -> None:
    if is_recorded(out, result):
        raise errors.GraphError(
            "functions with out=... arguments don't support automatic differentiation, but one of the arguments "
            "requires grad."
        )
    if exact and result.dtype != out.dtype:
        raise errors.DtypeError(f"{exact}: Expected out tensor to have dtype {result.dtype}, but got {out.dtype}")
    if not dtypes.can_cast(result.dtype, out.dtype):
        raise errors.DtypeError(f"{called('out=')}: {cannot_cast(result.dtype, out.dtype)}")
    if type(out.array) is not type(result.array):
        raise errors.DeviceError(
            "Expected all tensors to be on the same device, but found at least two devices, "
            f"{result.device} and {out.device}! (the result and out)"
        )
    if any(x is out for x in operands) and tuple(out.shape) != tuple(result.shape):
        raise errors.ShapeError(
            f"out=: output with shape {[*out.shape]} doesn't match the broadcast shape {[*result.shape]}"
        )
    if expanded_axes(out.array) and out.shape == result.shape:
        raise errors.ArgumentError(
            "out=: unsupported operation: more than one element of the written-to tensor refers to a single memory "
            "location. Please clone() the tensor before performing the operation."
        )


def _put(out: Tensor, result: Any, quiet: bool) -> None:
    """Write the result into `out`, which takes the result's shape if it has another."""
    if tuple(out.shape) == tuple(result.shape):
        if not update("out=", replace, out, 1, result):
            out[...] = result.detach()
    else:
        if out.numel() and not quiet:
            message = (
                f"An output with one or more elements was resized since it had shape {list(out.shape)}, which does not "
                f"match the required output shape {list(result.shape)}. This behavior is deprecated."
            )
            warn(message)
        x, place = out.array, out if out.node is None else out.detach()
        if x.size and geometry(x)[2] + result.numel() <= memory_of(x).size:
            place.resize_(result.shape)  # in the same memory, which views of it see
            place[...] = result.detach()
        else:
            place = result.detach().to(dtype=out.dtype)
        if place is not out:
            out.data = place
