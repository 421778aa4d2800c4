"""Recognizers of a wrong formula, by the values of the arguments: another function's derivative, a wrong factor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations, product
from typing import Any

import numpy as np

from ...engine import stretches
from .jacobian_pair import JacobianPair, expanded

Map = Callable[[Any], Any]


def wrong_function(pair: JacobianPair) -> str | None:
    """Recognize another function's derivative, and a formula in terms of out that reads the input, or the reverse."""
    return _common(_wrong_functions, pair)


def _common(candidates: Callable[[JacobianPair], Iterator[str]], pair: JacobianPair) -> str | None:
    """Return the first candidate that is one at perturbed inputs too, where these are known."""
    there = None if pair.elsewhere is None else set(candidates(pair.elsewhere))
    return next((message for message in candidates(pair) if there is None or message in there), None)


def _wrong_functions(pair: JacobianPair) -> Iterator[str]:
    if pair.x is None or not pair.elementwise:
        return
    x, error = pair.x, np.diagonal(pair.error)

    def gives(values: Any) -> bool:
        error = pair.error + 1e-9 * np.diag(abs(values))
        return bool(np.isfinite(values).all()) and pair.explains(np.diag(values), error)

    for f, (function, derivative, in_out) in FUNCTIONS.items():
        if np.all(np.abs(derivative(x) - np.diagonal(pair.n)) <= error):
            out = function(x)
            if gives(out):
                yield f"it is {f}({pair.name}) itself"
            if gives(in_out(x)):
                yield f"it is {f}'s in terms of out, but with {pair.name} in its place"
            if gives(derivative(out)):
                yield f"it is {f}'s in terms of {pair.name}, but with out in its place"
            for g, (_, _, other) in FUNCTIONS.items():
                if gives(other(out)):
                    yield f"it is {g}'s in terms of out"
    for g, (_, other, _) in FUNCTIONS.items():
        if gives(other(x)):
            yield f"it is the derivative of {g}"


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


# name -> the function, its derivative in terms of x, and the same in terms of out
FUNCTIONS: dict[str, tuple[Map, Map, Map]] = {
    "exp": (np.exp, np.exp, lambda y: y),
    "log": (np.log, lambda x: 1 / x, lambda y: np.exp(-y)),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x), lambda y: 0.5 / y),
    "rsqrt": (lambda x: x**-0.5, lambda x: -0.5 * x**-1.5, lambda y: -0.5 * y**3),
    "reciprocal": (lambda x: 1 / x, lambda x: -(x**-2.0), lambda y: -(y**2)),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, lambda y: 1 - y**2),
    "sigmoid": (_sigmoid, lambda x: _sigmoid(x) * _sigmoid(-x), lambda y: y * (1 - y)),
    "softplus": (lambda x: np.log1p(np.exp(x)), _sigmoid, lambda y: 1 - np.exp(-y)),
    "sin": (np.sin, np.cos, lambda y: np.sqrt(1 - y**2)),
    "cos": (np.cos, lambda x: -np.sin(x), lambda y: -np.sqrt(1 - y**2)),
    "tan": (np.tan, lambda x: 1 + np.tan(x) ** 2, lambda y: 1 + y**2),
    "sinh": (np.sinh, np.cosh, lambda y: np.sqrt(1 + y**2)),
    "cosh": (np.cosh, np.sinh, lambda y: np.sqrt(y**2 - 1)),
    "arctan": (np.arctan, lambda x: 1 / (1 + x**2), lambda y: np.cos(y) ** 2),
    "square": (np.square, lambda x: 2 * x, lambda y: 2 * np.sqrt(y)),
    "log1p": (np.log1p, lambda x: 1 / (1 + x), lambda y: np.exp(-y)),
}


def value_factor(pair: JacobianPair) -> str | None:
    """Recognize a factor of the chain or product rule that is missing, extra or exchanged."""
    return _common(_value_factors, pair)


def _value_factors(pair: JacobianPair) -> Iterator[str]:
    factors = [
        (name, expanded(value, shape).reshape(column))  # for the elements of the input, or for those of the output
        for _, name, value in pair.values()
        for shape, column in ((pair.x_shape, (-1, 1)), (pair.y_shape, (1, -1)))
        if value.ndim and stretches(value.shape, shape)
    ]
    for (name, value), (form, function) in product(factors, FORMS.items()):
        for verdict, by in (("is too much", function(value)), ("is missing", 1 / function(value))):
            if _scales(pair, by):
                yield f"{form.format(name)} {verdict}"
    for (name, value), (other, instead) in permutations(factors, 2):
        if value.shape == instead.shape and _scales(pair, value / instead):
            yield f"{name} stands where {other} belongs"


FORMS: dict[str, Map] = {
    "{}": lambda v: v,
    "{}²": lambda v: v**2,
    "{}³": lambda v: v**3,
    "{}⁴": lambda v: v**4,
    "√{}": lambda v: np.sqrt(v),
    "log({})": lambda v: np.log(v),
    "exp({})": lambda v: np.exp(v),
}


def _scales(pair: JacobianPair, by: Any) -> bool:
    """Whether analytical = k · by · numerical with a k of 1, -1, 2 or 1/2."""
    finite = bool(np.isfinite(by).all())
    return finite and any(pair.explains(pair.n * by * k, pair.error * (1 + np.abs(by * k))) for k in (1, -1, 2, 0.5))
