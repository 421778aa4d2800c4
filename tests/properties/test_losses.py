"""Losses that have a Function of their own, and identities between losses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
import microgad.nn.functional as F
from microgad.ops.loss import Ctc, Huber, MultilabelMarginLoss, MultiMarginLoss
from microgad.testing.strategies import broadcastable_tensors, numbers, tensors

from .registry import checks

reductions = st.sampled_from(["none", "mean", "sum"])


@checks(Huber)
def test_huber(draw):
    """The inputs are multiples of 1/8 and delta isn't, so that no input is at a kink."""
    x, y = draw(broadcastable_tensors(2, requires_grad=True, min_side=1))
    delta, function = draw(st.sampled_from([0.3, 1.3])), draw(st.sampled_from(["huber", "smooth"]))
    if x.shape != y.shape:
        return lambda x, y: Huber.apply(x, y, delta=delta), x, y
    reduction = draw(reductions)
    if function == "huber":
        return lambda x, y: F.huber_loss(x, y, reduction, delta), x, y
    return lambda x, y: F.smooth_l1_loss(x, y, reduction=reduction, beta=delta), x, y


@checks(MultiMarginLoss)
def test_multi_margin_loss(draw):
    """The margin isn't a multiple of 1/8 either, so that no input is at a kink."""
    x = draw(tensors((draw(st.integers(1, 3)), draw(st.integers(1, 4))), requires_grad=True))
    target = draw(tensors((len(x),), dtype=torch.int64, elements=st.integers(0, x.shape[1] - 1)))
    weight = draw(st.one_of(st.none(), tensors((x.shape[1],), elements=numbers(0.5, 2), requires_grad=True)))
    options = {
        "p": draw(st.sampled_from([1, 2])),
        "margin": draw(st.sampled_from([0.3, 1.3])),
        "reduction": draw(reductions),
    }
    return lambda x, target, weight: F.multi_margin_loss(x, target, weight=weight, **options), x, target, weight


@checks(MultilabelMarginLoss)
def test_multilabel_margin_loss(draw):
    """Labels may repeat, and those after the first -1 are ignored. No difference is 1, where the loss has a kink."""
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    x = draw(tensors(shape, requires_grad=True))
    x = (x.detach() * 0.3).requires_grad_()
    target = draw(tensors(shape, dtype=torch.int64, elements=st.integers(-1, shape[1] - 1)))
    reduction = draw(reductions)
    return lambda x, target: F.multilabel_margin_loss(x, target, reduction=reduction), x, target


@checks(Ctc)
def test_ctc(draw):
    """For results of log_softmax; for other log_probs the derivative is PyTorch's, which isn't the true one."""
    time, count, classes = draw(st.integers(3, 5)), draw(st.integers(1, 2)), draw(st.integers(2, 4))
    x = draw(tensors((time, count, classes), elements=numbers(-1.5, 1.5), requires_grad=True))
    blank = draw(st.integers(0, classes - 1))
    labels = st.sampled_from([c for c in range(classes) if c != blank])
    targets = draw(tensors((count, 2), dtype=torch.int64, elements=labels))
    lengths = [draw(st.integers(3, time)) for _ in range(count)]
    sizes = [draw(st.integers(0, 2)) for _ in range(count)]
    options = {"blank": blank, "reduction": draw(reductions)}
    return lambda x, targets: F.ctc_loss(F.log_softmax(x, 2), targets, lengths, sizes, **options), x, targets


def ctc_over_all_paths(log_probs, target, blank):
    """CTC by its definition: the sum over all label sequences that merge to the target."""
    time, classes = log_probs.shape
    total = 0.0
    for path in np.ndindex(*(classes,) * time):
        merged = [c for i, c in enumerate(path) if i == 0 or c != path[i - 1]]
        if [c for c in merged if c != blank] == list(target):
            total += math.exp(sum(log_probs[t, c] for t, c in enumerate(path)))
    return -math.log(total) if total else math.inf


@given(st.data())
def test_ctc_sums_over_all_paths(data):
    classes, blank = data.draw(st.integers(2, 3)), data.draw(st.integers(0, 1))
    x = F.log_softmax(data.draw(tensors((4, 1, classes))), 2)
    labels = st.sampled_from([c for c in range(classes) if c != blank])
    target = data.draw(st.lists(labels, max_size=3))
    length = data.draw(st.integers(1, 4))
    found = F.ctc_loss(x, torch.tensor([target], dtype=torch.int64), [length], [len(target)], blank, "none")
    assert found.item() == pytest.approx(ctc_over_all_paths(x.array[:length, 0], target, blank))


