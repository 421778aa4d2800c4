"""The worker processes of a DataLoader, which fetch batches for it."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ... import generator
from ...lazy import LazyModule
from .collate import default_collate
from .dataset import Samples, fetch
from .transfer import receive, send

multiprocessing = LazyModule("multiprocessing")


@dataclass(frozen=True)
class WorkerInfo:
    """A worker's number `id`, the number of workers, the worker's `seed`, and its copy of the `dataset`."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_worker_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Return the WorkerInfo of this process, or None if it is no worker. Source: torch.utils.data.get_worker_info.

    >>> torch.utils.data.get_worker_info()
    """
    return _worker_info


class _MapDatasetFetcher:
    """Fetches batches of a dataset by their indices."""

    def __init__(self, dataset: Any, auto_collation: bool, collate_fn: Any, drop_last: bool) -> None:
        self.dataset, self.auto_collation, self.collate_fn = dataset, auto_collation, collate_fn
        self.drop_last = drop_last

    def fetch(self, at: Any) -> Any:
        """Return the batch at the indices, or without batches the sample at the index."""
        return self.collate_fn(self._samples(at) if self.auto_collation else self.dataset[at])

    def _samples(self, at: Any) -> Any:
        found = fetch(self.dataset, at)
        own = self.collate_fn is not default_collate  # a program's function may modify the list
        return list(found) if own and isinstance(found, Samples) else found


class _IterableDatasetFetcher(_MapDatasetFetcher):
    """Fetches batches of one pass over a dataset that streams: an IterableDataset, or one that the loader calls so."""

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self.dataset_iter, self.ended = iter(self.dataset), False

    def fetch(self, at: Any) -> Any:
        """Return the next batch of as many samples as there are indices. Raises StopIteration at the end."""
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(next(self.dataset_iter))
        batch: list[Any] = []
        try:
            for _ in at:
                batch.append(next(self.dataset_iter))  # noqa: PERF401 - islice would call `iter`, which may begin anew
        except StopIteration:
            self.ended = True
        if not batch or (self.drop_last and self.ended):
            raise StopIteration
        return self.collate_fn(batch)


class _DatasetKind:
    """The kinds of datasets, which libraries ask a loader's `_dataset_kind` for."""

    Map, Iterable = 0, 1

    @staticmethod
    def create_fetcher(kind: int, *settings: Any) -> _MapDatasetFetcher:
        """Begin a pass over a dataset. The settings are the arguments of the fetchers."""
        return (_IterableDatasetFetcher if kind == _DatasetKind.Iterable else _MapDatasetFetcher)(*settings)


class _IterableDatasetStopIteration(NamedTuple):
    """A worker's answer when its IterableDataset has ended."""

    worker_id: int


class _ResumeIteration(NamedTuple):
    """A request to begin a new pass, in torchdata's loader."""

    seed: int | None = None


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


def _generate_state(base_seed: int, number: int) -> Any:
    """Return the seed of NumPy's generator in a worker."""
    return np.random.SeedSequence([number, base_seed & 0xFFFFFFFF, base_seed >> 32]).generate_state(4).tolist()


def work(connection: Any, others: list[Any], settings: Any, init_fn: Any, base_seed: int, number: int, of: int) -> None:
    """Answer requests for batches until the loader closes the pipe. Runs in a worker process."""
    global _worker_info
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the loader shuts its workers down
    for other in others:
        other.close()  # inherited by a fork; while it is open, its worker wouldn't notice that the loader has died
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    seed = base_seed + number
    random.seed(seed)
    generator.default_generator.manual_seed(seed)
    np.random.seed(_generate_state(base_seed, number))  # noqa: NPY002 - datasets draw from it
    _worker_info = WorkerInfo(number, of, seed, settings[1])
    problem, turn, fetcher = None, None, None
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
                    fetcher = _DatasetKind.create_fetcher(*settings)  # if iter(dataset) raises, the next one tries
                    turn = asked_turn
                batch = problem or fetcher.fetch(at)  # type: ignore[union-attr]
            except StopIteration as end:
                streams = settings[0] == _DatasetKind.Iterable
                batch = _IterableDatasetStopIteration(number) if streams else wrap_exception(end, number)
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


class ManagerWatchdog:
    """Tells a worker whether the loader's process is alive."""

    def __init__(self) -> None:
        self._parent, self._pid = multiprocessing.parent_process(), os.getppid()

    def is_alive(self) -> bool:
        """Whether it is."""
        return self._parent is not None and self._parent.is_alive() and os.getppid() == self._pid


def _leave_with_parent() -> None:
    """End this process when the loader's process has died, however busy it is."""
    watchdog = ManagerWatchdog()
    while watchdog.is_alive():
        time.sleep(1)
    os._exit(1)
