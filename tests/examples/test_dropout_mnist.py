"""examples/dropout_mnist.py: its quick mode, a resumed run after a kill, its network and its optimizers."""

from __future__ import annotations

import csv
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import microgad as torch

ROOT = Path(torch.__file__).parents[1]
PROGRAM = Path(__file__).parents[2] / "examples" / "dropout_mnist.py"


def start(out, *options):
    # one thread, because BLAS threads on a busy machine wait for each other most of the time
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(PROGRAM), "--quick", "--out", str(out), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def results(out):
    with open(out / "results.csv", newline="") as file:
        return [{name: text for name, text in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def test_an_interrupted_and_resumed_run_gives_the_same_numbers(tmp_path):
    complete = start(tmp_path / "complete")
    output, errors = complete.communicate(timeout=300)
    assert complete.returncode == 0, errors
    table = output[output.index("variant") :]
    assert "197,210" in table
    assert "/500)" in table
    assert "\npredicted   7 2 1" in output
    assert "\ntruth       7 2 1 0 4" in output
    written = {path.name for path in (tmp_path / "complete").iterdir()}
    assert written - {"graph.svg", "graph.dot"} == {"results.csv", "curves.png", "curves.svg", "checkpoints"}
    assert written & {"graph.svg", "graph.dot"}
    rows = results(tmp_path / "complete")
    assert len(rows) == 10
    assert float(rows[4]["held_out_loss"]) < float(rows[0]["held_out_loss"]) / 2

    killed = start(tmp_path / "killed")
    checkpoint = tmp_path / "killed" / "checkpoints" / "dropout_0.5-seed0.ckpt"
    while not checkpoint.exists():
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert not (tmp_path / "killed" / "results.csv").exists()
    resumed = start(tmp_path / "killed", "--resume")
    output, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    assert "dropout 0.5  seed 0   resumed after epoch " in output
    assert results(tmp_path / "killed") == rows

    other = start(tmp_path / "killed", "--resume", "--optimizer", "series")
    _, errors = other.communicate(timeout=300)
    assert other.returncode == 1
    assert "is of another run, nothing was changed: optimizer is " in errors
    assert "Traceback" not in errors


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("dropout_mnist", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_network_has_the_documented_layers_and_parameters(example):
    with_dropout, without = example.network(0.5), example.network(0.0)
    for net in (with_dropout, without):
        assert sum(p.numel() for p in net.parameters()) == 197_210
        assert net(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    names = [type(layer).__name__ for layer in with_dropout]
    assert names == ["Conv2d", "ReLU", "MaxPool2d", "Flatten", "Linear", "ReLU", "Dropout", "Linear"]
    assert [type(layer).__name__ for layer in without] == [name for name in names if name != "Dropout"]


def test_the_series_option_uses_adam_and_eve(example):
    net = example.network(0.5)
    adam, eve = example.optimizers(net, "series")
    assert (type(adam), type(eve)) == (torch.optim.Adam, torch.optim.Eve)
    sizes = [[p.numel() for group in optimizer.param_groups for p in group["params"]] for optimizer in (adam, eve)]
    assert sizes == [[90, 10, 1000, 10], [196_000, 100]]
