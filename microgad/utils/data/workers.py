"""The worker processes of a DataLoader, which fetch batches for it."""

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
from .dataset import Samples, fetch
from .transfer import receive, send


@dataclass(frozen=True)
class WorkerInfo:
    """A worker's number `id`, the number of workers, the worker's `seed`, and its copy of the `dataset`."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Return the WorkerInfo of this process, or None if it is no worker. Source: torch.utils.data.get_worker_info.

    >>> torch.utils.data.get_worker_info()
    """
    return _info


class Fetcher(NamedTuple):
    """What is needed to fetch batches: the dataset, and the DataLoader's settings."""

    dataset: Any
    collate_fn: Any
    batched: bool
    drop_last: bool
    streams: bool  # whether the dataset is iterated over: an IterableDataset, or one that the loader calls so

    def start_pass(self) -> Any:
        """Return a function from indices to a batch; of a dataset that streams, to the next batch of that length."""
        if not self.streams:
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
        own = self.collate_fn is not default_collate  # a program's function may modify the list
        return list(found) if own and isinstance(found, Samples) else found


class StreamEnd(NamedTuple):
    """A worker's answer when its IterableDataset has ended."""


class ExceptionWrapper(NamedTuple):
    """A worker's answer when an exception was raised: the exception's class, if it can be sent, and the message."""

    kind: Any
    said: str

    def make_exception(self) -> BaseException:
        """Return the exception, to be raised in the loader's process."""
        try:
            return self.kind(_Verbatim(self.said) if issubclass(self.kind, KeyError) else self.said)
        except Exception:  # a class that takes other arguments
            return RuntimeError(self.said)


class _Verbatim(str):
    """A string that is its own repr: KeyError prints the repr of its message."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def wrap_exception(error: BaseException, worker: int) -> ExceptionWrapper:
    """Wrap an exception to be sent, with its traceback as the message."""
    kind = type(error) if "<locals>" not in type(error).__qualname__ else RuntimeError
    text = "".join(traceback.format_exception(error))
    said = f"Caught {type(error).__name__} in DataLoader worker process {worker}.\nOriginal {text}"
    return ExceptionWrapper(kind, said)


def work(
    connection: Any, others: list[Any], fetcher: Fetcher, init_fn: Any, base_seed: int, number: int, of: int
) -> None:
    """Answer requests for batches until the loader closes the pipe. Runs in a worker process."""
    global _info
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the loader shuts its workers down
    for other in others:
        other.close()  # inherited by a fork; while it is open, its worker wouldn't notice that the loader has died
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    seed = base_seed + number
    random.seed(seed)
    generator.default_generator.manual_seed(seed)
    words = [number, base_seed & 0xFFFFFFFF, base_seed >> 32]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))  # noqa: NPY002 - datasets draw from it
    _info = WorkerInfo(number, of, seed, fetcher.dataset)
    problem, turn, fetch_batch = None, None, None
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
                    fetch_batch = fetcher.start_pass()  # iter(dataset) may raise: the next request tries again
                    turn = asked_turn
                batch = problem or fetch_batch(at)  # type: ignore[misc]
            except StopIteration as end:
                batch = StreamEnd() if fetcher.streams else wrap_exception(end, number)
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
    except Exception as error:  # the batch can't be pickled
        send(connection, (*reply[:2], wrap_exception(error, number)))


def _leave_with_parent() -> None:
    """End this process when the loader's process has died, however busy it is."""
    parent, pid = parent_process(), os.getppid()
    while parent is not None and parent.is_alive() and os.getppid() == pid:
        time.sleep(1)
    os._exit(1)
