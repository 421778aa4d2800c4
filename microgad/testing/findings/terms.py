"""Recognizers of missing or extra terms."""

from __future__ import annotations

import numpy as np

from .jacobian_pair import JacobianPair, fraction_text, near_fraction, off_diagonal, reduced


def not_diagonal(pair: JacobianPair) -> str | None:
    """Recognize missing off-diagonal terms, as of a softmax or norm treated as elementwise."""
    diagonal = pair.a_nonzero.any(1).all() and not off_diagonal(pair.a_nonzero).any()
    if pair.x_shape != pair.y_shape or not diagonal or not off_diagonal(pair.n_nonzero).any():
        return None
    return f"the analytical derivative is diagonal, but an element of {pair.name} changes other elements of the output"


def term_of_mean(pair: JacobianPair) -> str | None:
    """Recognize a missing term through the mean or the sum, as in a norm or a softmax."""
    gap = (pair.a - pair.n).reshape(pair.shape)
    for axis in pair.x_axes:
        same = reduced(gap, np.mean, axis)
        if pair.shape[axis] > 1 and pair.explains(pair.n + same.reshape(pair.n.shape), pair.error):
            return f"a term is missing, or too much, that all elements along {pair.axes([axis])} share"
    return None


def term_of_variance(pair: JacobianPair) -> str | None:
    """Recognize a variance that is treated as a constant, as in a norm."""
    gap = (pair.a - pair.n).reshape(pair.shape)
    for axis in pair.x_axes if pair.x is not None else ():
        x = pair.x.reshape(pair.x_shape + (1,) * len(pair.y_shape))
        centered = x - x.mean(axis, keepdims=True)
        share = (gap * centered).sum(axis, keepdims=True) / (centered**2).sum(axis, keepdims=True)
        if pair.shape[axis] > 2 and pair.explains(pair.n + (share * centered).reshape(pair.n.shape), pair.error):
            return f"a term is missing, or too much, that is a multiple of {pair.name} - mean along {pair.axes([axis])}"
    return None


def offset(pair: JacobianPair) -> str | None:
    """Recognize a constant that is added to the derivative."""
    known = np.isfinite(pair.n) & np.isfinite(pair.a) & np.isfinite(pair.error)
    for where, place in ((known & pair.n_nonzero, "where that isn't 0"), (known, "everywhere")):
        if where.sum() > 1:
            c = float(np.median((pair.a - pair.n)[where]))
            if pair.explains(np.where(where, pair.n + c, pair.n), pair.error):
                return f"the analytical derivative is the numerical one {'+' if c > 0 else '-'} {abs(c):.6g}, {place}"
    return None


def some_signs(pair: JacobianPair) -> str | None:
    """Recognize wrong signs in some entries, such as those of negative inputs."""
    if not pair.explains(np.where(pair.a * pair.n < 0, -pair.n, pair.n), pair.error):
        return None
    where = f"where {pair.name} is negative" if _negative(pair) else f"in {pair.wrong.sum()} entries"
    return f"right up to the sign, which is wrong {where}"


def weights(pair: JacobianPair) -> str | None:
    """Recognize a factor that depends on the index along an axis, such as a channel's scale."""
    for axis, size in enumerate(pair.shape):
        n, a, error = (
            np.moveaxis(j.reshape(pair.shape), axis, 0).reshape(size, -1) for j in (pair.n, pair.a, pair.error)
        )
        clear = np.where(np.abs(n) > error, np.abs(n), 0.0)
        best = clear.argmax(1)[:, None]
        k = np.take_along_axis(a, best, 1) / np.take_along_axis(n, best, 1)
        enough = (np.count_nonzero(clear, 1) > 1).all() and np.isfinite(k).all()
        if size > 1 and enough and np.all(np.abs(a - k * n) <= (1 + np.abs(k)) * error):
            shown = ", ".join(fraction_text(near_fraction(float(v))) for v in k[:5, 0]) + (", …" if size > 5 else "")
            return f"the analytical derivative is {shown} × the numerical one, by index along {pair.axes([axis])}"
    return None


def terms_lost(pair: JacobianPair) -> str | None:
    """Recognize forgotten paths from the input to the output."""
    if not pair.explains(np.where(pair.a_nonzero, pair.n, 0.0), pair.error):
        return None
    return f"the analytical derivative is 0 in {pair.wrong.sum()} entries where the numerical one isn't, else right"


def one_branch(pair: JacobianPair) -> str | None:
    """Recognize a wrong branch of a function defined by cases on the input's sign."""
    return f"wrong exactly where {pair.name} is negative" if _negative(pair) else None


def _negative(pair: JacobianPair) -> bool:
    """Whether the derivative is wrong for exactly the negative elements of the input."""
    if pair.x is None or not 1 < (pair.x < 0).sum() < pair.x.size - 1:
        return False
    return bool((pair.wrong.any(1) == (pair.x < 0)).all())


def off_the_graph(pair: JacobianPair) -> str | None:
    """Recognize a higher derivative that is wrong, while the first, computed from detached values, is right."""
    return None if pair.order == 1 else "a term is missing or wrong"
