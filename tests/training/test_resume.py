"""Checkpoints of `fit`: a resumed run gives exactly the same numbers, and an unsuitable file is refused."""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from subprocess import PIPE

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.training import CheckpointError, EarlyStopping, checkpoint, fit
from microgad.training.environment import differences
from microgad.training.run_settings import run_settings
from microgad.utils.data import DataLoader

from ..processes import start


class Interrupted(Exception):
    pass


def interrupt_after(batches):
    """A loss that raises Interrupted after some batches."""
    count = 0

    def cross_entropy(output, target):  # a checkpoint is only accepted for a loss of the same name
        nonlocal count
        count += output.requires_grad
        if count > batches:
            raise Interrupted
        return nn.functional.cross_entropy(output, target)

    cross_entropy.__qualname__ = "cross_entropy"
    return cross_entropy


def with_scheduler(given):
    return given | {"scheduler": torch.optim.lr_scheduler.StepLR(given["optimizer"][0], step_size=2, gamma=0.5)}


@pytest.mark.parametrize("batches", [0, 2, 4, 7, 15])  # four make an epoch
def test_resumed_equals_uninterrupted(problem, state, numbers, tmp_path, batches):
    whole = with_scheduler(problem())
    expected = numbers(fit(**whole)), state(whole)

    path = tmp_path / "run.ckpt"
    with pytest.raises(Interrupted):
        fit(**{**with_scheduler(problem()), "loss": interrupt_after(batches)}, checkpoint=path)
    assert path.exists() == (batches >= 4)
    torch.manual_seed(99)
    again = with_scheduler(problem())
    history = fit(**again, checkpoint=path, resume=True)
    assert (numbers(history), state(again)) == expected


def test_a_run_may_be_interrupted_twice(problem, state, numbers, tmp_path):
    whole = problem()
    expected = numbers(fit(**whole)), state(whole)
    for batches in (5, 6):
        with pytest.raises(Interrupted):
            fit(**{**problem(), "loss": interrupt_after(batches)}, checkpoint=tmp_path / "run.ckpt", resume=True)
    again = problem()
    assert (numbers(fit(**again, checkpoint=tmp_path / "run.ckpt", resume=True)), state(again)) == expected


def test_a_finished_run_continues_for_more_epochs(problem, state, numbers, tmp_path):
    whole = problem()
    expected = numbers(fit(**whole)), state(whole)
    fit(**{**problem(), "epochs": 2}, checkpoint=tmp_path / "run.ckpt")
    again = problem()
    assert (numbers(fit(**again, checkpoint=tmp_path / "run.ckpt", resume=True)), state(again)) == expected


def test_a_loader_with_its_own_generator_is_resumed(problem, state, numbers, tmp_path):
    def given():
        made = problem()
        made["data"] = DataLoader(made["data"].dataset, 16, shuffle=True, generator=torch.Generator().manual_seed(5))
        return made

    whole = given()
    expected = numbers(fit(**whole)), state(whole)
    fit(**{**given(), "epochs": 2}, checkpoint=tmp_path / "run.ckpt")
    again = given()
    assert (numbers(fit(**again, checkpoint=tmp_path / "run.ckpt", resume=True)), state(again)) == expected


def test_a_checkpoint_with_columns_of_older_names_is_resumed(problem, numbers, tmp_path):
    expected, path = numbers(fit(**problem())), tmp_path / "run.ckpt"
    fit(**{**problem(), "epochs": 2}, checkpoint=path)
    saved = torch.load(path)
    saved["history"] = [{k.replace("n_loss", "n_error").replace("t_loss", "t_error"): v for k, v in row.items()}
                        for row in saved["history"]]  # fmt: skip
    assert "held_out_error" in saved["history"][0]
    torch.save(saved, path)
    assert numbers(fit(**problem(), checkpoint=path, resume=True)) == expected


def test_a_finished_run_is_not_repeated(problem, state, numbers, tmp_path):
    first = problem()
    history = fit(**first, checkpoint=tmp_path / "run.ckpt")
    again = problem()
    steps = []
    again["optimizer"][0].register_step_post_hook(lambda *_: steps.append(1))
    assert fit(**again, checkpoint=tmp_path / "run.ckpt", resume=True) == history
    assert state(again) == state(first)
    assert not steps


def test_a_run_that_stopped_early_is_not_continued(problem, tmp_path):
    def given():
        made = problem()
        return {**made, "epochs": 30, "validation": made["held_out"], "stop": EarlyStopping(patience=1, threshold=0.1)}

    history = fit(**given(), checkpoint=tmp_path / "run.ckpt")
    assert len(history) < 30
    again = fit(**given(), checkpoint=tmp_path / "run.ckpt", resume=True)
    assert (again, again.stopped) == (history, history.stopped)


