"""Laws of values: an operation gives the same values and gradients however it is called."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ... import backend, cuda, state
from ...autograd.grad_mode import enable_grad, no_grad
from ...errors import FROM_FORWARD, DtypeError
from ...generator import default_generator
from ...pytree import tree_leaves
from ...tensor import Tensor
from ...type_aliases import Array
from ..calls import BACKWARD_DRAWS, nodes_behind, wanted
from ..numerical.perturbation import perturbed
from ..strategies import LAYOUTS, laid_out
from .assertions import ROUNDINGS, assert_agree, assert_equal
from .case import Case, Evaluation, Operations, vjp

REFERENCE = 1e-9  # relative: a reference may sum in another order
PERTURBATION = 2.0**-6  # relative: moves inputs to values with many digits
SHORT = 2.0**-12  # multiples of it may be constants of the function, exact in float32
LEFT_OVER = 2.0**-8  # smaller values may be differences of numbers up to 10⁶, which have few digits
NARROW = {np.dtype(np.float64): np.dtype(np.float32), np.dtype(np.complex128): np.dtype(np.complex64)}
NOT_WRITABLE = ("broadcast", "read_only")  # layouts
ORDINARY = (2.0**-10, 32.0)  # magnitudes at which no intermediate value leaves float32's range


def unchanged(case: Case) -> None:
    """Neither the call nor backward changes inputs or incoming gradients in place, nor backward the results."""
    _ = case.gradients
    _check_unchanged(case)
    for k, (y, old) in enumerate(zip(case.outs, case.outs_before, strict=True)):
        _check_array_unchanged(y.array, old, f"by backward, output {k}")
    case.evaluate_all()  # again: a second change may undo the first, as a flip does
    _check_unchanged(case)


def _check_unchanged(case: Case) -> None:
    for i, (x, old) in enumerate(zip(case.inputs, case.before, strict=True)):
        if isinstance(x, Tensor):
            _check_array_unchanged(x.array, old, f"input {i} {tuple(x.shape)}")
    for k, (s, old) in enumerate(zip(case.grad_outputs, case.grad_outputs_before, strict=True)):
        _check_array_unchanged(s, old, f"the incoming gradient of output {k}")


def _check_array_unchanged(x: Any, old: Any, what: str) -> None:
    x, old = backend.to_numpy(x), backend.to_numpy(old)
    if x.tobytes() != old.tobytes():
        raise AssertionError(f"{what} was changed in place: {x} was {old}")


def reference(case: Case) -> None:
    """The values agree with the reference's."""
    if case.reference is None:
        return
    returned = case.reference(*(backend.to_numpy(x) if backend.is_array(x) else x for x in case.before))
    expected = list(tree_leaves(returned))
    if len(expected) != len(case.results):
        raise AssertionError(f"there are {len(case.results)} outputs, but the reference gives {len(expected)}")
    place = 0  # position among the outputs that can have a derivative
    for k, (y, z) in enumerate(zip(case.results, map(np.asarray, expected), strict=True)):
        found = backend.to_numpy(y.array)
        if found.dtype.kind in "fc":
            unit = max(REFERENCE, ROUNDINGS * case.eps)
            assert_agree(found, z, partial(case.output_tolerance, place, unit), f"output {k}")
            place += 1
        else:
            assert_equal(found, z, f"output {k}")


def deterministic(case: Case) -> None:
    """A second call with the same seed gives the same values and gradients. Only forward makes random draws."""
    grad_outputs, outs = case.grad_outputs, case.outputs(case.inputs)
    drawn = default_generator.snapshot()
    found = vjp(outs, case.wanted, grad_outputs)
    if (default_generator.snapshot() != drawn).any():
        raise AssertionError(BACKWARD_DRAWS)
    case.agrees(Evaluation([y.array for y in outs], found), "called again with the same seed")


def without_grad(case: Case) -> None:
    """Where no graph is recorded, under no_grad and if no input requires grad, results and inputs have the same values.

    A function that differentiates something itself may refuse that.
    """
    detached = {id(x): x.detach() for x in case.inputs if isinstance(x, Tensor)}
    free = [detached.get(id(x), x) for x in case.inputs]
    for how, inputs, recording in (("under no_grad", case.inputs, False), ("if no input requires grad", free, True)):
        with enable_grad() if recording else no_grad():
            try:
                outs = case.outputs(inputs)
            except FROM_FORWARD:
                continue
        _check_unchanged(case)  # as by a write that autograd would refuse
        case.agrees(Evaluation([y.array for y in outs], case.gradients), how)


