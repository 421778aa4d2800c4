"""Inference tensors, which are made in inference_mode: their writes aren't tracked for backward."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NoReturn

from .. import errors

inferring: ContextVar[bool] = ContextVar("microgad.inference_mode", default=False)
inferences: list[None] = []  # an item for each active inference_mode; while empty, `inferring` isn't looked up


class Untracked(list[Any]):
    """The version counter of an inference tensor. Reading it raises, so that the tensor can't be kept for backward."""

    def __getitem__(self, i: Any) -> NoReturn:
        raise errors.GraphError(
            "Inference tensors cannot be saved for backward. Take a clone, which is a normal tensor, or no_grad in the "
            "place of inference_mode"
        )


def fresh() -> list[Any] | None:
    """The version counter of a new Tensor: None, which means that it is made on demand, except in inference_mode."""
    return Untracked([0]) if inferring.get() else None


def count(counter: list[Any]) -> int:
    """The number of writes, also of an inference tensor."""
    return list.__getitem__(counter, 0)


def bumped(counter: list[Any]) -> list[Any]:
    """Count one more write, and return the counter."""
    if type(counter) is list:
        counter[0] += 1
    else:
        check_inference(counter, "Inplace update to inference tensor")
        list.__setitem__(counter, 0, count(counter) + 1)
    return counter


def check_inference(counter: list[Any] | None, what: str) -> None:
    """Raise GraphError about `what` if the counter is an inference tensor's and inference_mode is off."""
    if type(counter) is Untracked and not inferring.get():
        raise errors.GraphError(f"{what} outside InferenceMode is not allowed: make a clone to get a normal tensor")