@pytest.mark.parametrize(
    ("shape", "target", "message"),
    [
        ((3, 0, 4), [], "log_probs must not be empty"),
        ((0, 1, 4), [[1]], "log_probs must not be empty"),
        ((3, 1, 4), [[1, -1]], r"targets must be labels from 0 to 3, got \[\[1, -1\]\]"),
        ((3, 1, 4), [[4, 1]], "targets must be labels from 0 to 3"),
    ],
)
def test_ctc_refuses_empty_log_probs_and_labels_out_of_range(shape, target, message):
    x, count, target = torch.zeros(shape), shape[1], torch.tensor(target, dtype=torch.int64)
    with pytest.raises(RuntimeError, match=message):
        F.ctc_loss(x, target, [min(shape[0], 3)] * count, [target.shape[-1]] * count)


def test_the_gradient_of_ctc_for_an_impossible_target():
    x = F.log_softmax(torch.randn(2, 2, 3), 2).detach().requires_grad_()
    target = torch.tensor([[1, 1], [1, 2]])
    loss = F.ctc_loss(x, target, [2, 2], [2, 2], reduction="none")
    assert loss[0].item() == math.inf
    (g,) = torch.autograd.grad(loss.sum(), x)
    assert np.isnan(g.array[:, 0]).all()
    assert np.isfinite(g.array[:, 1]).all()
    for create_graph in (False, True):
        loss = F.ctc_loss(x, target, [2, 2], [2, 2], zero_infinity=True)
        (g,) = torch.autograd.grad(loss, x, create_graph=create_graph)
        assert (g.array[:, 0] == 0).all()
        assert (g.array[:, 1] != 0).any()


def test_ctc_of_an_empty_target_and_beyond_the_length_of_an_input():
    x = F.log_softmax(torch.randn(4, 2, 3), 2).requires_grad_()
    target, lengths, sizes = torch.tensor([[1, 2], [1, 1]]), [2, 4], [2, 0]
    losses = F.ctc_loss(x, target, lengths, sizes, reduction="none")
    assert losses[1].item() == pytest.approx(-x[:, 1, 0].sum().item())
    assert F.ctc_loss(x, target, lengths, sizes).item() == pytest.approx((losses[0] / 2 + losses[1]).item() / 2)
    for create_graph in (False, True):
        (g,) = torch.autograd.grad(losses.sum(), x, retain_graph=True, create_graph=create_graph)
        assert g.array.any(2).tolist() == [[True, True], [True, True], [False, True], [False, True]]


def test_ctc_of_inputs_of_length_0_is_0_or_infinite_and_has_no_gradient():
    x = F.log_softmax(torch.randn(3, 4, 4), 2).detach().requires_grad_()
    arguments = torch.tensor([[1, 2], [1, 1], [2, 1], [3, 2]]), [0, 0, 0, 3], [0, 2, 1, 1]
    losses = F.ctc_loss(x, *arguments, reduction="none")
    assert losses[:3].tolist() == [0, math.inf, math.inf]
    for create_graph in (False, True):
        (g,) = torch.autograd.grad(losses.sum(), x, retain_graph=True, create_graph=create_graph)
        assert g.array.any((0, 2)).tolist() == [False, False, False, True]
    assert F.ctc_loss(x, *arguments, zero_infinity=True).item() == pytest.approx(losses[3].item() / 4)


@given(tensors((3, 4), elements=numbers()), tensors((3,), dtype=torch.int64, elements=st.integers(0, 3)))
def test_multi_margin_equals_multilabel_margin_of_one_label(x, target):
    one = F.multi_margin_loss(x, target, reduction="none")
    labels = torch.tensor(np.pad(target.array[:, None], ((0, 0), (0, 3)), constant_values=-1))
    several = F.multilabel_margin_loss(x, labels, reduction="none")
    np.testing.assert_allclose(one.array, several.array)


@pytest.mark.parametrize("full", [False, True])
def test_poisson_nll_loss_of_a_logarithm(full):
    x, target = torch.tensor([0.5, 2.0]), torch.tensor([1.0, 3.0])
    a = F.poisson_nll_loss(torch.log(x), target, full=full)
    b = F.poisson_nll_loss(x, target, log_input=False, full=full, eps=0)
    assert a.item() == pytest.approx(b.item())
