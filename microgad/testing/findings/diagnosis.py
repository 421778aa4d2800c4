"""Diagnosis: which mistake is likely behind a wrong derivative.

Most recognizers make the mistake themselves: they apply it to the numerical derivative and compare the result with the
analytical one. The table MISTAKES lists them; each kind of mistake has a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import factors, formulas, masks_and_sums, permuted_entries, terms
from .finding import Finding, derivative_name
from .jacobian_pair import JacobianPair


def likely_mistake(finding: Finding) -> str | None:
    """Return what was probably done wrong, in a sentence that begins with the mistake's name; None if nothing fits.

    The matrices of the finding are (x.size, y.size), of any size and real dtype, and may have infinite and NaN entries.
    Raises nothing.

    >>> from microgad.testing.findings.finding import Finding
    >>> from microgad.testing.findings.diagnosis import likely_mistake
    >>> x, derivative = np.array([1.0, 2.0]), np.diag([3.0, 12.0])
    >>> likely_mistake(Finding("cube", 1, 0, 0, ("x",), (2,), (2,), derivative, -derivative, derivative * 1e-9, (x,)))
    'a sign: the analytical derivative is -1 × the numerical one'
    """
    there = finding.elsewhere
    if there is not None and there.order < finding.order:
        message = likely_mistake(there)
        if message:
            return f"{message}. At the given values only the derivative of that derivative shows it"
    elsewhere = JacobianPair(there, only=False) if there is not None and there.order == finding.order else None
    pair = JacobianPair(finding, elsewhere, elsewhere is None)
    if pair.wrong.any():
        with np.errstate(all="ignore"):
            for name, recognizer in AT_SPECIAL_VALUES if finding.only_here else MISTAKES:
                message = recognizer(pair)
                if message and (elsewhere is None or recognizer(elsewhere)):
                    return f"{name}: {message}{_lower_order(pair)}"
    return None


def _lower_order(pair: JacobianPair) -> str:
    if pair.order == 1:
        return ""
    right = "first derivative" if pair.order == 2 else derivative_name(pair.order - 1)
    return f". It is right in the {right}: something may have been taken off the graph"


# From the specific to the general: the first that fits is reported.
MISTAKES: tuple[tuple[str, Callable[[JacobianPair], str | None]], ...] = (
    ("a number that isn't finite", factors.not_finite),
    ("nothing arrives", factors.nothing_arrives),
    ("no influence", factors.no_influence),
    ("float32", factors.rounding),
    ("ties", factors.ties),
    ("a sign", factors.sign),
    ("a conjugate", factors.conjugated),
    ("a mask applied twice, with its scale as a factor", factors.mask_twice),
    ("a factor", factors.mask_unscaled),
    ("a missing sum, with a factor 1/N too much", factors.averaged),
    ("a factor 1/N", factors.one_over_n),
    ("a factor", factors.factor),
    ("a mask inverted", masks_and_sums.mask_inverted),
    ("a mask missing", masks_and_sums.mask_missing),
    ("a missing sum", masks_and_sums.missing_sum),
    ("overwritten", masks_and_sums.overwritten),
    ("slices lost", masks_and_sums.slices_lost),
    ("rolled, an index off by one or more", permuted_entries.rolled),
    ("transposed", permuted_entries.transposed),
    ("flipped", permuted_entries.flipped),
    ("a mask inverted", masks_and_sums.others_reached),
    ("off-diagonal terms missing", terms.not_diagonal),
    ("some signs", terms.some_signs),
    ("the wrong function", formulas.wrong_function),
    ("a factor of the chain rule", formulas.value_factor),
    ("transposed", permuted_entries.transposed_inside),
    ("summed too much", masks_and_sums.summed_too_much),
    ("a constant offset", terms.offset),
    ("a term through the mean or the sum", terms.term_of_mean),
    ("a term through the variance", terms.term_of_variance),
    ("a factor along an axis", terms.weights),
    ("terms lost", terms.terms_lost),
    ("wrong places", permuted_entries.wrong_places),
    ("one branch", terms.one_branch),
    ("off the graph", terms.off_the_graph),
)

# Those that a derivative may have at the given values if it is right at perturbed ones.
AT_SPECIAL_VALUES = tuple(mistake for mistake in MISTAKES if mistake[1] in (factors.not_finite, factors.ties))
