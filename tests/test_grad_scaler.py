"""amp.GradScaler: how its scale moves, and is saved and loaded."""

import pytest

import microgad as torch


def after_steps(scaler, *slopes):
    """The scale after steps of one parameter with these gradients."""
    p = torch.nn.Parameter(torch.zeros(()))
    optimizer, scales = torch.optim.SGD([p], 0.1), []
    for slope in slopes:
        optimizer.zero_grad()
        scaler.scale(p * slope).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    return scales


def test_the_scale_grows_after_an_interval_and_shrinks_where_a_gradient_is_infinite():
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    assert after_steps(scaler, 1.0, 1.0, 1.0, float("inf"), 1.0, 1.0) == [8, 16, 16, 8, 8, 16]


def test_factors_and_interval_can_be_set():
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.set_growth_factor(4.0)
    scaler.set_backoff_factor(0.25)
    scaler.set_growth_interval(1)
    assert after_steps(scaler, 1.0, float("inf")) == [32, 8]
    assert (scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()) == (4, 0.25, 1)


def test_losses_in_lists_tuples_and_iterators_are_scaled():
    scaler, loss = torch.amp.GradScaler("cpu", init_scale=8.0), torch.tensor(2.0)
    assert scaler.scale([loss, (loss,)]) == [16, (16,)]
    assert list(scaler.scale(iter([loss]))) == [16]
    with pytest.raises(ValueError, match="iterable of Tensors"):
        scaler.scale(2.0)


def test_the_scale_does_not_become_infinite():
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**126, growth_factor=8.0, growth_interval=1)
    assert after_steps(scaler, 1.0, 1.0) == [2.0**126] * 2


@pytest.mark.parametrize("used", [False, True])
def test_a_state_is_loaded_into_a_new_scaler_and_one_in_use(used):
    saved, scaler = (torch.amp.GradScaler("cpu", init_scale=x, growth_interval=3) for x in (8.0, 2.0))
    after_steps(saved, 1.0, 1.0)
    if used:
        after_steps(scaler, 1.0)
    scaler.load_state_dict(saved.state_dict())
    assert scaler.state_dict() == saved.state_dict()
    assert after_steps(scaler, 1.0) == after_steps(saved, 1.0) == [16]