def interleaved(case: Case) -> None:
    """Another call between forward and backward changes nothing: backward reads what its own forward kept.

    The other call gets the same values in reverse order, which the function may refuse. It runs on every other example.
    """
    if not case.one_in(2):
        return
    expected = case.gradients
    outs = case.outputs(case.inputs)
    try:
        case.call(case.map_arrays(lambda a: np.flip(a).copy() if a.dtype.kind in "fc" else a))
    except FROM_FORWARD:
        return
    found = vjp(outs, case.wanted, case.grad_outputs)
    case.same_gradients(found, expected, "with a call of other values before its backward, the gradient of")


def layout(case: Case) -> None:
    """Results don't depend on the memory layout of inputs and incoming gradients: strides, order, read-only.

    Each example is checked in two of the LAYOUTS. For "broadcast" equal values are needed, which the function may
    refuse, as the inverse of a matrix does.
    """
    if case.draws:  # random draws follow the order in memory
        return
    for name in [name for i, name in enumerate(LAYOUTS) if case.one_in(3, i)]:
        same = case
        if name == "broadcast":
            same = case.with_inputs(case.map_arrays(lambda a: laid_out(a, "broadcast").copy()))
            same.grad_outputs = [laid_out(s, "broadcast").copy() for s in case.grad_outputs]
            try:
                _ = same.gradients
            except FROM_FORWARD:
                continue
        laid = partial(laid_out, layout=name)
        try:
            found = case.evaluate(case.map_arrays(laid), list(map(laid, case.grad_outputs)))
        except FROM_FORWARD as error:
            if name in NOT_WRITABLE:
                raise AssertionError(f"it fails for inputs that are not writable: {error}") from error
            raise
        same.agrees(found, f"with {name} inputs")


def float32(case: Case) -> None:
    """With float32 inputs everything is float32, and, if it is finite, agrees with the float64 run up to rounding.

    Functions with float64 constants, such as a module's parameters, are skipped; of a module with other ones than its
    parameters and buffers only the results' dtypes are checked. With float64 inputs of many digits, no result may look
    rounded to float32. It runs on every second example.

    Constants such as 0.3 are rounded, so that x // 0.3 may jump between the two runs. So only what fails at perturbed
    inputs as well counts.
    """
    if not case.one_in(2, 1) or not all(x.array.dtype in NARROW for x in case.inputs if _is_floating(x)):
        return
    _check_not_rounded(case)
    try:
        _check_in_float32(case)
    except AssertionError:
        with perturbed(case.wanted, case.rng, PERTURBATION):
            _check_in_float32(case.with_inputs(case.inputs))


def _check_in_float32(case: Case) -> None:
    single = case.map_arrays(_narrowed)
    operations = Operations()
    with state.scope(observer=operations):
        try:
            outs = case.outputs(single)
        except DtypeError as error:
            if case.may_hold_constants and "same dtype" in str(error):
                return  # a product with a float64 constant
            raise
    if any(map(operations.constants, NARROW)):
        if not case.may_hold_constants:
            _check_outputs_narrow(case, outs)
        return
    _check_all_narrow(case, outs)
    if case.order > 1:
        narrow = case.with_inputs(single)
        operations = Operations()
        with state.scope(observer=operations):
            _ = narrow.recorded
        _check_derivative_narrow(operations)
        _ = narrow.classes  # takes second derivatives, which may refuse a wrong dtype
    grad_outputs = [g.astype(y.array.dtype) for g, y in zip(case.grad_outputs, outs, strict=True)]
    gradients = vjp(outs, wanted(single), grad_outputs)
    finite = all(np.isfinite(x).all() for x in (*(y.array for y in outs), *gradients) if x is not None)
    if finite and not case.draws and all(map(_is_ordinary, case.inputs)):  # draws differ between dtypes
        eps = float(np.finfo(np.float32).eps)
        rounded = case.map_arrays(lambda a: _narrowed(a).astype(a.dtype))
        same = case if all(map(_same_values, rounded, case.inputs)) else case.with_inputs(rounded)
        same.grad_outputs = case.grad_outputs
        same.agrees(Evaluation([z.array for z in outs], gradients), "in float32", eps)


