"""Worker processes of DataLoader: their batches, failures, and that no process or shared memory is left."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgad
from microgad.utils.data import DataLoader, IterableDataset, TensorDataset, get_worker_info
from microgad.utils.data.multiprocess import _MultiProcessingDataLoaderIter
from microgad.utils.data.transfer import LARGE, SHARED, receive, send

from ..processes import alive, gone, start

pytestmark = [
    pytest.mark.host("processes of its own, which share no GPU"),
    pytest.mark.skipif(not SHARED, reason="signals and /proc as Linux has them"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # on a machine with one core
]


class Numbered:
    """A data set whose samples have the id of their process, and whose sample 5 calls a function."""

    def __init__(self, do: Any = lambda: None, size: int = 1) -> None:
        self.do, self.size = do, size

    def __len__(self) -> int:
        return 12

    def __getitem__(self, i: int) -> Any:
        if i == 5:
            self.do()
        return microgad.full((self.size,), float(i)), os.getpid()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def pids(batches: Any) -> set[int]:
    return {int(pid) for _, several in batches for pid in several}


def test_batches_come_from_worker_processes_that_end_afterwards() -> None:
    loader = DataLoader(Numbered(), 2, num_workers=2)
    batches = list(loader)
    assert [x[:, 0].tolist() for x, _ in batches] == [[2 * i, 2 * i + 1] for i in range(6)]
    workers = pids(batches)
    assert len(workers) == 2
    assert os.getpid() not in workers
    assert gone(workers)
    assert get_worker_info() is None


def test_persistent_workers_end_with_the_loader() -> None:
    loader = DataLoader(Numbered(), 2, num_workers=2, persistent_workers=True)
    iterator = iter(loader)
    first = next(iterator)
    workers = pids(list(loader))  # the first iterator was abandoned: none of its batches may come now
    assert pids([first]) <= workers
    assert [x[0].item() for x, _ in loader] == [0, 2, 4, 6, 8, 10]
    assert pids(list(loader)) == workers
    assert all(map(alive, workers))
    del loader, iterator
    assert gone(workers)


def test_workers_of_an_abandoned_iterator_end() -> None:
    workers = set()
    for _, several in DataLoader(Numbered(), 2, num_workers=2):
        workers = set(several.tolist())
        break
    assert gone(workers)


def test_large_arrays_are_in_shared_memory_that_is_writable_and_freed() -> None:
    def shared() -> int:
        return sum("memfd:microgad" in line for line in Path("/proc/self/maps").read_text().splitlines())

    before = shared()
    batches = list(DataLoader(Numbered(size=100_000), 3, num_workers=2))
    assert shared() == before + 4
    x = batches[1][0]
    x += 1
    assert x[:, -1].tolist() == [4, 5, 6]
    part = x[1, :3]
    del batches, x
    assert part.tolist() == [5, 5, 5]
    del part
    assert shared() == before


def test_batches_of_very_many_indices() -> None:
    data = TensorDataset(microgad.arange(200_000))
    (batch,), (rest,) = DataLoader(data, 150_000, num_workers=1, prefetch_factor=2)
    assert (batch.sum() + rest.sum()).item() == 200_000 * 199_999 // 2


def test_a_process_that_may_open_no_more_files_says_so() -> None:
    resource = pytest.importorskip("resource")
    here, there = multiprocessing.Pipe()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    send(here, np.zeros(LARGE))
    os.close(free := os.dup(0))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, limits[1]))
        with pytest.raises(RuntimeError, match="all files open that it may"):
            receive(there)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    here.close()
    with pytest.raises(EOFError):
        receive(there)


def test_in_order_false_gives_batches_as_they_are_ready() -> None:
    class Slow:
        def __len__(self) -> int:
            return 6

        def __getitem__(self, i: int) -> int:
            if i == 0:
                time.sleep(0.5)
            return i

    batches = [[x.item() for x in DataLoader(Slow(), num_workers=2, in_order=ordered)] for ordered in (True, False)]
    assert batches[0] == [0, 1, 2, 3, 4, 5]
    assert batches[1] != batches[0]
    assert sorted(batches[1]) == batches[0]


def test_a_stream_that_ends_late_ends_no_other() -> None:
    class Uneven(IterableDataset[int]):
        def __iter__(self) -> Iterator[int]:
            info = get_worker_info()
            assert info is not None
            if info.id == 0:  # without a batch, and so late that it has been asked for several
                time.sleep(0.3)
                return iter(())
            return iter(range(5))

    batches = DataLoader(Uneven(), num_workers=2, prefetch_factor=1, in_order=False)
    assert [x.item() for x in batches] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_every_start_method(context: str) -> None:
    data = TensorDataset(microgad.arange(6))
    found = [batch.tolist() for (batch,) in DataLoader(data, 4, num_workers=1, multiprocessing_context=context)]
    assert found == [[0, 1, 2, 3], [4, 5]]


@pytest.mark.parametrize("method", ["spawn", None])
def test_workers_are_started_as_the_program_has_set_or_by_fork(method: str | None) -> None:
    before = multiprocessing.get_start_method(allow_none=True)
    multiprocessing.set_start_method(method, force=True)
    try:
        multiprocessing.get_context()  # which sets Python's own default
        data = Numbered(lambda: None)  # which only a fork can send
        if method is None:
            assert len(list(DataLoader(data, 6, num_workers=1))) == 2
        else:
            with pytest.raises((AttributeError, pickle.PicklingError), match=r"pickle|local object"):
                iter(DataLoader(data, 6, num_workers=1))
    finally:
        multiprocessing.set_start_method(before, force=True)


class TwoArguments(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(a, b)


def raising(error: Any) -> Any:
    def do() -> None:
        raise error

    return do


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ValueError("no five"), ValueError), (KeyError("five"), KeyError), (TwoArguments(1, 2), RuntimeError)],
)
def test_an_exception_is_raised_again_and_the_iterator_continues(error: Any, kind: Any) -> None:
    iterator = iter(DataLoader(Numbered(raising(error)), 2, num_workers=2))
    next(iterator), next(iterator)
    with pytest.raises(kind, match="in DataLoader worker process 0") as caught:
        next(iterator)
    assert "in __getitem__" in str(caught.value)
    assert "\n" in str(caught.value)  # KeyError too
    assert [x[0].item() for x, _ in iterator] == [6, 8, 10]


class FailsToStart(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        raise ValueError("no file")


def test_an_error_of_an_iterable_dataset_is_raised() -> None:
    with pytest.raises(ValueError, match="no file"):
        next(iter(DataLoader(FailsToStart(), num_workers=1, timeout=20)))


def test_a_batch_that_cannot_be_pickled_is_an_error() -> None:
    loader = DataLoader(Numbered(), 2, num_workers=1, collate_fn=lambda samples: lambda: samples)
    with pytest.raises(Exception, match=r"(?i)pickle"):
        next(iter(loader))


def test_a_killed_worker_is_noticed_at_once() -> None:
    iterator = iter(DataLoader(Numbered(die), 2, num_workers=2))
    workers = pids([next(iterator)])
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly: .* SIGKILL"):
        list(iterator)
    assert time.monotonic() - start < 5
    assert gone(workers)
    with pytest.raises(StopIteration):
        next(iterator)


def test_batches_sent_before_a_worker_was_killed_are_returned() -> None:
    iterator: Any = iter(DataLoader(Numbered(die), 2, num_workers=2))
    iterator._workers[0].join(10)
    assert next(iterator)[0].flatten().tolist() == [0, 1]  # the next batch is requested from no worker
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(iterator)


def test_an_error_while_sending_indices_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(*_: Any) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr("microgad.utils.data.multiprocess.send", send)
    with pytest.raises(OSError, match="too many open files"):
        iter(DataLoader(Numbered(), 2, num_workers=2))


def test_a_worker_that_exits_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="exited unexpectedly: worker 0 exited with code 3"):
        list(DataLoader(Numbered(lambda: os._exit(3)), 2, num_workers=2))


@pytest.mark.parametrize("do", [stop, lambda: time.sleep(1000)])
def test_a_worker_that_hangs_or_is_stopped_times_out(do: Any) -> None:
    iterator = iter(DataLoader(Numbered(do), 2, num_workers=2, timeout=1))
    workers = pids([next(iterator)])
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="DataLoader timed out after 1 seconds"):
        list(iterator)
    assert time.monotonic() - start < 5
    assert gone(workers)


def test_lightning_shuts_persistent_workers_down() -> None:
    loader = DataLoader(Numbered(), 2, num_workers=2, persistent_workers=True)
    workers = pids(loader)
    loader._iterator._shutdown_workers()
    assert gone(workers)
    loader._iterator = None
    assert len(list(loader)) == len(loader)


def test_persistent_workers_are_started_again_after_a_failure() -> None:
    loader = DataLoader(Numbered(), 1, num_workers=2, persistent_workers=True)  # more batches than are prefetched
    iterator = iter(loader)
    (pid,) = next(iterator)[1].tolist()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(iterator)
    assert len(list(loader)) == 12


def test_worker_init_fn_and_get_worker_info() -> None:
    def init(number: int) -> None:
        info = get_worker_info()
        assert info is not None
        info.dataset.do = lambda: None
        info.dataset.size = 10 + number
        np.testing.assert_equal((info.id, info.num_workers), (number, 2))

    sizes = [x.shape[1] for x, _ in DataLoader(Numbered(die), 2, num_workers=2, worker_init_fn=init)]
    assert sizes == [10, 11] * 3


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(3))

    def __len__(self) -> int:
        return 3


def test_an_iterable_dataset_is_iterated_by_each_worker() -> None:
    loader = DataLoader(Stream(), 2, num_workers=2)
    assert [x.tolist() for x in loader] == [[0, 1], [0, 1], [2], [2]]
    assert [x.tolist() for x in DataLoader(Stream(), 2, drop_last=True, num_workers=2)] == [[0, 1], [0, 1]]


PROGRAM = """
import os, signal, sys, time
import microgad
from microgad.utils.data import DataLoader

