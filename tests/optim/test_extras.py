"""Optimizers that PyTorch doesn't have, compared with the formulas of their papers in float64; also SparseAdam."""

import copy
import math

import numpy as np
import pytest

import microgad as torch
from microgad import generator as draws
from microgad import optim

random = np.random.default_rng(0)
START, GRADS = random.standard_normal((2, 3)), random.standard_normal((7, 2, 3))


# The parameters after steps with GRADS, by the formulas of the papers.


def graves(x, lr=0.1, alpha=0.95, momentum=0.9, eps=1e-4):
    n = g_mean = delta = np.zeros_like(x)
    for g in GRADS:
        n = alpha * n + (1 - alpha) * g * g
        g_mean = alpha * g_mean + (1 - alpha) * g
        delta = momentum * delta - lr * g / np.sqrt(n - g_mean**2 + eps)
        x = x + delta
    return x


def smorms3(x, lr=0.1, eps=1e-16):
    mem, g1, g2 = np.ones_like(x), np.zeros_like(x), np.zeros_like(x)
    for g in GRADS:
        r = 1 / (mem + 1)
        g1 = (1 - r) * g1 + r * g
        g2 = (1 - r) * g2 + r * g**2
        x = x - g * np.minimum(lr, g1 * g1 / (g2 + eps)) / (np.sqrt(g2) + eps)
        mem = 1 + mem * (1 - g1 * g1 / (g2 + eps))
    return x


