"""Optimizer: parameter groups, closures, state dicts, and errors, which change nothing."""

import copy
import functools
import math
import pickle
from typing import Any

import numpy as np
import pytest

import microgad
from microgad import optim
from microgad.optim.optimizer import required

from ..leaves import closure_of, parameter, with_gradient

NAMES = """SGD Adam AdamW Eve Adadelta Adafactor Adagrad Adamax ASGD NAdam RAdam RMSprop Rprop AMSGrad AdaBound AMSBound
    AdaBelief RMSpropGraves SMORMS3"""
OPTIMIZERS = [getattr(optim, name) for name in NAMES.split()]


def contents(optimizer: optim.Optimizer) -> Any:
    """Parameters, state and options, as copies that can be compared."""
    params = [p.tolist() for group in optimizer.param_groups for p in group["params"]]
    return params, to_lists(optimizer.state_dict()["state"]), copy.deepcopy(optimizer.state_dict()["param_groups"])


def to_lists(x: Any) -> Any:
    """x with Tensors as lists, also in dicts and lists."""
    if isinstance(x, dict):
        return {key: to_lists(value) for key, value in x.items()}
    if isinstance(x, list):
        return [to_lists(item) for item in x]
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


@pytest.mark.parametrize("kind", [*OPTIMIZERS, optim.LBFGS])
def test_backward_after_a_step_raises(kind: Any) -> None:
    p = with_gradient(1, 2)
    loss = (p * p).sum()
    kind([p], lr=0.1).step(lambda: 1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_steps_write_in_place_and_keep_the_dtype(kind: Any) -> None:
    p = with_gradient(1, 2)
    array = p.array
    decay = {} if kind is optim.Rprop else {"weight_decay": np.float64(0.1)}
    kind([p], lr=np.float64(0.1), **decay).step(lambda: 1.0)
    assert p.array is array
    assert array.dtype == np.float32
    assert p.is_leaf


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_learning_rate_may_be_a_tensor(kind: Any) -> None:
    p, q = with_gradient(1, 2), with_gradient(1, 2)
    kind([p], lr=microgad.tensor(0.5)).step(lambda: 1.0)
    kind([q], lr=0.5).step(lambda: 1.0)
    assert p.tolist() == q.tolist()


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.filterwarnings("error")
def test_gradients_with_nan_and_infinity_give_no_warnings(kind: Any) -> None:
    p = parameter(1, 2, 3)
    p.grad = microgad.tensor([math.nan, math.inf, 1.0])
    kind([p], lr=0.1).step(lambda: 1.0)
    assert math.isnan(p[0].item()) is (kind is not optim.Rprop)  # takes the sign of NaN as 0
    assert math.isfinite(p[2].item())


def test_parameters_without_gradients_are_not_changed() -> None:
    p, q = with_gradient(1), parameter(2)
    optimizer = optim.Adam([p, q])
    optimizer.step()
    assert q.tolist() == [2]
    assert list(optimizer.state_dict()["state"]) == [0]


def test_zero_grad_writes_zeros_or_removes_gradients() -> None:
    p, q = with_gradient(1, 2), parameter(1)
    optimizer = optim.SGD([p, q])
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


def test_sgd_without_momentum_reads_no_dampening() -> None:
    x = parameter(1)
    optimizer = optim.SGD([x], lr=0.5)
    optimizer.param_groups[0]["dampening"] = None
    x.grad = microgad.ones_like(x)
    before = x.item()
    optimizer.step()
    assert x.item() == before - 0.5


def test_an_added_group_gets_the_default_options() -> None:
    p, q = with_gradient(1), with_gradient(1)
    optimizer = optim.SGD([p], lr=0.5)
    group = {"params": q, "weight_decay": 1.0}
    optimizer.add_param_group(group)
    assert optimizer.param_groups[1] is group
    assert group["params"] == [q]
    optimizer.step()
    assert (p.tolist(), q.tolist()) == ([0], [-0.5])


def test_parameters_may_come_from_a_generator() -> None:
    optimizer = optim.SGD(parameter(i) for i in range(3))
    assert len(optimizer.param_groups[0]["params"]) == 3


@pytest.mark.parametrize("bad", [{"params": [3.0]}, {"params": [parameter(1) * 2]}, {}])
def test_a_group_that_raises_changes_nothing(bad: Any) -> None:
    """A number, a Tensor that is no leaf, and a parameter of another group."""
    p = parameter(1)
    optimizer = optim.SGD([p])
    before = copy.copy(optimizer.param_groups[0])
    group = {"params": [p], **bad}
    before_call = dict(group)
    with pytest.raises((ValueError, TypeError), match=r"Tensors|non-leaf|more than one"):
        optimizer.add_param_group(group)
    assert optimizer.param_groups == [before]
    assert group == before_call


def test_a_module_in_place_of_parameters_raises_and_names_parameters() -> None:
    class Module:
        def parameters(self) -> Any:
            return iter([parameter(1)])

    with pytest.raises(TypeError, match=r"Module; did you mean \.parameters\(\)\?"):
        optim.SGD(Module())


def test_differentiable_raises_for_optimizers_without_an_implementation() -> None:
    class Descent(optim.Optimizer):
        def step(self, closure: Any = None) -> None:
            """Take a step, as the program's own optimizers do."""

    with pytest.raises(NotImplementedError, match="differentiable"):
        optim.Optimizer([parameter(1)], {"differentiable": True})
    Descent([parameter(1)], {"differentiable": True})


@pytest.mark.parametrize(
    ("grad", "message"),
    [
        (np.ones(3, np.float32), r"gradient is float32 \(3,\) on cpu, but its parameter is float32 \(1,\)"),
        (np.ones(1), "gradient is float64"),
    ],
)
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_gradient_of_a_wrong_shape_or_dtype_raises_and_changes_nothing(kind: Any, grad: Any, message: str) -> None:
    p, q = with_gradient(1), parameter(2)
    q.grad = microgad.ones(1)
    q.grad.data = microgad.from_numpy(grad)
    optimizer = kind([{"params": [p]}, {"params": [q]}])
    before = contents(optimizer)
    with pytest.raises(RuntimeError, match=f"{kind.__name__}: the {message}"):
        optimizer.step(lambda: 1.0)
    assert contents(optimizer) == before


@pytest.mark.parametrize("kind", [*OPTIMIZERS, optim.Muon, optim.LBFGS])
def test_text_in_the_place_of_a_number_and_a_missing_number_raise_and_change_nothing(kind: Any) -> None:
    """YAML reads 1e-3 as text."""
    p, q = with_gradient(1), with_gradient(2)
    for x in (p, q):
        x.data, x.grad.data = microgad.ones(1, 1), microgad.ones(1, 1)
    optimizer = kind([{"params": [p, q], "lr": "1e-3"}])
    before = contents(optimizer)
    with pytest.raises(TypeError, match=f"{kind.__name__}: the option lr .* is the text '1e-3'"):
        optimizer.step(lambda: microgad.tensor(1.0))
    assert contents(optimizer) == before
    del optimizer.param_groups[0]["lr"]
    with pytest.raises(KeyError, match="lr"):
        optimizer.step(lambda: microgad.tensor(1.0))
    assert p.item() == 1


@pytest.mark.parametrize("sizes", [((2, 2), (3, 3)), ((300, 500), (500, 300)), ((2, 3), (1, 3))])
@pytest.mark.parametrize(
    "kind", [functools.partial(optim.SGD, momentum=0.9), optim.Adam, optim.RMSprop, optim.Rprop, optim.Adadelta]
)
def test_a_parameter_of_another_shape_than_its_state_raises(kind: Any, sizes: Any) -> None:
    p = microgad.nn.Parameter(microgad.ones(sizes[0]))
    optimizer = kind([p])
    p.grad = microgad.ones(sizes[0])
    optimizer.step()
    p.grad, p.data = None, microgad.ones(sizes[1])
    p.grad = microgad.ones(sizes[1])
    with pytest.raises(RuntimeError, match=r"The size of tensor a \(|output.* doesn't match the broadcast shape"):
        optimizer.step()
    assert (p == 1).all()


def test_an_error_of_an_own_update_stays_as_it_is() -> None:
    class Picky(optim.Optimizer):
        def update(self, group: Any, params: Any, loss: Any) -> None:
            raise ValueError("no")

    with pytest.raises(ValueError, match=r"^no$") as error:
        Picky([with_gradient(1)], {}).step()
    assert type(error.value) is ValueError


@pytest.mark.torch_function
def test_assignments_to_a_parameter_go_to_the_tensor_that_it_stands_for() -> None:
    class StandIn(microgad.Tensor):
        @staticmethod
        def __new__(cls, tensor: Any) -> Any:
            return microgad.Tensor._make_subclass(cls, microgad.zeros(0))

        def __init__(self, tensor: Any) -> None:
            self.tensor = tensor

        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*[x.tensor if isinstance(x, cls) else x for x in args], **(kwargs or {}))

    p = microgad.ones(2, requires_grad=True)
    p.grad = microgad.ones(2)
    optimizer = optim.SGD([StandIn(p)], lr=0.1)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert p.grad is None
    stands_for = StandIn(p)
    stands_for.data, stands_for.grad = microgad.zeros(2), microgad.ones(2)
    assert (p.tolist(), p.grad.tolist()) == ([0, 0], [1, 1])
    del stands_for.grad
    assert p.grad is None


