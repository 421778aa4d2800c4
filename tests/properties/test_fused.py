"""Operations that are one Function for speed or precision: softmax, losses, batch normalization, dropout."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad.ops.dropout import Dropout, alpha_dropout, dropout, dropout1d, feature_alpha_dropout
from microgad.ops.loss import (
    BinaryCrossEntropy,
    BinaryCrossEntropyWithLogits,
    CrossEntropy,
    LogSigmoid,
    NllLoss,
    SquaredError,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    l1_loss,
    logsigmoid,
    mse_loss,
    nll_loss,
)
from microgad.ops.normalization import BatchNorm, FixedBatchNorm, batch_norm
from microgad.ops.softmax import LogSoftmax, LogSumExp, Softmax, log_softmax, logsumexp, softmax, softmin
from microgad.testing.strategies import axes, broadcastable_tensors, numbers, tensors

from .registry import checks

reductions = st.sampled_from(["none", "mean", "sum"])
positive = numbers(0.2, 3)
inside = numbers(0.1, 0.9)
# Softmax computes a row of 40 by another algorithm than a short one.
rows = st.one_of(st.tuples(st.integers(1, 3), st.integers(1, 4)), st.tuples(st.just(2), st.just(40)))
batches = st.one_of(rows, st.tuples(*[st.integers(1, 3)] * 3), st.tuples(*[st.integers(1, 2)] * 4))

cubes = st.tuples(*[st.integers(2, 3)] * 3)  # with an axis in the middle


def dim_of(draw, x):
    return draw(st.sampled_from(range(-x.ndim, x.ndim))) if x.ndim else 0


@checks(Softmax)
def test_softmax(draw):
    shape = draw(draw(st.sampled_from([rows, batches, cubes, st.just(())])))
    x = draw(tensors(shape, requires_grad=True))
    dim, function = dim_of(draw, x), draw(st.sampled_from([softmax, softmin]))
    dims = (dim, x.ndim // 2) if x.ndim > 2 else (dim,)  # an axis in the middle too, which might never be drawn
    return lambda x: tuple(function(x, dim) for dim in dims), x


@checks(LogSoftmax)
def test_log_softmax(draw):
    x = draw(tensors(draw(st.one_of(rows, batches, st.just(()))), requires_grad=True))
    dim = dim_of(draw, x)
    return lambda x: log_softmax(x, dim), x


@checks(LogSumExp)
def test_logsumexp(draw):
    x = draw(tensors(draw(batches), requires_grad=True))
    dim, keepdim = draw(axes(x.ndim)), draw(st.booleans())
    return lambda x: logsumexp(x, tuple(range(x.ndim)) if dim is None else dim, keepdim), x


def classes(draw, shape, *, ignored=False):
    """Class indices (N, ...) for a shape (N, C, ...), with `ignored` some of them -100, but not all."""
    n, c, *rest = shape
    target = draw(tensors((n, *rest), dtype=torch.int64, elements=st.integers(0, c - 1)))
    if ignored and target.numel() > 1:
        mask = draw(tensors((n, *rest), dtype=torch.bool)).array.copy()
        mask.reshape(-1)[0] = False
        target = torch.tensor(np.where(mask, -100, target.array))
    return target


def classified(draw):
    """Scores, classes of which some are ignored, the classes' weights or None, and a reduction."""
    x = draw(tensors(draw(batches), requires_grad=True))
    target = classes(draw, x.shape, ignored=draw(st.booleans()))
    weight = draw(st.one_of(st.none(), tensors((x.shape[1],), elements=positive)))
    return x, target, weight, draw(reductions)


@checks(CrossEntropy)
def test_cross_entropy(draw):
    x, target, weight, reduction = classified(draw)
    return lambda x, target, weight: cross_entropy(x, target, weight, reduction=reduction), x, target, weight


@checks(NllLoss)
def test_nll_loss(draw):
    x, target, weight, reduction = classified(draw)
    return lambda x, target, weight: nll_loss(x, target, weight, reduction=reduction), x, target, weight


@checks(LogSoftmax)
def test_cross_entropy_with_smooth_labels(draw):
    x, target, weight, reduction = classified(draw)
    options = {"reduction": reduction, "label_smoothing": draw(st.sampled_from([0.1, 1.0]))}
    return lambda x, target, weight: cross_entropy(x, target, weight, **options), x, target, weight


@checks(LogSoftmax)
def test_cross_entropy_with_probabilities(draw):
    """The probabilities and the weights have derivatives too."""
    x = draw(tensors(draw(batches), requires_grad=True))
    target = draw(tensors(tuple(x.shape), elements=inside, requires_grad=True))
    weight = draw(tensors((x.shape[1],), elements=positive, requires_grad=True))
    options = {"reduction": draw(reductions), "label_smoothing": draw(st.sampled_from([0.0, 0.1]))}
    return lambda x, target, weight: cross_entropy(x, target, weight, **options), x, target, weight


@given(st.data())
def test_cross_entropy_equals_nll_loss_of_log_softmax(data):
    x, target, weight, reduction = classified(data.draw)
    a = cross_entropy(x, target, weight, reduction=reduction)
    b = nll_loss(log_softmax(x, 1), target, weight, reduction=reduction)
    np.testing.assert_allclose(a.array, b.array, 1e-12, 1e-12)


