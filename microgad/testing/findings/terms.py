"""Mistakes of another formula: terms that are missing, or too much."""

from __future__ import annotations

import numpy as np

from .evidence import Case, off_diagonal, reduced, simple, text


def not_diagonal(case: Case) -> str | None:
    """Softmax or a norm, as if each element had an influence on itself alone."""
    diagonal = case.here.any(1).all() and not off_diagonal(case.here).any()
    if case.x_shape != case.y_shape or not diagonal or not off_diagonal(case.there).any():
        return None
    return f"the analytical derivative is diagonal, but an element of {case.name} changes other elements of the output"


def term_of_mean(case: Case) -> str | None:
    """A norm or a softmax whose gradient isn't centred."""
    gap = (case.a - case.n).reshape(case.shape)
    for axis in case.x_axes:
        same = reduced(gap, np.mean, axis)
        if case.shape[axis] > 1 and case.explains(case.n + same.reshape(case.n.shape), case.error):
            return f"a term is missing, or too much, that all elements along {case.axes([axis])} share"
    return None


def term_of_variance(case: Case) -> str | None:
    """A norm whose variance is taken for a constant."""
    gap = (case.a - case.n).reshape(case.shape)
    for axis in case.x_axes if case.x is not None else ():
        x = case.x.reshape(case.x_shape + (1,) * len(case.y_shape))
        centred = x - x.mean(axis, keepdims=True)
        share = (gap * centred).sum(axis, keepdims=True) / (centred**2).sum(axis, keepdims=True)
        if case.shape[axis] > 2 and case.explains(case.n + (share * centred).reshape(case.n.shape), case.error):
            return f"a term is missing, or too much, that is a multiple of {case.name} - mean along {case.axes([axis])}"
    return None


def offset(case: Case) -> str | None:
    """Something added that doesn't belong there."""
    known = np.isfinite(case.n) & np.isfinite(case.a) & np.isfinite(case.error)
    for where, said in ((known & case.there, "where that isn't 0"), (known, "everywhere")):
        if where.sum() > 1:
            c = float(np.median((case.a - case.n)[where]))
            if case.explains(np.where(where, case.n + c, case.n), case.error):
                return f"the analytical derivative is the numerical one {'+' if c > 0 else '-'} {abs(c):.6g}, {said}"
    return None


def some_signs(case: Case) -> str | None:
    """An absolute value, or a sign that depends on the input's."""
    if not case.explains(np.where(case.a * case.n < 0, -case.n, case.n), case.error):
        return None
    where = f"where {case.name} is negative" if _negative(case) else f"in {case.wrong.sum()} entries"
    return f"right up to the sign, which is wrong {where}"


def weights(case: Case) -> str | None:
    """A factor that belongs to an index: a border counted otherwise, a channel's scale."""
    for axis, size in enumerate(case.shape):
        n, a, error = (
            np.moveaxis(j.reshape(case.shape), axis, 0).reshape(size, -1) for j in (case.n, case.a, case.error)
        )
        clear = np.where(np.abs(n) > error, np.abs(n), 0.0)
        best = clear.argmax(1)[:, None]
        k = np.take_along_axis(a, best, 1) / np.take_along_axis(n, best, 1)
        enough = (np.count_nonzero(clear, 1) > 1).all() and np.isfinite(k).all()
        if size > 1 and enough and np.all(np.abs(a - k * n) <= (1 + np.abs(k)) * error):
            shown = ", ".join(text(simple(float(v))) for v in k[:5, 0]) + (", …" if size > 5 else "")
            return f"the analytical derivative is {shown} × the numerical one, by index along {case.axes([axis])}"
    return None


def terms_lost(case: Case) -> str | None:
    """Ways from the input to the output that were forgotten."""
    if not case.explains(np.where(case.here, case.n, 0.0), case.error):
        return None
    return f"the analytical derivative is 0 in {case.wrong.sum()} entries where the numerical one isn't, else right"


def one_branch(case: Case) -> str | None:
    """One side of a function that has two."""
    return f"wrong exactly where {case.name} is negative" if _negative(case) else None


def _negative(case: Case) -> bool:
    """Whether it is the negative elements of the input, and no others, whose derivative is wrong."""
    if case.x is None or not 1 < (case.x < 0).sum() < case.x.size - 1:
        return False
    return bool((case.wrong.any(1) == (case.x < 0)).all())


def off_the_graph(case: Case) -> str | None:
    """A first derivative that was computed right, from values that have no graph."""
    return None if case.order == 1 else "a term is missing or wrong"
