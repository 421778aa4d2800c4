"""The law of sizes: axes of size 0, and inputs without axes."""

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
    """With axes of size 0, or with 0-d inputs, the operation has values and gradients, or refuses with a clear error.

    Each axis length in turn is replaced by 0 in all inputs, each on a quarter of the examples. On an eighth all inputs
    are 0-d. There backward may refuse, and results that aren't 0-d are not checked: many operations on vectors happen
    to accept a number.
    """
    if not _is_finite(case):
        return
    tensors = [x for x in case.inputs if isinstance(x, Tensor)]
    lengths = sorted({n for x in tensors for n in x.shape if n})
    for n in [n for i, n in enumerate(lengths) if case.one_in(4, i)]:
        there = _at(case, case.map_arrays(partial(_emptied, n=n)))
        if there is not None:
            try:
                there.evaluate_all()
                _ = there.classes  # takes second derivatives
            except Exception as error:
                message = f"{_shapes_text(there)} forward runs, but backward fails: {type(error).__name__}: {error}"
                raise AssertionError(message) from error
            _check(there)
    if case.one_in(8, 1) and any(x.ndim for x in tensors) and not any(0 in x.shape for x in tensors):
        there = _at(case, case.map_arrays(lambda a: a.reshape(-1)[:1].reshape(())))
        if there is not None and not any(y.ndim for y in there.outs):
            try:
                there.evaluate_all()
            except Exception:  # any error counts as a refusal
                return
            _check(there)


def _at(case: Case, inputs: list[Any]) -> Case | None:
    """Return the case at other inputs; None if it refuses them or isn't finite, as the mean of an empty array."""
    there = case.with_inputs(inputs)
    there.kinks = "move"  # the caller chose `kinks` for other values
    try:
        _ = there.outs
    except (*FROM_FORWARD, NothingReturnedError):  # it may return an empty list for an empty array
        return None
    except Exception as error:
        raise AssertionError(
            f"{_shapes_text(there)} forward raises an unexpected error, {type(error).__name__}: {error}"
        ) from error
    return there if _is_finite(there) else None


def _is_finite(case: Case) -> bool:
    return all(bool(np.isfinite(y.array).all()) for y in case.outs)


def _check(there: Case) -> None:
    message = _shapes_text(there)
    try:
        shapes(there)
        create_graph(there)
        _agrees_with_reference(there)
        if all(y.numel() == 0 for y in there.outs):
            for i, g in enumerate(there.gradients):
                if g is not None and np.any(g):
                    raise AssertionError(f"the results are empty, but the gradient of {there.input_name(i)} is {g}")
        else:
            derivatives(there)
    except AssertionError as error:
        raise AssertionError(f"{message}: {error}") from error


def _agrees_with_reference(there: Case) -> None:
    try:
        reference(there)
    except AssertionError:
        raise
    except Exception:  # the reference refuses
        return


def _shapes_text(there: Case) -> str:
    return f"with inputs of shapes {', '.join(str(tuple(x.shape)) for x in there.inputs if isinstance(x, Tensor))}"


def _emptied(a: Any, n: int) -> Any:
    """Return the array with size 0 along its axes of length n."""
    return a[(*(slice(0, 0) if length == n else slice(None) for length in a.shape), ...)]
