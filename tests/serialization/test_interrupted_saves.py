"""If a process is killed or its disk is full while it saves, the complete old or the complete new file remains."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest

import microgad as torch

from ..processes import alive, gone, run, start

pytestmark = [
    pytest.mark.host("other processes"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="signals and /proc as Linux has them"),
]
SIZE = 2_000_000  # elements, which are eight megabytes: a save takes a while
SAVES = {
    "pt": "torch.save(state, path)",
    "safetensors": "torch.serialization.safetensors.save_file(state, path)",
    "npz": "torch.serialization.save_npz(state, path)",
}
PROGRAM = """
import os, sys
import microgad as torch
path = sys.argv[1]
for line in sys.stdin:
    writer = os.fork()
    if writer == 0:
        print(os.getpid(), flush=True)
        for n in range(int(line), 10**6):
            state = {{"n": torch.tensor(n), "w": torch.full(({size},), float(n))}}
            {save}
            print(n, flush=True)
    os.waitpid(writer, 0)
    print("ended", flush=True)
"""
TRAINING = """
import sys
import numpy as np
import microgad as torch
from microgad import nn
from microgad.training import fit
from microgad.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
data = TensorDataset(torch.randn(64, 8), torch.randint(0, 2, (64,)))
net = nn.Sequential(nn.Linear(8, 30_000), nn.ReLU(), nn.Linear(30_000, 2))
loader = DataLoader(data, 16, num_workers=int(sys.argv[2]))
print("ready", flush=True)
fit(net, loader, torch.optim.SGD(net.parameters(), 0.01), nn.functional.cross_entropy, 10**6, checkpoint=sys.argv[1],
    resume=True, progress=False, after_epoch=lambda *given: print("epoch", flush=True))
"""


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How many processes a test kills."""
    return 50 if request.config.getoption("--thorough") else 4


class Writer:
    """Saves numbered states in a process of its own, which a process forks that has imported microgad."""

    def __init__(self, path: Path, kind: str) -> None:
        self.pid, self.parent = 0, start(PROGRAM.format(size=SIZE, save=SAVES[kind]), path, stdin=PIPE)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exception: object) -> None:
        if alive(self.pid):
            os.kill(self.pid, signal.SIGKILL)
        self.parent.communicate()

    def start(self, n: int) -> None:
        """Start it with the state n, and return when that is saved."""
        print(n, file=self.parent.stdin, flush=True)
        self.pid, self.lines = int(self._line()), [self._line()]

    def kill(self) -> int:
        """Kill it, and return the number of the last state that it saved."""
        os.kill(self.pid, signal.SIGKILL)
        while self.lines[-1] != "ended":
            self.lines.append(self._line())
        return int(self.lines[-2])

    def _line(self) -> str:
        assert self.parent.stdout is not None
        line = self.parent.stdout.readline().strip()
        assert line, "ended by itself"
        return line


def unfinished(folder: Path) -> list[str]:
    """Temporary files of saves that didn't end."""
    return [name for name in os.listdir(folder) if name.endswith(".tmp")]


@pytest.mark.parametrize("kind", SAVES)
def test_a_killed_save_leaves_the_old_or_the_new_file(kind: str, kills: int, tmp_path: Path) -> None:
    path, rng = tmp_path / f"last.{kind}", random.Random(kind)
    state = {"n": torch.tensor(0), "w": torch.full((SIZE,), 0.0)}
    exec(SAVES[kind], {"torch": torch, "state": state, "path": path})
    mapped = torch.load(path, mmap=True)
    interrupted = n = done = 0
    with Writer(path, kind) as writer:
        while done < kills or not interrupted:  # whether a process is killed during a save is chance
            done += 1
            writer.start(n + 1)
            time.sleep(rng.uniform(0, 0.1))
            last = writer.kill()
            found = torch.load(path)
            n = found["n"].item()
            assert n in (last, last + 1)
            assert found["w"].shape == (SIZE,)
            assert (found["w"] == n).all()
            interrupted += len(unfinished(tmp_path))
            assert len(unfinished(tmp_path)) <= 1
            assert (mapped["w"] == 0).all()  # the old file, as long as it is mapped
            assert interrupted or done < 10 * kills
    exec(SAVES[kind], {"torch": torch, "state": state, "path": path})
    assert os.listdir(tmp_path) == [path.name]


def test_a_save_does_not_remove_the_unfinished_file_of_another_process(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    with Writer(path, "pt") as writer:
        writer.start(1)
        for n in range(20):
            while not unfinished(tmp_path):
                assert alive(writer.pid)
            torch.save({"n": n}, path)
        while "w" not in torch.load(path):  # it would fail if its temporary file had been removed
            assert alive(writer.pid)
        writer.kill()
    torch.save({}, path)
    assert os.listdir(tmp_path) == ["last.pt"]


FULL = """
import resource, sys
import microgad as torch
path = sys.argv[1]
state = {{"n": torch.tensor(1), "w": torch.full(({size},), 1.0)}}
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
try:
    {save}
except OSError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("kind", SAVES)
def test_a_save_on_a_full_disk_raises_and_keeps_the_old_file(kind: str, tmp_path: Path) -> None:
    """A limit on file sizes stands for the full disk: both make the same write fail."""
    path = tmp_path / f"last.{kind}"
    state = {"n": torch.tensor(0)}
    exec(SAVES[kind], {"torch": torch, "state": state, "path": path})
    path.chmod(0o600)
    done = run("-c", FULL.format(size=SIZE, save=SAVES[kind]), str(path))
    assert done.stderr == ""
    assert f"save: File too large; a file that was there is as it was: '{path}'" in done.stdout
    assert os.listdir(tmp_path) == [path.name]
    assert torch.load(path)["n"].item() == 0
    exec(SAVES[kind], {"torch": torch, "state": state, "path": path})
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_killed_training_leaves_a_whole_checkpoint_and_no_workers(kills: int, tmp_path: Path) -> None:
    path, rng = tmp_path / "run.ckpt", random.Random(0)
    epochs = 0
    for _ in range(kills):
        process = start(TRAINING, path, 2)
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.readline()  # the first epoch
        workers = children(process.pid)
        named = {name for pid in (process.pid, *workers) for name in shared_memory(pid)}
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.communicate()
        found = torch.load(path)
        assert len(found["history"]) > epochs
        epochs = len(found["history"])
        assert all(np.isfinite(x.numpy()).all() for x in found["parts"]["model"].values())
        assert gone(workers)
        assert not any(map(os.path.exists, named))
        assert len(unfinished(tmp_path)) <= 1


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def shared_memory(pid: int) -> list[str]:
    """The named shared memory of a process, which would outlive it."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return ["/dev/shm/" + line.partition("/dev/shm/")[2] for line in lines if "/dev/shm/" in line]
