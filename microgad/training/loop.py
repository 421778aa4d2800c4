"""The training loop, `fit`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from operator import length_hint
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..errors.own_arguments import checked
from ..nn import Module
from ..nn.modules.module.training_mode import training_mode
from ..optim import Optimizer
from ..optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from ..utils.data import Dataset
from .checkpoint import Checkpoint
from .environment import with_threads
from .evaluate import Loss, evaluate, streams_of
from .history import SETS, History, Path, Row
from .progress import Progress, as_progress
from .run_settings import run_settings
from .step import Step, TrainingDiverged, explain_evaluation
from .stopping import EarlyStopping


@checked
def fit(
    model: Module, data: Iterable[Any], optimizer: Optimizer | Sequence[Optimizer], loss: Loss, epochs: int, *,
    held_out: Any = None, validation: Any = None, train_loss: bool = False, at_once: int = 1000,
    stop: EarlyStopping | None = None, scheduler: LRScheduler | Sequence[LRScheduler] = (),
    checkpoint: Path | None = None, resume: bool = False, progress: Progress | bool = True,
    after_epoch: Callable[[Module, History], None] | None = None,
) -> History:  # fmt: skip
    """Train `model` on batches (input, ..., target) with one or several optimizers, and return the history.

    `data` is a DataLoader, or another iterable of batches that starts anew for each epoch. Batches are moved to the
    device of the model's parameters. `loss(output, target)` must be the mean over a batch. Each optimizer is called as
    `step(closure)`, and should have parameters of its own. `scheduler` steps after each epoch; a ReduceLROnPlateau gets
    the loss on `validation`.

    A row of the history has "epoch", "seconds" (of training alone) and "loss", the mean loss of the epoch's samples
    during training. With `held_out` data it also has "held_out_loss" and, for classes, "held_out_accuracy" and
    "held_out_samples". `validation` adds the same as "validation_...", and `train_loss=True` as "train_...", measured
    on the training data with dropout off. See `evaluate` for these data and for `at_once`.

    `stop` ends the run when the loss on `validation` no longer falls; `history.stopped` is then the reason. `progress`
    is True, False or a Progress, shown on standard output. `after_epoch(model, history)` is called after each epoch.

    `checkpoint` is a file for the state after the last whole epoch. With `resume`, a run continues from that file, if
    it exists, with the same numbers as without the interruption, bit for bit on the same machine; `epochs` includes
    those already done. Of the random streams only the default one and those of the DataLoader are saved, and of the
    buffers only persistent ones. Without `resume` an old file is deleted.

    The modes of all modules are restored at the end. Raises TrainingDiverged (a RuntimeError) for a loss or a gradient
    that isn't finite, with the operation and module that it came from; CheckpointError (a RuntimeError and a
    ValueError) for a damaged checkpoint or one of another run; TypeError for arguments of other types, and if `data`
    gives no batches; and ValueError for other invalid arguments.

    >>> _ = torch.manual_seed(0)
    >>> x = torch.randn(50, 1)
    >>> data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, 2 * x), batch_size=16, shuffle=True)
    >>> model = nn.Linear(1, 1)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> history = torch.training.fit(model, data, optimizer, F.mse_loss, epochs=20, held_out=(x, 2 * x), progress=False)
    >>> history["held_out_loss"][-1] < 1e-4, round(model.weight.item(), 1)
    (True, 2.0)
    """
    if resume and checkpoint is None:
        raise ArgumentError("fit: resume needs checkpoint, the file to continue from")
    sets = dict(zip(SETS, (data if train_loss else None, validation, held_out), strict=True))
    run, schedulers = _Run(model, data, _as_list(optimizer), loss, at_once, sets), _as_list(scheduler)
    run.check(epochs, stop, schedulers)
    history, threads, kept = History(), None, None
    if checkpoint is not None:
        settings = run_settings(model, data, run.optimizers, loss, run.sets, stop, schedulers)
        kept = Checkpoint(checkpoint, run.parts(schedulers), streams_of(data), settings)
        if resume and kept.exists():
            history, threads = kept.load(at_most=epochs)
        else:
            kept.remove()
    shown = as_progress(progress)
    if history:
        shown.say(f"{shown.label}   resumed after epoch {len(history)} of {epochs}".strip())
    with with_threads(threads), training_mode(model, None):
        shown.start(epochs, length_hint(data), len(history))
        try:
            while len(history) < epochs:
                history.stopped = stop.reason(history["validation_loss"]) if stop else None
                if history.stopped:
                    shown.say(f"{shown.label}   stopped after epoch {len(history)}: {history.stopped}".strip())
                    break
                row = run.epoch(history, shown)
                for each in schedulers:
                    each.step(*([row["validation_loss"]] if isinstance(each, ReduceLROnPlateau) else []))
                history.append(row)
                if kept is not None:
                    kept.save(history)
                shown.epoch(row)
                if after_epoch is not None:
                    after_epoch(model, history)
        finally:
            shown.close()
    return history


class _Run:
    """The parts of a run that stay the same from epoch to epoch."""

    def __init__(
        self, model: Module, data: Iterable[Any], optimizers: Sequence[Optimizer], loss: Loss, at_once: int,
        sets: dict[str, Any],
    ) -> None:  # fmt: skip
        self.model, self.data, self.optimizers, self.loss, self.at_once = model, data, optimizers, loss, at_once
        self.sets = {name: data for name, data in sets.items() if data is not None}
        self.step = Step(model, optimizers, loss)

    def check(self, epochs: int, stop: EarlyStopping | None, schedulers: Sequence[Any]) -> None:
        """Raise ArgumentError or TypeError if arguments don't fit together."""
        if epochs < 0 or self.at_once < 1:
            raise ArgumentError(f"fit: epochs must be >= 0 and at_once >= 1, got {epochs} and {self.at_once}")
        for wanted, parts in ((Optimizer, self.optimizers), (LRScheduler, schedulers)):
            for part in parts:
                if not isinstance(part, wanted):
                    raise TypeError(f"fit: expected an instance of {wanted.__name__}, got {type(part).__name__}")
        if isinstance(self.data, (Dataset, tuple)):
            given = type(self.data).__name__
            raise TypeError(f"fit: data is a {given}, but must give batches: DataLoader(data, batch_size=...)")
        watching = stop or next((each for each in schedulers if isinstance(each, ReduceLROnPlateau)), None)
        if watching is not None and "validation" not in self.sets:
            raise ArgumentError(
                f"fit: {type(watching).__name__} needs validation=..., data whose loss says when: not the test "
                "set, whose loss would then look better than it is. random_split can keep a part of the training data "
                "for it"
            )
        own = set(self.model.parameters())
        for i, optimizer in enumerate(self.optimizers):
            if own.isdisjoint(p for group in optimizer.param_groups for p in group["params"]):
                kind = type(optimizer).__name__
                raise ArgumentError(f"fit: optimizer {i} ({kind}) has none of the model's parameters")

    def epoch(self, history: History, shown: Progress) -> Row:
        """Train on every batch once, then measure the losses."""
        row: Row = {"epoch": len(history) + 1}
        total, count, batches, started = 0.0, 0, 0, time.perf_counter()
        try:
            with np.errstate(all="ignore"):  # non-finite values raise TrainingDiverged, which says more
                self.model.train()
                for batch in self.data:
                    loss, n = self.step(batch)
                    total, count, batches = total + loss * n, count + n, batches + 1
                    shown.batch(total / count)
                if not count:
                    raise TypeError(f"fit: data gave no batches in epoch {row['epoch']}: can it be gone through again?")
                row |= {"seconds": round(time.perf_counter() - started, 3), "loss": total / count}
                self._measure(row)
        except TrainingDiverged as error:
            place = f"epoch {row['epoch']}" + ("" if "loss" in row else f", batch {batches + 1}")
            kept = "" if "loss" in row else ". Model, optimizers and random stream are as they were before this batch"
            raise error.at(place, kept, history) from None
        return row

    def _measure(self, row: Row) -> None:
        for name, data in self.sets.items():
            score = evaluate(self.model, data, self.loss, self.at_once)
            if not np.isfinite(score.loss):
                raise explain_evaluation(SETS[name], self.model, data, self.loss, self.at_once)
            row[f"{name}_loss"] = score.loss
            if score.accuracy is not None:
                row |= {f"{name}_accuracy": score.accuracy, f"{name}_samples": score.samples}

    def parts(self, schedulers: Sequence[LRScheduler]) -> dict[str, Any]:
        """Return everything whose state training changes, by name."""
        several = {"optimizer": self.optimizers, "scheduler": schedulers}
        numbered = {f"{kind} {i}": part for kind, parts in several.items() for i, part in enumerate(parts)}
        return {"model": self.model, **numbered}


def _as_list(one_or_more: Any) -> list[Any]:
    return list(one_or_more) if isinstance(one_or_more, Sequence) else [one_or_more]
