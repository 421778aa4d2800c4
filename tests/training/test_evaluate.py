"""`evaluate` and `predict`: right means, bounded memory, and no effect on the model and the random state."""

from __future__ import annotations

import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad import nn
from microgad.training import evaluate, predict
from microgad.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset


class RecordsCalls(nn.Module):
    """A model that records for each call the number of samples, its mode, and whether gradients are enabled."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
        self.seen = []

    def forward(self, x):
        self.seen.append((len(x), self.training, torch.is_grad_enabled()))
        return self.inner(x)


@pytest.fixture
def data():
    torch.manual_seed(0)
    return TensorDataset(torch.randn(50, 4), torch.randint(0, 3, (50,)))


def test_at_once_bounds_the_batch_size_and_changes_no_result(data):
    model = RecordsCalls()
    x, target = data.tensors
    whole = evaluate(model, data, F.cross_entropy, at_once=50)
    for given in (data, data.tensors, DataLoader(data, batch_size=40), DataLoader(data, batch_size=7, shuffle=True)):
        model.seen = []
        score = evaluate(model, given, F.cross_entropy, at_once=16)
        assert max(n for n, *_ in model.seen) <= 16
        assert sum(n for n, *_ in model.seen) == 50
        assert {(training, recorded) for _, training, recorded in model.seen} == {(False, False)}
        assert score.loss == pytest.approx(whole.loss, rel=1e-6)
        assert (score.correct, score.samples) == (whole.correct, 50)
    model.eval()
    assert whole.loss == pytest.approx(F.cross_entropy(model(x), target).item(), rel=1e-6)
    assert whole.correct == (model(x).argmax(1) == target).sum().item()


def test_predict_returns_the_outputs_of_the_model(data):
    model = RecordsCalls()
    out = predict(model, data.tensors[0], at_once=16)
    assert max(n for n, *_ in model.seen) == 16
    assert not out.requires_grad
    assert torch.allclose(out, model.eval()(data.tensors[0]))


@pytest.mark.parametrize(("at_once", "kind"), [(0, ValueError), (-1, ValueError), (None, TypeError), (1.5, TypeError)])
def test_at_once_must_be_a_number_of_samples(data, at_once, kind):
    model = RecordsCalls()
    with pytest.raises(kind, match=r"predict.*at_once"):
        predict(model, data.tensors[0], at_once=at_once)
    with pytest.raises(kind, match=r"evaluate.*at_once"):
        evaluate(model, data, F.cross_entropy, at_once=at_once)


def test_modes_and_random_states_are_restored(data):
    model = RecordsCalls()
    model.inner[1].eval()
    generator = torch.Generator().manual_seed(1)
    loader = DataLoader(data, batch_size=8, shuffle=True, generator=generator)
    modes = [module.training for module in model.modules()]
    before = torch.get_rng_state().tolist(), generator.get_state().tolist()
    evaluate(model, loader, F.cross_entropy)
    batches = BatchSampler(RandomSampler(data, generator=generator), 8, False)
    evaluate(model, DataLoader(data, batch_sampler=batches), F.cross_entropy)
    assert (torch.get_rng_state().tolist(), generator.get_state().tolist()) == before
    assert [module.training for module in model.modules()] == modes
    assert torch.is_grad_enabled()


def test_modes_are_restored_after_an_error(data):
    model = RecordsCalls()
    with pytest.raises(IndexError, match="Target 3 is out of bounds"):
        evaluate(model, (torch.ones(4, 4), torch.full((4,), 3).long()), F.cross_entropy)
    assert model.training
    assert torch.is_grad_enabled()


def test_evaluate_without_samples():
    model = nn.Linear(4, 3)
    score = evaluate(model, (torch.ones(0, 4), torch.zeros(0).long()), F.cross_entropy)
    assert score.loss != score.loss
    assert (score.correct, score.samples) == (None, 0)


def test_positions_of_a_sample_count_as_samples():
    output = torch.tensor([[[3.0, 0.0], [0.0, 3.0]], [[3.0, 3.0], [0.0, 0.0]]])  # (N, C, positions)
    target = torch.tensor([[0, 1], [0, 1]])
    score = evaluate(nn.Identity(), (output, target), F.cross_entropy, at_once=1)
    assert (score.correct, score.samples, score.accuracy) == (3, 4, 0.75)
    assert score.loss == pytest.approx(F.cross_entropy(output, target).item())


def test_integers_of_another_shape_are_no_classes():
    output, target = torch.tensor([[2.0], [5.0]]), torch.tensor([[2], [4]])
    score = evaluate(nn.Identity(), (output, target), lambda y, t: F.mse_loss(y, t.float()))
    assert (score.loss, score.accuracy) == (0.5, None)


def test_predict_without_samples_has_the_shape_of_outputs():
    assert predict(nn.Linear(4, 3), torch.ones(0, 4)).shape == (0, 3)