@checks(SquaredError)
def test_squared_error(draw):
    x, y = draw(broadcastable_tensors(2, requires_grad=True, min_side=1))
    reduction = draw(reductions)
    if x.shape == y.shape and draw(st.booleans()):
        weight = draw(tensors(tuple(x.shape), elements=positive))
        return lambda x, y, weight: mse_loss(x, y, reduction=reduction, weight=weight), x, y, weight
    return lambda x, y: SquaredError.apply(x, y, reduction=reduction), x, y


@checks(LogSigmoid)
def test_logsigmoid(draw):
    return logsigmoid, draw(tensors(requires_grad=True))


@checks(BinaryCrossEntropyWithLogits)
def test_binary_cross_entropy_with_logits(draw):
    x = draw(tensors(requires_grad=True))
    target = draw(tensors(tuple(x.shape), elements=inside, requires_grad=True))
    several = draw(st.booleans()) and x.ndim > 0
    pos_weight = draw(tensors(tuple(x.shape[-1:]), elements=positive, requires_grad=True)) if several else None
    weight = draw(st.one_of(st.none(), tensors(tuple(x.shape), elements=positive)))
    reduction = draw(reductions)

    def loss(x, target, weight, pos_weight):
        return binary_cross_entropy_with_logits(x, target, weight, reduction=reduction, pos_weight=pos_weight)

    return loss, x, target, weight, pos_weight


@checks(BinaryCrossEntropy)
def test_binary_cross_entropy(draw):
    x = draw(tensors(elements=inside, requires_grad=True))
    target = draw(tensors(tuple(x.shape), elements=inside, requires_grad=True))
    weight = draw(st.one_of(st.none(), tensors(tuple(x.shape), elements=positive)))
    reduction = draw(reductions)
    return lambda x, target, weight: binary_cross_entropy(x, target, weight, reduction=reduction), x, target, weight


big_eps = st.sampled_from([0.3, 1.0])  # a small one makes derivatives huge where all values are equal


@checks(BatchNorm)
def test_batch_norm(draw):
    x = draw(tensors(draw(batches.filter(lambda s: s[0] * np.prod(s[2:]) > 1)), requires_grad=True))
    weight, bias = (draw(st.one_of(st.none(), tensors((x.shape[1],), requires_grad=True))) for _ in range(2))
    eps = draw(big_eps)
    if draw(st.booleans()):  # with the mean and the variance as further results
        return lambda x, weight, bias: BatchNorm.apply(x, weight, bias, eps=eps), x, weight, bias
    return lambda x, weight, bias: batch_norm(x, None, None, weight, bias, True, eps=eps), x, weight, bias


@checks(BatchNorm)
def test_batch_norm_where_inputs_depend_on_each_other(draw):
    """One Tensor is weight and bias, or both depend on the input: only partial derivatives add up right."""
    x = draw(tensors((3, draw(st.integers(1, 3))), requires_grad=True))
    eps = draw(big_eps)
    if draw(st.booleans()):
        weight = draw(tensors((x.shape[1],), requires_grad=True))
        return lambda x, weight: batch_norm(x, None, None, weight, weight, True, eps=eps), x, weight
    return lambda x: batch_norm(x, None, None, x[0], x[1] * x[2], True, eps=eps), x


@checks(FixedBatchNorm)
def test_batch_norm_in_evaluation(draw):
    x = draw(tensors(draw(batches), requires_grad=True))
    mean, weight, bias = (draw(tensors((x.shape[1],), requires_grad=True)) for _ in range(3))
    var = draw(tensors((x.shape[1],), elements=positive, requires_grad=True))
    weight, bias = draw(st.sampled_from([(weight, bias), (None, bias), (weight, None), (weight, weight)]))
    return functools.partial(batch_norm, eps=draw(big_eps)), x, mean, var, weight, bias


@checks(FixedBatchNorm)
def test_batch_norm_in_evaluation_where_inputs_depend_on_each_other(draw):
    x = draw(tensors((2, 3), requires_grad=True))
    return lambda x: batch_norm(x, x[0], x[1] * x[1], x[1], x[0], eps=0.3), x


@checks(Dropout)
def test_dropout(draw):
    p, in_place = draw(st.sampled_from([0.1, 0.5, 1.0])), draw(st.booleans())
    x = draw(tensors(requires_grad=True, layout="contiguous"))  # random draws follow the order in memory
    return lambda x: dropout(x.clone() if in_place else x, p, inplace=in_place), x


@checks(Dropout)
def test_dropout_of_channels(draw):
    p, in_place = draw(st.sampled_from([0.1, 0.5])), draw(st.booleans())
    x = draw(tensors(draw(st.sampled_from([(2, 3), (3, 2, 2)])), requires_grad=True))
    return lambda x: dropout1d(x.clone() if in_place else x, p, inplace=in_place), x


@checks(Dropout)
def test_alpha_dropout(draw):
    p, function = draw(st.sampled_from([0.1, 0.5])), draw(st.sampled_from([alpha_dropout, feature_alpha_dropout]))
    x = draw(tensors(draw(st.sampled_from([(2, 3), (3, 2, 2)])), requires_grad=True, layout="contiguous"))
    return lambda x: function(x, p, True), x


@given(tensors(elements=numbers(0.1, 3)), numbers(0.1, 0.9))
def test_dropout_drops_or_scales(x, p):
    y = dropout(x, p).array
    np.testing.assert_array_equal(np.where(y == 0, 0, x.array * (1 / (1 - p))), y)


@given(tensors())
def test_l1_loss_equals_the_mean_of_absolute_differences(x):
    loss = l1_loss(x, x * 3 + 1)
    assert loss.item() == pytest.approx(np.abs(2 * x.array + 1).mean())
