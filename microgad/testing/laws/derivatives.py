"""The laws of derivatives: analytical derivatives agree with numerical ones, by check_grads."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from ...errors import FROM_FORWARD
from ...function import AccumulateGrad, Function, Output
from ..calls import GradcheckError, nodes_behind
from ..check_grads import found_kink
from ..numerical.perturbation import perturbed
from .case import Case

STEPS = (2.0**-8, 2.0**-12, 2.0**-16)  # absolute, small for inputs around 1
FACTORS = (1e-3 * math.pi, 1e3 * math.pi)  # not to integers, where floor jumps
PERTURBATION = 2.0**-6  # relative: moves inputs to values that float32 would round


def derivatives(case: Case) -> None:
    """Derivatives agree with numerical ones along random directions, on every second example of higher orders too.

    Kinks are skipped, but on a quarter of the examples at a kink the derivative has to be NaN or lie between the
    one-sided derivatives. This holds for a single operation only: in a composite two parts may each have chosen
    another side of a kink. So does that it isn't NaN where the function has a derivative, as |x|^1.5 has at 0.
    """
    if not case.wanted or not case.outs:
        return
    order = case.order if case.one_in(2) else 1
    on_a_kink = _check(case, order, case.kinks)
    if case.kinks == "move" and on_a_kink and case.one_in(4, 2) and _is_primitive(case):
        _check(case, 1, "accept", full=True)
        if any(g is not None and np.isnan(g).any() for g in case.gradients):
            try:
                _check(case, 1, "move", full=True)
            except GradcheckError as error:
                if error.finding is None or not error.finding.at_kink:
                    raise


def derivatives_nearby(case: Case) -> None:
    """Derivatives also agree at slightly perturbed inputs, on a quarter of the examples in which no input is all zeros.

    It is a law of its own, and leaves zeros out, so that an example with a wrong derivative shrinks to readable numbers
    where it can.
    """
    zeros = any(not x.array.any() for x in case.wanted)
    if not case.wanted or not case.outs or case.kinks != "move" or zeros or not case.one_in(4):
        return
    with perturbed(case.wanted, case.rng, PERTURBATION):
        try:
            _check(case, case.order, case.kinks)
        except GradcheckError:
            raise
        except FROM_FORWARD:  # the function refuses the perturbed values
            return


def magnitudes(case: Case) -> None:
    """The first derivative of one operation also agrees at inputs about 1,000 times as large and as small.

    Each is checked on an eighth of the examples for which check_op chose the inputs, where the function accepts such
    values. A composite is left out: its parts cancel or overflow, and its derivative is right if theirs are.
    """
    if not case.inferred or not case.wanted or len(_operations(case)) != 1:
        return
    for factor in [factor for i, factor in enumerate(FACTORS) if case.one_in(8, i)]:
        there = case.with_inputs(case.map_arrays(partial(_scaled, factor=factor)))
        try:
            _check(there, 1, "move")
        except GradcheckError as error:
            if error.finding and not any(_agrees_over(there, step) for step in STEPS):
                raise
        except FROM_FORWARD:  # the function refuses these values
            continue


def _agrees_over(case: Case, step: float) -> bool:
    """Whether the derivative along all inputs that aren't zero agrees with a difference over an absolute step.

    The steps of check_grads are relative. For large inputs they go beyond the structure of a function such as floor.
    """
    above, below = (case.evaluate(case.map_arrays(partial(_moved, step=d))).outs for d in (step, -step))
    differences = zip(case.grad_outputs, above, below, strict=True)
    slope = sum(float((s * (y - z)).sum()) for s, y, z in differences) / (2 * step)
    pairs = zip(case.wanted, case.gradients, strict=True)
    analytical = sum(float(g[x.array != 0].sum()) for x, g in pairs if g is not None)
    return abs(slope - analytical) <= 0.01 * max(abs(slope), abs(analytical))


def _moved(a: Any, step: float) -> Any:
    return np.add(a, step * (a != 0), out=np.empty_like(a)) if a.dtype.kind in "fc" else a


def _scaled(a: Any, factor: float) -> Any:
    return np.multiply(a, factor, out=np.empty_like(a)) if a.dtype.kind in "fc" else a


def _check(case: Case, order: int, kinks: str, full: bool = False) -> bool:
    """Run check_grads, but accept a derivative of NaN at a kink. Return whether there was a kink."""
    case.start_draws()
    try:
        return found_kink(case.function, case.inputs, order, ("rev",), kinks, full)
    except GradcheckError as error:
        found = error.finding
        if found is None or kinks != "accept" or (found.excess() > 0)[np.isfinite(found.analytical)].any():
            raise
        return True


def _is_primitive(case: Case) -> bool:
    """Whether all results come from one node with one input.

    Nodes of NumPy and torch functions do not count: they may be composites. Nor do several inputs: where they tie, each
    gradient follows a convention, as that of clamp where both bounds equal the value.
    """
    nodes = _operations(case)
    return len(nodes) == len(case.wanted) == 1 and not any(
        "adapters" in base.__module__ for base in type(nodes[0]).__mro__
    )


def _operations(case: Case) -> list[Function]:
    """Return the operations in the graph of the results."""
    return [node for node in nodes_behind(case.outs) if not isinstance(node, (AccumulateGrad, Output))]
