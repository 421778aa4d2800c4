"""Optimizer: groups, closures, hooks, state, and refusals that leave everything as it was."""

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

import microgad
from microgad.optim import (
    ASGD,
    LBFGS,
    SGD,
    SMORMS3,
    AdaBelief,
    AdaBound,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSBound,
    AMSGrad,
    Eve,
    Muon,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    RMSpropGraves,
    Rprop,
)
from microgad.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    required,
)

OPTIMIZERS = [
    SGD, Adam, AdamW, Eve, Adadelta, Adafactor, Adagrad, Adamax, ASGD, NAdam, RAdam, RMSprop, Rprop, AMSGrad, AdaBound,
    AMSBound, AdaBelief, RMSpropGraves, SMORMS3
]  # fmt: skip


def parameter(*values: float, dtype: Any = microgad.float32) -> Any:
    return microgad.tensor(values, dtype=dtype, requires_grad=True)


def with_gradient(*values: float) -> Any:
    p = parameter(*values)
    (p * p).sum().backward()
    return p


def contents(optimizer: Optimizer) -> Any:
    """Parameters, state and options, as copies that can be compared."""
    params = [p.tolist() for group in optimizer.param_groups for p in group["params"]]
    return params, listed(optimizer.state_dict()["state"]), copy.deepcopy(optimizer.state_dict()["param_groups"])


