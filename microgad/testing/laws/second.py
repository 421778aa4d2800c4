"""Laws of derivatives that are recorded themselves: second derivatives, and forward mode made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...gradients import grad
from ...tensor import Tensor
from ..numerical.elsewhere import away
from .agreement import inner, size
from .case import Case

SYMMETRIC = 1e-7  # relative to all that is added up


def create_graph(case: Case) -> None:
    """Gradients are the same when they are recorded, which may go another way."""
    if case.order > 1:
        for i, (g, plain) in enumerate(zip(case.recorded[1], case.gradients, strict=True)):
            what = "under create_graph the gradient of"
            case.same_gradient(i, None if g is None else g.array, plain, what)
            if g is not None and g.array.dtype != plain.dtype:
                raise AssertionError(f"{what} {case.input_name(i)} is {g.dtype}")


def symmetry(case: Case) -> None:
    """Second derivatives commute (Schwarz): for random u and w, ⟨w, H u⟩ = ⟨u, H w⟩, H of a random projection.

    Where a derivative jumps, as that of x ** p does at 0, it is a convention: it counts if they don't nearby either.
    """
    said = _asymmetry(case) if case.order > 1 else ""
    if said:
        with away(case.wanted, np.random.default_rng(0)):
            said = _asymmetry(case.at(case.inputs))
    if said:
        raise AssertionError(said)


def _asymmetry(case: Case) -> str:
    us, ws = _directions(case), _directions(case)
    through_u, through_w = (_pushed(case, directions)[0] for directions in (us, ws))
    forth, size_forth = _dot(ws, through_u)
    back, size_back = _dot(us, through_w)
    tolerance = SYMMETRIC * (size_forth + size_back) + _rounding(case)
    if not abs(forth - back) <= tolerance and np.isfinite(forth) and np.isfinite(back):
        return (
            f"the second derivative along u, then w, is {forth:.10g}, along w, then u, {back:.10g} (tolerance "
            f"{tolerance:.3g})"
        )
    return ""


def forward_mode(case: Case) -> None:
    """The derivative along a direction, by a backward pass through the backward pass, is that of the backward pass."""
    if case.order < 2:
        return
    us = _directions(case)
    along = _pushed(case, us)[1]
    incoming = [s.array for s in case.recorded[0]]
    forward, size_forward = _dot(incoming, along)
    reverse, size_reverse = _dot(us, case.gradients)
    tolerance = SYMMETRIC * (size_forward + size_reverse) + _rounding(case)
    if not abs(forward - reverse) <= tolerance and np.isfinite(forward) and np.isfinite(reverse):
        raise AssertionError(
            f"forward mode gives {forward:.10g} along a random direction, reverse mode {reverse:.10g} (tolerance "
            f"{tolerance:.3g})"
        )


def _directions(case: Case) -> list[Any]:
    """A random array for each wanted input."""
    return [case.random_like(x.array) for x in case.wanted]


def _pushed(case: Case, directions: list[Any]) -> tuple[list[Any], list[Any]]:
    """The derivative of ⟨directions, gradients⟩: for each input (H u), and for each incoming gradient (J u)."""
    incoming, gradients = case.recorded
    pairs = [
        (g, Tensor._made(u)) for g, u in zip(gradients, directions, strict=True) if g is not None and g.requires_grad
    ]
    if not pairs:
        return [None] * len(case.wanted), [None] * len(incoming)
    grads, along = zip(*pairs, strict=True)
    found = grad(grads, [*case.wanted, *incoming], along, retain_graph=True, allow_unused=True)
    bare = [None if g is None else g.array for g in found]
    return bare[: len(case.wanted)], bare[len(case.wanted) :]


def _dot(a: list[Any], b: list[Any]) -> tuple[float, float]:
    """The sum of products, and of their magnitudes; None is zero."""
    products = [inner(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
    return sum(float(p.sum()) for p in products), sum(float(np.abs(p).sum()) for p in products)


def _rounding(case: Case) -> float:
    """What rounding may do to the sum of products."""
    return sum(
        case.gradient_tolerance(i) * max(1.0, 1 / (size(x.array) or 1.0)) * x.numel() for i, x in enumerate(case.wanted)
    )