def _narrowed(array: Any) -> Any:
    return array.astype(NARROW.get(array.dtype, array.dtype))


def _check_all_narrow(case: Case, outs: list[Tensor]) -> None:
    _check_outputs_narrow(case, outs)
    for node in nodes_behind(outs):
        for dtype in node.dtype if isinstance(node.dtype, list) else [node.dtype]:
            if dtype in NARROW:
                raise AssertionError(f"with float32 inputs an intermediate {type(node).__name__} gives {dtype}")


def _check_outputs_narrow(case: Case, outs: list[Tensor]) -> None:
    for k, (y, z) in enumerate(zip(case.outs, outs, strict=True)):
        if z.array.dtype != NARROW.get(y.array.dtype, z.array.dtype):
            raise AssertionError(f"with float32 inputs output {k} is {z.array.dtype}")


def _check_derivative_narrow(operations: Operations) -> None:
    """Raise AssertionError for float64, unless it comes of masks and Python numbers alone, as in NumPy: (x > 0) * 0.1.

    The engine casts the gradient to its input's dtype.
    """
    numbers: set[int] = set()  # by id: what is made of these, and of something else
    for node, inputs, out in operations.seen:
        outs = out if isinstance(out, tuple) else (out,)
        # without 0-d Tensors, which Python numbers may have become
        given = [x for x in inputs if hasattr(x, "dtype") and (x.ndim or getattr(x, "requires_grad", False))]
        if any(id(x) in numbers for x in inputs) or all(getattr(x, "array", x).dtype.kind in "biu" for x in given):
            numbers.update(map(id, outs))
            continue
        for y in outs:
            if y.array.dtype in NARROW and y.requires_grad:
                name = type(node).__name__
                raise AssertionError(f"with float32 inputs its derivative's {name} gives {y.array.dtype}")


def _check_not_rounded(case: Case) -> None:
    with perturbed(case.wanted, case.rng, PERTURBATION):
        outs = [y.array for y in case.outputs(case.inputs)]
    for k, y in enumerate(outs):
        long = y[np.isfinite(y) & (np.abs(y) > LEFT_OVER) & (y / SHORT != np.round(y / SHORT))]
        if y.dtype == np.float64 and long.size and bool((long == long.astype(np.float32)).all()):
            raise AssertionError(f"with float64 inputs output {k} is rounded to float32, as {float(long[0])!r}")


def _is_floating(x: Any) -> bool:
    return isinstance(x, Tensor) and x.array.dtype.kind in "fc"


def _is_ordinary(x: Any) -> bool:
    if not _is_floating(x):
        return True
    size = np.abs(x.array)
    return bool(((size == 0) | ((size >= ORDINARY[0]) & (size <= ORDINARY[1]))).all())


def _same_values(x: Any, y: Any) -> bool:
    return not isinstance(x, Tensor) or bool((x.array == y.array).all())


def devices(case: Case) -> None:
    """Values and gradients are the same on every available device, and stay on that device."""
    for name, move in _other_devices(case):
        found = case.evaluate(case.map_arrays(move), [move(s) for s in case.grad_outputs])
        for x, y in zip((*found.outs, *found.gradients), (*(y.array for y in case.outs), *case.gradients), strict=True):
            if x is not None and y is not None and type(x) is not type(move(y)):
                raise AssertionError(f"on {name} a result is a {type(x).__module__}.{type(x).__name__}")
        case.agrees(Evaluation(*([_to_same_device(x, case) for x in part] for part in found)), f"on {name}")
        _ = case.with_inputs(case.map_arrays(move)).classes  # takes second derivatives


def _other_devices(case: Case) -> list[tuple[str, Callable[[Any], Any]]]:
    """Return the other devices: their names, and functions that move an array there."""
    if not cuda.is_available():
        return []
    name = "cpu" if any(backend.is_gpu(x) for x in case.before) else "cuda"
    return [(name, lambda a: backend.to_device(a, name))]


def _to_same_device(x: Array | None, case: Case) -> Array | None:
    """Move a result to the device of the case's own results."""
    return x if x is None else backend.to_device(x, backend.device_of(case.outs[0].array))
