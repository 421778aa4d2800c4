"""torch.multiprocessing: shared memory, and programs that spawn and fork processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

import microgad as torch
from microgad import nn

PROGRAM = """
import torch, torch.nn as nn
import torch.multiprocessing as mp

def work(rank, model, queue, x):
    with torch.no_grad():
        for p in model.parameters():
            p += 1
    x[rank] = rank + 1
    queue.put(torch.full((2,), float(rank)))

def child(i, x):
    x += i + 1

def fails(i):
    raise SystemExit(3)

def waits_for_one_that_fails(i, event):
    event.wait() if i == 0 else fails(i)

def raises(i, what):
    if i == 1:
        raise what

def ends_itself(i):
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)

class Numbers(torch.utils.data.Dataset):
    def __len__(self): return 4
    def __getitem__(self, i): return torch.tensor(float(i))

if __name__ == "__main__":
    for method in ("fork", "spawn"):
        context = mp.get_context(method)
        model, x, queue = nn.Linear(1, 1).share_memory(), torch.zeros(4).share_memory_(), context.Queue()
        nn.init.zeros_(model.weight)
        processes = [context.Process(target=work, args=(r, model, queue, x[1:])) for r in range(2)]
        for p in processes:
            p.start()
            p.join()
        print(method, model.weight.item(), x.tolist(), sorted(queue.get().tolist() for _ in processes))
    x = torch.zeros(2).share_memory_()
    mp.spawn(child, args=(x,), nprocs=2)
    print(x.tolist(), mp.get_sharing_strategy() in mp.get_all_sharing_strategies())
    loader = torch.utils.data.DataLoader(Numbers(), 2, num_workers=1, multiprocessing_context="spawn")
    print([batch.tolist() for batch in loader])
    try:
        mp.spawn(fails)
    except Exception as error:
        print(type(error).__name__)
    fork = {"nprocs": 2, "start_method": "fork"}  # which takes less time
    waiting = mp.start_processes(waits_for_one_that_fails, (mp.get_context("fork").Event(),), join=False, **fork)
    waiting.processes[1].join()
    try:
        waiting.join()
    except mp.ProcessExitedException as error:
        print(error, error.exit_code)
    try:
        mp.start_processes(raises, (KeyError("what it was"),), **fork)
    except mp.ProcessRaisedException as error:
        print(error.error_index, str(error).strip().splitlines()[0], str(error).splitlines()[-1])
        print(str(type(error)(*error.__reduce__()[1])) == str(error))
    started = mp.start_processes(ends_itself, start_method="fork", join=False)
    try:
        while not started.join(timeout=20, grace_period=1): pass
    except mp.ProcessException as error:
        print(error, error.error_pid == started.pids()[0], error.signal_name)
"""


def test_processes_share_memory_and_report_errors(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, "-m", "microgad", str(program)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "fork 2.0 [0.0, 1.0, 2.0, 0.0] [[0.0, 0.0], [1.0, 1.0]]",
        "spawn 2.0 [0.0, 1.0, 2.0, 0.0] [[0.0, 0.0], [1.0, 1.0]]",
        "[3.0, 3.0] True",
        "[[0.0, 1.0], [2.0, 3.0]]",
        "ProcessExitedException",
        "process 1 terminated with exit code 3 3",
        "1 -- Process 1 terminated with the following error: KeyError: 'what it was'",
        "True",
        "process 0 terminated with signal SIGKILL True SIGKILL",
    ]


def test_base_and_views_move_to_shared_memory_together() -> None:
    leaf = torch.ones(6, requires_grad=True)
    base = leaf * torch.arange(6.0)
    row, transposed = base[2:4], base.view(2, 3).t()
    assert row.share_memory_() is row
    assert all(x.is_shared() for x in (base, row, transposed))
    assert (row.tolist(), transposed.tolist(), transposed.stride()) == ([2, 3], [[0, 3], [1, 4], [2, 5]], (1, 3))
    base.mul_(2)
    assert (row.tolist(), transposed[0].tolist()) == ([4, 6], [0, 6])
    (row.sum() + transposed[0].sum()).backward()
    assert leaf.grad.tolist() == [0, 0, 4, 12, 0, 0]


def test_share_memory_keeps_values_and_identity() -> None:
    layer = nn.Linear(2, 3)
    weight, values = layer.weight, layer.weight.tolist()
    assert not weight.is_shared()
    assert layer.share_memory().weight is weight
    assert weight.is_shared()
    assert weight[1:].is_shared()
    assert weight.tolist() == values
    address = weight.data_ptr()
    assert weight.share_memory_().data_ptr() == address
    layer(torch.ones(2)).sum().backward()
    torch.optim.SGD(layer.parameters(), 1.0).step()
    assert weight.data_ptr() == address
    assert weight.tolist() != values
    for x in (torch.zeros(0, 3), torch.tensor(2, dtype=torch.int8), torch.from_numpy(np.ones((3, 2)).T)):
        before = x.tolist()
        assert x.share_memory_().tolist() == before
        assert x.is_shared()


def test_share_memory_between_forward_and_backward() -> None:
    x = torch.tensor([1.0, 3.0], requires_grad=True)
    y = x * x
    x.share_memory_()
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 6.0]
