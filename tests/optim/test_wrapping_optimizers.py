"""Optimizers that wrap another one without calling `super().__init__()`: hooks, schedulers and copies work."""

import copy
from collections import OrderedDict
from typing import Any

import microgad as torch


class UndoEverySecondStep(torch.optim.Optimizer):
    """Takes the steps of another optimizer, and undoes every second one."""

    def __init__(self, inner: Any) -> None:
        self._optimizer_step_pre_hooks: Any = OrderedDict()
        self._optimizer_step_post_hooks: Any = OrderedDict()
        self.inner, self.count = inner, 0
        self.param_groups, self.defaults, self.state = inner.param_groups, inner.defaults, inner.state
        self._patch_step_function()

    def step(self, closure: Any = None) -> Any:
        before = [p.clone() for group in self.param_groups for p in group["params"]]
        loss = self.inner.step(closure)
        self.count += 1
        if self.count % 2 == 0:
            with torch.no_grad():
                for p, old in zip((p for group in self.param_groups for p in group["params"]), before, strict=True):
                    p.copy_(old)
        return loss


def make_optimizer() -> tuple[Any, Any]:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    w.grad = torch.ones(2)
    return w, UndoEverySecondStep(torch.optim.SGD([w], lr=0.5))


def test_step_hooks_of_a_wrapper_are_called() -> None:
    (w, optimizer), seen = make_optimizer(), []
    optimizer.register_step_pre_hook(lambda *_: seen.append(("before", w.tolist())))
    optimizer.register_step_post_hook(lambda *_: seen.append(("after", w.tolist())))
    optimizer.step()
    optimizer.step()
    assert seen == [("before", [1, 2]), ("after", [0.5, 1.5]), ("before", [0.5, 1.5]), ("after", [0.5, 1.5])]


def test_a_scheduler_changes_the_wrapped_learning_rate() -> None:
    _, optimizer = make_optimizer()
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    assert optimizer.inner.param_groups[0]["lr"] == 0.125


def test_a_copied_wrapper_has_state_dict_hooks() -> None:
    _, optimizer = make_optimizer()
    copied = copy.deepcopy(optimizer)
    seen: list[str] = []
    copied.register_state_dict_pre_hook(lambda _: seen.append("saved"))
    copied.state_dict()
    optimizer.step()
    assert seen == ["saved"]


def test_step_hooks_are_called_for_a_step_assigned_to_the_class() -> None:
    class Late(torch.optim.SGD):
        pass

    Late.step = lambda self, closure=None: "late"
    optimizer = Late([torch.ones(1, requires_grad=True)])
    seen: list[str] = []
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    assert optimizer.step() == "late"
    assert seen == ["after"]
