"""`fit`: the training loop, its mean losses, modes, schedulers, early stopping, and optimizers that need the loss."""

from __future__ import annotations

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad import nn
from microgad.training import EarlyStopping, fit
from microgad.utils.data import DataLoader, TensorDataset


def test_fit_equals_a_training_loop_written_by_hand(problem, state):
    by_fit, by_hand = problem(), None
    history = fit(**by_fit)
    after_fit = state(by_fit)

    by_hand = problem()
    model, (adam, eve) = by_hand["model"], by_hand["optimizer"]
    losses = []
    for _ in range(by_hand["epochs"]):
        total = count = 0
        for x, target in by_hand["data"]:
            adam.zero_grad()
            eve.zero_grad()
            loss = F.cross_entropy(model(x), target)
            loss.backward()
            adam.step()
            eve.step(lambda loss=loss: loss)
            total, count = total + loss.item() * len(x), count + len(x)
        losses.append(total / count)
    assert state(by_hand) == after_fit
    assert history["loss"] == losses


def test_evaluation_does_not_change_the_training(problem, state):
    measured, unmeasured = problem(), problem()
    unmeasured.update(held_out=None, train_loss=False)
    torch.manual_seed(7)
    fit(**measured)
    after = state(measured)
    torch.manual_seed(7)
    fit(**unmeasured)
    assert state(unmeasured) == after


def test_the_mean_loss_weights_batches_by_their_size(problem):
    """50 samples in batches of 16: with a learning rate of zero, the running loss is that of all samples."""
    given = problem(p=0.0)
    given["model"][1] = nn.Identity()
    given["optimizer"] = torch.optim.SGD(given["model"].parameters(), lr=0.0)
    x, target = given["data"].dataset.tensors
    expected = F.cross_entropy(given["model"](x), target).item()
    (row,) = fit(**{**given, "epochs": 1})
    assert row["loss"] == pytest.approx(expected, rel=1e-6)
    assert row["train_loss"] == pytest.approx(expected, rel=1e-6)
    assert (row["train_samples"], row["held_out_samples"]) == (50, 20)


def test_the_columns_of_the_history(problem):
    history = fit(**problem())
    assert list(history[0]) == [
        "epoch", "seconds", "loss", "train_loss", "train_accuracy", "train_samples",
        "held_out_loss", "held_out_accuracy", "held_out_samples",
    ]  # fmt: skip
    assert history["epoch"] == [1, 2, 3, 4]
    assert history["train_loss"][-1] < history["train_loss"][0]


def test_modes_are_restored(problem):
    given = problem()
    given["model"].eval()
    given["model"][3].train()
    modes = [module.training for module in given["model"].modules()]
    seen = []
    given["model"][1].register_forward_hook(lambda module, args, out: seen.append(module.training))
    fit(**{**given, "epochs": 1, "train_loss": False})
    assert seen == [True] * 4 + [False]  # four batches, one evaluation
    assert [module.training for module in given["model"].modules()] == modes


def test_modes_are_restored_after_an_error(problem):
    given = problem()
    given["model"].eval()

    def stop(model, history):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(**given, after_epoch=stop)
    assert not any(module.training for module in given["model"].modules())


def test_an_optimizer_may_call_the_closure_several_times():
    """As SAM and LBFGS do: the first call returns the computed loss, further ones compute it again."""

    class Twice(torch.optim.SGD):
        def step(self, closure=None):
            calls = [closure().item()]
            self.param_groups[0]["params"][0].array[...] = 2.0
            calls.append(closure().item())
            self.seen = calls, self.param_groups[0]["params"][0].grad.item()

    model = nn.Linear(1, 1, bias=False)
    model.weight.data = torch.ones(1, 1)
    optimizer = Twice(model.parameters(), lr=0.1)
    fit(model, [(torch.ones(1, 1), torch.zeros(1, 1))], optimizer, F.mse_loss, epochs=1, progress=False)
    assert optimizer.seen == ([1.0, 4.0], 4.0)


def test_an_optimizer_may_have_parameters_outside_of_the_model():
    model, scale = nn.Linear(1, 1), nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([{"params": [scale]}, {"params": model.parameters()}], lr=0.0)
    data = [(torch.ones(1, 1), torch.zeros(1, 1))] * 2
    fit(model, data, optimizer, lambda y, t: (y * 0 + 3 * scale).sum(), 1, progress=False)
    assert scale.grad.item() == 3.0  # of the second batch alone


