"""The likely mistake behind a wrong derivative.

Most are recognised by making them: what the mistake would turn the numerical derivative into is held against the
analytical one. They stand in a table at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, combinations, permutations, product
from typing import Any

import numpy as np

from .finding import Finding
from .fitting import Case, broadcasts, off_diagonal, simple, small, spread, text
from .formulas import value_factor, wrong_function


def likely_mistake(finding: Finding) -> str | None:
    """What was probably done wrong, in a sentence that begins with the mistake's name; None where nothing fits.

    The matrices of the finding are (x.size, y.size), of any size and real dtype; entries that are NaN or infinite are
    left out of a fit. Raises nothing.

    >>> from microgad.testing.findings.finding import Finding
    >>> from microgad.testing.findings.mistakes import likely_mistake
    >>> x, derivative = np.array([1.0, 2.0]), np.diag([3.0, 12.0])
    >>> likely_mistake(Finding("cube", 1, 0, 0, ("x",), (2,), (2,), derivative, -derivative, derivative * 1e-9, (x,)))
    'a sign: the analytical derivative is -1 × the numerical one'
    """
    there = finding.elsewhere
    if there is not None and there.order < finding.order:
        said = likely_mistake(there)
        if said:
            return f"{said}. At the values given it shows in the derivative of that alone"
    again = Case(there) if there is not None and there.order == finding.order else None
    case = Case(finding, again)
    if case.wrong.any():
        with np.errstate(all="ignore"):
            fitting = [(name, recogniser, said) for name, recogniser in MISTAKES if (said := recogniser(case))]
            fitting_twice = [one for one in fitting if again is None or one[1](again)]
            for name, _, said in fitting_twice or fitting:
                return f"{name}: {said}{_lower_order(case)}"
    return None


def _lower_order(case: Case) -> str:
    if case.order == 1:
        return ""
    right = "first derivative" if case.order == 2 else f"derivative of order {case.order - 1}"
    return f". It is right in the {right}: something may have been taken off the graph"


def _times(k: float) -> str:
    return f"the analytical derivative is {text(k)} × the numerical one"


# Nothing, or no number


def not_finite(case: Case) -> str | None:
    """0 · ∞, 0 / 0 or an overflow on the way back."""
    bad = ~np.isfinite(case.a) & np.isfinite(case.n) & case.wrong
    if not bad.any():
        return None
    rows = bad.any(1)
    at_zero = case.x is not None and not rows.all() and (case.x[rows] == 0).all()
    where = f", only where {case.name} is 0" if at_zero else ""
    return f"the analytical derivative is {case.a[bad][0]} where the numerical one is finite{where}"


def nothing_arrives(case: Case) -> str | None:
    """A value that is off the graph, a gradient of None or zeros."""
    nothing = np.abs(case.a) <= np.where(np.isinf(case.error), 0.0, case.error)
    return None if not nothing.all() else f"the analytical derivative is 0 everywhere: {case.name} may be detached"


def no_influence(case: Case) -> str | None:
    """A gradient for what the output doesn't depend on."""
    return None if case.there.any() else f"the output doesn't change with {case.name}, but the gradient isn't 0"


# Rounding and ties


def rounding(case: Case) -> str | None:
    """A constant, a cast or a buffer in float32."""
    wrong = case.wrong & np.isfinite(case.n)
    gap, size = np.abs(case.a - case.n)[wrong], np.abs(case.n)[wrong]
    share = float(np.median(gap / size)) if gap.size else 0.0
    if not (1e-9 <= share <= 1e-6 and gap.max() <= 1e-5 * np.abs(case.n[np.isfinite(case.n)]).max()):
        return None
    return f"the two differ by {share:.0e} of their size, as if something had been computed in float32"


def ties(case: Case) -> str | None:
    """< for ≤, all of several winners for one."""
    if case.x is None:
        return None
    rows = case.wrong.any(1)
    _, which, counts = np.unique(case.x, return_inverse=True, return_counts=True)
    where = {"is 0": case.x == 0, "has equal values": counts[which] > 1}
    for i, name, value in case.values():
        if i != case.at and broadcasts(value.shape, case.x_shape):
            where[f"is equal to {name}" if value.ndim else f"is {value:g}"] = case.x == spread(value, case.x_shape)
    for said, at in where.items():
        if at[rows].all() and not case.dead[~at].all():  # and it is right somewhere else
            return f"wrong only where {case.name} {said}"
    return None


# A constant factor


def sign(case: Case) -> str | None:
    """A minus that is missing, or one too many."""
    return _times(-1) if case.factor == -1 else None


def mask_twice(case: Case) -> str | None:
    """Dropout's mask, with its scale, applied again to what had been masked."""
    scale = _scale_of_mask(case)
    if not scale or not case.factor or not math.isclose(case.factor, scale, rel_tol=1e-5):
        return None
    # Where nothing is seen to be held back, twice may be just that.
    if not case.dead.any() and scale == 2 and not any(word in case.operations for word in ("drop", "mask")):
        return None
    return f"{_times(scale)}, and {text(scale)} is the mask's own scale"


