"""Hooks of optimizers: before and after steps, and when a state is saved and loaded."""

from typing import Any

import pytest

import microgad
from microgad.optim import SGD
from microgad.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from ..leaves import parameter, with_gradient


def test_step_hooks_are_called_until_they_are_removed() -> None:
    p, seen = with_gradient(1), []
    optimizer = SGD([p], lr=0.5)
    before = optimizer.register_step_pre_hook(lambda *args: seen.append(("before", p.item(), *args)))
    optimizer.register_step_post_hook(lambda *args: seen.append(("after", p.item(), *args)))
    optimizer.step()
    assert seen == [("before", 1, optimizer, (optimizer,), {}), ("after", 0, optimizer, (optimizer,), {})]
    before.remove()
    optimizer.step()
    assert [name for name, *_ in seen] == ["before", "after", "after"]


def test_a_pre_hook_can_replace_the_closure() -> None:
    optimizer = SGD([parameter(1)])
    optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: ((optimizer, lambda: 7), kwargs))
    assert optimizer.step(lambda: 3) == 7


class OwnStep(SGD):
    """An optimizer that overrides step, as programs written for PyTorch do."""

    @microgad.no_grad()
    def step(self, closure: Any = None) -> Any:
        return super().step(closure) or "stepped"


def test_hooks_of_an_optimizer_that_overrides_step_are_called_once() -> None:
    """Though its step calls the step of its base class."""
    seen: list[str] = []
    optimizer = OwnStep([with_gradient(1)])
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    assert optimizer.step() == "stepped"
    assert seen == ["before", "after"]


def test_global_step_hooks_are_called_for_all_optimizers() -> None:
    seen: list[Any] = []
    optimizer = SGD([with_gradient(1)])
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    with (
        register_optimizer_step_pre_hook(lambda optimizer, *_: seen.append(optimizer)),
        register_optimizer_step_post_hook(lambda *_: seen.append("all")),
    ):
        optimizer.step()
    optimizer.step()
    assert seen == [optimizer, "before", "after", "all", "before", "after"]


@pytest.mark.parametrize("wrong", [3, ((), {}, None)])
def test_a_pre_hook_that_returns_a_wrong_value_raises(wrong: Any) -> None:
    optimizer = SGD([parameter(1)])
    optimizer.register_step_pre_hook(lambda *_: wrong)
    with pytest.raises(RuntimeError, match="must return None or a tuple of"):
        optimizer.step()


def test_state_dict_and_load_hooks_see_and_change_the_state() -> None:
    seen: list[Any] = []
    optimizer = SGD([parameter(1)], lr=0.5)
    optimizer.register_state_dict_pre_hook(lambda o: seen.append(o))
    optimizer.register_state_dict_pre_hook(lambda o: seen.append(0), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "second": 2})
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "first": "second" not in state}, prepend=True)
    saved = optimizer.state_dict()
    assert (seen, saved["first"], saved["second"]) == ([0, optimizer], True, 2)
    optimizer.register_load_state_dict_pre_hook(lambda o, state: {**state, "param_groups": [{**state["groups"][0]}]})
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append(o.param_groups[0]["lr"]))
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append(1), prepend=True)
    given = {"state": {}, "groups": [{**saved["param_groups"][0], "lr": 0.25}]}
    optimizer.load_state_dict(given)
    assert seen == [0, optimizer, 1, 0.25]
    assert set(given) == {"state", "groups"}
    assert optimizer.state_dict()["second"] == 2  # loading keeps the hooks


def test_a_load_hook_may_change_the_state_dict_that_it_is_given() -> None:
    """It is a copy of the program's."""
    optimizer = SGD([parameter(1)], lr=0.5)
    saved = optimizer.state_dict()
    optimizer.register_load_state_dict_pre_hook(lambda o, state: state.update(param_groups=[{"params": [0], "lr": 2}]))
    optimizer.register_load_state_dict_pre_hook(lambda o, state: state["param_groups"][0].update(saved_options))
    saved_options = {name: x for name, x in saved["param_groups"][0].items() if name != "lr"}
    optimizer.load_state_dict(saved)
    assert (optimizer.param_groups[0]["lr"], saved["param_groups"][0]["lr"]) == (2, 0.5)
