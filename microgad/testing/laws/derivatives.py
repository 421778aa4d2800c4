"""The law of derivatives, which check_grads holds: written ones are those of the function."""

from __future__ import annotations

import numpy as np

from ...errors import FROM_FORWARD
from ...function import Leaf, Output
from ..calls import GradcheckError, nodes_behind
from ..check_grads import found_kink
from ..numerical.perturbation import perturbed
from .case import Case

FURTHER_ON = 2.0**-6  # of its own size each value is moved


def derivatives(case: Case) -> None:
    """Derivatives agree with numerical ones, along random directions: those of order 2 of every second example.

    At a kink, which is left out of these, the derivative of one operation is no number, or one between the one-sided
    derivatives: a quarter of those examples is looked at so. Of a composite it may be another: where two parts have a
    kink, each may have chosen another side. A quarter is looked at a little further on as well, at values that float32
    would round.
    """
    if not case.wanted or not case.outs:
        return
    order = case.order if case.one_in(2) else 1
    on_a_kink = _check(case, order, case.kinks)
    if case.kinks == "move" and on_a_kink and case.one_in(4, 2) and _is_primitive(case):
        _check(case, 1, "accept", full=True)
    if case.kinks == "move" and case.one_in(4):
        with perturbed(case.wanted, case.rng, FURTHER_ON):
            try:
                _check(case, case.order, case.kinks)
            except GradcheckError:
                raise
            except FROM_FORWARD:  # values that the function refuses
                return


def _check(case: Case, order: int, kinks: str, full: bool = False) -> bool:
    """check_grads, of which it doesn't count that the derivative at a kink is no number; whether there was a kink."""
    case.start_draws()
    try:
        return found_kink(case.function, case.inputs, order, ("rev",), kinks, full)
    except GradcheckError as error:
        found = error.finding
        if found is None or kinks != "accept" or (found.excess() > 0)[np.isfinite(found.analytical)].any():
            raise
        return True


def _is_primitive(case: Case) -> bool:
    """Whether one node of one input gives all results, and isn't a function of NumPy or torch, which may do much.

    Of several inputs that tie each has its convention: clamp's, where both bounds are the value, is no derivative.
    """
    nodes = [node for node in nodes_behind(case.outs) if not isinstance(node, (Leaf, Output))]
    return len(nodes) == len(case.wanted) == 1 and not any(
        "adapters" in base.__module__ for base in type(nodes[0]).__mro__
    )
