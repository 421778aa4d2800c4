"""check_grads: compare derivatives of any order with numerical ones.

Each numerical derivative comes with an estimate of its own error, which serves as the tolerance.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.grad_mode import enable_grad
from ..errors import ArgumentError
from ..errors.own_arguments import checked
from ..ops.support.bare import tensors_in
from ..tensor import Tensor
from .adapters import name_of, with_arguments
from .calls import (
    GradcheckError,
    SameDraws,
    check_unchanged,
    equal_arrays,
    flat,
    fresh_tensors,
    require_wanted,
    sequence,
    wanted,
)
from .complex_as_real import ComplexAsReal
from .numerical.check import SCALES, Check
from .numerical.checked_function import CheckedFunction, term_size
from .numerical.entries import check_entries
from .numerical.estimates import step_unit
from .numerical.forward_mode import check_forward_mode
from .numerical.low_precision import check_low_precision
from .numerical.perturbation import in_float64, perturbed
from .numerical.projection import project
from .numerical.resolution import is_rounding, oscillates
from .numerical.ties import check_ties

KINKS = ("move", "accept", "reject", "fail")
MODES = ("rev", "fwd")
MOVES = 5  # how often, at most, the inputs are perturbed to get away from kinks


@checked
def check_grads(
    f: Callable[..., Any],
    args: Any,
    order: int = 1,
    modes: str | Sequence[str] = ("rev",),
    *,
    kinks: str = "move",
    full: bool = True,
    vjp: Callable[..., Any] | None = None,
) -> None:
    """Compare the derivatives of `f(*args)`, from the first order up to `order`, with numerical derivatives.

    `f` is a function on Tensors, a Function, a Module, or a NumPy function whose derivative is `vjp(grad, *args)`: see
    `adapt`. Every Tensor that requires grad is checked; if none does, every floating-point one, and of a Function every
    array. Complex inputs and results are checked as pairs of real numbers: in messages they have a last axis of size 2.
    Each numerical derivative comes with an estimate of its error, so there is no tolerance to choose. With `full` every
    entry of the Jacobian is compared; without it one random projection of all inputs together, which takes a few calls
    whatever the sizes. `modes` are "rev", the backward pass, and "fwd", the derivative along a direction, computed by a
    backward pass through the backward pass. The default generator is reset before each evaluation, so that random
    operations can be checked as they are. Gradients of float32 and float16 inputs are compared with those of the same
    call in float64, unless it is random, and the latter with numerical ones.

    `kinks` says what to do where the one-sided derivatives differ: "move" skips those entries, unless they are NaN
    between finite ones (with `full`), and checks again at slightly perturbed inputs; "accept" accepts any value between
    the two; "reject" makes hypothesis draw another example; "fail" raises an error. After a kink one more check moves
    equal values together, so that they stay equal: it finds gradients that are wrong only at ties.

    Raises GradcheckError, whose `finding` holds the Jacobians of the worst input. Raises ValueError if no input can be
    differentiated, or one is inside a list or dict, if no result is a floating-point Tensor, or for an unknown option.

    >>> x = torch.tensor([0.5, -1.0, 0.0], dtype=torch.float64, requires_grad=True)
    >>> torch.testing.check_grads(torch.relu, [x], order=2)
    >>> torch.testing.check_grads(lambda x: x * x.detach(), [x])
    Traceback (most recent call last):
    microgad.testing.calls.GradcheckError: <lambda>: the derivative of output 0 (3,) with respect to input 0 (3,) is wrong in 2 of 9 entries. ...
    """  # noqa: E501
    found_kink(f, args, order, modes, kinks, full, vjp)


def check_kinks(function: str, kinks: str) -> None:
    """Raise ArgumentError (a ValueError) for an unknown way to treat kinks."""
    if kinks not in KINKS:
        raise ArgumentError(f"{function}: kinks must be one of {', '.join(KINKS)}, got {kinks!r}")


def found_kink(
    f: Any,
    args: Any,
    order: int,
    modes: str | Sequence[str],
    kinks: str,
    full: bool,
    vjp: Callable[..., Any] | None = None,
) -> bool:
    """Run `check_grads`, and return whether it met a kink."""
    check_kinks("check_grads", kinks)
    modes = sequence(modes)
    if not modes or any(mode not in MODES for mode in modes):
        raise ArgumentError(f"check_grads: modes must be among {', '.join(MODES)}, got {modes!r}")
    if order < 1:
        raise ArgumentError(f"check_grads: order must be at least 1, got {order}")
    call, args = with_arguments(f, sequence(args), vjp)
    for i, x in enumerate(args):
        if not isinstance(x, Tensor) and any(y.requires_grad for y in tensors_in(x)):
            raise ArgumentError(f"check_grads: argument {i} holds Tensors that require grad: pass them one by one")
    if not wanted(args):
        tensors = iter(fresh_tensors([x for x in args if isinstance(x, Tensor)]))
        args = [next(tensors) if isinstance(x, Tensor) else x for x in args]
    call = ComplexAsReal(call, args)
    check = Check(name_of(f), call, require_wanted("check_grads", call.args), kinks, full, modes)
    with SameDraws() as draws, np.errstate(all="ignore"), enable_grad():
        if any(t.array.dtype != np.float64 for t in check.tensors):
            check_low_precision(check, draws)
        with in_float64(check.args):
            return _check_orders(check, order, draws)


def _check_orders(check: Check, order: int, draws: SameDraws) -> bool:
    """Check each order at the inputs, and again near them if there were kinks. Return whether there were."""
    before = [t.array.copy() for t in check.tensors]
    kinked = _check_here(check, order, draws)
    check_unchanged(check.tensors, before, check.names, f"{check.name}: the call")
    for _ in range(MOVES if kinked and check.kinks == "move" else 0):
        with perturbed(check.tensors, check.rng):
            if not _check_here(check, order, draws):
                break
    return kinked


def _check_here(check: Check, order: int, draws: SameDraws) -> bool:
    """Check each order at the current inputs. Return whether there was a kink."""
    fn = CheckedFunction(1, check.outputs, check.outputs, check.tensors, check.names, draws, term_size(check.tensors))
    values = flat(fn.outputs)
    draws.first_done()
    if not (equal_arrays(fn.here, values) or np.allclose(fn.here, values, 1e-9, 0, equal_nan=True)):
        raise GradcheckError(
            f"{check.name} gives other values when it is called again, so it has no numerical derivative. Draw from "
            "the default generator, which is reset before each call, or pass the random numbers as an input"
        )
    kinked = _check_function(check, fn)
    while fn.order < order and (above := fn.derivative(check.tensors, check.rng)):
        fn = above
        kinked |= _check_function(check, fn)
    return kinked


def _check_function(check: Check, fn: CheckedFunction) -> bool:
    """Check the derivative of `fn` in all modes. Return whether there was a kink."""
    some = any(y.requires_grad for y in fn.outputs)
    if fn.order > 1 and not some:
        return False
    kinked = check_entries(check, fn) if check.full or not some else _check_projections(check, fn)
    if kinked and check.kinks == "reject":
        _reject(check.name)
    if kinked and check.kinks == "fail":
        raise GradcheckError(f"{check.name} sits on a kink: there its one-sided derivatives differ")
    if some and kinked:
        check_ties(check, fn)
    if some and "fwd" in check.modes:
        check_forward_mode(check, fn)
    return kinked


def _check_projections(check: Check, fn: CheckedFunction) -> bool:
    """Compare u · (J v) by differences with (Jᵀ u) · v by backward, for random u and v. Return whether at a kink.

    All inputs are moved together first. They are moved one by one if that shows an error, or if their sizes differ so
    much that the move of one would be lost in the rounding of another.
    """
    inputs, values, kinked = list(range(len(fn.tensors))), flat(fn.outputs), False
    suspects = [inputs] if _comparable(fn.tensors) else [[i] for i in inputs]
    for scale in (SCALES[0], *SCALES):
        directions = [check.direction(t) for t in fn.tensors]
        estimates = [
            fn.along([v if i in group else None for i, v in enumerate(directions)], scale) for group in suspects
        ]
        usable = np.isfinite(values)
        for found in estimates:
            kinked |= bool(found.kinked.any())
            usable &= ~found.kinked & np.isfinite(found.error)
        u = np.where(usable, check.weights(values.size), 0.0)
        grads = check.vjp(fn.outputs, fn.tensors, u)
        projections = [
            project(u, found, [directions[i] for i in group], [grads[i] for i in group], bool(usable.all()))
            for group, found in zip(suspects, estimates, strict=True)
        ]
        wrong = [(group, seen) for group, seen in zip(suspects, projections, strict=True) if not seen.agrees]
        if not wrong:
            return kinked
        suspects = [[i] for group, _ in wrong for i in group]
    inputs = [i for (i,) in suspects]
    if check_entries(check, fn, inputs):  # raises a more detailed error if an entry is wrong
        return True
    along, off = {i: directions[i] for i in inputs}, sum(abs(seen.analytical - seen.numerical) for _, seen in wrong)
    if oscillates(check, fn, u, along) or is_rounding(check, fn, u, along, off):
        return True
    value, message = wrong[0][1].analytical, "is wrong, although no entry by itself is outside of its tolerance"
    if not np.isfinite(value):
        message = f"is {value}, although the numerical one is finite: backward computes 0 / 0 or 0 · ∞"
    raise GradcheckError(
        f"{check.name}: a random projection of the {fn.derivative_name} with respect to {fn.names[inputs[0]]} {message}"
    )


def _comparable(tensors: list[Tensor]) -> bool:
    """Whether no input is so small that its moves would be lost in the rounding of another."""
    sizes = [float(step_unit(t.array).max()) for t in tensors if t.numel()]
    return max(sizes, default=1) <= 1e3 * min(sizes, default=1)


def _reject(name: str) -> None:
    """Make hypothesis draw another example. Raise GradcheckError outside of hypothesis."""
    hypothesis = sys.modules.get("hypothesis")
    if hypothesis is not None and hypothesis.currently_in_test_context():
        hypothesis.reject()
    raise GradcheckError(f"{name} sits on a kink, and kinks='reject' needs hypothesis to draw another example")