def test_without_resume_the_old_file_goes(problem, tmp_path):
    path = tmp_path / "run.ckpt"
    fit(**{**problem(), "epochs": 1}, checkpoint=path)
    with pytest.raises(Interrupted):
        fit(**{**problem(), "loss": interrupt_after(1)}, checkpoint=path)
    assert not path.exists()


PROGRAM = """
import os, signal, sys, json, hashlib
import microgad as torch
import microgad.nn.functional as F
from microgad import nn
from microgad.training import fit
from microgad.utils.data import DataLoader, TensorDataset

path, kill_at, moment = sys.argv[1], int(sys.argv[2]), sys.argv[3]
torch.manual_seed(3)
x = torch.randn(70, 1, 8, 8)
data = TensorDataset(x, torch.randint(0, 4, (70,)))
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(36, 4))
optimizer = torch.optim.Adam(model.parameters())
count = 0
def loss(output, target):
    global count
    count += output.requires_grad
    if moment == "step" and count == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    return F.cross_entropy(output, target)
def replace(a, b, rename=os.replace):
    if moment == "before rename" and count >= kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(a, b)
    if moment == "after rename" and count >= kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
os.replace = replace
loader = DataLoader(data, batch_size=16, shuffle=True)
history = fit(model, loader, optimizer, loss, 5, held_out=data, checkpoint=path, resume=True, progress=False)
weights = hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in model.parameters())).hexdigest()
print(json.dumps([weights, [{k: v for k, v in row.items() if k != "seconds"} for row in history]]))
"""


def start_program(path, kill_at=0, moment="never"):
    return start(PROGRAM, path, kill_at, moment, stderr=PIPE, cwd=Path(torch.__file__).parents[1])


@pytest.mark.host("processes of their own")
def test_a_killed_run_resumes_to_the_same_numbers(tmp_path):
    """The process is killed within an epoch, and before and after the checkpoint file is renamed."""
    path, runs = tmp_path / "run.ckpt", [start_program(tmp_path / "whole.ckpt")]
    for kill_at, moment in ((3, "step"), (10, "before rename"), (8, "step"), (10, "after rename")):
        killed = start_program(path, kill_at, moment)
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL
    runs.append(start_program(path))
    (whole, errors), (resumed, more) = (run.communicate() for run in runs)
    assert [run.returncode for run in runs] == [0, 0], errors + more
    assert json.loads(resumed) == json.loads(whole)
    assert len(json.loads(resumed)[1]) == 5


def other_model(made):
    made["model"][3] = nn.Dropout(0.5)


def other_optimizer(made):
    made["optimizer"] = torch.optim.Adam(made["model"].parameters(), lr=0.1)


def other_batches(made):
    made["data"] = DataLoader(made["data"].dataset, 10, shuffle=True)


def other_samples(made):
    made["held_out"][0][0, 0] = 7  # shares memory with the training data


def other_loss(made):
    made["loss"] = nn.CrossEntropyLoss(label_smoothing=0.1)


def more_settings(made):
    made |= with_scheduler(made) | {"validation": made["held_out"]}


def other_seed(made):
    torch.manual_seed(4)


