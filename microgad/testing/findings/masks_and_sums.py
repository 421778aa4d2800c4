"""Recognizers of wrong masks and sums: gradients that reach too few or too many elements."""

from __future__ import annotations

from itertools import product

import numpy as np

from .jacobian_pair import JacobianPair, fraction_text, reduced


def mask_inverted(pair: JacobianPair) -> str | None:
    """Recognize an inverted mask, element by element."""
    if not pair.elementwise:
        return None
    n = np.diagonal(pair.n)
    low, high = n.min(), n.max()
    two = np.minimum(n - low, high - n) <= np.diagonal(pair.error)
    if two.all() and pair.explains(np.diag(low + high - n), pair.error.max()):
        return f"the analytical derivative is {low:.4g} where the numerical one is {high:.4g}, and the reverse"
    return others_reached(pair)


def others_reached(pair: JacobianPair) -> str | None:
    """Recognize a gradient that reaches exactly the elements that it should not."""
    reached = pair.a_nonzero.any(1)
    if pair.no_effect.any() and reached.any() and (reached == pair.no_effect).all():
        return f"the gradient of {pair.name} is 0 exactly where it shouldn't be"
    return None


def mask_missing(pair: JacobianPair) -> str | None:
    """Recognize a missing mask: a gradient for elements without influence."""
    extra = pair.wrong & ~pair.n_nonzero
    silent = pair.no_effect[:, None] | ~pair.n_nonzero.any(0)
    k = pair.factor_where(pair.n_nonzero)
    if not k or not extra.any() or (extra & ~silent).any() or (k != 1 and pair.n_nonzero.sum() < 2):
        return None
    rest = "right" if k == 1 else f"{fraction_text(k)} × the numerical one"
    count = f"{extra.any(1).sum()} of {len(pair.n)} elements of {pair.name}"
    return f"for {count} the analytical derivative isn't 0 where the numerical one is; elsewhere it is {rest}"


def missing_sum(pair: JacobianPair) -> str | None:
    """Recognize a missing sum: of a broadcast axis only some slices contribute to the gradient."""
    lost = _slices(pair)
    axes = [axis for axis in lost if axis in pair.summed]
    if not axes:
        return None
    return f"only {_indices(pair, lost)} arrives: the gradient has to be summed over {pair.shared(axes)}"


def slices_lost(pair: JacobianPair) -> str | None:
    """Recognize a gradient that reaches only some slices of the input."""
    lost = _slices(pair)
    return f"only {_indices(pair, lost)} arrives, the rest is 0" if lost else None


def _slices(pair: JacobianPair) -> dict[int, list[int]]:
    """Return axis -> indices with a gradient, for axes where some have none; empty unless those are right."""
    lost: dict[int, list[int]] = {}
    arriving = np.ones(pair.shape, bool)
    for axis in range(len(pair.shape)):
        arrives = pair.present(pair.a_nonzero, axis)
        if arrives.any() and (pair.present(pair.n_nonzero, axis) & ~arrives).any():
            lost[axis] = [int(i) for i in np.flatnonzero(arrives)]
            arriving &= np.expand_dims(arrives, [k for k in range(len(pair.shape)) if k != axis])
    right = pair.explains(np.where(arriving.reshape(pair.n.shape), pair.n, 0.0), pair.error)
    return lost if right else {}


def _indices(pair: JacobianPair, lost: dict[int, list[int]]) -> str:
    return " and ".join(f"[{', '.join(map(str, at))}] along {pair.axes([axis])}" for axis, at in lost.items())


def overwritten(pair: JacobianPair) -> str | None:
    """Recognize buffer[index] = grad where repeated indices need +=."""
    for which, step in (("last", -1), ("first", 1)):
        places = pair.n_nonzero[:, ::step]
        kept = (places & (places.cumsum(1) == 1))[:, ::step]
        if pair.explains(np.where(kept, pair.n, 0.0), pair.error):
            return (
                f"of the places that an element of {pair.name} goes to, only the {which} one's gradient arrives: they "
                "have to be added up (+= in place of =)"
            )
    return None


def summed_too_much(pair: JacobianPair) -> str | None:
    """Recognize a sum or a mean over an axis that wasn't broadcast."""
    for axis, (verb, reduce) in product(pair.x_axes, (("summed", np.sum), ("averaged", np.mean))):
        if pair.shape[axis] > 1 and pair.moved_by(reduced, reduce, axis):
            return f"the analytical derivative is the numerical one, {verb} over {pair.axes([axis])}"
    return None