def amsgrad(x, lr=0.1, b1=0.9, b2=0.999, eps=1e-8):
    m = v = top = np.zeros_like(x)
    for t, g in enumerate(GRADS, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        top = np.maximum(top, v)
        x = x - lr * m / (1 - b1**t) / (np.sqrt(top / (1 - b2**t)) + eps)
    return x


def adabound(x, lr=0.1, b1=0.9, b2=0.999, final=0.1, gamma=1e-3, eps=1e-8, ams=False):
    m = v = top = np.zeros_like(x)
    for t, g in enumerate(GRADS, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        top = np.maximum(top, v) if ams else v
        step = lr * math.sqrt(1 - b2**t) / (1 - b1**t) / (np.sqrt(top) + eps)
        x = x - np.clip(step, final * (1 - 1 / (gamma * t + 1)), final * (1 + 1 / (gamma * t))) * m
    return x


def adabelief(x, lr=0.1, b1=0.9, b2=0.999, eps=1e-16):
    m = s = np.zeros_like(x)
    for t, g in enumerate(GRADS, 1):
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * (g - m) ** 2 + eps
        x = x - lr * (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + eps)
    return x


def santa(x, euler, lr=0.01, sigma=0.95, eps=1e-8, rate=0.5, burnin=5, c=5.0):
    """Algorithms 1 and 2 of the paper, with the same random draws as the optimizer."""
    torch.manual_seed(3)

    def zeta():
        return draws.normal_(np.empty(x.shape))

    v, before = np.zeros_like(x), None
    u, alpha = math.sqrt(lr) * zeta(), np.full_like(x, math.sqrt(lr) * c)
    for t, f in enumerate(GRADS, 1):
        beta = t**rate
        v = sigma * v + (1 - sigma) * f * f
        g = 1 / np.sqrt(eps + np.sqrt(v))
        before = g if before is None else before
        noise = 0.0
        if t < burnin:
            noise = lr / beta * (1 - before / g) / u + np.sqrt(2 * lr / beta * before) * zeta()
        if euler:
            if t < burnin:
                alpha = alpha + (u * u - lr / beta)
            u = noise + (1 - alpha) * u - lr * g * f
            x = x + g * u
        else:
            x = x + g * u / 2
            if t < burnin:
                alpha = alpha + (u * u - lr / beta) / 2
            u = np.exp(-alpha / 2) * u - g * f * lr + noise
            u = np.exp(-alpha / 2) * u
            if t < burnin:
                alpha = alpha + (u * u - lr / beta) / 2
            x = x + g * u / 2
        before = g
    return x


OWN = {
    "RMSpropGraves": (lambda p: optim.RMSpropGraves(p, lr=0.1), graves),
    "SMORMS3": (lambda p: optim.SMORMS3(p, lr=0.1), smorms3),
    "AMSGrad": (lambda p: optim.AMSGrad(p, lr=0.1), amsgrad),
    "AdaBound": (lambda p: optim.AdaBound(p, lr=0.1), adabound),
    "AdaBound near its bounds": (
        lambda p: optim.AdaBound(p, lr=0.3, gamma=0.9, final_lr=0.01), lambda x: adabound(x, 0.3, gamma=0.9, final=0.01)
    ),
    "AMSBound": (lambda p: optim.AMSBound(p, lr=0.1), lambda x: adabound(x, ams=True)),
    "AdaBelief": (lambda p: optim.AdaBelief(p, lr=0.1), adabelief),
    "SantaE": (lambda p: optim.SantaE(p, burnin=5), lambda x: santa(x, True)),
    "SantaSSS": (lambda p: optim.SantaSSS(p, burnin=5), lambda x: santa(x, False)),
}  # fmt: skip


def take_steps(optimizer, p, grads=GRADS):
    for grad in grads:
        p.grad = torch.tensor(grad, dtype=p.dtype)
        optimizer.step()


@pytest.mark.parametrize("name", OWN)
def test_optimizers_equal_the_formulas_of_their_papers(name):
    make, reference = OWN[name]
    expected = reference(START)
    torch.manual_seed(3)
    p = torch.tensor(START, requires_grad=True)
    take_steps(make([p]), p)
    np.testing.assert_allclose(p.detach().array, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", OWN)
def test_maximize_negates_gradients_and_weight_decay_shrinks_parameters(name):
    make, _ = OWN[name]
    ends = []
    for options, sign in (({}, 1), ({"maximize": True}, -1)):
        torch.manual_seed(3)
        p = torch.tensor(START, requires_grad=True)
        optimizer = make([{"params": [p], **options}])
        take_steps(optimizer, p, GRADS * sign)
        ends.append(p.tolist())
    assert ends[0] == ends[1]
    p = torch.ones(3, dtype=torch.float64, requires_grad=True)
    optimizer = make([{"params": [p], "weight_decay": 0.1, **({"burnin": 0} if "Santa" in name else {})}])
    take_steps(optimizer, p, np.zeros((30, 3)))
    assert (p < 1).all()


@pytest.mark.parametrize("name", OWN)
def test_a_loaded_state_continues_with_the_same_numbers(name):
    make, _ = OWN[name]
    torch.manual_seed(0)
    p = torch.tensor(START, requires_grad=True)
    optimizer = make([{"params": [p], "lr": 0.02}])
    take_steps(optimizer, p, GRADS[:3])
    q = p.detach().clone().requires_grad_()
    other = make([q])
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for each, x in ((optimizer, p), (other, q)):
        torch.manual_seed(1)
        take_steps(each, x, GRADS[3:])
    assert p.tolist() == q.tolist()


@pytest.mark.parametrize("name", OWN)
def test_each_group_has_its_own_options(name):
    make, _ = OWN[name]
    p, q = (torch.tensor(START, requires_grad=True) for _ in range(2))
    optimizer = make([{"params": [p], "lr": 0.0, **({"burnin": 0} if "Santa" in name else {})}, {"params": [q]}])
    for grad in GRADS:
        p.grad, q.grad = torch.tensor(grad), torch.tensor(grad)
        optimizer.step()
    moved = 0.0 if "Bound" not in name else 1e-2
    assert np.abs(p.detach().array - START).max() <= moved
    assert np.abs(q.detach().array - START).max() > 1e-3


@pytest.mark.parametrize("name", [*OWN, "SAM", "Eve"])
def test_optimizers_find_the_minimum_of_rosenbrock_s_function(name):
    """f = (1 − x)² + 5 (y − x²)², whose valley is less steep. On a GPU fewer steps are taken."""
    torch.manual_seed(0)
    x = torch.tensor([-1.0, 1.5], requires_grad=True)
    makers = {
        "SAM": lambda p: optim.SAM(p, optim.SGD, rho=0.01, lr=0.01, momentum=0.9),
        "Eve": lambda p: optim.Eve(p, lr=0.02), "SantaE": lambda p: optim.SantaE(p, lr=1e-3, burnin=20),
        "SantaSSS": lambda p: optim.SantaSSS(p, lr=1e-3, burnin=20),
        "RMSpropGraves": lambda p: optim.RMSpropGraves(p, lr=1e-3),
        "AdaBound near its bounds": lambda p: optim.AdaBound(p, lr=0.05, gamma=0.9, final_lr=0.02),
        "SMORMS3": lambda p: optim.SMORMS3(p, lr=0.05),
    }  # fmt: skip
    optimizer = makers.get(name, OWN.get(name, (None,))[0])([x])

    def closure():
        a, b = x.tolist()
        height = b - a * a
        x.grad = torch.tensor([-2 * (1 - a) - 20 * a * height, 10 * height])
        return torch.tensor((1 - a) ** 2 + 5 * height**2)

    first = closure().item()
    count, part = (600, 0.01) if x.device.type == "cpu" else (100, 1)
    for _ in range(count):
        last = optimizer.step(closure).item()
    assert last < part * first, (first, last)


def test_amsgrad_equals_adam_with_its_option():
    p, q = (torch.tensor(START, requires_grad=True) for _ in range(2))
    options = {"betas": (0.8, 0.5), "weight_decay": 0.3, "maximize": True}
    take_steps(optim.AMSGrad([p], lr=0.1, **options), p)
    take_steps(optim.Adam([q], lr=0.1, amsgrad=True, **options), q)
    assert p.tolist() == q.tolist()


def test_the_bounds_of_adabound_follow_the_learning_rate():
    p, q = (torch.ones(1, requires_grad=True) for _ in range(2))
    optimizer = optim.AdaBound([p], lr=0.1, gamma=0.99, final_lr=0.1)
    optimizer.add_param_group({"params": [q], "lr": 0.2})
    assert [group["base_lr"] for group in optimizer.param_groups] == [0.1, 0.2]
    optimizer.param_groups[0]["lr"] = 0.0
    take_steps(optimizer, p, np.ones((3, 1)))
    assert p.item() == 1


def slope(x):
    return np.array([2.0, 8.0]) * x


@pytest.mark.parametrize("adaptive", [False, True])
def test_sam_equals_the_formulas_of_its_paper(adaptive):
    w, velocity = np.array([3.0, 1.0]), np.zeros(2)
    p = torch.tensor(w, requires_grad=True)
    optimizer = optim.SAM([p], optim.SGD, rho=0.5, adaptive=adaptive, lr=0.01, momentum=0.9)
    calls = []

    def closure():
        optimizer.zero_grad()
        calls.append(p.tolist())
        loss = (torch.tensor([1.0, 4.0]) * p * p).sum()
        loss.backward()
        return loss

    for _ in range(5):
        start = w.tolist()
        g = slope(w)
        perturbed = w + 0.5 * (w * w * g / np.linalg.norm(w * g) if adaptive else g / np.linalg.norm(g))
        velocity = 0.9 * velocity + slope(perturbed)
        w = w - 0.01 * velocity
        with torch.no_grad():
            assert optimizer.step(closure).item() == pytest.approx(start[0] ** 2 + 4 * start[1] ** 2)
        np.testing.assert_allclose(p.detach().array, w, 1e-9)
    np.testing.assert_allclose(calls[-1], perturbed, 1e-9)
    assert list(optimizer.state[p]) == ["momentum_buffer"]


def test_sam_s_norm_includes_all_groups_and_its_two_steps_can_be_called():
    p, q = torch.tensor([3.0], requires_grad=True), torch.tensor([4.0], requires_grad=True)
    optimizer = optim.SAM([{"params": [p]}, {"params": [q], "rho": 10.0}], rho=5.0, lr=0.5)
    (p * p / 2 + q * q / 2).backward()
    optimizer.first_step(zero_grad=True)
    assert (p.item(), q.item()) == (6, 12)
    (p * p / 2 + q * q / 2).backward()
    optimizer.second_step(zero_grad=True)
    assert (p.item(), q.item()) == (0, -2)
    assert p.grad is None


def test_sam_keeps_and_loads_the_base_optimizers_state():
    p = torch.tensor(START, requires_grad=True)
    optimizer = optim.SAM([p], optim.Adam, lr=0.1)
    target = torch.tensor(GRADS[0])

    def closure_of(optimizer, p):
        def closure():
            optimizer.zero_grad()
            loss = ((p - target) ** 2).sum()
            loss.backward()
            return loss

        return closure

    optimizer.step(closure_of(optimizer, p))
    q = p.detach().clone().requires_grad_()
    other = optim.SAM([q], optim.Adam, lr=0.7)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    optimizer.step(closure_of(optimizer, p))
    other.step(closure_of(other, q))
    assert p.tolist() == q.tolist()
    assert other.state[q]["step"].item() == 2


def test_sam_raises_for_wrong_arguments_and_without_closure():
    p = torch.ones(1, requires_grad=True)
    with pytest.raises(TypeError, match="SAM: step needs a closure"):
        optim.SAM([p], lr=0.1).step()
    with pytest.raises(ValueError, match="Invalid rho"):
        optim.SAM([p], rho=-1, lr=0.1)
    with pytest.raises(ValueError, match="learning rate"):
        optim.SAM([p], lr=-0.1)
    for base in (optim.LBFGS, type("MyLBFGS", (optim.LBFGS,), {})):
        with pytest.raises(TypeError, match="LBFGS overrides step"):
            optim.SAM([p], base)


def test_sam_restores_the_parameters_if_the_first_step_fails():
    class FailingRho(float):
        def __truediv__(self, other):
            raise MemoryError

    p, q = torch.tensor([3.0], requires_grad=True), torch.tensor([4.0], requires_grad=True)
    optimizer = optim.SAM([{"params": [p]}, {"params": [q], "rho": FailingRho(5.0)}], rho=5.0, lr=0.1)
    with pytest.raises(MemoryError):
        optimizer.step(lambda: (p + q).sum().backward())
    assert p.item() == 3


def test_sam_restores_the_parameters_after_a_closure_raises():
    p = torch.tensor([3.0, 4.0], requires_grad=True)
    optimizer, calls = optim.SAM([p], rho=5.0, lr=0.1), []

    def closure():
        optimizer.zero_grad()
        (p * p).sum().backward()
        calls.append(p.tolist())
        if len(calls) == 2:
            raise KeyError("at the worst place")

    with pytest.raises(KeyError):
        optimizer.step(closure)
    assert calls == [[3, 4], [6, 8]]
    assert p.tolist() == [3, 4]


def test_sam_s_norm_of_float16_does_not_overflow():
    p = torch.zeros(4, dtype=torch.half, requires_grad=True)
    p.grad = torch.full((4,), 300.0, dtype=torch.half)
    optim.SAM([p], rho=2.0, lr=0.1).first_step()
    assert p.tolist() == [1] * 4


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (optim.RMSpropGraves, {"alpha": -1}), (optim.SMORMS3, {"eps": -1}), (optim.AdaBound, {"gamma": 1.0}),
        (optim.AdaBound, {"final_lr": -1}), (optim.AMSBound, {"betas": (0.9, 1.0)}), (optim.AdaBelief, {"lr": -1}),
        (optim.SantaE, {"sigma": 1.0}), (optim.SantaSSS, {"burnin": -1}), (optim.SparseAdam, {"betas": (1.0, 0.9)}),
        (optim.Muon, {"ns_steps": 100}),
    ],
)  # fmt: skip
def test_options_out_of_range_raise(kind, options):
    with pytest.raises(ValueError, match=r"Invalid|less than 100"):
        kind([torch.ones(1, requires_grad=True)], **options)


@pytest.mark.parametrize("maximize", [False, True])
def test_sparse_adam_equals_pytorch_s(maximize):
    theirs = pytest.importorskip("torch")
    table, grads = random.standard_normal((5, 3)), random.standard_normal((6, 5, 3))
    ours = torch.tensor(table, requires_grad=True)
    its = theirs.tensor(table, requires_grad=True)
    mine = optim.SparseAdam([ours], lr=0.1, maximize=maximize)
    their_optimizer = theirs.optim.SparseAdam([its], lr=0.1, maximize=maximize)
    for i, grad in enumerate(grads):
        grad[[i % 5, (i + 2) % 5]] = 0
        ours.grad = torch.tensor(grad)
        its.grad = theirs.tensor(grad).to_sparse(1)
        mine.step()
        their_optimizer.step()
    np.testing.assert_allclose(ours.detach().array, its.detach().numpy(), 1e-12, 1e-12)
    for name in ("exp_avg", "exp_avg_sq"):
        np.testing.assert_allclose(mine.state[ours][name].array, their_optimizer.state[its][name].numpy(), 1e-12, 1e-12)


def test_sparse_adam_changes_only_rows_with_gradients():
    torch.manual_seed(0)
    table = torch.nn.Embedding(4, 2, sparse=True)
    before = table.weight.detach().clone()
    optimizer = optim.SparseAdam(table.parameters(), lr=0.1)
    for index in ([0, 2], [2]):
        optimizer.zero_grad()
        table(torch.tensor(index)).sum().backward()
        optimizer.step()
    moved = (table.weight.detach() != before).any(1)
    assert moved.tolist() == [True, False, True, False]


def test_the_view_as_real_helper_converts_complex_parameters_only() -> None:
    params, grads = [torch.ones(2, dtype=torch.complex64), torch.ones(2)], [torch.zeros(2, dtype=torch.complex64)] * 2
    torch.optim.subclass_helpers._view_as_real(params, grads)
    assert [tuple(x.shape) for x in (*params, *grads)] == [(2, 2), (2,), (2, 2), (2,)]


def test_sparse_adam_of_an_empty_parameter_does_nothing():
    p = torch.zeros(0, 3, requires_grad=True)
    p.grad = torch.zeros(0, 3)
    optim.SparseAdam([p]).step()
    assert p.shape == (0, 3)
