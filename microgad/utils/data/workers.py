"""A DataLoader's worker: a process that fetches batches for it."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import traceback
from dataclasses import dataclass
from itertools import islice
from multiprocessing import parent_process
from typing import Any, NamedTuple

import numpy as np

from ... import generator
from .collate import default_collate
from .dataset import IterableDataset, Samples, fetch
from .transfer import receive, send


@dataclass(frozen=True)
class WorkerInfo:
    """Which worker this process is: `id` of `num_workers`, with its `seed` and its copy of the `dataset`."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a DataLoader's worker, which one it is; elsewhere None. Source: torch.utils.data.get_worker_info.

    >>> torch.utils.data.get_worker_info()
    """
    return _info


class Fetcher(NamedTuple):
    """How a batch is made."""

    dataset: Any
    collate_fn: Any
    batched: bool
    drop_last: bool

    def fetcher(self) -> Any:
        """A function from indices to a batch; of a stream, to its next one, of as many."""
        if not isinstance(self.dataset, IterableDataset):
            return lambda at: self.collate_fn(self._samples(at) if self.batched else self.dataset[at])
        samples = iter(self.dataset)

        def following(at: Any) -> Any:
            if not self.batched:
                return self.collate_fn(next(samples))
            batch = list(islice(samples, len(at)))
            if not batch or (self.drop_last and len(batch) < len(at)):
                raise StopIteration
            return self.collate_fn(batch)

        return following

    def _samples(self, at: Any) -> Any:
        found = fetch(self.dataset, at)
        own = self.collate_fn is not default_collate  # which may sort the list, or add to it
        return list(found) if own and isinstance(found, Samples) else found


class StreamEnd(NamedTuple):
    """A worker's stream has come to its end."""


class ExceptionWrapper(NamedTuple):
    """An exception in a worker: its class, if that can be sent, and all that there is to say."""

    kind: Any
    said: str

    def again(self) -> BaseException:
        """The exception, to be raised where the batch was asked for."""
        try:
            return self.kind(_Verbatim(self.said) if issubclass(self.kind, KeyError) else self.said)
        except Exception:  # one that wants other arguments
            return RuntimeError(self.said)


class _Verbatim(str):
    """KeyError prints the repr of its message."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def wrap_exception(error: BaseException, worker: int) -> ExceptionWrapper:
    """What is sent of an exception."""
    kind = type(error) if "<locals>" not in type(error).__qualname__ else RuntimeError
    text = "".join(traceback.format_exception(error))
    return ExceptionWrapper(
        kind, f"Caught {type(error).__name__} in DataLoader worker process {worker}.\nOriginal {text}"
    )


def work(
    connection: Any, others: list[Any], recipe: Fetcher, init_fn: Any, base_seed: int, number: int, of: int
) -> None:
    """Make batches as they are asked for, until nobody is at the other end. Runs in a process of its own."""
    global _info
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the loader ends its workers
    for other in others:
        other.close()  # a fork has them too, and with them open nobody else would see that the loader is gone
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    seed = base_seed + number
    random.seed(seed)
    generator.default_generator.manual_seed(seed)
    words = [number, base_seed & 0xFFFFFFFF, base_seed >> 32]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))  # noqa: NPY002 - what data sets draw from
    _info = WorkerInfo(number, of, seed, recipe.dataset)
    problem, turn, make = None, None, None
    try:
        if init_fn is not None:
            init_fn(number)
    except Exception as error:
        problem = wrap_exception(error, number)
    try:
        while True:
            asked_turn, index, at = receive(connection)
            try:
                if asked_turn != turn:
                    make = recipe.fetcher()  # iter(dataset), which may raise: then it is tried again when asked again
                    turn = asked_turn
                batch = problem or make(at)  # type: ignore[misc]
            except StopIteration as end:
                stream = isinstance(recipe.dataset, IterableDataset)
                batch = StreamEnd() if stream else wrap_exception(end, number)
            except Exception as error:
                batch = wrap_exception(error, number)
            _reply(connection, (asked_turn, index, batch), number)
    except (EOFError, OSError):
        return


def _reply(connection: Any, reply: Any, number: int) -> None:
    try:
        send(connection, reply)
    except (OSError, EOFError):
        raise
    except Exception as error:  # what can't be pickled
        send(connection, (*reply[:2], wrap_exception(error, number)))


def _leave_with_parent() -> None:
    """However busy this process is: it ends when the loader's does."""
    parent, pid = parent_process(), os.getppid()
    while parent is not None and parent.is_alive() and os.getppid() == pid:
        time.sleep(1)
    os._exit(1)