signal.signal(signal.SIGINT, signal.default_int_handler)  # background processes ignore it

class Slow:
    def __len__(self):
        return 1000
    def __getitem__(self, i):
        os.write(1, b"%d\\n" % os.getpid())
        time.sleep(float(sys.argv[1]))
        return i

for batch in DataLoader(Slow(), 4, num_workers=2):
    pass
"""


@pytest.mark.parametrize("kill_signal", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("busy", ["0.05", "1000"])
def test_workers_end_when_the_program_is_killed(kill_signal: int, busy: str) -> None:
    """SIGINT goes to all processes, as Ctrl-C does; the workers may be busy or asleep."""
    program = start(PROGRAM, busy, stderr=subprocess.DEVNULL, start_new_session=True)
    assert program.stdout is not None
    seen = {int(program.stdout.readline()) for _ in range(2)}
    if kill_signal == signal.SIGINT:
        os.killpg(program.pid, kill_signal)
    else:
        program.send_signal(kill_signal)
    program.stdout.close()
    assert program.wait(20)
    assert gone(seen)


def test_the_iterator_with_workers_is_its_own_iterator() -> None:
    iterator = iter(DataLoader(Numbered(), 2, num_workers=1))
    assert isinstance(iterator, _MultiProcessingDataLoaderIter)
    assert iter(iterator) is iterator