def test_defaults_of_an_own_optimizer_are_its_own() -> None:
    class Idle(optim.Optimizer):
        def add_param_group(self, param_group: Any) -> None: ...

    assert Idle([microgad.ones(1)], []).param_groups == []
    assert optim.Optimizer([microgad.ones(1)], {"fused": 2, "foreach": 1}).defaults == {"fused": 2, "foreach": 1}


@pytest.mark.parametrize("kind", [optim.SGD, optim.LBFGS])
def test_an_expanded_parameter_raises(kind: Any) -> None:
    p = microgad.tensor([1.0]).expand(3).requires_grad_()
    p.grad = microgad.ones(3)
    with pytest.raises(RuntimeError, match=rf"{kind.__name__}: .*more than one element .* single memory location"):
        kind([p]).step(lambda: 1.0)
    assert p.tolist() == [1, 1, 1]


def test_an_optimizer_without_update_raises() -> None:
    with pytest.raises(NotImplementedError, match=r"must define update\(group, params, loss\)"):
        optim.Optimizer([parameter(1)], {}).step()


def test_a_required_option_must_be_given_by_each_group() -> None:
    with pytest.raises(ValueError, match="didn't specify a value of required optimization parameter lr"):
        optim.Optimizer([parameter(1)], {"lr": required})
    assert optim.Optimizer([{"params": parameter(1), "lr": 2}], {"lr": required}).param_groups[0]["lr"] == 2