def mask_unscaled(case: Case) -> str | None:
    """Dropout's mask without its scale 1/(1 - p)."""
    scale = _scale_of_mask(case)
    if not scale or not case.factor or not math.isclose(case.factor * scale, 1, rel_tol=1e-5):
        return None
    return f"{_times(case.factor)}: the mask's scale, 1/(1 - p) = {text(scale)}, may be missing"


def _scale_of_mask(case: Case) -> float | None:
    """s > 1 where the numerical derivative is s for some elements of the input and 0 for the others."""
    if not case.elementwise or not case.there.any():
        return None
    scale = simple(float(np.median(case.n[case.there])))
    same = np.abs(case.n - scale)[case.there] <= case.error[case.there]
    return scale if scale > 1 + 1e-5 and same.all() else None


def averaged(case: Case) -> str | None:
    """A mean over what was broadcast, in place of the sum."""
    if not case.factor or len(case.n) >= len(case.n.T):
        return None
    for axes in _subsets(case.summed):
        size = math.prod(case.shape[axis] for axis in axes)
        if size > 1 and math.isclose(case.factor * size, 1, rel_tol=1e-6):
            return (
                f"{_times(case.factor)}, and N = {size} is the size of {_shared(case, axes)}: a mean in "
                "place of the sum"
            )
    return None


def one_over_n(case: Case) -> str | None:
    """The 1/N of a mean, the 1/√N of a scale, N - 1 for N."""
    if not case.factor or abs(case.factor) == 1:
        return None
    if abs(case.factor) in (2, 0.5) and case.reduced != 2:  # more often just that
        return None
    reading = _in_sizes(case, abs(case.factor))
    return f"{_times(case.factor)}: {reading}" if reading else None


def factor(case: Case) -> str | None:
    """Any other constant."""
    k = case.factor
    if not k or (
        case.there.sum() < 2 and case.again is None and float(small(k)) != k
    ):  # one number is always a multiple
        return None
    reading = _in_sizes(case, abs(k))
    if k == _scale_of_mask(case):
        reading = f"a mask is applied twice, since {text(k)} is its scale"
    return _times(k) + (f"; or {reading}" if reading else "")


IN_SIZES: dict[str, Callable[[int], float]] = {
    "1/N is missing": lambda n: n,
    "1/N is too much": lambda n: 1 / n,
    "1/√N is missing": lambda n: math.sqrt(n),
    "1/√N is too much": lambda n: 1 / math.sqrt(n),
    "1/(N - 1) stands for 1/N": lambda n: n / (n - 1),
    "1/N stands for 1/(N - 1)": lambda n: (n - 1) / n,
}


def _in_sizes(case: Case, k: float) -> str | None:
    """What a factor may mean if it comes from a size, and whose size that is."""
    for said, expected in IN_SIZES.items():
        for axes in chain(_subsets(case.x_axes), _subsets(case.y_axes)):
            size = math.prod(case.shape[axis] for axis in axes)
            if size > 1 and math.isclose(k, expected(size), rel_tol=1e-6):
                return f"{said}, where N = {size} is the size of {case.axes(axes)}"
    return None


def _subsets(axes: list[int]) -> Iterable[tuple[int, ...]]:
    """Some of the axes, few first."""
    return chain.from_iterable(combinations(axes, count) for count in range(1, len(axes) + 1))


# Masks


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


# Sums


def missing_sum(case: Case) -> str | None:
    """One gradient of what was broadcast along an axis, in place of the sum of all."""
    lost = _slices(case)
    axes = [axis for axis in lost if axis in case.summed]
    if not axes:
        return None
    return f"only {_indices(case, lost)} arrives: the gradient has to be summed over {_shared(case, axes)}"


def slices_lost(case: Case) -> str | None:
    """A gradient that reaches a part of the input only."""
    lost = _slices(case)
    return f"only {_indices(case, lost)} arrives, the rest is 0" if lost else None


def _shared(case: Case, axes: Sequence[int]) -> str:
    """Say `axis 0 of the output, where b is broadcast`."""
    how = "broadcast" if broadcasts(case.x_shape, case.y_shape) else "used again"
    return f"{case.axes(axes)}, where {case.name} is {how}"


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
        if case.shape[axis] > 1 and case.moved_by(_reduced, reduce, axis):
            return f"the analytical derivative is the numerical one, {said} over {case.axes([axis])}"
    return None


def _reduced(grid: Any, reduce: Callable[..., Any], axis: int) -> Any:
    return np.broadcast_to(reduce(grid, axis, keepdims=True), grid.shape)


# The right numbers in the wrong places


def transposed(case: Case) -> str | None:
    """A transpose that is missing, or the wrong one; a sum over the wrong axis."""
    if not case.same_values:
        return None
    for order in _orders(case.shape):
        if case.moved_by(np.transpose, order):
            moved = [axis for axis, came in enumerate(order) if came != axis]
            over = [axis for axis in moved if axis in case.summed]
            summed = (
                f": the wrong axis is summed, not {_shared(case, over)}" if over and moved[0] in case.y_axes else ""
            )
            return f"{case.axes(moved)} are exchanged{summed}"
    for axes in permutations(case.x_axes) if len(case.x_axes) < 6 else ():
        if case.moved_by(np.transpose, (*axes, *case.y_axes)):
            return f"the gradient of {case.name} is reshaped where its axes have to be transposed"
    return None


