"""Evaluate a model on data: in evaluation mode, in chunks, without changing any state."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from .. import generator, state
from ..errors import ArgumentError
from ..errors.own_arguments import checked
from ..nn import Module
from ..nn.modules.module.training_mode import training_mode
from ..ops.movement import cat
from ..tensor import Tensor
from ..utils.data import DataLoader, TensorDataset

Loss = Callable[[Any, Any], Tensor]


class Score(NamedTuple):
    """The mean loss over samples, and how many of them were classified correctly (None without classes).

    >>> print(torch.training.Score(0.08, 981, 1000))
    loss 0.0800, accuracy 98.10 % (981/1000)
    """

    loss: float
    correct: int | None
    samples: int

    @property
    def accuracy(self) -> float | None:
        """The fraction of correctly classified samples."""
        return None if self.correct is None else self.correct / self.samples

    def __str__(self) -> str:
        shown = f"loss {self.loss:.4f}"
        if self.correct is not None:
            shown += f", accuracy {self.correct / self.samples:.2%} ({self.correct}/{self.samples})".replace("%", " %")
        return shown


@checked
def evaluate(model: Module, data: Any, loss: Loss, at_once: int = 1000) -> Score:
    """Return the mean loss over all samples, and how many are classified correctly, in evaluation mode.

    `data` is a DataLoader, a Dataset of (input, ..., target), or a tuple of Tensors (inputs, ..., targets). To limit
    memory, the model gets at most `at_once` samples together. `loss(output, target)` must be a mean over samples, so
    that all samples have the same weight. If targets are integers and outputs have the shape (N, C, ...), a prediction
    is correct if the output of the target's class is the largest; each position counts as a sample. The modes of all
    modules and the random streams are restored at the end. Raises ValueError for at_once < 1.

    >>> data = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0, 1])
    >>> torch.training.evaluate(nn.Identity(), data, F.cross_entropy, at_once=2).correct
    2
    """
    _check_at_once("evaluate", at_once)
    total, correct, samples, classes = 0.0, 0, 0, True
    with evaluating(model, data):
        for inputs, target in _chunks(data, at_once, device_of(model)):
            output = model(*inputs)
            classes = classes and _are_classes(output, target)
            n = target.numel() if classes else len(target)
            total += loss(output, target).item() * n
            samples += n
            if classes:
                correct += (output.argmax(1) == target).sum().item()
    return Score(total / samples if samples else math.nan, correct if classes and samples else None, samples)


@checked
def predict(model: Module, inputs: Tensor, at_once: int = 1000) -> Tensor:
    """Return the model's outputs for inputs (N, ...) in evaluation mode, computed for `at_once` samples at a time.

    Raises ValueError for at_once < 1.

    >>> torch.training.predict(nn.Flatten(), torch.ones(5, 2, 3), at_once=2).shape
    torch.Size([5, 6])
    """
    _check_at_once("predict", at_once)
    device, starts = device_of(model), range(0, len(inputs), at_once) or [0]  # [0] gives the shape without inputs
    with evaluating(model, ()):
        return cat([model(inputs[start : start + at_once].to(device)) for start in starts])


def split(batch: Any, device: Any) -> tuple[list[Any], Any]:
    """Move a batch to the device, and return its inputs and target. Raises TypeError if it isn't at least a pair."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        given = type(batch).__name__
        raise TypeError(f"a batch must be (input, ..., target), but is a {given}: give the DataLoader a collate_fn")
    *inputs, target = (x.to(device) if isinstance(x, Tensor) else x for x in batch)
    return inputs, target


def device_of(model: Module) -> Any:
    """Return the device of the model's first parameter, or "cpu" if it has none."""
    return next((p.device for p in model.parameters()), "cpu")


def streams_of(data: Any) -> list[generator.Generator]:
    """Return the generators that iterating over the data may draw from, the default one first."""
    sampler = getattr(data, "sampler", None)
    inner = getattr(getattr(data, "batch_sampler", None), "sampler", None)
    found = [generator.default_generator, *(getattr(part, "generator", None) for part in (data, sampler, inner))]
    return list({id(stream): stream for stream in found if isinstance(stream, generator.Generator)}.values())


@contextmanager
def evaluating(model: Module, data: Any) -> Iterator[None]:
    """In a `with` block, use evaluation mode without gradients. Modes and random streams are restored afterwards."""
    streams = [(stream, stream.snapshot()) for stream in streams_of(data)]
    try:
        with training_mode(model, False), state.scope(grad_enabled=False):
            yield
    finally:
        for stream, before in streams:
            stream.set_state(before)


def _check_at_once(function: str, at_once: int) -> None:
    if at_once < 1:
        raise ArgumentError(f"{function}: at_once must be at least 1, a number of samples, got {at_once}")


def _chunks(data: Any, at_once: int, device: Any) -> Iterator[tuple[list[Any], Any]]:
    """Iterate over inputs and targets of at most `at_once` samples, on the device."""
    if isinstance(data, tuple):
        data = TensorDataset(*data)
    for batch in data if isinstance(data, DataLoader) else DataLoader(data, at_once):
        for start in range(0, len(batch[-1]), at_once):
            yield split([x[start : start + at_once] for x in batch], device)


def _are_classes(output: Any, target: Any) -> bool:
    return (
        isinstance(output, Tensor)
        and isinstance(target, Tensor)
        and target.array.dtype.kind in "iu"
        and output.ndim >= 2
        and output.shape[:1] + output.shape[2:] == target.shape
    )
