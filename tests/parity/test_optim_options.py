"""torch.optim: options of groups, old and loaded state dicts, and layouts of states are PyTorch's."""

import importlib
import inspect
from typing import Any

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")

from .optim_db.pairs import OptimizerPair, two_groups  # noqa: E402
from .test_optim import NAMES, OTHER_NAMES  # noqa: E402


def test_groups_share_the_tensor_of_their_lr_after_loading() -> None:
    for lib in (microgad, torch):
        groups = [{"params": [lib.ones(1, requires_grad=True)]} for _ in range(2)]
        optimizer = lib.optim.SGD(groups, lr=lib.tensor(0.1))
        saved = optimizer.state_dict()
        optimizer.load_state_dict(saved)
        optimizer.param_groups[0]["lr"].fill_(1.0)
        assert [group["lr"].item() for group in optimizer.param_groups] == [1, 1]
        assert saved["param_groups"][0]["lr"].item() == np.float32(0.1)


@pytest.mark.parametrize("name", [*NAMES, *OTHER_NAMES])
def test_options_that_an_old_state_dict_lacks_are_off(name: str) -> None:
    groups = []
    for lib in (microgad, torch):
        optimizer = getattr(lib.optim, name)([lib.ones(1, requires_grad=True)], lr=0.1, maximize=True)
        saved = optimizer.state_dict()
        options = {"maximize", "foreach", "differentiable", "capturable", "amsgrad", "nesterov", "centered"}
        if name != "Adafactor":  # for which PyTorch leaves `maximize` out
            for option in options & saved["param_groups"][0].keys():
                del saved["param_groups"][0][option]
        optimizer.load_state_dict(saved)
        groups.append(optimizer.state_dict()["param_groups"])
    assert groups[0] == groups[1]


def test_loaded_names_of_parameters_replace_those_that_were_given() -> None:
    found = []
    for lib in (microgad, torch):
        first, second = (lib.optim.SGD([(name, lib.ones(1, requires_grad=True))], lr=0.1) for name in ("a", "b"))
        second.load_state_dict(first.state_dict())
        first = lib.optim.SGD([lib.ones(1, requires_grad=True)], lr=0.1)
        third = lib.optim.SGD([("c", lib.ones(1, requires_grad=True))], lr=0.1)
        third.load_state_dict(first.state_dict())
        found.append([o.state_dict()["param_groups"] for o in (second, third)])
    assert found[0] == found[1]


@pytest.mark.filterwarnings("ignore:optimizer contains a parameter group with duplicate")
def test_a_parameter_that_is_given_twice_has_the_number_that_it_has_in_pytorch() -> None:
    found = []
    for lib in (microgad, torch):
        p = lib.ones(1, requires_grad=True)
        p.grad = lib.ones(1)
        optimizer = lib.optim.SGD([lib.ones(1, requires_grad=True), p, p], lr=0.1, momentum=0.5)
        optimizer.step()
        state = optimizer.state_dict()
        found.append(([*state["state"]], state["param_groups"]))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", [*NAMES, *OTHER_NAMES])