def after_steps(kind: Any, steps: int = 3, **options: Any) -> Any:
    p = microgad.tensor([[1.0, 2.0]], requires_grad=True) if kind in MATRICES else parameter(1, 2)
    optimizer = kind([p], lr=0.1, **options)
    take_steps(optimizer, steps)
    return optimizer


def take_steps(optimizer: Any, steps: int) -> None:
    closure = closure_of(optimizer)
    for _ in range(steps):
        optimizer.step(closure)


MATRICES = (optim.Adafactor, optim.Muon)
CASES = [
    (optim.SGD, {"momentum": 0.9}), (optim.Adam, {"amsgrad": True}),
    (optim.RMSprop, {"momentum": 0.9, "centered": True}), (optim.LBFGS, {"max_iter": 2}),
    (optim.LBFGS, {"max_iter": 2, "line_search_fn": "strong_wolfe"}), (optim.ASGD, {"t0": 1}),
    *((kind, {}) for kind in (optim.AdamW, optim.Eve, optim.Adadelta, optim.Adafactor, optim.Adagrad, optim.Adamax)),
    *((kind, {}) for kind in (optim.Muon, optim.NAdam, optim.RAdam, optim.Rprop)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_a_loaded_state_dict_continues_with_the_same_numbers(kind: Any, options: Any) -> None:
    uninterrupted = after_steps(kind, 5, **options)
    interrupted = after_steps(kind, 3, **options)
    resumed = kind([interrupted.param_groups[0]["params"][0].detach().clone().requires_grad_()])
    resumed.load_state_dict(copy.deepcopy(interrupted.state_dict()))
    take_steps(interrupted, 1)
    take_steps(resumed, 2)
    assert contents(resumed) == contents(uninterrupted)


@pytest.mark.parametrize(("kind", "options"), CASES)
@pytest.mark.parametrize("make_copy", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
def test_copies_are_independent_and_continue_with_the_same_numbers(kind: Any, options: Any, make_copy: Any) -> None:
    original = after_steps(kind, **options)
    twin = make_copy(original)
    before = contents(original)
    take_steps(twin, 2)
    assert contents(original) == before
    take_steps(original, 2)
    assert contents(original) == contents(twin)


def test_loaded_state_is_converted_to_the_dtype_of_its_parameter() -> None:
    donor = after_steps(optim.Adam)
    optimizer = optim.Adam([parameter(1, 2, dtype=microgad.float64)])
    optimizer.load_state_dict(donor.state_dict())
    (state,) = optimizer.state.values()
    assert {name: str(value.dtype) for name, value in state.items()} == {
        "step": "torch.float32",
        "exp_avg": "torch.float64",
        "exp_avg_sq": "torch.float64",
    }


def test_loaded_state_of_the_dtype_of_its_parameter_is_not_copied() -> None:
    saved = after_steps(optim.Adam).state_dict()
    optimizer = optim.Adam([parameter(1, 2)])
    optimizer.load_state_dict(saved)
    (state,) = optimizer.state.values()
    assert state.keys() == {"step", "exp_avg", "exp_avg_sq"}
    assert all(saved["state"][0][name] is value for name, value in state.items())


def test_step_counts_that_are_plain_numbers_are_loaded_as_tensors() -> None:
    saved = after_steps(optim.Adam).state_dict()
    saved["state"][0]["step"] = 3
    optimizer = optim.Adam([parameter(1, 2)])
    optimizer.load_state_dict(saved)
    (state,) = optimizer.state.values()
    assert (state["step"].item(), str(state["step"].dtype)) == (3, "torch.float32")


@pytest.mark.parametrize(("kind", "options"), CASES)
def test_steps_decrease_the_loss(kind: Any, options: Any) -> None:
    optimizer = after_steps(kind, 0, **options)
    (p,) = optimizer.param_groups[0]["params"]
    before = (p * p).sum().item()
    take_steps(optimizer, 5)
    assert (p * p).sum().item() < before


def transposed(saved: Any) -> None:
    saved["state"][0]["exp_avg"] = saved["state"][0]["exp_avg"].reshape(2, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda saved: saved["param_groups"].append({"params": []}), "different number of parameter groups: 2"),
        (lambda saved: saved["param_groups"][0]["params"].append(1), "group 0 has 2 parameters, but here 1"),
        (lambda saved: saved["param_groups"][0].pop("betas"), r"another kind of optimizer: Adam has the options betas"),
        (transposed, r"exp_avg of shape \(2, 1\) for parameter 0, but this one has shape \(2,\)"),
    ],
)
def test_a_state_dict_of_another_optimizer_raises_and_changes_nothing(change: Any, message: str) -> None:
    optimizer, saved = after_steps(optim.Adam), copy.deepcopy(after_steps(optim.Adam, 7).state_dict())
    before = contents(optimizer)
    change(saved)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)
    assert contents(optimizer) == before


