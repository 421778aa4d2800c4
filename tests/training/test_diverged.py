"""TrainingDiverged: an error names the operation and module that made NaN or infinity, and nothing is changed."""

from __future__ import annotations

from collections import OrderedDict

import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad import nn
from microgad.training import Step, TrainingDiverged, fit

ABOUT = r"Model, optimizers and random stream are as they were before this batch"


class Apply(nn.Module):
    """A module that applies a function."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


def net(function):
    """A model that draws random numbers and updates running averages before it applies the function."""
    torch.manual_seed(0)
    features = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), Apply(function))
    return nn.Sequential(OrderedDict(features=features, out=nn.Linear(4, 1)))


def outcome(model, batches, state, **options):
    """Train for an epoch, and return the error, and the states before each batch and at the end."""
    given = {"model": model, "optimizer": torch.optim.Adam(model.parameters())}
    states = []

    def record_states():
        for batch in batches:
            states.append(state(given))
            yield batch

    class Batches(list):
        def __iter__(self):
            return record_states()

    with pytest.raises(TrainingDiverged) as caught:
        fit(**given, data=Batches(batches), loss=F.mse_loss, epochs=1, progress=False, **options)
    return caught.value, [*states, state(given)]


def batches(*scales):
    torch.manual_seed(1)
    return [(torch.randn(8, 2) * scale, torch.zeros(8, 1)) for scale in scales]


def test_the_error_for_a_nan_loss_names_operation_and_module(state):
    model = net(lambda x: (x.abs() + 1.5 - torch.where(x.abs().amax() > 1e3, 1e6, 0.0)).log())
    model.features[1] = nn.Identity()
    error, states = outcome(model, batches(1, 1, 1e6, 1), state)
    assert isinstance(error, RuntimeError)
    assert (error.op, error.path) == ("Log", "features.3")
    assert str(error).startswith(
        "epoch 1, batch 3: the loss is NaN. Log (features.3): produced NaN from finite inputs: x (8, 4) from -"
    )
    assert str(error).endswith(f". {ABOUT}")
    assert states[3] == states[2] != states[1]
    assert error.history == []


def test_buffers_and_the_random_state_are_restored(state):
    model = net(lambda x: (x - 5).log())  # normalized values are never above 5
    error, states = outcome(model, batches(1), state)
    assert (error.op, error.path) == ("Log", "features.3")
    assert states[1] == states[0]


def test_the_origin_of_an_infinity_is_named_rather_than_the_first_nan(state):
    """exp overflows to infinity, which only becomes NaN in inf - inf."""

    def function(x):
        y = (x.abs() * 1000 + 1000).exp()
        return (y - y) + x

    error, states = outcome(net(function), batches(1), state)
    assert (error.op, error.path) == ("Exp", "features.3")
    assert "Exp (features.3): produced inf from finite inputs" in str(error)
    assert states[1] == states[0]


def test_an_infinity_that_vanishes_is_not_named(state):
    """log(0) is minus infinity, whose exponential is 0: the NaN comes from elsewhere."""

    def function(x):
        zero = (x.detach() * 0).log().exp()
        return zero + (x - 100).sqrt()

    error, _ = outcome(net(function), batches(1), state)
    assert (error.op, error.path) == ("Sqrt", "features.3")


def test_a_gradient_that_is_not_finite_does_not_change_the_weights(state):
    """The value of sqrt at 0 is finite, its derivative isn't."""
    error, states = outcome(net(lambda x: (x * 0).sqrt() + x), batches(1, 1), state)
    assert (error.op, error.path) == ("Sqrt", "features.3")
    assert str(error).startswith(
        "epoch 1, batch 1: the gradient of parameter features.0.weight has NaN. Sqrt (features.3): the gradient of its "
        "input x (8, 4) is the first one with "
    )
    assert states[1] == states[0]


def test_nan_in_a_batch_is_named(state):
    ((x, target),) = batches(1)
    x[3, 1] = float("nan")
    error, states = outcome(net(lambda x: x), [(x, target)], state)
    assert (error.op, error.path) == ("Linear", "features.0")
    assert "its input x (input 0 of the batch) held NaN before" in str(error)
    assert states[1] == states[0]


def test_infinity_in_a_parameter_is_named(state):
    model = net(lambda x: x)
    with torch.no_grad():
        model.out.bias.fill_(float("inf"))
    error, _ = outcome(model, batches(1), state)
    assert (error.op, error.path) == ("Linear", "out")
    assert "its input bias (parameter out.bias) held inf before" in str(error)


def test_other_errors_change_nothing_either():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    step = Step(model, [torch.optim.SGD(model.parameters())], F.cross_entropy)
    before = [x.tolist() for x in model.state_dict().values()], torch.get_rng_state().tolist()
    with pytest.raises(IndexError, match="Target 7 is out of bounds"):
        step((torch.ones(3, 2), torch.tensor([0, 1, 7])))
    assert ([x.tolist() for x in model.state_dict().values()], torch.get_rng_state().tolist()) == before
    step((torch.ones(3, 2), torch.tensor([0, 1, 2])))
    assert ([x.tolist() for x in model.state_dict().values()], torch.get_rng_state().tolist()) != before
    with pytest.raises(IndexError, match="Target 7 is out of bounds"):
        step((torch.ones(3, 2), torch.tensor([0, 1, 7])))
    assert all(p.grad is None for p in model.parameters())


def test_a_held_out_loss_that_is_nan_is_named():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 1), Apply(lambda x: x.sqrt()))
    model[0].bias.data = torch.tensor([10.0])
    data = [(torch.rand(4, 1), torch.ones(4, 1))]
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    held_out = torch.full((3, 1), 1e6) * -model[0].weight.item(), torch.ones(3, 1)
    with pytest.raises(TrainingDiverged, match=r"^epoch 1: the held-out loss is NaN. Sqrt \(1\): produced NaN from f"):
        fit(model, data, optimizer, F.mse_loss, 1, held_out=held_out, progress=False)
    assert model.training


def test_a_large_finite_gradient_is_accepted():
    """Only its square would overflow in float32."""
    model = nn.Linear(1, 1, bias=False)
    model.weight.data = torch.ones(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-30)
    fit(model, [(torch.full((1, 1), 1e25), torch.zeros(1, 1))], optimizer, lambda y, t: y.sum(), 1, progress=False)
    assert model.weight.item() == pytest.approx(1 - 1e-5)