def test_a_step_after_thousands_of_steps(name: str) -> None:
    pair = OptimizerPair(name, {"t0": 3000} if name == "ASGD" else {})
    pair.step()
    for entry in (*pair.ours.state.values(), *pair.theirs.state.values()):
        if "step" in entry:
            entry["step"] += 5000
    for _ in range(3):
        pair.step()
    ours, theirs = (o.state_dict()["state"] for o in (pair.ours, pair.theirs))
    pairs = [*zip(pair.our_params, pair.their_params, strict=True)]
    pairs += [(ours[i][key], theirs[i][key]) for i in theirs for key in theirs[i]]
    for mine, other in pairs:
        np.testing.assert_allclose(mine.tolist(), other.tolist(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", [*NAMES, *OTHER_NAMES])
def test_the_state_before_the_first_step_is_pytorchs(name: str) -> None:
    """Adagrad has one then, of all groups."""
    found = []
    for lib in (microgad, torch):
        groups = [{"params": [lib.ones(1, requires_grad=True)]} for _ in range(2)]
        state = getattr(lib.optim, name)(groups, lr=0.1).state_dict()["state"]
        found.append({i: {key: x.tolist() for key, x in entry.items()} for i, entry in state.items()})
    assert found[0] == found[1]


def test_amsgrad_may_be_switched_off() -> None:
    pair = OptimizerPair("Adam", {"amsgrad": True, "lr": 0.1})
    for amsgrad in (True, True, False):
        pair.ours.param_groups[0]["amsgrad"] = pair.theirs.param_groups[0]["amsgrad"] = amsgrad
        pair.step()
    pair.check()


def test_adamw_loads_adams_state_dict() -> None:
    pair, donor = OptimizerPair("AdamW", {}), OptimizerPair("Adam", {"weight_decay": 0.3})
    donor.step()
    pair.ours.load_state_dict(donor.ours.state_dict())
    pair.theirs.load_state_dict(donor.theirs.state_dict())
    pair.step()
    pair.check()


LOADED = [
    *((name, {}) for name in (*NAMES, *OTHER_NAMES)), ("SGD", {"momentum": 0.9}), ("Adam", {"amsgrad": True}),
    ("LBFGS", {"max_iter": 2}), ("LBFGS", {"max_iter": 2, "line_search_fn": "strong_wolfe"}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), LOADED)
def test_a_loaded_state_shares_its_tensors_with_the_optimizer_that_it_came_from(name: str, options: Any) -> None:
    found = []
    for lib in (microgad, torch):
        params = [lib.ones(2, dtype=lib.float64, requires_grad=True) for _ in range(2)]
        first, second = (getattr(lib.optim, name)([p], lr=0.1, **options) for p in params)
        for i in range(4):
            for p, optimizer, target in zip(params, (first, second), ([2.0, -1.0], [0.5, 3.0]), strict=True):

                def closure(p: Any = p, optimizer: Any = optimizer, target: Any = target) -> Any:
                    optimizer.zero_grad()
                    loss = ((p - p.new_tensor(target)) ** 4).sum()
                    loss.backward()
                    return loss

                optimizer.step(closure)
                if i == 0 and optimizer is first:
                    second.load_state_dict(first.state_dict())
        found.append([p.detach().numpy() for p in params])
    np.testing.assert_allclose(*found, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "options", "group"),
    [
        ("SGD", {"lr": 0.1}, {"lr": -0.1, "weight_decay": -0.5}), ("Adam", {}, {"lr": -0.1}),
        ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}, {"dampening": 0.5}),
        ("SGD", {"lr": 0.1, "foreach": True}, {"momentum": -0.5, "fused": False}),
        ("RMSprop", {}, {"centered": np.True_}), ("RMSprop", {}, {"centered": None}),
    ],
)  # fmt: skip
def test_options_of_a_group_may_be_out_of_range_or_of_another_type(name: str, options: Any, group: Any) -> None:
    """PyTorch checks the defaults only: a group with a negative lr ascends, as Lagrange multipliers do."""
    pair = OptimizerPair(name, options, make=two_groups(**group))
    for _ in range(3):
        pair.step()
        pair.check()


def test_adafactor_s_group_may_clip_to_less_than_one() -> None:
    results = []
    for lib in (microgad, torch):
        p = lib.nn.Parameter(lib.tensor([[1.0, 2.0], [3.0, 4.0]]))
        p.grad = lib.ones(2, 2)
        lib.optim.Adafactor([{"params": [p], "d": 0.5}]).step()
        results.append(p.tolist())
    np.testing.assert_allclose(*results, rtol=1e-6)


@pytest.mark.parametrize("transposed", [("p",), ("grad",), ("p", "grad")])
@pytest.mark.parametrize("name", [*NAMES, *OTHER_NAMES, "Muon"])
def test_the_state_has_the_layout_of_the_parameter_or_the_gradient(name: str, transposed: Any) -> None:
    """As in PyTorch: SGD's momentum, Muon's and Rprop's step sizes follow the gradient."""
    strides = []
    for lib in (microgad, torch):
        p = lib.nn.Parameter(lib.ones(3, 2).T if "p" in transposed else lib.ones(2, 3))
        p.grad = lib.ones(3, 2).T if "grad" in transposed else lib.ones(2, 3)
        optimizer = getattr(lib.optim, name)([p], lr=0.1, **({"momentum": 0.9} if name == "SGD" else {}))
        optimizer.step()
        strides.append({entry: value.stride() for entry, value in optimizer.state[p].items()})
    assert strides[0] == strides[1]


def test_a_step_of_adagrad_rounds_as_pytorchs() -> None:
    w, g = np.random.default_rng(0).normal(size=(2, 300)).astype(np.float32)
    found = []
    for lib in (microgad, torch):
        p = lib.nn.Parameter(lib.tensor(w))
        p.grad = lib.tensor(g)
        lib.optim.Adagrad([p], lr=0.1).step()
        found.append(p.tolist())
    assert found[0] == found[1]


ADAM = {"beta1": 0.9, "beta2": 0.99, "lr": 0.1, "eps": 1e-8, "amsgrad": False, "weight_decay": 0, "maximize": False}
SGD = {"lr": 0.1, "momentum": 0.9, "dampening": 0, "weight_decay": 0, "nesterov": False, "maximize": False}
FUNCTIONAL = [
    ("adam", ADAM), ("adam", ADAM | {"amsgrad": True, "weight_decay": 0.1}), ("adamw", ADAM | {"weight_decay": 0.1}),
    ("adam", ADAM | {"decoupled_weight_decay": True, "weight_decay": 0.1, "maximize": True, "foreach": True}),
    ("sgd", SGD), ("sgd", SGD | {"momentum": 0}), ("sgd", SGD | {"nesterov": True, "weight_decay": 0.1}),
    ("sgd", SGD | {"dampening": 0.5, "maximize": True}), ("sgd", SGD | {"nesterov": True, "momentum": 0, "lr": -0.1}),
    ("adam", ADAM | {"lr": -0.1, "weight_decay": -0.1, "eps": -1e-8}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "options"), FUNCTIONAL)