def test_other_objects_in_a_loaded_state_stay_the_same() -> None:
    optimizer, key, other = after_steps(optim.Adam), microgad.ones(1), object()
    saved = optimizer.state_dict()
    saved["state"]["more"] = {key: other}
    saved["state"][0] |= {"other": [other], "pair": (other, key)}
    optimizer.load_state_dict(saved)
    assert optimizer.state["more"] == {key: other}
    state = optimizer.state[optimizer.param_groups[0]["params"][0]]
    assert (state["other"], state["pair"]) == ([other], (other, key))


def test_adafactor_s_norms_of_float16_do_not_overflow() -> None:
    p = microgad.full((600, 600), 0.5, dtype=microgad.half).requires_grad_()
    p.grad = microgad.ones_like(p)
    optim.Adafactor([p], lr=0.1).step()
    assert p.min().item() == p.max().item() == pytest.approx(0.45, abs=1e-3)


def test_rprop_treats_the_sign_of_nan_as_0() -> None:
    optimizer = microgad.optim.Rprop([p := parameter(1, 1, 1)], lr=0.1)
    for grads in ([math.nan, math.inf, 1.0], [1.0, -1.0, 1.0]):
        p.grad = microgad.tensor(grads)
        optimizer.step()
    assert p.tolist() == pytest.approx([0.9, 0.9, 0.78])
    assert optimizer.state[p]["step_size"].tolist() == pytest.approx([0.1, 0.05, 0.12])


def test_lbfgs_restores_the_parameters_after_a_closure_raises() -> None:
    p = parameter(1, 2)
    optimizer, points = optim.LBFGS([p], line_search_fn="strong_wolfe"), []

    def closure() -> Any:
        points.append(p.tolist())
        if len(points) == 2:
            raise KeyError
        optimizer.zero_grad()
        loss = ((p - 3) ** 4).sum()
        loss.backward()
        return loss

    with pytest.raises(KeyError):
        optimizer.step(closure)
    assert points[1] != [1, 2]
    assert p.tolist() == [1, 2]


def test_update_bn_restores_the_momentum_after_an_error() -> None:
    net = microgad.nn.BatchNorm1d(2, momentum=0.3).eval()
    with pytest.raises(RuntimeError):
        microgad.optim.swa_utils.update_bn([microgad.ones(3, 5)], net)
    assert net.momentum == 0.3
    assert not net.training


@pytest.mark.parametrize(
    "kind", [optim.Adafactor, optim.Muon, *(getattr(microgad.optim, n) for n in ("SantaE", "SantaSSS", "SparseAdam"))]
)
def test_optimizers_without_complex_support_raise(kind: Any) -> None:
    p = microgad.ones(2, 2, dtype=microgad.complex64, requires_grad=True)
    p.grad = microgad.ones_like(p)
    with pytest.raises(RuntimeError, match=f"{kind.__name__} does not support complex parameters"):
        kind([p]).step()
    assert p.tolist() == [[1, 1], [1, 1]]