def listed(x: Any) -> Any:
    if isinstance(x, dict):
        return {key: listed(value) for key, value in x.items()}
    if isinstance(x, list):
        return [listed(item) for item in x]
    return x.tolist() if isinstance(x, microgad.Tensor) else x


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_closure_is_called_once_and_its_loss_returned(kind: Any) -> None:
    p, calls = parameter(1, 2), []
    optimizer = kind([p], lr=0.1)

    def closure() -> Any:
        calls.append(microgad.is_grad_enabled())
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with microgad.no_grad():
        assert optimizer.step(closure).item() == 5
    assert calls == [True]
    assert optimizer.step(closure).item() < 5


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_backward_notices_that_a_kept_parameter_has_moved(kind: Any) -> None:
    p = with_gradient(1, 2)
    loss = (p * p).sum()
    kind([p], lr=0.1).step(lambda: 1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_arrays_stay_in_place_and_their_dtype(kind: Any) -> None:
    p = with_gradient(1, 2)
    array = p.array
    decay = {} if kind is Rprop else {"weight_decay": np.float64(0.1)}
    kind([p], lr=np.float64(0.1), **decay).step(lambda: 1.0)
    assert p.array is array
    assert array.dtype == np.float32
    assert p.is_leaf


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_tensor_as_learning_rate(kind: Any) -> None:
    p, q = with_gradient(1, 2), with_gradient(1, 2)
    kind([p], lr=microgad.tensor(0.5)).step(lambda: 1.0)
    kind([q], lr=0.5).step(lambda: 1.0)
    assert p.tolist() == q.tolist()


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.filterwarnings("error")
def test_nan_and_inf_go_their_way_without_warnings(kind: Any) -> None:
    p = parameter(1, 2, 3)
    p.grad = microgad.tensor([math.nan, math.inf, 1.0])
    kind([p], lr=0.1).step(lambda: 1.0)
    assert math.isnan(p[0].item()) is (kind is not Rprop)  # to which NaN has no sign
    assert math.isfinite(p[2].item())


def test_parameters_without_gradient_are_left_alone() -> None:
    p, q = with_gradient(1), parameter(2)
    optimizer = Adam([p, q])
    optimizer.step()
    assert q.tolist() == [2]
    assert list(optimizer.state_dict()["state"]) == [0]


def test_zero_grad() -> None:
    p, q = with_gradient(1, 2), parameter(1)
    optimizer = SGD([p, q])
    grad = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is grad
    assert grad.tolist() == [0, 0]
    assert q.grad is None
    optimizer.zero_grad()
    assert p.grad is None
    (p * p).sum().backward(create_graph=True)
    optimizer.zero_grad(set_to_none=False)
    assert not p.grad.requires_grad
    q.grad = microgad.ones(2)[:1]
    optimizer.zero_grad(set_to_none=False)
    assert q.grad.tolist() == [0]


# Groups


def test_a_group_added_later_takes_the_defaults() -> None:
    p, q = with_gradient(1), with_gradient(1)
    optimizer = SGD([p], lr=0.5)
    group = {"params": q, "weight_decay": 1.0}
    optimizer.add_param_group(group)
    assert optimizer.param_groups[1] is group
    assert group["params"] == [q]
    optimizer.step()
    assert (p.tolist(), q.tolist()) == ([0], [-0.5])


def test_parameters_may_come_from_a_generator() -> None:
    optimizer = SGD(parameter(i) for i in range(3))
    assert len(optimizer.param_groups[0]["params"]) == 3


@pytest.mark.parametrize("bad", [{"lr": -1}, {"params": [3.0]}, {"params": [parameter(1) * 2]}, {}])
def test_a_refused_group_changes_nothing(bad: Any) -> None:
    """A rate below 0, a number, a Tensor that an operation made, a parameter that is there already."""
    p = parameter(1)
    optimizer = SGD([p])
    before = copy.copy(optimizer.param_groups[0])
    group = {"params": [p], **bad}
    asked = dict(group)
    with pytest.raises((ValueError, TypeError), match=r"learning rate|Tensors|non-leaf|more than one"):
        optimizer.add_param_group(group)
    assert optimizer.param_groups == [before]
    assert group == asked


def test_what_to_do_with_a_module() -> None:
    class Module:
        def parameters(self) -> Any:
            return iter([parameter(1)])

    with pytest.raises(TypeError, match=r"Module; did you mean \.parameters\(\)\?"):
        SGD(Module())  # type: ignore[arg-type]


def test_differentiable_is_refused_where_there_is_no_rule() -> None:
    with pytest.raises(NotImplementedError, match="differentiable"):
        Optimizer([parameter(1)], {"differentiable": True})


# A step that is refused


@pytest.mark.parametrize(
    ("grad", "said"),
    [
        (np.ones(3, np.float32), r"gradient is float32 \(3,\) on cpu, but its parameter is float32 \(1,\)"),
        (np.ones(1), "gradient is float64"),
    ],
)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_gradient_that_does_not_fit(kind: Any, grad: Any, said: str) -> None:
    p, q = with_gradient(1), parameter(2)
    q.grad = microgad.ones(1)
    q.grad.data = microgad.from_numpy(grad)
    optimizer = kind([{"params": [p]}, {"params": [q]}])
    before = contents(optimizer)
    with pytest.raises(RuntimeError, match=f"{kind.__name__}: the {said}"):
        optimizer.step(lambda: 1.0)
    assert contents(optimizer) == before


def test_a_parameter_whose_elements_share_memory() -> None:
    p = microgad.tensor([1.0]).expand(3).requires_grad_()
    p.grad = microgad.ones(3)
    with pytest.raises(RuntimeError, match=r"SGD: .*more than one element .* single memory location"):
        SGD([p]).step()
    assert p.tolist() == [1, 1, 1]


def test_update_must_be_defined() -> None:
    with pytest.raises(NotImplementedError, match=r"must define update\(group, params, loss\)"):
        Optimizer([parameter(1)], {}).step()


# Hooks


def test_hooks_see_the_step_and_can_be_taken_away() -> None:
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


class Own(SGD):
    """An optimizer with a step of its own, as programs written for PyTorch have it."""

    @microgad.no_grad()
    def step(self, closure: Any = None) -> Any:
        return super().step(closure) or "stepped"


def test_hooks_of_an_optimizer_with_a_step_of_its_own() -> None:
    """Once, though that calls its base's step."""
    seen: list[str] = []
    optimizer = Own([with_gradient(1)])
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    assert optimizer.step() == "stepped"
    assert seen == ["before", "after"]


def test_hooks_of_all_optimizers() -> None:
    seen: list[Any] = []
    optimizer = SGD([with_gradient(1)])
    optimizer.register_step_post_hook(lambda *_: seen.append("own"))
    with (
        register_optimizer_step_pre_hook(lambda optimizer, *_: seen.append(optimizer)),
        register_optimizer_step_post_hook(lambda *_: seen.append("all")),
    ):
        optimizer.step()
    optimizer.step()
    assert seen == [optimizer, "own", "all", "own"]


def test_what_a_pre_hook_returns() -> None:
    optimizer = SGD([parameter(1)])
    optimizer.register_step_pre_hook(lambda *_: 3)
    with pytest.raises(RuntimeError, match="must return None or a tuple of"):
        optimizer.step()


def test_hooks_around_the_state_dict() -> None:
    seen: list[Any] = []
    optimizer = SGD([parameter(1)], lr=0.5)
    optimizer.register_state_dict_pre_hook(lambda o: seen.append(o))
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "second": 2})
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "first": "second" not in state}, prepend=True)
    saved = optimizer.state_dict()
    assert (seen, saved["first"], saved["second"]) == ([optimizer], True, 2)
    optimizer.register_load_state_dict_pre_hook(lambda o, state: {**state, "param_groups": [{**state["groups"][0]}]})
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append(o.param_groups[0]["lr"]))
    given = {"state": {}, "groups": [{**saved["param_groups"][0], "lr": 0.25}]}
    optimizer.load_state_dict(given)
    assert seen == [optimizer, 0.25]
    assert set(given) == {"state", "groups"}
    assert optimizer.state_dict()["second"] == 2  # a load keeps hooks