def test_functional_forms_update_as_pytorchs(name: str, options: dict[str, Any]) -> None:
    found = []
    for lib in (microgad, torch):
        update = getattr(importlib.import_module(f"{lib.__name__}.optim._functional"), name)
        params = [lib.tensor(each, dtype=lib.float64, requires_grad=True) for each in ([1.0, -2.0], [[3.0]])]
        like = [lib.zeros_like(p).detach() for p in params]
        states: list[Any] = [[None, None]]
        if name != "sgd":
            states = [[x.clone() for x in like] for _ in range(3)] + [[lib.tensor(0.0), lib.tensor(0.0)]]
        for turn in range(3):
            loss = sum((p**2 * (turn + 1)).sum() for p in params)
            with lib.no_grad():
                update(params, list(lib.autograd.grad(loss, params)), *states, **options)
        updated = [x for each in (params, *states) for x in each if x is not None]
        found.append([inspect.signature(update).parameters.keys(), [x.tolist() for x in updated]])
        assert [p.grad for p in params] == [None, None]
        update([], [], *[[] for _ in states], **options)
        kept = (params[0] ** 2).sum()
        update(params, like, *states, **options) if lib is microgad else params[0].detach().add_(1)
        with pytest.raises(RuntimeError, match="modified"):
            kept.backward()
    assert found[0][0] == found[1][0]
    for ours, theirs in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_functional_forms_refuse_what_they_would_ignore() -> None:
    from microgad.optim.adam import adam

    with pytest.raises(NotImplementedError, match="differentiable isn't supported here: use the optimizer's class"):
        adam([], [], [], [], [], [], differentiable=True, **ADAM)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Adam", {}), ("Adam", {"amsgrad": True, "weight_decay": 0.1, "maximize": True}), ("AdamW", {}),
        ("SGD", {"momentum": 0.9, "nesterov": True}), ("SGD", {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
        ("Adagrad", {"lr_decay": 0.1}),
    ],
)  # fmt: skip
def test_fused_steps_of_float16_are_computed_in_float32(name: str, options: Any) -> None:
    """An eps of 1e-8 and the square of 1e-4 are 0 in float16.

    PyTorch gets only fewer than 16 elements: from there on its SGD leaves parameters of float16 as they are, and its
    Adagrad makes NaN of a gradient of 0. Ours are as many as make two chunks.
    """
    random, states = np.random.default_rng(0), []
    start, *grads = (scale * random.standard_normal(8) for scale in (1, 1e-4, 1, 1e-4))
    for lib, count in ((microgad, 9000), (torch, 1)):
        p = lib.from_numpy(np.tile(start, count).astype(np.float16)).requires_grad_()
        optimizer = getattr(lib.optim, name)([p], lr=0.1, fused=True, **options)
        for grad in grads:
            p.grad = lib.from_numpy(np.tile(grad, count).astype(np.float16))
            optimizer.step()
            assert (p.grad.numpy()[:8] == grad.astype(np.float16)).all()
        states.append(optimizer.state[p] | {"p": p.detach()})
    assert states[0].keys() == states[1].keys()
    for key, value in states[1].items():
        ours = states[0][key].numpy().reshape(-1, value.numel())
        assert ours.dtype == value.numpy().dtype
        np.testing.assert_allclose(ours, np.broadcast_to(value, ours.shape), rtol=1e-3)  # a unit in the last place


@pytest.mark.parametrize(("slow", "max_ls", "digits"), [(1.0, 25, 9), (1e-3, 25, 0), (1.0, 3, 9)])
def test_line_searches_of_wavy_functions_try_pytorchs_steps(slow: float, max_ls: int, digits: int) -> None:
    """`slow` is the size of the direction, which says how short a bracket may become. Losses of no digits are equal."""

    def search(lib: Any, seed: int) -> list[float]:
        random, tried = np.random.default_rng(seed), []
        height, frequency, phase = random.normal(size=(3, 4)) * [[1.0], [3.0], [1.0]]

        def wavy(x: Any, t: Any, d: Any) -> Any:
            at = float(t) * sign
            tried.append(at)
            slope = (height * frequency * np.cos(frequency * at + phase)).sum() + 0.04 * at
            loss = (height * np.sin(frequency * at + phase)).sum() + 0.02 * at**2
            return round(float(loss), digits), lib.tensor([slope / slow], dtype=lib.float64)

        sign = 1.0
        loss, grad = wavy(None, 0.0, None)
        sign = -float(np.sign(grad.item()))
        d = lib.tensor([sign * slow], dtype=lib.float64)
        strong_wolfe = importlib.import_module(f"{lib.__name__}.optim.lbfgs")._strong_wolfe
        first = 10.0 ** random.uniform(-1, 1)
        found = strong_wolfe(
            wavy, None, first, d, loss, grad, grad.dot(d), c2=0.1, tolerance_change=1e-3, max_ls=max_ls
        )
        return [*tried, float(found[0]), float(found[1]), float(found[2]), found[3]]

    for seed in range(60):
        np.testing.assert_allclose(search(microgad, seed), search(torch, seed), rtol=1e-6, err_msg=str(seed))