def _orders(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The orders of the axes that keep a shape, those that move few first; of very many the exchanges of two."""
    groups = [[axis for axis, n in enumerate(shape) if n == size] for size in sorted({*shape} - {1})]
    if math.prod(math.factorial(len(group)) for group in groups) <= 720:
        choices = product(*map(permutations, groups))
        moves = [dict(zip(chain(*groups), chain(*choice), strict=True)) for choice in choices]
    else:
        moves = [{i: j, j: i} for group in groups for i, j in combinations(group, 2)]
    orders = [tuple(move.get(axis, axis) for axis in range(len(shape))) for move in moves]
    return sorted(orders, key=lambda order: sum(axis != i for i, axis in enumerate(order)))


def flipped(case: Case) -> str | None:
    """An axis backwards: a flip that is missing, a kernel that isn't rotated."""
    for axes in _subsets([axis for axis, n in enumerate(case.shape) if n > 1][:8]) if case.same_values else ():
        if case.moved_by(np.flip, axes):
            kernel = {*axes} & {*case.x_axes} and {*axes} & {*case.y_axes}
            rotated = ", as by a kernel that isn't rotated" if kernel else ""
            return f"the analytical derivative is the numerical one, backwards along {case.axes(axes)}{rotated}"
    return None


def rolled(case: Case) -> str | None:
    """Indices off by one, or by more; what is pushed out comes in again, or zeros do."""
    for axis, size in enumerate(case.shape):
        for by in sorted(range(1 - size, size), key=abs) if size > 2 else ():  # 2: it is a flip
            again = by and case.same_values and case.moved_by(np.roll, by, axis)
            if again or (0 < 2 * abs(by) < min(size, 5) and case.moved_by(_shifted, by, axis)):
                return f"off by {abs(by)} along {case.axes([axis])}"
    return None


def _shifted(grid: Any, by: int, axis: int) -> Any:
    """Like np.roll, with zeros coming in."""
    shifted = np.moveaxis(np.roll(grid, by, axis), axis, 0).copy()
    shifted[slice(by) if by > 0 else slice(by, None)] = 0
    return np.moveaxis(shifted, 0, axis)


def wrong_places(case: Case) -> str | None:
    """The first of a window in place of its winner, tile for repeat."""
    if not np.all(np.abs(np.sort(case.a, 0) - np.sort(case.n, 0)) <= case.error.max()) or np.isinf(case.error).any():
        return None
    return f"for each element of the output the numbers are right, but they go to other elements of {case.name}"


def transposed_inside(case: Case) -> str | None:
    """A matrix that is transposed before a nonlinearity: of a row or column the factors stay as they are."""
    if not case.x_shape or case.x_shape != case.y_shape or case.x_shape[-1] < 2:
        return None
    size = case.x_shape[-1]
    n, a, error = (j.reshape(-1, size, len(j) // size, size) for j in (case.n, case.a, case.error))
    for row in range(len(n)):
        numbers, written = n[row, :, row].T, a[row, :, row]
        ratio = written / numbers
        if not np.isfinite(ratio).all() or not (np.abs(numbers) > error[row, :, row].T).all():
            return None
        if not np.allclose(np.diagonal(ratio), 1, 1e-6) or not np.allclose(ratio * ratio.T, 1, 1e-6):
            return None
    return "but for factors of its rows or columns, the analytical derivative is that of a transposed matrix"


# Another formula


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
        same = _reduced(gap, np.mean, axis)
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


# From the specific to the general: the first that fits is said.
MISTAKES: tuple[tuple[str, Callable[[Case], str | None]], ...] = (
    ("a number that isn't finite", not_finite),
    ("nothing arrives", nothing_arrives),
    ("no influence", no_influence),
    ("float32", rounding),
    ("ties", ties),
    ("a sign", sign),
    ("a mask applied twice, with its scale as a factor", mask_twice),
    ("a factor", mask_unscaled),
    ("a missing sum, with a factor 1/N too much", averaged),
    ("a factor 1/N", one_over_n),
    ("a factor", factor),
    ("a mask inverted", mask_inverted),
    ("a mask missing", mask_missing),
    ("a missing sum", missing_sum),
    ("overwritten", overwritten),
    ("slices lost", slices_lost),
    ("rolled, an index off by one or more", rolled),
    ("transposed", transposed),
    ("flipped", flipped),
    ("a mask inverted", others_reached),
    ("off-diagonal terms missing", not_diagonal),
    ("some signs", some_signs),
    ("the wrong function", wrong_function),
    ("a factor of the chain rule", value_factor),
    ("transposed", transposed_inside),
    ("summed too much", summed_too_much),
    ("a constant offset", offset),
    ("a term through the mean or the sum", term_of_mean),
    ("a term through the variance", term_of_variance),
    ("a factor along an axis", weights),
    ("terms lost", terms_lost),
    ("wrong places", wrong_places),
    ("one branch", one_branch),
    ("off the graph", off_the_graph),
)
