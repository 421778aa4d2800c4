"""A DataLoader's worker processes: what they bring, how they fail, and that nothing of them is left."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgad
from microgad.utils.data import DataLoader, IterableDataset, TensorDataset, get_worker_info
from microgad.utils.data.multiprocess import MultiprocessIterator
from microgad.utils.data.transfer import SHARED

pytestmark = [
    pytest.mark.host("processes of its own, which share no GPU"),
    pytest.mark.skipif(not SHARED, reason="signals and /proc as Linux has them"),
]


class Numbered:
    """Samples that do something at index 5, and say which process made them."""

    def __init__(self, do: Any = lambda: None, size: int = 1) -> None:
        self.do, self.size = do, size

    def __len__(self) -> int:
        return 12

    def __getitem__(self, i: int) -> Any:
        if i == 5:
            self.do()
        return microgad.full((self.size,), float(i)), os.getpid()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone(pids: Any, seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(map(alive, pids))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def pids(batches: Any) -> set[int]:
    return {int(pid) for _, several in batches for pid in several}


def test_batches_come_from_other_processes_which_end() -> None:
    loader = DataLoader(Numbered(), 2, num_workers=2)
    batches = list(loader)
    assert [x[:, 0].tolist() for x, _ in batches] == [[2 * i, 2 * i + 1] for i in range(6)]
    made = pids(batches)
    assert len(made) == 2
    assert os.getpid() not in made
    assert gone(made)
    assert get_worker_info() is None


def test_persistent_workers_stay_and_leave_with_the_loader() -> None:
    loader = DataLoader(Numbered(), 2, num_workers=2, persistent_workers=True)
    iterator = iter(loader)
    first = next(iterator)
    made = pids(list(loader))  # the first pass was broken off: nothing of it comes late
    assert pids([first]) <= made
    assert [x[0].item() for x, _ in loader] == [0, 2, 4, 6, 8, 10]
    assert pids(list(loader)) == made
    assert all(map(alive, made))
    del loader, iterator
    assert gone(made)


def test_a_pass_that_is_broken_off() -> None:
    made = set()
    for _, several in DataLoader(Numbered(), 2, num_workers=2):
        made = set(several.tolist())
        break
    assert gone(made)


def test_large_arrays_are_shared_memory_that_is_written_and_goes() -> None:
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


def test_many_indices_and_workers_that_are_busy() -> None:
    data = TensorDataset(microgad.arange(200_000))
    (batch,), (rest,) = DataLoader(data, 150_000, num_workers=1, prefetch_factor=2)
    assert (batch.sum() + rest.sum()).item() == 200_000 * 199_999 // 2


def test_in_order_or_as_they_are_ready() -> None:
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


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_every_way_to_start(context: str) -> None:
    data = TensorDataset(microgad.arange(6))
    found = [batch.tolist() for (batch,) in DataLoader(data, 4, num_workers=1, multiprocessing_context=context)]
    assert found == [[0, 1, 2, 3], [4, 5]]


class Picky(Exception):
    def __init__(self, a: int, b: int) -> None:
        super().__init__(a, b)


def raising(error: Any) -> Any:
    def do() -> None:
        raise error

    return do


@pytest.mark.parametrize(
    ("error", "kind"),
    [(ValueError("no five"), ValueError), (KeyError("five"), KeyError), (Picky(1, 2), RuntimeError)],
)
def test_an_exception_is_raised_again_and_the_pass_goes_on(error: Any, kind: Any) -> None:
    iterator = iter(DataLoader(Numbered(raising(error)), 2, num_workers=2))
    next(iterator), next(iterator)
    with pytest.raises(kind, match="in DataLoader worker process 0") as caught:
        next(iterator)
    assert "in __getitem__" in str(caught.value)
    assert "\n" in str(caught.value)  # KeyError too
    assert [x[0].item() for x, _ in iterator] == [6, 8, 10]


class Unopened(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        raise ValueError("no file")


def test_a_stream_that_cannot_begin_says_so() -> None:
    with pytest.raises(ValueError, match="no file"):
        next(iter(DataLoader(Unopened(), num_workers=1, timeout=20)))


def test_what_cannot_be_sent() -> None:
    loader = DataLoader(Numbered(), 2, num_workers=1, collate_fn=lambda samples: lambda: samples)
    with pytest.raises(Exception, match=r"(?i)pickle"):
        next(iter(loader))


def test_a_worker_that_is_killed_is_noticed_at_once() -> None:
    iterator = iter(DataLoader(Numbered(die), 2, num_workers=2))
    made = pids([next(iterator)])
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpectedly: .* SIGKILL"):
        list(iterator)
    assert time.monotonic() - start < 5
    assert gone(made)
    with pytest.raises(StopIteration):
        next(iterator)


def test_what_a_worker_made_before_it_was_killed_counts() -> None:
    iterator: Any = iter(DataLoader(Numbered(die), 2, num_workers=2))
    iterator.workers[0].join(10)
    assert next(iterator)[0].flatten().tolist() == [0, 1]  # and the next batch is asked of nobody
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(iterator)


def test_what_cannot_be_asked_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(*_: Any) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr("microgad.utils.data.multiprocess.send", send)
    with pytest.raises(OSError, match="too many open files"):
        iter(DataLoader(Numbered(), 2, num_workers=2))


def test_a_worker_that_leaves() -> None:
    with pytest.raises(RuntimeError, match="exited unexpectedly: worker 0 exited with code 3"):
        list(DataLoader(Numbered(lambda: os._exit(3)), 2, num_workers=2))


@pytest.mark.parametrize("do", [stop, lambda: time.sleep(1000)])
def test_a_worker_that_hangs(do: Any) -> None:
    """Within the timeout, and a stopped one is ended as well."""
    iterator = iter(DataLoader(Numbered(do), 2, num_workers=2, timeout=1))
    made = pids([next(iterator)])
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="DataLoader timed out after 1 seconds"):
        list(iterator)
    assert time.monotonic() - start < 5
    assert gone(made)


def test_after_a_failure_persistent_workers_are_made_anew() -> None:
    loader = DataLoader(Numbered(), 1, num_workers=2, persistent_workers=True)  # more batches than are asked for ahead
    iterator = iter(loader)
    (pid,) = next(iterator)[1].tolist()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="exited unexpectedly"):
        list(iterator)
    assert len(list(loader)) == 12


def test_init_function_and_info() -> None:
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


def test_a_stream_comes_from_each_worker() -> None:
    loader = DataLoader(Stream(), 2, num_workers=2)
    assert [x.tolist() for x in loader] == [[0, 1], [0, 1], [2], [2]]
    assert [x.tolist() for x in DataLoader(Stream(), 2, drop_last=True, num_workers=2)] == [[0, 1], [0, 1]]


PROGRAM = """
import os, signal, sys, time
import microgad
from microgad.utils.data import DataLoader

signal.signal(signal.SIGINT, signal.default_int_handler)  # which programs in the background ignore

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


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("busy", ["0.05", "1000"])
def test_no_orphans(how: int, busy: str, tmp_path: Path) -> None:
    """Neither after Ctrl-C, which all processes of a terminal get, nor when the program is killed, however busy."""
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    program = subprocess.Popen(
        [sys.executable, str(file), busy], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert program.stdout is not None
    seen = {int(program.stdout.readline()) for _ in range(2)}
    if how == signal.SIGINT:
        os.killpg(program.pid, how)
    else:
        program.send_signal(how)
    program.stdout.close()
    assert program.wait(20)
    assert gone(seen)


def test_processes_is_an_iterator() -> None:
    iterator = iter(DataLoader(Numbered(), 2, num_workers=1))
    assert isinstance(iterator, MultiprocessIterator)
    assert iter(iterator) is iterator
