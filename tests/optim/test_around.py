"""Optimizers of programs' own around another one: PyTorch's names, where `super().__init__()` isn't called."""

import copy
from collections import OrderedDict
from typing import Any

import microgad as torch


class Around(torch.optim.Optimizer):
    """Every second step of the inner one's is undone."""

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


def trained() -> tuple[Any, Any]:
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    w.grad = torch.ones(2)
    return w, Around(torch.optim.SGD([w], lr=0.5))


def test_its_hooks_are_called() -> None:
    (w, optimizer), seen = trained(), []
    optimizer.register_step_pre_hook(lambda *_: seen.append(("before", w.tolist())))
    optimizer.register_step_post_hook(lambda *_: seen.append(("after", w.tolist())))
    optimizer.step()
    optimizer.step()
    assert seen == [("before", [1, 2]), ("after", [0.5, 1.5]), ("before", [0.5, 1.5]), ("after", [0.5, 1.5])]


def test_a_scheduler_takes_it() -> None:
    _, optimizer = trained()
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for _ in range(2):
        optimizer.step()
        scheduler.step()
    assert optimizer.inner.param_groups[0]["lr"] == 0.125


def test_a_copy_has_hooks_of_every_kind() -> None:
    _, optimizer = trained()
    copied = copy.deepcopy(optimizer)
    seen: list[str] = []
    copied.register_state_dict_pre_hook(lambda _: seen.append("saved"))
    copied.state_dict()
    optimizer.step()
    assert seen == ["saved"]


def test_a_step_that_the_class_is_given_later_is_hooked() -> None:
    class Late(torch.optim.SGD):
        pass

    Late.step = lambda self, closure=None: "late"  # type: ignore[method-assign, assignment]
    optimizer = Late([torch.ones(1, requires_grad=True)])
    seen: list[str] = []
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    assert optimizer.step() == "late"
    assert seen == ["after"]
