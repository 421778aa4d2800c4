"""One training step. If it fails, nothing is changed, and the error says which operation was the first to fail."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from .. import state
from ..autograd.anomaly import AnomalyError, Source, Tracer, nonfinite_kind
from ..generator import default_generator
from ..nn import Module
from ..optim import Optimizer
from ..tensor import Tensor
from .evaluate import Loss, device_of, evaluate, split
from .history import History


class TrainingDiverged(AnomalyError):
    """A loss or a gradient is NaN or infinite.

    `op` and `path` are the operation and the module that the first such value came from. `history` is that of the run
    so far.
    """

    history: History

    def at(self, place: str, after: str, history: History) -> TrainingDiverged:
        """Return the same error, with the place before the message and more text after it."""
        error = TrainingDiverged(f"{place}: {self}{after}")
        error.op, error.path, error.history = self.op, self.path, history
        return error


class Step:
    """Trains a model on one batch per call: computes loss(model(input, ...), target), and steps the optimizers.

    A loss or a gradient that isn't finite raises TrainingDiverged before any optimizer steps. Parameters, buffers,
    optimizers and the default random stream are then as they were before the batch, as after any other error in the
    model, the loss or backward.

    >>> model = nn.Linear(1, 1)
    >>> step = torch.training.Step(model, [torch.optim.SGD(model.parameters(), lr=0.1)], F.mse_loss)
    >>> losses = [step((torch.ones(4, 1), torch.zeros(4, 1)))[0] for _ in range(10)]
    >>> losses[-1] < losses[0] / 10
    True
    """

    def __init__(self, model: Module, optimizers: Sequence[Optimizer], loss: Loss) -> None:
        self.model = model
        self.optimizers = optimizers
        self.loss = loss
        self.device = device_of(model)
        moved = [p for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
        self.parameters = list(dict.fromkeys([*model.parameters(), *moved]))

    def __call__(self, batch: Any) -> tuple[float, int]:
        """Train on a batch. Returns the loss before the step, and the number of samples."""
        inputs, target = split(batch, self.device)
        stream = default_generator.snapshot()
        buffers = {name: buffer.detach().clone() for name, buffer in self.model.named_buffers()}

        def put_back() -> None:
            default_generator.set_state(stream)
            with state.scope(grad_enabled=False):
                for name, buffer in buffers.items():
                    self.model.get_buffer(name).copy_(buffer)

        try:
            loss = self.loss(self.model(*inputs), target)
            number = loss.item()
            if math.isfinite(number):
                self._clear()
                loss.backward()
            if not (math.isfinite(number) and self._gradients_are_finite()):
                put_back()
                self._explain(inputs, target)
        except BaseException:
            put_back()
            self._clear()
            raise
        known = loss.detach()
        for optimizer in self.optimizers:
            optimizer.step(self._closure(known, inputs, target))
        return number, len(target)

    def _closure(self, known: Tensor | None, inputs: Sequence[Any], target: Any) -> Callable[[], Tensor]:
        """Return a closure for the optimizer. Its first call returns the loss and gradients computed already."""

        def closure() -> Tensor:
            nonlocal known
            if known is not None:
                first, known = known, None
                return first
            self._clear()
            loss = self.loss(self.model(*inputs), target)
            loss.backward()
            return loss.detach()

        return closure

    def _clear(self) -> None:
        for p in self.parameters:
            p.grad = None

    def _gradients_are_finite(self) -> bool:
        grads = [p.grad.array for p in self.parameters if p.grad is not None]
        squares = sum(np.vdot(g, g) for g in grads)  # by far the fastest test, but it overflows early
        return bool(np.isfinite(squares)) or all(bool(np.isfinite(g).all()) for g in grads)

    def _explain(self, inputs: Sequence[Any], target: Any) -> NoReturn:
        """Run the same batch again with a Tracer, and raise TrainingDiverged with what it finds."""
        names = {f"parameter {name}": p for name, p in self.model.named_parameters()}
        given = {f"input {i} of the batch": x for i, x in enumerate(inputs)} | {"the batch's target": target}
        tracer = Tracer(names | given)
        with state.scope(observer=tracer):
            loss = self.loss(self.model(*inputs), target)
            if found := nonfinite_kind(loss):
                raise diverged(f"the loss is {found}", tracer.source(loss))
            self._clear()
            loss.backward()
        for name, p in names.items():
            if p.grad is not None and (found := nonfinite_kind(p.grad)):
                raise diverged(f"the gradient of {name} has {found}", tracer.source_of_gradient(p))
        raise diverged("the loss or a gradient was not finite, but the second time the same batch was", None)


def diverged(what: str, source: Source | None) -> TrainingDiverged:
    """Return the error for a value that isn't finite."""
    error = TrainingDiverged(f"{what}. {source.error()}" if source else what)
    if source:
        error.op, error.path = source.op, source.path
    return error


def explain_evaluation(name: str, model: Module, data: Any, loss: Loss, at_once: int) -> TrainingDiverged:
    """Evaluate again with a Tracer, and return the error for a mean that is NaN or infinite."""
    tracer = Tracer({f"parameter {name}": p for name, p in model.named_parameters()})
    sources: list[Source | None] = []

    def watched(output: Any, target: Any) -> Tensor:
        value = loss(output, target)
        if nonfinite_kind(value):
            sources.append(tracer.source(value))
        return value

    with state.scope(observer=tracer):
        mean = evaluate(model, data, watched, at_once).loss
    return diverged(f"the {name} loss is {nonfinite_kind(mean)}", sources[0] if sources else None)
