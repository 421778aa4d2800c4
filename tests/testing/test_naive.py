"""The naive engine: its derivatives against closed forms, differences and PyTorch, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microgad.testing.programs.machine import ONLY_PYTORCH_REFUSES, ONLY_PYTORCH_REFUSES_BY_VIEW
from microgad.testing.programs.naive import NaiveEngine, Refusal
from microgad.testing.programs.program import RESULTS, VIEWS, WRITES, Draft, execute, leads_to
from microgad.testing.strategies import programs
from microgad.testing.strategies.program import build_program, leaf_steps, steps


@pytest.fixture
def torch():
    return NaiveEngine()


def leaf(torch, data):
    return torch.tensor(data, requires_grad=True)


A = np.array([[1.0, -2.0], [0.5, 3.0]])
B = np.array([[2.0, 1.0], [-1.0, 0.25]])
S = 1 / (1 + np.exp(-A))


@pytest.mark.parametrize(
    ("function", "derivative"),
    [
        (lambda x, y: x + 3.0, np.ones((2, 2))),
        (lambda x, y: x * -2.0, np.full((2, 2), -2.0)),
        (lambda x, y: x + y, np.ones((2, 2))),
        (lambda x, y: x * y, B),
        (lambda x, y: x * x, 2 * A),
        (lambda x, y: x * y[0], np.stack([B[0], B[0]])),
        (lambda x, y: x[0] * y, np.stack([B.sum(0), np.zeros(2)])),
        (lambda x, y: x @ y, np.stack([B.sum(1), B.sum(1)])),
        (lambda x, y: y @ x, np.stack([B.sum(0), B.sum(0)], 1)),
        (lambda x, y: x.t() @ y, np.stack([B.sum(1), B.sum(1)], 1)),
        (lambda x, y: x.tanh(), 1 - np.tanh(A) ** 2),
        (lambda x, y: x.sigmoid(), S * (1 - S)),
        (lambda x, y: x.sum(0) * y[1], np.stack([B[1], B[1]])),
        (lambda x, y: x.sum(-1) * y[1], np.stack([B[1], B[1]], 1)),
        (lambda x, y: x.clone(), np.ones((2, 2))),
        (lambda x, y: x[[0, 0]], np.array([[2.0, 2.0], [0.0, 0.0]])),
        (lambda x, y: x[:, -1], np.array([[0.0, 1.0], [0.0, 1.0]])),
        (lambda x, y: x[..., ::2], np.array([[1.0, 0.0], [1.0, 0.0]])),
        (lambda x, y: x.reshape(-1)[1:], np.array([[0.0, 1.0], [1.0, 1.0]])),
        (lambda x, y: x.t().reshape(-1)[1:], np.array([[0.0, 1.0], [1.0, 1.0]])),
        (lambda x, y: x * x.detach(), A),
    ],
)
def test_derivatives_are_those_of_closed_forms(torch, function, derivative):
    x, y = leaf(torch, A), leaf(torch, B)
    function(x, y).sum().backward()
    np.testing.assert_allclose(x.grad.values, derivative, atol=1e-15)


@pytest.mark.parametrize(
    ("write", "values", "derivative"),
    [
        (lambda b, x: b.mul_(3.0), 6 * A, np.full((2, 2), 6.0)),
        (lambda b, x: b.add_(x), 3 * A, np.full((2, 2), 3.0)),
        (lambda b, x: b.mul_(b), 4 * A * A, 8 * A),
        (lambda b, x: b.fill_(1.0), np.ones((2, 2)), np.zeros((2, 2))),
        (lambda b, x: b.zero_(), np.zeros((2, 2)), np.zeros((2, 2))),
        (lambda b, x: b.tanh_(), np.tanh(2 * A), 2 * (1 - np.tanh(2 * A) ** 2)),
        (lambda b, x: b[0].copy_(x[1]), np.stack([A[1], 2 * A[1]]), np.array([[0.0, 0.0], [3.0, 3.0]])),
        (lambda b, x: b.t()[0].mul_(0.0), 2 * A * [0, 1], np.array([[0.0, 2.0], [0.0, 2.0]])),
        (lambda b, x: b.__setitem__([-1], 5.0), np.stack([2 * A[0], [5.0, 5.0]]), np.array([[2.0, 2.0], [0.0, 0.0]])),
        (lambda b, x: b.detach().fill_(7.0), np.full((2, 2), 7.0), np.full((2, 2), 2.0)),
    ],
)
def test_in_place_writes_show_in_older_views(torch, write, values, derivative):
    """A write to a base, which is 2 · x, changes a view that was made before, and its gradient."""
    x = leaf(torch, A)
    base = x * 2.0
    view = base.t()
    write(base, x)
    np.testing.assert_allclose(view.values.T, values)
    view.sum().backward()
    np.testing.assert_allclose(x.grad.values, derivative, atol=1e-15)


def test_no_grad_records_no_writes(torch):
    x = leaf(torch, [1.0, 2.0])
    with torch.no_grad():
        y = x * x
        x.add_(x)
    assert not y.requires_grad
    (x * x).sum().backward()
    assert x.tolist() == [2.0, 4.0]
    assert x.grad.tolist() == [4.0, 8.0]


def test_gradients_accumulate_until_they_are_reset(torch):
    x = leaf(torch, 3.0)
    for expected in (6.0, 12.0):
        (x * x).backward()
        assert x.grad.tolist() == expected
    x.grad = None
    (x * x).backward()
    assert x.grad.tolist() == 6.0


def test_grad_outputs_and_gradients_of_intermediate_results(torch):
    x = leaf(torch, [1.0, 2.0])
    y = x * x
    z = y * y
    by_y, by_x = torch.grad(z, [y, x], torch.tensor([1.0, 10.0]), retain_graph=True)
    assert by_y.tolist() == [2.0, 80.0]
    assert by_x.tolist() == [4.0, 320.0]
    y.mul_(5.0)  # y is another variable now
    with pytest.raises(Refusal, match="does not depend"):
        torch.grad(z.sum(), y)


def test_hooks_change_the_gradient_through_their_tensor(torch):
    x = leaf(torch, 3.0)
    y = x * 2.0
    z = y * y + x
    y.register_hook(lambda grad: grad * 10.0)
    x.register_hook(lambda grad: grad * -1.0)
    z.backward()
    assert x.grad.tolist() == -(10.0 * 24.0 + 1.0)


def test_is_leaf(torch):
    x, constant = leaf(torch, [1.0, 2.0]), torch.tensor([1.0])
    assert [t.is_leaf for t in (x, constant, x[0], x * 1.0, x.detach())] == [True, True, False, False, True]
    assert constant.requires_grad_() is constant
    assert constant.requires_grad
    assert constant.is_leaf


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (lambda torch, x: x.mul_(2.0), "write into a leaf"),
        (lambda torch, x: x[0].fill_(2.0), "write into a leaf"),
        (lambda torch, x: (x * x).backward(), "needs weights"),
        (lambda torch, x: x.detach().sum().backward(), "nothing requires grad"),
        (lambda torch, x: torch.grad(x.sum(), leaf(torch, 1.0)), "does not depend"),
        (lambda torch, x: torch.grad(x.sum(), torch.tensor(1.0)), "does not depend"),
        (lambda torch, x: x.detach().register_hook(lambda grad: grad), "hook"),
    ],
)
def test_invalid_calls_are_refused(torch, refused, why):
    with pytest.raises(Refusal, match=why):
        refused(torch, leaf(torch, [1.0, 2.0]))


def test_reading_freed_or_overwritten_values_is_marked_doubtful(torch):
    x = leaf(torch, [1.0, 2.0])
    y = x * x
    y.sum().backward(retain_graph=True)
    assert not torch.doubtful
    y.sum().backward()
    assert not torch.doubtful
    y.sum().backward()
    assert torch.doubtful, "freed"
    y = x.tanh()
    y.detach().mul_(2.0)
    y.sum().backward()
    assert torch.doubtful, "overwritten"
    assert not torch.by_view
    y = x * 1.0
    y[0].mul_(2.0)
    y.sum().backward()
    assert torch.by_view


def test_too_many_elements_need_more_columns():
    with pytest.raises(OverflowError, match="ask for more columns"):
        NaiveEngine(columns=3).tensor(np.zeros(4), requires_grad=True)
    leaf(NaiveEngine(columns=4), np.zeros(4))


def test_gradients_of_random_programs_agree_with_differences():
    """The programs have no `no_grad`, `detach` and hooks, with which gradients are not the slopes of values."""
    excluded = {"mul_in_no_grad", "detach", "add_in_no_grad_", "scale_row_in_no_grad_"}
    kinds = [kind for kind in RESULTS | VIEWS | WRITES if kind not in excluded]
    wanted = st.permutations(kinds).flatmap(lambda kinds: st.tuples(*(steps([kind]) for kind in kinds[:10])))
    compared = 0

    @settings(max_examples=100)
    @given(st.tuples(leaf_steps(), leaf_steps(), wanted).map(lambda drawn: build_program([*drawn[:2], *drawn[2]])))
    def check(program):
        nonlocal compared
        tensors = execute(program, NaiveEngine())
        for position, (kind, leaf, *words) in enumerate(program):
            if (kind, words[-1:]) != ("leaf", ["True"]):
                continue
            outputs = [name for name, z in tensors.items() if name != leaf and leads_to(tensors[leaf], z)]
            if outputs:
                compare(program, position, leaf, outputs[-1], tensors)
                compared += 1

    def compare(program, position, leaf, output, tensors):
        x, z = tensors[leaf], tensors[output]
        (found,) = z.gradients([x], z.engine.tensor(np.ones(z.shape)), retain_graph=True)
        for index in np.ndindex(x.shape):
            ends = []
            for step in (1e-6, -1e-6):
                data = x.values
                data[index] += step
                changed = [*program[:position], ("leaf", leaf, str(data.tolist()), "True"), *program[position + 1 :]]
                ends.append(execute(type(program)(changed), NaiveEngine())[output].values.sum())
            scale = 1 + np.abs(z.values).max()
            assert abs(found[index] - (ends[0] - ends[1]) / 2e-6) < 1e-5 * scale * (1 + abs(found[index])), program

    check()
    assert compared > 50


def test_random_programs_agree_with_pytorch():
    pytorch = pytest.importorskip("torch")

    @settings(max_examples=100)
    @given(programs())
    def check(program):
        try:
            found = execute(program, pytorch)
        except RuntimeError as error:
            if not any(message in str(error) for message in (*ONLY_PYTORCH_REFUSES, ONLY_PYTORCH_REFUSES_BY_VIEW)):
                raise
            return
        for name, expected in execute(program, NaiveEngine()).items():
            np.testing.assert_allclose(found[name].tolist(), expected.tolist(), rtol=1e-7, atol=1e-7)
            assert found[name].requires_grad == expected.requires_grad
            assert found[name].is_leaf == expected.is_leaf
            if expected.grad is not None:
                np.testing.assert_allclose(found[name].grad.tolist(), expected.grad.tolist(), rtol=1e-7, atol=1e-7)

    check()


def test_programs_of_the_strategy_are_accepted_by_draft():
    @given(programs())
    def check(program):
        draft = Draft()
        assert all(draft.add(instruction) == "done" for instruction in program)

    check()
