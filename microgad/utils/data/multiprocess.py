"""The DataLoader's iterator over worker processes: it sends requests for batches, and notices workers that die."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from multiprocessing.connection import wait
from multiprocessing.util import Finalize
from typing import Any

from .iterators import _BaseDataLoaderIter
from .transfer import SHARED, receive, send
from .workers import ExceptionWrapper, _IterableDatasetStopIteration, work

SHUTDOWN_SECONDS = 2.0  # that a worker has to end by itself
_ends: weakref.WeakSet[Any] = weakref.WeakSet()  # this process's ends of the pipes to all workers


class _MultiProcessingDataLoaderIter(_BaseDataLoaderIter):
    """Yields batches from worker processes, in the order of the indices or, without `in_order`, as they get ready.

    Each worker has a pipe of its own, so that one that dies doesn't harm the others. Workers are sent requests in turn,
    `ahead` batches each in advance. A worker that has died, and a wait longer than `timeout`, raise RuntimeError, after
    all workers have been shut down. They are also shut down at the end of a pass (unless they are persistent), and when
    this object is deleted.
    """

    advice = (
        "For multiprocessing data-loading, this could be caused by not properly configuring the IterableDataset "
        "replica at each worker. Please see https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset "
        "for examples."
    )

    def __init__(self, loader: Any) -> None:
        super().__init__(loader)
        self.in_order = loader.in_order
        context: Any = loader.multiprocessing_context or _start_method()
        if context is None or isinstance(context, str):
            context = multiprocessing.get_context(context)
        forks = context.get_start_method() == "fork"
        self.pipes: list[Any] = []
        self._workers: list[Any] = []
        # At exit, priority 10 comes before daemons are terminated.
        self.close = Finalize(self, _shut_down, (self._workers, self.pipes), exitpriority=10)
        try:
            for number in range(loader.num_workers):
                here, there = context.Pipe()
                self.pipes.append(here)
                _ends.add(here)
                args = (there, list(_ends) if forks else [], self._settings, loader.worker_init_fn, self._base_seed)
                worker = context.Process(target=work, args=(*args, number, loader.num_workers), daemon=True)
                with _delay_interrupts(), warnings.catch_warnings():  # about threads: BLAS's survive a fork
                    warnings.filterwarnings("ignore", ".*multi-threaded.*", DeprecationWarning)
                    worker.start()
                there.close()
                self._workers.append(worker)
        except BaseException:
            self.close()
            raise
        # Without shared memory, both ends of a pipe could wait for each other to read, unless only idle workers are
        # asked.
        self.ahead = loader.prefetch_factor if SHARED else 1
        self.turn = -1
        self._begin()

    def restart(self, loader: Any) -> _MultiProcessingDataLoaderIter:
        """Begin a new pass with the same workers."""
        self._reset(loader)
        self._begin()
        return self

    def _shutdown_workers(self) -> None:
        self.close()

    def _begin(self) -> None:
        self.turn += 1  # identifies the pass: answers to an earlier one that was broken off are dropped
        self.asked, self.given = 0, 0  # numbers of the next batch to request, and of the next one to return
        self.of: dict[int, int] = {}  # for each batch that was requested and isn't here yet, its worker
        self.ready: dict[int, Any] = {}  # batches that have come too early
        self.active = [True] * len(self._workers)  # whose streams haven't ended
        self.order = count()
        for _ in range(self.ahead * len(self._workers)):
            self._ask()

    def _ask(self) -> None:
        """Request a batch from the next worker whose stream hasn't ended."""
        if not any(self.active):
            return
        at = next(self._sampler_iter, self)
        if at is self:
            return
        number = next(self.order) % len(self._workers)
        while not self.active[number]:
            number = next(self.order) % len(self._workers)
        self.of[self.asked] = number
        with suppress(ConnectionError):  # a worker that has died is noticed when its answers are awaited
            send(self.pipes[number], (self.turn, self.asked, at))
        self.asked += 1

    def _next_data(self) -> Any:
        if not self._workers:
            raise StopIteration
        try:
            batch = self._next()
        except BaseException as error:
            if not (isinstance(error, StopIteration) and self._persistent_workers):
                self.close()
            raise
        self._ask()
        if isinstance(batch, ExceptionWrapper):
            raise batch.make_exception()
        return batch

    def _next(self) -> Any:
        while True:
            while self.given < self.asked and self.given not in self.of and self.given not in self.ready:
                self.given += 1  # it was returned already, or requested from a stream that had ended
            if self.given in self.ready:
                return self.ready.pop(self.given)
            if not self.of:
                raise StopIteration
            index, batch = self._answer()
            number = self.of.pop(index)
            if isinstance(batch, _IterableDatasetStopIteration):
                self.active[number] = False
                self._ask()
            elif self.in_order and index != self.given:
                self.ready[index] = batch
            else:
                return batch

    def _answer(self) -> tuple[int, Any]:
        """Wait for the next answer of any worker."""
        limit = time.monotonic() + self._timeout if self._timeout else None
        while True:
            left = None if limit is None else max(0.0, limit - time.monotonic())
            heard = wait(self.pipes, left)
            if not heard:
                pids = ", ".join(str(worker.pid) for worker in self._workers)
                raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds (workers {pids})")
            number = self.pipes.index(heard[0])
            try:
                turn, index, batch = receive(self.pipes[number])
            except (EOFError, OSError):
                self._gone(number)
            if turn == self.turn:
                return index, batch

    def _gone(self, number: int) -> None:
        worker = self._workers[number]
        worker.join(SHUTDOWN_SECONDS)
        code = worker.exitcode
        how = "is not to be reached" if code is None else f"exited with code {code}"
        if code is not None and code < 0:
            how = f"was killed by signal {signal.Signals(-code).name}"
        raise RuntimeError(
            f"DataLoader worker (pid(s) {worker.pid}) exited unexpectedly: worker {number} {how}"
        ) from None


def _start_method() -> str | None:
    """How workers are started unless the loader says: as the program has set, else by fork on Linux.

    Python's own default there is forkserver since 3.14, which any use of multiprocessing sets: whether the program has
    chosen it can't be told. It can't send data sets of functions and notebooks, and runs programs without
    `if __name__ == "__main__"` again.
    """
    method = multiprocessing.get_start_method(allow_none=True)
    is_default = method is None or (method == "forkserver" and sys.version_info >= (3, 14))
    return "fork" if is_default and sys.platform == "linux" else method


@contextmanager
def _delay_interrupts() -> Iterator[None]:
    """Delay Ctrl-C until a process has been started: if it came in a destructor meanwhile, Python would ignore it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _shut_down(workers: list[Any], pipes: list[Any]) -> None:
    """Shut the workers down: they end when their pipes close; those that don't are killed, even stopped ones."""
    for pipe in pipes:
        pipe.close()
    deadline = time.monotonic() + SHUTDOWN_SECONDS
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
    for worker in workers:
        if worker.is_alive():
            worker.kill()
        worker.join()
        worker.close()
    workers.clear()
    pipes.clear()
