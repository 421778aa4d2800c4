"""Mistakes by which something doesn't arrive, or too much does: masks and sums."""

from __future__ import annotations

from itertools import product

import numpy as np

from .evidence import Case, reduced, text


def mask_inverted(case: Case) -> str | None:
    """What is let through and what is held back, exchanged, element by element."""
    if not case.elementwise:
        return None
    n = np.diagonal(case.n)
    low, high = n.min(), n.max()
    two = np.minimum(n - low, high - n) <= np.diagonal(case.error)
    if two.all() and case.explains(np.diag(low + high - n), case.error.max()):
        return f"the analytical derivative is {low:.4g} where the numerical one is {high:.4g}, and the reverse"
    return others_reached(case)


def others_reached(case: Case) -> str | None:
    """What is held back gets a gradient, and nothing else."""
    reached = case.here.any(1)
    if case.dead.any() and reached.any() and (reached == case.dead).all():
        return f"the gradient of {case.name} is 0 exactly where it shouldn't be"
    return None


def mask_missing(case: Case) -> str | None:
    """A gradient that also goes where nothing came from."""
    extra = case.wrong & ~case.there
    silent = case.dead[:, None] | ~case.there.any(0)
    k = case.factor_where(case.there)
    if not k or not extra.any() or (extra & ~silent).any() or (k != 1 and case.there.sum() < 2):
        return None
    rest = "right" if k == 1 else f"{text(k)} × the numerical one"
    count = f"{extra.any(1).sum()} of {len(case.n)} elements of {case.name}"
    return f"for {count} the analytical derivative isn't 0 where the numerical one is; elsewhere it is {rest}"


def missing_sum(case: Case) -> str | None:
    """One gradient of what was broadcast along an axis, in place of the sum of all."""
    lost = _slices(case)
    axes = [axis for axis in lost if axis in case.summed]
    if not axes:
        return None
    return f"only {_indices(case, lost)} arrives: the gradient has to be summed over {case.shared(axes)}"


def slices_lost(case: Case) -> str | None:
    """A gradient that reaches a part of the input only."""
    lost = _slices(case)
    return f"only {_indices(case, lost)} arrives, the rest is 0" if lost else None


def _slices(case: Case) -> dict[int, list[int]]:
    """Axis -> indices that arrive, for each axis where some don't; empty unless what arrives is right."""
    lost: dict[int, list[int]] = {}
    arriving = np.ones(case.shape, bool)
    for axis in range(len(case.shape)):
        arrives = case.present(case.here, axis)
        if arrives.any() and (case.present(case.there, axis) & ~arrives).any():
            lost[axis] = [int(i) for i in np.flatnonzero(arrives)]
            arriving &= np.expand_dims(arrives, [k for k in range(len(case.shape)) if k != axis])
    right = case.explains(np.where(arriving.reshape(case.n.shape), case.n, 0.0), case.error)
    return lost if right else {}


def _indices(case: Case, lost: dict[int, list[int]]) -> str:
    return " and ".join(f"[{', '.join(map(str, at))}] along {case.axes([axis])}" for axis, at in lost.items())


def overwritten(case: Case) -> str | None:
    """buffer[index] = grad, where an index that comes twice needs +=."""
    for which, step in (("last", -1), ("first", 1)):
        places = case.there[:, ::step]
        kept = (places & (places.cumsum(1) == 1))[:, ::step]
        if case.explains(np.where(kept, case.n, 0.0), case.error):
            return (
                f"of the places that an element of {case.name} goes to, only the {which} one's gradient arrives: they "
                "have to be added up (+= in place of =)"
            )
    return None


def summed_too_much(case: Case) -> str | None:
    """A sum or a mean over an axis that wasn't broadcast, spread out again."""
    for axis, (said, reduce) in product(case.x_axes, (("summed", np.sum), ("averaged", np.mean))):
        if case.shape[axis] > 1 and case.moved_by(reduced, reduce, axis):
            return f"the analytical derivative is the numerical one, {said} over {case.axes([axis])}"
    return None
