"""Laws of what an operation computes: the same values and gradients however it is called."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ... import backend, cuda, state
from ...errors import FROM_FORWARD, DtypeError
from ...pytree import tree_leaves
from ...tensor import Tensor
from ..calls import nodes_behind, wanted
from ..numerical.perturbation import perturbed
from ..strategies import LAYOUTS, laid_out
from .assertions import ROUNDINGS, assert_agree, assert_equal
from .case import CallRecorder, Case, Evaluation, pull

REFERENCE = 1e-9  # relative: a reference may add up in another way
FURTHER_ON = 2.0**-6  # relative: how far inputs are moved, so that they have many digits
SHORT = 2.0**-12  # its multiples may be numbers that somebody wrote down
LEFT_OVER = 2.0**-18  # less may be what numbers around 1 left of each other: a float64 with few digits
NARROW = {np.dtype(np.float64): np.dtype(np.float32), np.dtype(np.complex128): np.dtype(np.complex64)}
NOT_WRITABLE = ("broadcast", "read_only")  # layouts
ORDINARY = (2.0**-10, 32.0)  # magnitudes at which nothing on the way is out of float32's range


def unchanged(case: Case) -> None:
    """Inputs and incoming gradients are left as they were, by the call and by backward."""
    _ = case.gradients
    _untouched_by(case)
    case.evaluate_all()  # a second time, which may undo what the first has done
    _untouched_by(case)


def _untouched_by(case: Case) -> None:
    for i, (x, old) in enumerate(zip(case.inputs, case.before, strict=True)):
        if isinstance(x, Tensor):
            _untouched(x.array, old, f"input {i} {tuple(x.shape)}")
    for k, (s, old) in enumerate(zip(case.seeds, case.seeds_before, strict=True)):
        _untouched(s, old, f"the incoming gradient of output {k}")


def _untouched(x: Any, old: Any, what: str) -> None:
    x, old = backend.to_numpy(x), backend.to_numpy(old)
    if x.tobytes() != old.tobytes():
        raise AssertionError(f"{what} was changed in place: {x} was {old}")


def reference(case: Case) -> None:
    """The values are those of the reference."""
    if case.reference is None:
        return
    returned = case.reference(*(backend.to_numpy(x) if backend.is_array(x) else x for x in case.before))
    expected = list(tree_leaves(returned))
    if len(expected) != len(case.results):
        raise AssertionError(f"there are {len(case.results)} outputs, but the reference gives {len(expected)}")
    place = 0  # among those that can have a derivative
    for k, (y, z) in enumerate(zip(case.results, map(np.asarray, expected), strict=True)):
        found = backend.to_numpy(y.array)
        if found.dtype.kind in "fc":
            unit = max(REFERENCE, ROUNDINGS * case.eps)
            assert_agree(found, z, partial(case.output_tolerance, place, unit), f"output {k}")
            place += 1
        else:
            assert_equal(found, z, f"output {k}")


def deterministic(case: Case) -> None:
    """A second call with the same seed gives the same values and gradients."""
    case.agrees(case.evaluate(case.inputs), "called again with the same seed")


def interleaved(case: Case) -> None:
    """Another call between forward and backward changes nothing: a backward reads what its own forward kept.

    The other call is of the same values in reverse, which the function may refuse. Every second example is looked at.
    """
    if not case.one_in(2):
        return
    expected = case.gradients
    outs = case.outputs(case.inputs)
    try:
        case.call(case.mapped(lambda a: np.flip(a).copy() if a.dtype.kind in "fc" else a))
    except FROM_FORWARD:
        return
    found = pull(outs, case.wanted, case.seeds)
    case.same_gradients(found, expected, "with a call of other values before its backward, the gradient of")


def layout(case: Case) -> None:
    """How inputs and incoming gradients lie in memory does not matter: Fortran, gaps, reversed, stride 0, read-only.

    Each example is laid out in two of these ways.
    """
    if case.draws:  # which follow the order in memory
        return
    for name in [name for i, name in enumerate(LAYOUTS) if case.one_in(3, i)]:
        same = case
        if name == "broadcast":
            same = case.at(case.mapped(lambda a: laid_out(a, "broadcast").copy()))
            same.seeds = [laid_out(s, "broadcast").copy() for s in case.seeds]
        laid = partial(laid_out, layout=name)
        try:
            found = case.evaluate(case.mapped(laid), list(map(laid, case.seeds)))
        except FROM_FORWARD as error:
            if name in NOT_WRITABLE:
                raise AssertionError(f"it fails where nothing can be written into what it is given: {error}") from error
            raise
        same.agrees(found, f"with {name} inputs")


def float32(case: Case) -> None:
    """Of float32 inputs everything is float32, and agrees with the float64 run as far as float32 can.

    A function that has float64 constants, as a module has parameters, says nothing of it. Of float64 inputs, whose
    digits don't fit into float32, no result's do. Every second example is looked at.
    """
    if not case.one_in(2, 1) or not all(x.array.dtype in NARROW for x in case.inputs if _is_floating(x)):
        return
    _unrounded(case)
    single = case.mapped(_narrowed)
    calls = CallRecorder()
    with state.scope(observer=calls):
        try:
            outs = case.outputs(single)
        except DtypeError as error:
            if "same dtype" in str(error):
                return  # a product with a float64 constant, which mixes with nothing
            raise
    if any(map(calls.constants, NARROW)):
        return
    _narrow_all_the_way(case, outs)
    if case.order > 1:
        _ = case.at(single).classes  # which takes second derivatives: there another dtype may be refused
    gradients = pull(outs, wanted(single), [s.astype(z.array.dtype) for s, z in zip(case.seeds, outs, strict=True)])
    if not case.draws and all(map(_is_ordinary, case.inputs)):  # another dtype, other draws
        eps = float(np.finfo(np.float32).eps)
        rounded = case.mapped(lambda a: _narrowed(a).astype(a.dtype))
        same = case if all(map(_same_values, rounded, case.inputs)) else case.at(rounded)
        same.seeds = case.seeds
        same.agrees(Evaluation([z.array for z in outs], gradients), "in float32", eps)


def _narrowed(array: Any) -> Any:
    return array.astype(NARROW.get(array.dtype, array.dtype))


def _narrow_all_the_way(case: Case, outs: list[Tensor]) -> None:
    for k, (y, z) in enumerate(zip(case.outs, outs, strict=True)):
        if z.array.dtype != NARROW.get(y.array.dtype, z.array.dtype):
            raise AssertionError(f"of float32 inputs output {k} is {z.array.dtype}")
    for node in nodes_behind(outs):
        for dtype in node.dtype if isinstance(node.dtype, list) else [node.dtype]:
            if dtype in NARROW:
                raise AssertionError(f"of float32 inputs {type(node).__name__}, on the way, gives {dtype}")


def _unrounded(case: Case) -> None:
    with perturbed(case.wanted, case.rng, FURTHER_ON):
        outs = [y.array for y in case.outputs(case.inputs)]
    for k, y in enumerate(outs):
        long = y[np.isfinite(y) & (np.abs(y) > LEFT_OVER) & (y / SHORT != np.round(y / SHORT))]
        if y.dtype == np.float64 and long.size and bool((long == long.astype(np.float32)).all()):
            raise AssertionError(f"of float64 inputs output {k} has been rounded to float32, as {float(long[0])!r}")


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
    """On every device at hand the values and gradients are the same, and stay there."""
    for name, move in _others(case):
        found = case.evaluate(case.mapped(move), [move(s) for s in case.seeds])
        for x, y in zip((*found.outs, *found.gradients), (*(y.array for y in case.outs), *case.gradients), strict=True):
            if x is not None and y is not None and type(x) is not type(move(y)):
                raise AssertionError(f"on {name} a result is a {type(x).__module__}.{type(x).__name__}")
        case.agrees(Evaluation(*([_beside(x, case) for x in part] for part in found)), f"on {name}")
        _ = case.at(case.mapped(move)).classes  # which takes second derivatives


def _others(case: Case) -> list[tuple[str, Callable[[Any], Any]]]:
    """Names of the devices where the inputs aren't, and how an array gets there."""
    if not cuda.is_available():
        return []
    name = "cpu" if any(backend.is_gpu(x) for x in case.before) else "cuda"
    return [(name, lambda a: backend.to_device(a, name))]


def _beside(x: Any, case: Case) -> Any:
    """A result on the device where the case's own results are."""
    return x if x is None else backend.to_device(x, backend.device_of(case.outs[0].array))