def fewer_epochs(made):
    made["epochs"] = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_model, r"model is \(3\): Dropout\(p=0.2, inplace=False\) there, \(3\): Dropout\(p=0.5, inplace"),
        (other_optimizer, r"optimizer is lr: 0.01 there, lr: 0.1 here"),
        (other_batches, r"data is 50 samples \([0-9a-f]{8}\), 4 batches there, .*, 5 batches here"),
        (other_samples, r"data is 50 samples \([0-9a-f]{8}\), 4 batches there, 50 samples .* held_out is 20 samples"),
        (other_loss, r"loss is cross_entropy there, CrossEntropyLoss\(\) \{.*'label_smoothing': 0.1.*\} here"),
        (more_settings, "scheduler is nothing there, StepLR .* here; .*validation is None there, 20 samples .* here"),
        (other_seed, "seed is 0 there, 4 here"),
        (fewer_epochs, "is of 2 epochs, but only 1 are wanted"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(problem, state, tmp_path, change, message):
    path = tmp_path / "run.ckpt"
    fit(**{**problem(), "epochs": 2}, checkpoint=path)
    kept = path.read_bytes()
    given = problem()
    change(given)
    before = state(given)
    with pytest.raises(CheckpointError, match=message) as caught:
        fit(**given, checkpoint=path, resume=True)
    assert isinstance(caught.value, RuntimeError)
    assert str(path) in str(caught.value)
    assert state(given) == before
    assert path.read_bytes() == kept


def truncated(path):
    path.write_bytes(path.read_bytes()[:-200])


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("epoch 3\n")


def only_weights(path):
    torch.save({"weight": torch.ones(3)}, path)


@pytest.mark.parametrize("damage", [truncated, empty, text, only_weights])
def test_a_damaged_file_is_refused(problem, state, tmp_path, damage):
    path = tmp_path / "run.ckpt"
    fit(**{**problem(), "epochs": 1}, checkpoint=path)
    damage(path)
    given = problem()
    before = state(given)
    with pytest.raises(CheckpointError, match=r"run\.ckpt"):
        fit(**given, checkpoint=path, resume=True)
    assert state(given) == before


def test_a_flipped_bit_is_found_or_changes_no_number(problem, state, numbers, tmp_path):
    """Some bytes of a zip archive don't matter, such as the times of its files."""
    path = tmp_path / "run.ckpt"
    fit(**{**problem(), "epochs": 1}, checkpoint=path)
    whole = path.read_bytes()
    given = problem()
    expected = numbers(fit(**{**given, "epochs": 1}, checkpoint=path, resume=True)), state(given)
    refused = 0
    for position in range(0, len(whole), 499):
        data = bytearray(whole)
        data[position] ^= 1 << position % 8
        path.write_bytes(data)
        given = problem()
        before = state(given)
        try:
            history = fit(**{**given, "epochs": 1}, checkpoint=path, resume=True)
        except CheckpointError:
            refused += 1
            assert state(given) == before
        else:
            assert (numbers(history), state(given)) == expected
    assert refused > len(range(0, len(whole), 499)) / 2


def test_a_file_that_fails_to_load_changes_nothing(problem, state, tmp_path):
    """Its settings match, but loading an optimizer fails: the model, which is already loaded, is restored."""
    path = tmp_path / "run.ckpt"
    fit(**{**problem(), "epochs": 1}, checkpoint=path)
    saved = torch.load(path)
    saved["parts"]["optimizer 1"]["param_groups"].append({})
    torch.save(saved, path)
    given = problem()
    before = state(given)
    with pytest.raises(CheckpointError, match="does not fit, nothing was changed"):
        fit(**given, checkpoint=path, resume=True)
    assert state(given) == before


def test_a_missing_folder_is_an_error(problem, tmp_path):
    with pytest.raises(RuntimeError, match="does not exist"):
        fit(**problem(), checkpoint=tmp_path / "none" / "run.ckpt")


def test_addresses_and_a_number_of_threads_that_can_be_set_do_not_tell_runs_apart(problem):
    given = problem()
    loss = run_settings(given["model"], given["data"], [], partial(given["loss"]), {}, None, [])["loss"]
    assert loss == "functools.partial(<function cross_entropy>) {}"
    assert not differences({"threads": 2}, {"threads": 1})
    assert differences({"threads": 2}, {"threads": None}) == ["threads: 2 then, None now"]


def test_resuming_in_another_environment_warns_about_the_differences(problem, tmp_path, monkeypatch):
    path = tmp_path / "run.ckpt"
    there = checkpoint.environment() | {"NumPy": "1.0.0", "CPU features": "X86_V2"}
    monkeypatch.setattr(checkpoint, "environment", lambda: there)
    fit(**{**problem(), "epochs": 1}, checkpoint=path)
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="last digits may differ") as warned:
        fit(**problem(), checkpoint=path, resume=True)
    assert f"NumPy: 1.0.0 then, {np.__version__} now; CPU features: X86_V2 then, " in str(warned[0].message)


def test_a_resumed_run_uses_as_many_blas_threads_as_before(problem, tmp_path):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    path = tmp_path / "run.ckpt"
    seen = []

    def threads(*_):
        pools = threadpoolctl.threadpool_info()
        seen.append(max(pool["num_threads"] for pool in pools if pool["user_api"] == "blas"))

    with threadpoolctl.threadpool_limits(1):
        fit(**{**problem(), "epochs": 1}, checkpoint=path, after_epoch=threads)
    with threadpoolctl.threadpool_limits(2):
        fit(**{**problem(), "epochs": 2}, checkpoint=path, resume=True, after_epoch=threads)
        threads()
    assert seen == [1, 1, 2]


def test_checkpoints_work_without_threadpoolctl(problem, numbers, tmp_path, monkeypatch):
    expected = numbers(fit(**problem()))
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    fit(**{**problem(), "epochs": 2}, checkpoint=tmp_path / "run.ckpt")
    assert numbers(fit(**problem(), checkpoint=tmp_path / "run.ckpt", resume=True)) == expected


def test_a_checkpoint_is_one_file_without_leftovers(problem, tmp_path):
    fit(**problem(), checkpoint=tmp_path / "run.ckpt")
    assert os.listdir(tmp_path) == ["run.ckpt"]