def test_an_option_that_each_group_must_give() -> None:
    with pytest.raises(ValueError, match="didn't specify a value of required optimization parameter lr"):
        Optimizer([parameter(1)], {"lr": required})
    assert Optimizer([{"params": parameter(1), "lr": 2}], {"lr": required}).param_groups[0]["lr"] == 2


# State


def trained(kind: Any, steps: int = 3, **options: Any) -> Any:
    p = microgad.tensor([[1.0, 2.0]], requires_grad=True) if kind in MATRICES else parameter(1, 2)
    optimizer = kind([p], lr=0.1, **options)
    run(optimizer, steps)
    return optimizer


def run(optimizer: Any, steps: int) -> None:
    (p,) = optimizer.param_groups[0]["params"]

    def closure() -> Any:
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)


MATRICES = (Adafactor, Muon)
CASES = [
    (SGD, {"momentum": 0.9}), (Adam, {"amsgrad": True}), (RMSprop, {"momentum": 0.9, "centered": True}),
    (LBFGS, {"max_iter": 2}), (LBFGS, {"max_iter": 2, "line_search_fn": "strong_wolfe"}), (ASGD, {"t0": 1}),
    *((kind, {}) for kind in (AdamW, Eve, Adadelta, Adafactor, Adagrad, Adamax, Muon, NAdam, RAdam, Rprop)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_going_on_from_a_state_dict_gives_the_very_same_numbers(kind: Any, options: Any) -> None:
    whole = trained(kind, 5, **options)
    half = trained(kind, 3, **options)
    resumed = kind([half.param_groups[0]["params"][0].detach().clone().requires_grad_()])
    resumed.load_state_dict(half.state_dict())
    run(half, 1)  # what was loaded is a copy
    run(resumed, 2)
    assert contents(resumed) == contents(whole)


@pytest.mark.parametrize(("kind", "options"), CASES)
@pytest.mark.parametrize("copied", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
def test_copies_go_on_by_themselves(kind: Any, options: Any, copied: Any) -> None:
    original = trained(kind, **options)
    twin = copied(original)
    before = contents(original)
    run(twin, 2)
    assert contents(original) == before
    run(original, 2)
    assert contents(original) == contents(twin)


def test_loaded_state_takes_the_dtype_of_its_parameter() -> None:
    donor = trained(Adam)
    optimizer = Adam([parameter(1, 2, dtype=microgad.float64)])
    optimizer.load_state_dict(donor.state_dict())
    (state,) = optimizer.state.values()
    assert {name: str(value.dtype) for name, value in state.items()} == {
        "step": "torch.float32",
        "exp_avg": "torch.float64",
        "exp_avg_sq": "torch.float64",
    }


def test_counts_of_steps_were_plain_numbers_once() -> None:
    saved = trained(Adam).state_dict()
    saved["state"][0]["step"] = 3
    optimizer = Adam([parameter(1, 2)])
    optimizer.load_state_dict(saved)
    (state,) = optimizer.state.values()
    assert (state["step"].item(), str(state["step"].dtype)) == (3, "torch.float32")


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_they_go_down(kind: Any, options: Any) -> None:
    optimizer = trained(kind, 0, **options)
    (p,) = optimizer.param_groups[0]["params"]
    before = (p * p).sum().item()
    run(optimizer, 5)
    assert (p * p).sum().item() < before


def test_switches_that_an_older_state_lacks_stay_as_they_are() -> None:
    saved = trained(Adam).state_dict()
    for switch in ("amsgrad", "maximize", "foreach", "capturable", "differentiable", "fused", "decoupled_weight_decay"):
        del saved["param_groups"][0][switch]
    optimizer = Adam([parameter(1, 2)], maximize=True)
    optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["maximize"] is True
    assert optimizer.param_groups[0]["lr"] == 0.1


def transposed(saved: Any) -> None:
    saved["state"][0]["exp_avg"] = saved["state"][0]["exp_avg"].reshape(2, 1)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda saved: saved["param_groups"].append({"params": []}), "different number of parameter groups: 2"),
        (lambda saved: saved["param_groups"][0]["params"].append(1), "group 0 has 2 parameters, but here 1"),
        (lambda saved: saved["param_groups"][0].pop("betas"), r"another kind of optimizer: Adam has the options betas"),
        (transposed, r"exp_avg of shape \(2, 1\) for parameter 0, but this one has shape \(2,\)"),
    ],
)
def test_a_state_of_another_optimizer_changes_nothing(spoil: Any, said: str) -> None:
    optimizer, saved = trained(Adam), copy.deepcopy(trained(Adam, 7).state_dict())
    before = contents(optimizer)
    spoil(saved)
    with pytest.raises(ValueError, match=said):
        optimizer.load_state_dict(saved)
    assert contents(optimizer) == before


