"""Inference tensors, which are made in inference_mode: nobody may know how often they were written to."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NoReturn

from .. import errors

inferring: ContextVar[bool] = ContextVar("microgad.inference_mode", default=False)
inferences: list[None] = []  # an item for each inference_mode that some thread is in: where it is empty, none need ask


class Untracked(list[Any]):
    """The counter of an inference tensor: nobody may read it, and so nothing of it can be kept for backward."""

    def __getitem__(self, i: Any) -> NoReturn:
        raise errors.GraphError(
            "Inference tensors cannot be saved for backward. Take a clone, which is a normal tensor, or no_grad in the "
            "place of inference_mode"
        )


def fresh() -> list[Any] | None:
    """The counter of a new Tensor: None, until somebody asks for it, of all but inference tensors."""
    return Untracked([0]) if inferring.get() else None


def count(counter: list[Any]) -> int:
    """How many writes there were, to whom it is allowed to know."""
    n: int = list.__getitem__(counter, 0)
    return n


def bumped(counter: list[Any]) -> list[Any]:
    """The counter, after one write more."""
    if type(counter) is list:
        counter[0] += 1
    else:
        check_inference(counter, "Inplace update to inference tensor")
        list.__setitem__(counter, 0, count(counter) + 1)
    return counter


def check_inference(counter: list[Any] | None, what: str) -> None:
    """Raise GraphError for what may not be done to an inference tensor outside of inference_mode."""
    if type(counter) is Untracked and not inferring.get():
        raise errors.GraphError(f"{what} outside InferenceMode is not allowed: make a clone to get a normal tensor")