def test_a_regression_has_no_accuracy():
    x = torch.linspace(-1, 1, 20).reshape(20, 1)
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = DataLoader(TensorDataset(x, x), batch_size=8)
    history = fit(model, data, optimizer, F.mse_loss, 2, held_out=(x, x), progress=False)
    assert list(history[0]) == ["epoch", "seconds", "loss", "held_out_loss"]


def test_a_model_may_have_several_inputs():
    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, a, b):
            return (a + b) * self.weight

    a = torch.ones(6, 1)
    model = Sum()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    fit(model, DataLoader(TensorDataset(a, a, 4 * a), 2), optimizer, F.mse_loss, 20, held_out=(a, a, a), progress=False)
    assert model.weight.item() == pytest.approx(2, abs=1e-3)


def test_a_scheduler_steps_after_each_epoch(problem):
    given = problem()
    scheduler = torch.optim.lr_scheduler.StepLR(given["optimizer"][0], step_size=2, gamma=0.1)
    fit(**given, scheduler=scheduler)
    assert given["optimizer"][0].param_groups[0]["lr"] == pytest.approx(0.01 * 0.1**2)


def test_reduce_lr_on_plateau_gets_the_validation_loss(problem):
    given = problem()
    never = {"patience": 0, "threshold": 1e9, "threshold_mode": "abs"}
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(given["optimizer"][0], factor=0.5, **never)
    history = fit(**given, validation=given["held_out"], scheduler=scheduler)
    assert scheduler.best == history["validation_loss"][0]
    assert given["optimizer"][0].param_groups[0]["lr"] == 0.01 * 0.5 ** (len(history) - 1)


def test_early_stopping_when_the_validation_loss_stays(problem):
    given = problem()
    given["optimizer"] = torch.optim.SGD(given["model"].parameters(), lr=0.0)
    given["model"][1] = nn.Identity()  # running averages of batch normalization would change
    history = fit(**{**given, "epochs": 50}, validation=given["held_out"], stop=EarlyStopping(patience=3))
    assert len(history) == 4
    assert history.stopped.startswith("for 3 epochs the validation loss has not fallen by more than 1e-08 below")


def test_early_stopping_compares_with_the_best_loss():
    stop = EarlyStopping(patience=2, threshold=0.1)
    assert stop.reason([1.0, 0.5, 0.6, 0.45]) is not None
    assert stop.reason([1.0, 0.5, 0.6, 0.35]) is None
    assert stop.reason([]) is None
    assert EarlyStopping(patience=1, threshold=0.0).reason([0.5, 0.5]) is not None
    with pytest.raises(ValueError, match="patience must be >= 1"):
        EarlyStopping(patience=0)


def test_invalid_arguments_are_refused_and_change_nothing(problem, state):
    given = problem()
    before = state(given)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(given["optimizer"][0])
    unrelated = torch.optim.SGD(nn.Linear(1, 1).parameters())
    torch.set_rng_state(torch.tensor(before[-1], dtype=torch.uint8))
    wrong = [
        ({"stop": EarlyStopping()}, ValueError, "EarlyStopping needs validation="),
        ({"scheduler": plateau}, ValueError, "ReduceLROnPlateau needs validation="),
        ({"epochs": -1}, ValueError, "epochs must be >= 0"),
        ({"at_once": 0}, ValueError, "at_once >= 1"),
        ({"epochs": 1.5}, TypeError, "'epochs' must be int, not float"),
        ({"scheduler": None}, TypeError, "'scheduler' must be LRScheduler | Sequence"),
        ({"scheduler": [None]}, TypeError, "expected an instance of LRScheduler, got NoneType"),
        ({"after_epoch": "a"}, TypeError, "'after_epoch' must be Callable"),
        ({"stop": 3}, TypeError, "'stop' must be EarlyStopping | None, not int"),
        ({"resume": "a"}, TypeError, "'resume' must be bool"),
        ({"resume": True}, ValueError, "resume needs checkpoint"),
        ({"data": given["data"].dataset}, TypeError, r"must give batches: DataLoader\(data"),
        ({"optimizer": unrelated}, ValueError, r"optimizer 0 \(SGD\) has none of the model's parameters"),
        ({"data": []}, TypeError, "data gave no batches in epoch 1"),
        ({"data": [torch.ones(2, 4)]}, TypeError, r"a batch must be \(input, ..., target\), but is a Tensor"),
    ]
    for changed, kind, message in wrong:
        with pytest.raises(kind, match=message):
            fit(**{**given, **changed})
        assert state(given) == before


def test_float32_stays_float32(problem):
    given = problem()
    fit(**given)
    assert all(p.array.dtype == np.float32 for p in given["model"].parameters())
