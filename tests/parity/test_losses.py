"""Softmax and losses against PyTorch's: values, first derivatives and their derivatives."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad
from microgad.ops import loss, softmax

torch = pytest.importorskip("torch")

from .derivatives import same, same_gradients  # noqa: E402

theirs = torch.nn.functional

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
dtypes = st.sampled_from(["float32", "float64"])
reductions = st.sampled_from(["none", "mean", "sum"])
seeds = st.integers(0, 2**32 - 1)
batches = st.sampled_from([(4, 3), (2, 40), (1, 5), (3, 4, 5), (2, 3, 2, 2), (0, 3), (5, 1)])


def check(our_function, their_function, arrays, differentiated=(0,), least=0.0):
    """Two functions of arrays have the same values, gradients and second derivatives; tolerances are >= `least`."""
    tolerance = max(TOLERANCE[str(arrays[0].dtype)], least)
    results = []
    for library, function in ((microgad, our_function), (torch, their_function)):
        inputs = [None if a is None else library.tensor(a) for a in arrays]
        leaves = [inputs[i].requires_grad_() for i in differentiated if inputs[i] is not None]
        out = function(*inputs)
        seed = library.tensor(np.random.default_rng(0).standard_normal(tuple(out.shape)).astype(arrays[0].dtype))
        seed.requires_grad_()
        plain = library.autograd.grad(out, leaves, seed, retain_graph=True)
        first = library.autograd.grad(out, leaves, seed, create_graph=True)
        along = sum((g.sin() * (i + 1)).sum() for i, g in enumerate(first))
        second = library.autograd.grad(along, [*leaves, seed], allow_unused=True)
        results.append([out, *plain, *first, *second])
    same_gradients(*results, tolerance)


@given(st.sampled_from(["softmax", "log_softmax", "softmin"]), st.data(), dtypes, seeds)
def test_softmax_equals_pytorchs_with_gradients(name, data, dtype, seed):
    shape = data.draw(st.sampled_from([(), (3,), (2, 3), (3, 40), (2, 3, 4), (2, 0)]))
    dim = data.draw(st.integers(-len(shape), len(shape) - 1)) if shape else 0
    x = (4 * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)
    check(lambda x: getattr(softmax, name)(x, dim), lambda x: getattr(theirs, name)(x, dim), [x])


@given(st.sampled_from([0, 1, -1, (0, 1), (0, 2), (0, 1, 2)]), st.booleans(), dtypes, seeds)
def test_logsumexp_equals_pytorchs_with_gradients(dim, keepdim, dtype, seed):
    x = (4 * np.random.default_rng(seed).standard_normal((2, 3, 4))).astype(dtype)
    check(lambda x: softmax.logsumexp(x, dim, keepdim), lambda x: torch.logsumexp(x, dim, keepdim), [x])


@given(st.sampled_from(["cross_entropy", "nll_loss"]), batches, st.data(), dtypes, seeds)
def test_cross_entropy_and_nll_loss_of_class_indices(name, shape, data, dtype, seed):
    rng = np.random.default_rng(seed)
    options = {"reduction": data.draw(reductions), "ignore_index": data.draw(st.sampled_from([-100, 0, 7]))}
    if name == "cross_entropy":
        options["label_smoothing"] = data.draw(st.sampled_from([0.0, 0.0, 0.1, 1.0]))
    x = (3 * rng.standard_normal(shape)).astype(dtype)
    target = rng.integers(0, shape[1], (shape[0], *shape[2:]))
    target[rng.random(target.shape) < data.draw(st.sampled_from([0, 0.3]))] = options["ignore_index"]
    weight = rng.uniform(0.1, 2, shape[1]).astype(dtype) if data.draw(st.booleans()) else None
    check(
        lambda x, target, weight: getattr(loss, name)(x, target, weight, **options),
        lambda x, target, weight: getattr(theirs, name)(x, target, weight, **options),
        [x, target, weight],
    )


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("ignored", [-100, 0, 1])
@pytest.mark.parametrize("weights", [(0, 0, 1), (0, 1, 0), (np.inf, 1, 0), (np.nan, 1, 0), (1, -1, 0)])
@pytest.mark.parametrize("first", [1, np.inf, np.nan])
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_class_weights_with_a_sum_of_zero_or_not_finite(name, first, weights, ignored, reduction):
    """Ignored inputs have gradient 0 for any value; others with a total weight of 0 have the gradient of 0 / 0."""
    arrays = [np.array([[first, 0.5, 2], [1, 2, 3]]), np.array([0, 1]), np.array(weights, float)]
    check(
        lambda x, target, weight: getattr(loss, name)(x, target, weight, ignore_index=ignored, reduction=reduction),
        lambda x, target, weight: getattr(theirs, name)(x, target, weight, ignore_index=ignored, reduction=reduction),
        arrays,
    )


@given(batches.filter(lambda shape: shape[0]), st.data(), dtypes, seeds)
def test_cross_entropy_of_class_probabilities(shape, data, dtype, seed):
    """Derivatives of input, target and weight."""
    rng = np.random.default_rng(seed)
    options = {"reduction": data.draw(reductions), "label_smoothing": data.draw(st.sampled_from([0.0, 0.1, 1.0]))}
    arrays = [rng.standard_normal(shape), rng.uniform(0, 1, shape)]
    arrays += [rng.uniform(0.1, 2, shape[1])] if data.draw(st.booleans()) else [None]
    check(
        lambda x, target, weight: loss.cross_entropy(x, target, weight, **options),
        lambda x, target, weight: theirs.cross_entropy(x, target, weight, **options),
        [None if a is None else a.astype(dtype) for a in arrays],
        (0, 1, 2),
    )


@pytest.mark.parametrize("target", [np.array(1), np.array([0.5, 0.2, 0.3])])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_losses_of_an_unbatched_input_equal_pytorchs(target, reduction):
    x = np.array([0.5, -1, 2])
    check(
        lambda x, target: loss.cross_entropy(x, target, reduction=reduction),
        lambda x, target: theirs.cross_entropy(x, target, reduction=reduction),
        [x, target],
    )
    if target.dtype == np.int64:
        check(
            lambda x, target: loss.nll_loss(x, target, reduction=reduction),
            lambda x, target: theirs.nll_loss(x, target, reduction=reduction),
            [x, target],
        )


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_unbatched_input_with_a_batched_target(reduction):
    values = []
    for library, functional in ((microgad, loss), (torch, theirs)):
        x, target = library.tensor(np.array([0.5, -1, 2])), library.tensor(np.array([1]))
        values.append([functional.cross_entropy(x, target, reduction=reduction)])
        values[-1].append(functional.nll_loss(x, target, reduction=reduction))
    for a, b in zip(*values, strict=True):
        same(a.reshape(()), b.reshape(()), 1e-12)


@given(st.sampled_from(["mse_loss", "l1_loss"]), st.data(), dtypes, seeds)
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_mse_loss_and_l1_loss(name, data, dtype, seed):
    rng = np.random.default_rng(seed)
    shapes = data.draw(st.sampled_from([((2, 3), (2, 3)), ((), ()), ((2, 3), (3,)), ((1, 3), (2, 1)), ((3,), (1, 3))]))
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    weighted = shapes[0] == shapes[1] and data.draw(st.booleans())
    arrays += [rng.uniform(0.1, 2, shapes[0]).astype(dtype)] if weighted else [None]
    reduction = data.draw(reductions)
    check(
        lambda x, y, weight: getattr(loss, name)(x, y, reduction=reduction, weight=weight),
        lambda x, y, weight: getattr(theirs, name)(x, y, reduction=reduction, weight=weight),
        arrays,
        (0, 1),
    )


@given(st.data(), dtypes, seeds)
def test_binary_cross_entropies_and_logsigmoid(data, dtype, seed):
    """With pos_weight or without; weights broadcast."""
    rng = np.random.default_rng(seed)
    shape = data.draw(st.sampled_from([(2, 3), (3,), ()]))
    reduction = data.draw(reductions)
    x, target = rng.standard_normal(shape) * 3, rng.uniform(0, 1, shape)
    weight = data.draw(st.sampled_from([None, rng.uniform(0.1, 2, shape), rng.uniform(0.1, 2, shape[-1:])]))
    pos_weight = data.draw(st.sampled_from([None, rng.uniform(0.1, 2, shape[-1:])]))
    logits = [None if a is None else np.asarray(a).astype(dtype) for a in (x, target, weight, pos_weight)]
    check(
        lambda *inputs: loss.binary_cross_entropy_with_logits(*inputs[:3], reduction=reduction, pos_weight=inputs[3]),
        lambda *inputs: theirs.binary_cross_entropy_with_logits(*inputs[:3], reduction=reduction, pos_weight=inputs[3]),
        logits,
        (0, 1),
    )
    probabilities = [np.asarray(rng.uniform(0.05, 0.95, shape)).astype(dtype), *logits[1:3]]
    check(
        lambda x, target, weight: loss.binary_cross_entropy(x, target, weight, reduction=reduction),
        lambda x, target, weight: theirs.binary_cross_entropy(x, target, weight, reduction=reduction),
        probabilities,
        (0, 1),
        least=1e-9,  # PyTorch adds 1e-12 to x in the second derivative
    )
    check(loss.logsigmoid, theirs.logsigmoid, logits[:1])


@pytest.mark.parametrize("pos_weight", [None, 2.0])
def test_binary_cross_entropy_of_infinite_logits(pos_weight):
    x, y = np.repeat([np.inf, -np.inf, np.nan], 3), np.tile([0.0, 0.5, 1.0], 3)
    results = [
        t.nn.functional.binary_cross_entropy_with_logits(
            t.tensor(x), t.tensor(y), reduction="none", pos_weight=pos_weight and t.tensor(pos_weight)
        ).numpy()
        for t in (torch, microgad)
    ]
    known = ~np.isnan(results[0])  # with pos_weight, microgad has fewer NaNs
    np.testing.assert_array_equal(results[0][known], results[1][known])
    assert np.isposinf(results[0]).sum() == 2


def test_gradient_of_binary_cross_entropy_at_zero_and_one():
    """The target's gradient isn't compared: at 0 and 1 it is infinite in PyTorch and 100 here."""
    ends = np.array(list(itertools.product([0.0, 1.0], [0.0, 0.5, 1.0])))
    grads = []
    for library, function in ((microgad, loss.binary_cross_entropy), (torch, theirs.binary_cross_entropy)):
        x, y = (library.tensor(ends[:, i].copy(), requires_grad=i == 0) for i in (0, 1))
        function(x, y, reduction="sum").backward()
        grads.append(x.grad)
    same(*grads, 1e-8)  # PyTorch's epsilon 1e-12 is a float32


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(
    ("shape", "target_shape"), [((5,), (1, 5)), ((5,), (3, 5)), ((1, 5), (3, 5)), ((3, 5), (5,)), ((1, 5), (2, 3, 5))]
)
def test_multilabel_soft_margin_loss_of_shapes_that_broadcast(shape, target_shape, reduction):
    x, y = np.linspace(-2, 2, math.prod(shape)).reshape(shape), np.arange(math.prod(target_shape)) % 2.0
    check(
        *(lambda x, t=t: t.multilabel_soft_margin_loss(
            x, x.new_tensor(y).reshape(target_shape), reduction=reduction
        ) for t in (loss, theirs)),
        [x],
    )  # fmt: skip


def test_hinge_embedding_loss_of_integers():
    results = []
    for t in (torch, microgad):
        x, y = t.tensor([1, 2, 3]), t.tensor([1, -1, 1.0])
        results.append([t.nn.functional.hinge_embedding_loss(x, y, m, reduction="none").tolist() for m in (1.0, 4.5)])
    assert results[1] == results[0]


def error_of(library, functional, name, arrays, options):
    tensors = [library.tensor(a) for a in arrays]
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is what is compared
        getattr(functional, name)(*tensors, **options)
    return caught.value


@pytest.mark.parametrize(("name", "arrays", "options"), [
    ("cross_entropy", [np.zeros((4, 5)), np.array([1, 2, 3, 10])], {}),
    ("cross_entropy", [np.zeros((4, 5)), np.array([1, 2, 3, -1])], {}),
    ("cross_entropy", [np.zeros((4, 5)), np.array([1, 2, 3])], {}),
    ("cross_entropy", [np.zeros((4, 5)), np.zeros(4)], {}),
    ("cross_entropy", [np.zeros((4, 5)), np.zeros(4, np.int32)], {}),
    ("cross_entropy", [np.zeros((4, 5)), np.zeros((4, 5), np.int64)], {}),
    ("cross_entropy", [np.zeros((4, 5)), np.zeros((4, 4))], {}),
    ("cross_entropy", [np.zeros((4, 5, 3)), np.zeros((4, 2), np.int64)], {}),
    ("cross_entropy", [np.zeros((4, 5)), np.zeros(4, np.int64)], {"reduction": "x"}),
    ("cross_entropy", [np.zeros((4, 5)), np.zeros(4, np.int64)], {"label_smoothing": 2}),
    ("cross_entropy", [np.zeros((4, 5)), np.zeros((4, 5))], {"ignore_index": 1}),
    ("cross_entropy", [np.zeros(5), np.array([1, 2])], {}),
    ("cross_entropy", [np.array(1.0), np.array(0)], {}),
    ("cross_entropy", [np.zeros((4, 5)), np.zeros(4, np.int64), np.ones(4)], {}),
    ("nll_loss", [np.array(1.0), np.array(0)], {}),
    ("nll_loss", [np.zeros((4, 5)), np.array([1, 2, 3, 10])], {}),
    ("nll_loss", [np.zeros((4, 5)), np.array([1, 2, 3])], {}),
    ("mse_loss", [np.zeros(2, np.int64), np.zeros(2, np.int64)], {}),
    ("mse_loss", [np.zeros(2), np.zeros(2)], {"reduction": "x"}),
    ("binary_cross_entropy", [np.full(2, 1.5), np.zeros(2)], {}),
    ("binary_cross_entropy", [np.zeros(2), np.zeros(3)], {}),
    ("binary_cross_entropy_with_logits", [np.zeros(2), np.zeros(3)], {}),
])  # fmt: skip
def test_errors_have_torchs_class(name, arrays, options):
    mine, other = error_of(microgad, loss, name, arrays, options), error_of(torch, theirs, name, arrays, options)
    expected = next(kind for kind in (IndexError, ValueError, RuntimeError) if isinstance(other, kind))
    assert isinstance(mine, expected)
