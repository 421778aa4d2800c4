"""The law of sizes: nothing along an axis, or no axis at all."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ...errors import FROM_FORWARD
from ...tensor import Tensor
from .case import Case, NothingReturnedError
from .derivatives import derivatives
from .gradients import shapes
from .second_derivatives import create_graph
from .values import reference


def sizes(case: Case) -> None:
    """With axes of size 0, or without axes, it computes and has a gradient, or it refuses with an error of its own.

    Each length in turn is replaced by 0, in all inputs. Without axes the result has to be without them too, and
    backward may refuse: many an operation on vectors takes a number for a vector, and is not meant to. Each length is
    replaced in a quarter of the examples, and an eighth is looked at without axes.
    """
    if not _is_finite(case):
        return
    tensors = [x for x in case.inputs if isinstance(x, Tensor)]
    lengths = sorted({n for x in tensors for n in x.shape if n})
    for n in [n for i, n in enumerate(lengths) if case.one_in(4, i)]:
        there = _at(case, case.mapped(partial(_emptied, n=n)))
        if there is not None:
            try:
                there.evaluate_all()
                _ = there.classes  # which takes second derivatives
            except Exception as error:
                said = f"{_said(there)} it computes, but backward fails: {type(error).__name__}: {error}"
                raise AssertionError(said) from error
            _obeys(there)
    if case.one_in(8, 1) and any(x.ndim for x in tensors) and not any(0 in x.shape for x in tensors):
        there = _at(case, case.mapped(lambda a: a.reshape(-1)[:1].reshape(())))
        if there is not None and not any(y.ndim for y in there.outs):
            try:
                there.evaluate_all()
            except Exception:  # whatever it raises, it refuses
                return
            _obeys(there)


def _at(case: Case, inputs: list[Any]) -> Case | None:
    """The case at other inputs; None where it refuses them, or makes no numbers of them, as a mean of nothing does."""
    there = case.at(inputs)
    there.kinks = "move"  # these aren't the caller's values
    try:
        _ = there.outs
    except (*FROM_FORWARD, NothingReturnedError):  # an empty list, of nothing
        return None
    except Exception as error:
        raise AssertionError(
            f"{_said(there)} it neither computes nor refuses: {type(error).__name__}: {error}"
        ) from error
    return there if _is_finite(there) else None


def _is_finite(case: Case) -> bool:
    return all(bool(np.isfinite(y.array).all()) for y in case.outs)


def _obeys(there: Case) -> None:
    said = _said(there)
    try:
        shapes(there)
        create_graph(there)
        _agrees_with_reference(there)
        if all(y.numel() == 0 for y in there.outs):
            for i, g in enumerate(there.gradients):
                if g is not None and np.any(g):
                    raise AssertionError(f"nothing comes out, but the gradient of {there.input_name(i)} is {g}")
        else:
            derivatives(there)
    except AssertionError as error:
        raise AssertionError(f"{said}: {error}") from error


def _agrees_with_reference(there: Case) -> None:
    try:
        reference(there)
    except AssertionError:
        raise
    except Exception:  # whatever it raises: the reference refuses
        return


def _said(there: Case) -> str:
    return f"of shapes {', '.join(str(tuple(x.shape)) for x in there.inputs if isinstance(x, Tensor))}"


def _emptied(a: Any, n: int) -> Any:
    """Nothing of an array along the axes of length n."""
    return a[(*(slice(0, 0) if length == n else slice(None) for length in a.shape), ...)]