def test_adafactors_norms_of_float16_have_room() -> None:
    p = microgad.full((600, 600), 0.5, dtype=microgad.half).requires_grad_()
    p.grad = microgad.ones_like(p)
    Adafactor([p], lr=0.1).step()
    assert p.min().item() == p.max().item() == pytest.approx(0.45, abs=1e-3)


def test_rprop_takes_nan_for_a_sign_of_0_as_torch_does() -> None:
    p = parameter(1, 1, 1)
    optimizer = microgad.optim.Rprop([p], lr=0.1)
    for grads in ([math.nan, math.inf, 1.0], [1.0, -1.0, 1.0]):
        p.grad = microgad.tensor(grads)
        optimizer.step()
    assert p.tolist() == pytest.approx([0.9, 0.9, 0.78])
    assert optimizer.state[p]["step_size"].tolist() == pytest.approx([0.1, 0.05, 0.12])


def test_a_line_search_comes_back_from_a_closure_that_fails() -> None:
    p = parameter(1, 2)
    optimizer, places = LBFGS([p], line_search_fn="strong_wolfe"), []

    def closure() -> Any:
        places.append(p.tolist())
        if len(places) == 2:
            raise KeyError
        optimizer.zero_grad()
        loss = ((p - 3) ** 4).sum()
        loss.backward()
        return loss

    with pytest.raises(KeyError):
        optimizer.step(closure)
    assert places[1] != [1, 2]
    assert p.tolist() == [1, 2]


def test_statistics_are_left_as_they_were_set_where_a_batch_fails() -> None:
    net = microgad.nn.BatchNorm1d(2, momentum=0.3).eval()
    with pytest.raises(RuntimeError):
        microgad.optim.swa_utils.update_bn([microgad.ones(3, 5)], net)
    assert net.momentum == 0.3
    assert not net.training


def test_a_matrix_without_rows_has_no_row_that_moves() -> None:
    p = microgad.zeros(0, 3, requires_grad=True)
    p.grad = microgad.zeros(0, 3)
    microgad.optim.SparseAdam([p]).step()
    assert p.shape == (0, 3)


@pytest.mark.parametrize(
    "kind", [Adafactor, Muon, *(getattr(microgad.optim, n) for n in ("SantaE", "SantaSSS", "SparseAdam"))]
)
def test_some_refuse_complex_parameters(kind: Any) -> None:
    p = microgad.ones(2, 2, dtype=microgad.complex64, requires_grad=True)
    p.grad = microgad.ones_like(p)
    with pytest.raises(RuntimeError, match=f"{kind.__name__} does not support complex parameters"):
        kind([p]).step()
    assert p.tolist() == [[1, 1], [1, 1]]
