"""lr_scheduler: state dicts and errors. tests/parity compares the schedules with PyTorch's."""

from typing import Any

import pytest

import microgad
from microgad.optim import SGD
from microgad.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    CyclicLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    SequentialLR,
    StepLR,
)


def optimizer() -> SGD:
    return SGD([microgad.ones(1, requires_grad=True)], lr=0.1)


def grown() -> SGD:
    """An optimizer with a second group that its scheduler doesn't know."""
    first = optimizer()
    StepLR(first, 2)
    first.add_param_group({"params": microgad.ones(1, requires_grad=True)})
    return first


@pytest.mark.filterwarnings("ignore:Detected call of .lr_scheduler.step:UserWarning")
@pytest.mark.parametrize("kind", [lambda o: StepLR(o, 2), lambda o: CosineAnnealingLR(o, 7)])
def test_a_loaded_scheduler_continues_the_schedule(kind: Any) -> None:
    uninterrupted, first = kind(optimizer()), kind(optimizer())
    rates = []
    for _ in range(9):
        uninterrupted.step()
        rates += uninterrupted.get_last_lr()
    for _ in range(4):
        first.step()
    second = kind(optimizer())
    second.load_state_dict(first.state_dict())
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    for expected in rates[4:]:
        second.step()
        assert second.get_last_lr() == [expected] == [second.optimizer.param_groups[0]["lr"]]


@pytest.mark.filterwarnings("ignore:Detected call of .lr_scheduler.step:UserWarning")
def test_milestones_may_become_a_list() -> None:
    schedule = MultiStepLR(optimizer(), [1], gamma=0.5)
    for _ in range(3):
        schedule.step()
    schedule.milestones = [1, 2]
    schedule.step()  # at an epoch after all of them
    assert schedule.get_last_lr() == [0.05]


def test_attributes_of_a_callable_are_saved_and_loaded() -> None:
    class Rule:
        power = 1

        def __call__(self, epoch: int) -> float:
            return 0.5 ** (epoch * self.power)

    a, b = Rule(), Rule()
    a.power, b.other = 2, 3
    LambdaLR(optimizer(), b).load_state_dict(LambdaLR(optimizer(), a).state_dict())
    assert vars(b) == {"power": 2, "other": 3}


@pytest.mark.parametrize(
    "make",
    [
        lambda o: LambdaLR(o, abs),
        lambda o: CyclicLR(o, 0.1, 1.0, cycle_momentum=False),
        lambda o: ChainedScheduler([StepLR(o, 2)]),
        lambda o: SequentialLR(o, [StepLR(o, 2), StepLR(o, 2)], [1]),
        lambda o: microgad.amp.GradScaler("cpu"),
    ],
)
def test_a_state_of_another_kind_raises_and_changes_nothing(make: Any) -> None:
    other = StepLR(optimizer(), 3)
    other.optimizer.step()
    other.step()
    loading = make(optimizer())
    before = {name: x for name, x in vars(loading).items() if isinstance(x, (int, float, list))}
    for state in (other.state_dict(), {**other.state_dict(), "_schedulers": [], "scale": 1.0, "_growth_tracker": 0}):
        with pytest.raises((KeyError, ValueError)):
            loading.load_state_dict(state)
        assert {name: x for name, x in vars(loading).items() if isinstance(x, (int, float, list))} == before


def test_functions_are_kept_when_a_state_is_loaded() -> None:
    rule = LambdaLR(optimizer(), abs)
    rule.load_state_dict(rule.state_dict())
    cycle = CyclicLR(optimizer(), 0.1, 1.0, scale_fn=abs, cycle_momentum=False)
    cycle.load_state_dict(cycle.state_dict())
    assert (rule.lr_lambdas, cycle.scale_fn(-2)) == ([abs], 2)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: StepLR("SGD", 2), TypeError, "str is not an Optimizer"),
        (lambda: StepLR(optimizer(), 2, last_epoch=3), KeyError, "'initial_lr' is not specified in param_groups"),
        (lambda: StepLR(grown(), 2, last_epoch=3), KeyError, r"'initial_lr' is not specified in param_groups\[1\]"),
        (lambda: LambdaLR(optimizer(), [abs, abs]), ValueError, "Expected 1 lr_lambdas, but got 2"),
        (lambda: LRScheduler(optimizer()), NotImplementedError, "must define get_lr"),
    ],
)
def test_wrong_arguments_raise(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()
