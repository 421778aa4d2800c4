"""check_grads: derivatives of any order against numerical ones, with tolerances that the estimates' errors give."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..tensor import Tensor
from .adapters import name_of, with_arguments
from .calls import GradcheckError, SameDraws, check_unchanged, flat, identical, sequence, some_wanted, tensors_in
from .complex_as_real import InParts
from .numerical.check import SCALES, Check
from .numerical.checked_function import Level, ordinary
from .numerical.entries import entries
from .numerical.estimates import unit
from .numerical.forward_mode import forward
from .numerical.low_precision import in_few_digits
from .numerical.perturbation import away, in_float64
from .numerical.projection import project
from .numerical.resolution import are_waves
from .numerical.ties import ties

KINKS = ("move", "accept", "reject", "fail")
MODES = ("rev", "fwd")
MOVES = 5  # tries to get away from kinks


def check_grads(
    f: Any,
    args: Any,
    order: int = 1,
    modes: Sequence[str] = ("rev",),
    *,
    kinks: str = "move",
    full: bool = True,
    vjp: Callable[..., Any] | None = None,
) -> None:
    """Hold the derivatives of `f(*args)`, up to those of `order`, against numerical ones.

    `f` is a function on Tensors, a Function, a Module, or a NumPy function whose derivative is `vjp(grad, *args)`: see
    `adapt`. Every Tensor that requires grad is checked, a complex one in its real and imaginary parts, and so are complex
    results: in messages they have a last axis of two. Numerical derivatives come with an estimate of their error, and
    so there is no tolerance to choose. With `full` every entry is compared, else a random projection for each input,
    which takes a pass or two whatever the sizes. Modes are "rev", the backward pass, and "fwd", the derivative along a
    direction by a backward pass through the backward pass. The default generator is put back before each evaluation,
    so that random operations can be checked as they are. Of float32 and float16 inputs the gradients are held against
    those of the same call in float64, and these against numerical ones.

    `kinks` says what is done where the one-sided derivatives differ: "move" leaves those entries out and checks again
    a little further on; "accept" takes whatever lies between the two; "reject" gives the example up (hypothesis draws
    another); "fail" is an error. Values that are equal stay equal in one more check, along which there is no kink, so
    that what is wrong only at ties is found.

    Raises GradcheckError, whose `finding` has the worst input's derivatives as data, and ValueError where no input
    requires grad, where one is in a list or dict, where nothing comes out that has a derivative, or where an option isn't
    one of those named.

    >>> x = torch.tensor([0.5, -1.0, 0.0], dtype=torch.float64, requires_grad=True)
    >>> check_grads(torch.relu, [x], order=2)
    >>> check_grads(lambda x: x * x.detach(), [x])
    Traceback (most recent call last):
    microgad.testing.calls.GradcheckError: <lambda>: the derivative of output 0 (3,) with respect to input 0 (3,) is wrong in 2 of 9 entries. ...
    """  # noqa: E501
    sides_differ(f, args, order, modes, kinks, full, vjp)


def sides_differ(
    f: Any, args: Any, order: int, modes: Sequence[str], kinks: str, full: bool, vjp: Callable[..., Any] | None = None
) -> bool:
    """check_grads, which says whether it came upon a kink."""
    if kinks not in KINKS:
        raise ArgumentError(f"check_grads: kinks must be one of {', '.join(KINKS)}, got {kinks!r}")
    modes = sequence(modes)
    if not modes or any(mode not in MODES for mode in modes):
        raise ArgumentError(f"check_grads: modes must be of {', '.join(MODES)}, got {modes!r}")
    if order < 1:
        raise ArgumentError(f"check_grads: order must be at least 1, got {order}")
    call, args = with_arguments(f, sequence(args), vjp)
    for i, x in enumerate(args):
        if not isinstance(x, Tensor) and any(y.requires_grad for y in tensors_in(x)):
            raise ArgumentError(f"check_grads: argument {i} holds Tensors that require grad: hand them in one by one")
    call = InParts(call, args)
    check = Check(name_of(f), call, some_wanted("check_grads", call.args), kinks, full, modes)
    with SameDraws() as draws, np.errstate(all="ignore"):
        if any(t.array.dtype != np.float64 for t in check.tensors):
            in_few_digits(check, draws)
        with in_float64(check.args):
            return _up_to(check, order, draws)


def _up_to(check: Check, order: int, draws: SameDraws) -> bool:
    """Check each order, at the inputs, and where there were kinks a little away from them; gives whether there were."""
    before = [t.array.copy() for t in check.tensors]
    kinked = _here(check, order, draws)
    check_unchanged(check.tensors, before, check.names, f"{check.name}: the call")
    for _ in range(MOVES if kinked and check.kinks == "move" else 0):
        with away(check.tensors, check.rng):
            if not _here(check, order, draws):
                break
    return kinked


def _here(check: Check, order: int, draws: SameDraws) -> bool:
    """Check each order where the inputs are; gives whether there was a kink."""
    draws.again()
    outputs = check.outputs()
    draws.made()
    level = Level(1, check.outputs, check.outputs, check.tensors, check.names, draws, ordinary(check.tensors))
    values = flat(outputs)
    if not (identical(level.here, values) or np.allclose(level.here, values, 1e-9, 0, equal_nan=True)):
        raise GradcheckError(
            f"{check.name} gives other values when it is called again, so it has no numerical derivative. Draw from "
            "the default generator, which is put back before each call, or make the draw an input"
        )
    kinked = _level(check, level, outputs)
    while level.order < order and (above := level.derivative(outputs, check.tensors, check.rng)):
        level, outputs = above, above.recorded()
        kinked |= _level(check, level, outputs)
    return kinked


def _level(check: Check, level: Level, outputs: list[Tensor]) -> bool:
    some = any(y.requires_grad for y in outputs)
    if level.order > 1 and not some:
        return False
    values = flat(outputs)
    kinked = entries(check, level, outputs) if check.full or not some else _projections(check, level, outputs, values)
    if kinked and check.kinks == "reject":
        _give_up(check.name)
    if kinked and check.kinks == "fail":
        raise GradcheckError(f"{check.name} sits on a kink: there its one-sided derivatives differ")
    if some and kinked:
        ties(check, level, outputs, values)
    if some and "fwd" in check.modes:
        forward(check, level, outputs)
    return kinked


def _projections(check: Check, level: Level, outputs: list[Tensor], values: Any) -> bool:
    """For random u and v, u · (J v) by differences against (Jᵀ u) · v by a backward pass.

    All inputs are moved together, and where that shows something, or one would drown in the other, one by one.
    """
    inputs, kinked = range(len(level.tensors)), False
    suspects = [inputs] if _comparable(level.tensors) else [[i] for i in inputs]
    for scale in (SCALES[0], *SCALES):
        directions = [check.direction(t) for t in level.tensors]
        estimates = [
            level.along([v if i in group else None for i, v in enumerate(directions)], scale) for group in suspects
        ]
        usable = np.isfinite(values)
        for found in estimates:
            kinked |= bool(found.kinked.any())
            usable &= ~found.kinked & np.isfinite(found.error)
        u = np.where(usable, check.weights(values.size), 0.0)
        grads = check.pulled(outputs, level.tensors, u)
        wrong = [
            group
            for group, found in zip(suspects, estimates, strict=True)
            if not project(
                u, found, [directions[i] for i in group], [grads[i] for i in group], bool(usable.all())
            ).agrees
        ]
        if not wrong:
            return kinked
        suspects = [[i] for group in wrong for i in group]
    wrong_inputs = [i for (i,) in suspects]
    if entries(check, level, outputs, wrong_inputs):  # says more, where something is wrong
        return True
    if are_waves(check, level, u, {i: directions[i] for i in wrong_inputs}):
        return True
    raise GradcheckError(
        f"{check.name}: a random projection of the {level.derivative_name} with respect to "
        f"{level.names[suspects[0][0]]} is wrong, although no entry by itself is outside of its tolerance"
    )


def _comparable(tensors: list[Tensor]) -> bool:
    """Whether none of the inputs' moves would drown in the rounding of another's."""
    sizes = [float(unit(t.array).max()) for t in tensors if t.numel()]
    return max(sizes, default=1) <= 1e3 * min(sizes, default=1)


def _give_up(name: str) -> None:
    """Reject the example: hypothesis draws another."""
    hypothesis = sys.modules.get("hypothesis")
    if hypothesis is not None and hypothesis.currently_in_test_context():
        hypothesis.reject()
    raise GradcheckError(f"{name} sits on a kink, and kinks='reject' needs hypothesis to draw another example")
