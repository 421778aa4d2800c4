"""Laws of gradients recorded under create_graph: second derivatives, and forward mode by double backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...autograd.function import CustomNode
from ...autograd.functional import DoubleBackward
from ...gradients import grad
from ...tensor import Tensor
from ..calls import grad_arrays, max_abs
from ..numerical.perturbation import perturbed
from ..numerical.resolution import FEW_ROUNDINGS
from .assertions import inner_terms
from .case import Case

SYMMETRIC = 1e-7  # relative to the sum of the magnitudes of all terms

Terms = tuple[list[Any], list[Any]]  # of an inner product


def create_graph(case: Case) -> None:
    """Gradients are the same under create_graph, where they may be computed in another way."""
    if case.order < 2:
        return
    case.same_gradients(grad_arrays(case.recorded[1]), case.gradients, "under create_graph the gradient of")


def symmetry(case: Case) -> None:
    """Second derivatives commute (Schwarz): ⟨w, H u⟩ = ⟨u, H w⟩ for random u and w and the Hessian H of a projection.

    Where a derivative jumps, as that of x ** p at 0, its value is a convention. So an asymmetry counts as an error only
    if there is one at perturbed inputs as well.
    """
    message = _asymmetry(case) if case.order > 1 else ""
    if message:
        with perturbed(case.wanted, np.random.default_rng(0)):
            message = _asymmetry(case.with_inputs(case.inputs))
    if message:
        raise AssertionError(message)


def _asymmetry(case: Case) -> str:
    message = "the second derivative along u, then w, is {:.10g}, along w, then u, {:.10g} (tolerance {:.3g})"
    return _difference(case, _both_orders, message)


def _both_orders(case: Case) -> tuple[Terms, Terms]:
    us, ws = _directions(case), _directions(case)
    through_u, through_w = (_derivatives_along(case, directions)[0] for directions in (us, ws))
    return (ws, through_u), (us, through_w)


def forward_mode(case: Case) -> None:
    """Forward mode, by double backward or by a `jvp`, gives the same derivative along a direction as reverse mode."""
    if case.order < 2:
        return
    message = "forward mode gives {:.10g} along a random direction, reverse mode {:.10g} (tolerance {:.3g})"
    if message := _difference(case, _both_modes, message):
        raise AssertionError(message)


def _both_modes(case: Case) -> tuple[Terms, Terms]:
    us = _directions(case)
    along = _derivatives_along(case, us)[1]
    if CustomNode in case.classes:
        outs = [y for y in case.outputs(case.inputs) if y.requires_grad]
        along = grad_arrays(DoubleBackward(outs, case.wanted).jvp([Tensor._wrap(u) for u in us], False))
    return (grad_arrays(case.recorded[0]), along), (us, case.gradients)


def _directions(case: Case) -> list[Any]:
    """Return a random array for each differentiated input."""
    return [case.random_like(x.array) for x in case.wanted]


def _derivatives_along(case: Case, directions: list[Any]) -> tuple[list[Any], list[Any]]:
    """Return the derivatives of ⟨directions, gradients⟩ by each input (H u) and by each incoming gradient (J u)."""
    incoming, gradients = case.recorded
    pairs = [
        (g, Tensor._wrap(u)) for g, u in zip(gradients, directions, strict=True) if g is not None and g.requires_grad
    ]
    if not pairs:
        return [None] * len(case.wanted), [None] * len(incoming)
    grads, along = zip(*pairs, strict=True)
    found = grad_arrays(grad(grads, [*case.wanted, *incoming], along, retain_graph=True, allow_unused=True))
    return found[: len(case.wanted)], found[len(case.wanted) :]


def _difference(case: Case, terms: Callable[[Case], tuple[Terms, Terms]], message: str) -> str:
    """Return the message that two inner products differ; empty if they are equal or one isn't finite.

    A difference of rounding errors doesn't count, as near a singular matrix: it changes with these.
    """
    (a, size_a), (b, size_b) = (_dot(*each) for each in terms(case))
    tolerance = SYMMETRIC * (size_a + size_b) + _rounding(case)
    if abs(a - b) <= tolerance or not (np.isfinite(a) and np.isfinite(b)):
        return ""
    rng, gaps = np.random.default_rng(0), []
    for _ in range(4):
        with perturbed(case.wanted, rng, FEW_ROUNDINGS):
            near = case.with_inputs(case.inputs)
            near.stream = case.seed  # for the same directions each time
            (one, _), (other, _) = (_dot(*each) for each in terms(near))
            gaps.append(one - other)
    return "" if np.ptp(gaps) > 0.5 * np.abs(gaps).max() else message.format(a, b, tolerance)


def _dot(a: list[Any], b: list[Any]) -> tuple[float, float]:
    """Return the inner product, and the sum of its terms' magnitudes. None stands for zeros."""
    products = [inner_terms(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    return sum(float(p.sum()) for p in products), sum(float(np.abs(p).sum()) for p in products)


def _rounding(case: Case) -> float:
    """Return a bound of the rounding error of the inner products."""
    return sum(
        case.gradient_tolerance(i) * max(1.0, 1 / (max_abs(x.array) or 1.0)) * x.numel()
        for i, x in enumerate(case.wanted)
    )
