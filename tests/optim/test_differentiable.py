"""Differentiable optimizers: gradients through their steps equal PyTorch's and numerical ones."""

import numpy as np
import pytest

import microgad
from microgad.testing import gradcheck

OPTIONS = {
    "SGD": [{}, {"momentum": 0.9, "nesterov": True}, {"momentum": 0.5, "dampening": 0.1, "maximize": True},
            {"momentum": 0.5, "dampening": -0.5, "weight_decay": 0.1}],
    "Adam": [{}, {"amsgrad": True, "weight_decay": 0.1}], "AdamW": [{"weight_decay": 0.1}],
    "RMSprop": [{}, {"momentum": 0.5, "centered": True}],
    "Adagrad": [{"lr_decay": 0.1, "initial_accumulator_value": 0.1}],
    "Adadelta": [{"weight_decay": 0.1}], "Adamax": [{}], "NAdam": [{}], "RAdam": [{}, {"weight_decay": 0.1}],
    "ASGD": [{}, {"lambd": 0.1, "t0": 2, "weight_decay": 0.1}],
    "Rprop": [{}, {"maximize": True, "step_sizes": (0.07, 0.13)}],
}  # fmt: skip
CASES = [(name, options) for name, several in OPTIONS.items() for options in several]
TORCH_CASES = [(name, options) for name, options in CASES if name != "SGD" or not options]


def loss_after_steps(lib, name, options, start, scale, steps):
    """Take some steps, and return a loss of the parameters after them."""
    p = start.clone()
    optimizer = getattr(lib.optim, name)([p], lr=0.1, differentiable=True, **options)
    for _ in range(steps):
        (p.grad,) = lib.autograd.grad((scale * p.clone() ** 3).sum(), p, create_graph=True)
        optimizer.step()
    return (p.clone() ** 2).sum()


def inputs(lib):
    start = lib.tensor(np.array([0.5, -1.2, 2.0]), requires_grad=True)
    return start, lib.tensor(1.5, dtype=lib.float64, requires_grad=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "options"), TORCH_CASES)
def test_gradients_through_one_step_equal_pytorch_s(name, options):
    """PyTorch's gradients through several steps fail where it writes averages in place, and its SGD detaches the first.

    The tolerance is that of float32, in which PyTorch counts Adam's steps.
    """
    found, torch = [], pytest.importorskip("torch")
    for lib in (microgad, torch):
        given = inputs(lib)
        loss = loss_after_steps(lib, name, options, *given, 1)
        found.append([np.asarray(x.detach()) for x in (loss, *lib.autograd.grad(loss, given))])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, 2e-6, 2e-6)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_gradients_through_several_steps_equal_numerical_ones(name, options):
    assert gradcheck(lambda *given: loss_after_steps(microgad, name, options, *given, 6), inputs(microgad))


@pytest.mark.parametrize(("name", "options"), CASES)
def test_differentiable_steps_give_the_same_values(name, options):
    p, q = (microgad.tensor([0.5, -1.2], dtype=microgad.float64, requires_grad=True) for _ in range(2))
    x = p * 1
    recorded = getattr(microgad.optim, name)([x], lr=0.1, differentiable=True, **options)
    plain = getattr(microgad.optim, name)([q], lr=0.1, **options)
    for i in range(7):  # signs change, and RAdam's steps are rectified from the sixth on
        x.grad = q.grad = microgad.tensor([1.0 if i % 4 < 2 else -0.5, -0.3 * i], dtype=microgad.float64)
        recorded.step()
        plain.step()
        np.testing.assert_allclose(x.detach().array, q.detach().array, 1e-12, 1e-12)
        for key, value in plain.state[q].items():
            microgad.testing.assert_close(recorded.state[x][key], value, check_dtype=False, msg=key)


def test_writes_into_a_gradient_leave_the_momentum_alone():
    p = microgad.tensor([1.0, 2.0], requires_grad=True).clone()
    p.grad = microgad.tensor([1.0, -1.0])
    optimizer = microgad.optim.SGD([p], lr=0.1, momentum=0.9, differentiable=True)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    assert optimizer.state[p]["momentum_buffer"].tolist() == [1, -1]


def test_the_learning_rate_gets_a_gradient():
    rate = microgad.tensor(0.1, dtype=microgad.float64, requires_grad=True)
    p = microgad.tensor([1.0], dtype=microgad.float64, requires_grad=True).clone()
    optimizer = microgad.optim.SGD([p], lr=rate, differentiable=True)
    p.grad = microgad.tensor([2.0], dtype=microgad.float64)
    with microgad.no_grad():  # as PyTorch's, the step is recorded even so
        optimizer.step()
    p.sum().backward()
    assert rate.grad.item() == -2


@pytest.mark.parametrize("name", OPTIONS)
def test_gradients_of_the_learning_rate_through_several_steps_equal_numerical_ones(name):
    def parameters_after_steps(rate):
        p = microgad.tensor([0.5, -1.2], dtype=microgad.float64, requires_grad=True) * 1
        optimizer = getattr(microgad.optim, name)([p], lr=rate, differentiable=True)
        for grad in ([0.5, -1.0], [1.0, 2.0], [0.3, 0.1]):
            p.grad = microgad.tensor(grad, dtype=microgad.float64)
            optimizer.step()
        return p

    assert gradcheck(parameters_after_steps, (microgad.tensor(0.1, dtype=microgad.float64, requires_grad=True),))


def test_nadam_s_mu_product_gets_a_gradient():
    def step_from(product):
        p = microgad.tensor([0.5, -1.2], dtype=microgad.float64, requires_grad=True) * 1
        optimizer = microgad.optim.NAdam([p], lr=0.1, differentiable=True)
        zeros = microgad.zeros(2, dtype=microgad.float64)
        optimizer.state[p] = {
            "step": microgad.tensor(3.0),
            "mu_product": product,
            "exp_avg": zeros + 0.1,
            "exp_avg_sq": zeros + 0.2,
        }
        p.grad = zeros + 1
        optimizer.step()
        return p, optimizer.state[p]["mu_product"]

    assert gradcheck(step_from, (microgad.tensor(0.7, dtype=microgad.float64, requires_grad=True),))


def test_a_differentiable_step_of_a_leaf_raises():
    p = microgad.ones(1, requires_grad=True)
    optimizer = microgad.optim.SGD([p], lr=0.1, differentiable=True)
    p.grad = microgad.ones(1)
    with pytest.raises(RuntimeError, match="leaf"):
        optimizer.step()


@pytest.mark.parametrize("name", OPTIONS)
def test_differentiable_steps_update_both_parts_of_complex_parameters(name):
    start, second = [1.0 + 2.0j, -0.5j], [0.5 - 0.25j, 3.0 + 0.0j]
    p, q = (microgad.tensor(start, requires_grad=True) for _ in range(2))
    x = p * 1
    options = {"lr": 0.1} | ({} if name == "Rprop" else {"weight_decay": 0.1})
    recorded = getattr(microgad.optim, name)([x], differentiable=True, **options)
    plain = getattr(microgad.optim, name)([q], **options)
    for grad in ([3.0 - 1.0j, 1.0 + 1.0j], second):
        x.grad = q.grad = microgad.tensor(grad)
        recorded.step()
        plain.step()
    np.testing.assert_allclose(x.detach().array, q.detach().array, 1e-5, 1e-5)
    assert {key: getattr(value, "shape", None) for key, value in recorded.state[x].items()} == {
        key: getattr(value, "shape", None) for key, value in plain.state[q].items()
    }
