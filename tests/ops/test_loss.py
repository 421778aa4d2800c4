"""Losses: extreme values, ignored classes, reductions, values kept for backward, dtypes and errors."""

import math

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad.ops.loss import (
    CrossEntropy,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    classification,
    cross_entropy,
    huber_loss,
    l1_loss,
    logsigmoid,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize("columns", [3, 50])
def test_a_small_loss_of_large_logits_keeps_its_digits(columns):
    """In log Σ exp(x) - x, computed as it stands, they would cancel: the spacing of float32 at 1000 is 6e-5."""
    x = torch.zeros(4, columns)
    x[:, 1] = 1000.0
    x[0, 2] = 988.0
    x.requires_grad_()
    loss = cross_entropy(x, torch.tensor([1, 1, 1, 0]), reduction="none")
    np.testing.assert_allclose(loss.array, [math.log1p(math.exp(-12)), 0, 0, 1000], 1e-6, 6e-8)
    loss.sum().backward()
    np.testing.assert_allclose(x.grad.array[0, :3], [0, -math.exp(-12), math.exp(-12)], atol=6e-8)


def test_losses_of_large_arrays_keep_their_digits_at_both_ends():
    """The maximum isn't subtracted from these, whose sums of exponentials are moderate: exp(-90) has no digits."""
    x = torch.full((5, 4096), -50.0)
    x[:, 1], x[:, 2], x[:, 3], x[:, 4] = 20.0, 4.0, -90.0, -torch.inf
    loss = cross_entropy(x, torch.tensor([1, 2, 3, 4, 1]), reduction="none")
    rest = math.log1p(math.exp(-16))
    np.testing.assert_allclose(loss.array, [rest, 16 + rest, 110 + rest, torch.inf, rest], 1e-6, 6e-8)


def test_the_gradient_of_the_logits_is_softmax_minus_one_hot():
    x = LOGITS.clone().requires_grad_()
    cross_entropy(x, torch.tensor([0, 2])).backward()
    softmax = np.exp(LOGITS.array) / np.exp(LOGITS.array).sum(1, keepdims=True)
    np.testing.assert_allclose(x.grad.array, (softmax - np.array([[1, 0, 0], [0, 0, 1]])) / 2, 1e-6)


def test_ignored_rows_have_no_loss_and_no_gradient():
    x = torch.tensor([[2.0, 0.0, -1.0], [torch.inf, 0.0, 0.0]])[[0, 0]].requires_grad_()
    loss = cross_entropy(x, torch.tensor([1, -100]), reduction="none")
    assert loss.array[1] == 0
    cross_entropy(x, torch.tensor([1, -100])).backward()
    alone = x[:1].detach().requires_grad_()
    cross_entropy(alone, torch.tensor([1])).backward()
    np.testing.assert_array_equal(x.grad.array, np.concatenate([alone.grad.array, np.zeros((1, 3))]))


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
def test_ignore_index_may_be_a_class(loss):
    target = torch.tensor([0, 2])
    np.testing.assert_allclose(loss(LOGITS, target, ignore_index=2).item(), loss(LOGITS[:1], target[:1]).item(), 1e-6)


def test_an_ignored_loss_may_be_infinite():
    x = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]], requires_grad=True)
    loss = cross_entropy(x, torch.tensor([1, 1]), ignore_index=1, reduction="sum")
    loss.backward()
    assert loss.item() == 0
    assert not x.grad.array.any()


@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_losses_of_differences_are_weighted_and_scaled(reduction):
    x, y, w = torch.tensor([0.0, 1.0, 5.0]), torch.tensor([0.5, -2.0, 2.0]), torch.tensor([1.0, 2.5, 0.0])
    reduce = {"none": lambda x: x, "sum": np.sum, "mean": np.mean}[reduction]
    weighted = {**dict.fromkeys(("none", "sum"), reduce), "mean": lambda x: x.sum() / 3.5}[reduction]
    for found, expected in (
        (mse_loss(x, y, weight=w, reduction=reduction), weighted(np.array([0.25, 22.5, 0]))),
        (l1_loss(x, y, weight=w, reduction=reduction), weighted(np.array([0.5, 7.5, 0]))),
        (huber_loss(x, y, reduction, 2.0, w), reduce(np.array([0.125, 10, 0]))),
        (smooth_l1_loss(x, y, reduction=reduction, beta=2.0), reduce(np.array([0.0625, 2, 2]))),
    ):
        np.testing.assert_allclose(found.array, expected, 1e-6)


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
def test_the_mean_of_no_losses_is_nan_and_its_gradient_zero(loss):
    x = LOGITS.clone().requires_grad_()
    for y in (loss(x, torch.tensor([-100, -100])), loss(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))):
        assert math.isnan(y.item())
    loss(x, torch.tensor([-100, -100])).backward()
    assert not x.grad.array.any()
    assert loss(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), reduction="sum").item() == 0


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
@pytest.mark.parametrize(("error", "message", "target", "options"), [
    (IndexError, "Target 10 is out of bounds: input has the classes 0 to 2", [0, 10], {}),
    (IndexError, "Target -1 is out of bounds", [-1, 0], {}),
    (IndexError, "Target -100 is out of bounds", [-100, 0], {"ignore_index": -1}),
    (ValueError, r"Expected input batch_size \(2\) to match target batch_size \(3\)", [0, 1, 1], {}),
    (RuntimeError, r"multi-target not supported: .* have shape \(2,\); cross_entropy also", [[0, 1, 1], [0, 1, 1]], {}),
    (RuntimeError, r"Long or Byte, but got Float: use target.long\(\)", [0.0, 1.0], {}),
    (RuntimeError, r"all 3 classes or no classes but got .* shape: \[2\]", [0, 1], {"weight": torch.ones(2)}),
    (RuntimeError, "weight is float64, but input is float32", [0, 1], {"weight": torch.ones(3, dtype=torch.float64)}),
    (ValueError, "x is not a valid value for reduction", [0, 1], {"reduction": "x"}),
    (ValueError, "1 is not a valid value for reduction", [0, 1], {"reduction": 1}),
    (ValueError, "None is not a valid value for reduction", [0, 1], {"reduction": None}),
])  # fmt: skip
def test_wrong_targets_weights_and_reductions_raise(loss, error, message, target, options):
    x = LOGITS.clone().requires_grad_()
    with pytest.raises(error, match=message):
        loss(x, torch.tensor(target), **options)


def test_errors_name_the_operation_and_every_argument():
    arguments = r"\(input \(2, 3\), target \(2,\) int64\)$"
    with pytest.raises(IndexError, match="^CrossEntropy: Target 3 .*" + arguments):
        cross_entropy(LOGITS, torch.tensor([3, 0]))
    with pytest.raises(IndexError, match="^NllLoss: Target 3 .*" + arguments):
        nll_loss(LOGITS, torch.tensor([3, 0]))
    with pytest.raises(RuntimeError, match=r"^CrossEntropy: input must be floating-point, but is int64"):
        cross_entropy(LOGITS.long(), torch.tensor([1, 0]))
    with pytest.raises(RuntimeError, match=r"label_smoothing must be between 0.0 and 1.0. Got: 2"):
        cross_entropy(LOGITS, torch.tensor([1, 0]), label_smoothing=2)
    with pytest.raises(RuntimeError, match="ignore_index=1 is not supported for class probabilities"):
        cross_entropy(LOGITS, LOGITS, ignore_index=1)
    with pytest.raises(RuntimeError, match=r"cross_entropy: weight tensor should be defined .* 3 classes"):
        cross_entropy(LOGITS, LOGITS, torch.ones(2))


def test_class_weights_that_require_grad_raise():
    with pytest.raises(RuntimeError, match="CrossEntropy has no derivative for its input weight"):
        cross_entropy(LOGITS.clone().requires_grad_(), torch.tensor([0, 1]), torch.ones(3, requires_grad=True))


def test_a_write_to_the_target_raises_in_backward():
    target = torch.tensor([0, 1])
    loss = cross_entropy(LOGITS.clone().requires_grad_(), target)
    target[0] = 2
    with pytest.raises(RuntimeError, match=r"CrossEntropy: .* modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("columns", [100, 200])
def test_cross_entropy_keeps_no_exponentials_of_large_inputs(monkeypatch, reduction, columns):
    x, target = torch.randn(64, columns, requires_grad=True), torch.zeros(64, dtype=torch.int64)
    gradients, shapes = [], []
    for max_kept in (64 * columns, 64 * columns - 1):
        monkeypatch.setattr(classification, "MAX_KEPT", max_kept)
        loss = cross_entropy(x, target, reduction=reduction)
        assert type(loss.grad_fn) is CrossEntropy
        kept = [k for k in loss.grad_fn.kept if hasattr(k, "nbytes") and k is not x.array and k is not target.array]
        shapes.append({k.size for k in kept})
        gradients += torch.autograd.grad(loss.sum(), x)
    assert shapes == [{64, 64 * columns}, {64}]
    np.testing.assert_allclose(gradients[0].array, gradients[1].array, 1e-6)


def test_targets_may_be_uint8():
    a, b = (cross_entropy(LOGITS, torch.tensor([0, 2], dtype=dtype)) for dtype in (torch.uint8, torch.int64))
    assert a.item() == b.item()


@pytest.mark.parametrize(("options", "reduction"), [
    ({"size_average": False}, "sum"), ({"size_average": True}, "mean"),
    ({"reduce": False}, "none"), ({"reduce": True}, "mean"),
])  # fmt: skip
def test_old_reduction_arguments(options, reduction):
    x, y = torch.tensor([0.5, 0.25]), torch.tensor([0.0, 1.0])
    for loss in (mse_loss, l1_loss, binary_cross_entropy, binary_cross_entropy_with_logits):
        with pytest.warns(UserWarning, match=f"please use reduction='{reduction}' instead"):
            old = loss(x, y, **options)
        np.testing.assert_array_equal(old.array, loss(x, y, reduction=reduction).array)
    with pytest.warns(UserWarning, match=f"please use reduction='{reduction}' instead") as warned:
        assert torch.nn.NLLLoss(**options).reduction == reduction
    assert warned[0].filename == __file__
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with more than one value is ambiguous"):
        torch.nn.MSELoss(x, y)


@pytest.mark.parametrize("loss", [mse_loss, l1_loss])
def test_losses_of_shapes_that_broadcast_warn(loss):
    x, y = torch.ones(2, 3, requires_grad=True), torch.zeros(3, requires_grad=True)
    with pytest.warns(UserWarning, match=r"target size \(torch.Size\(\[3\]\)\).*input size \(torch.Size\(\[2, 3\]\)\)"):
        value = loss(x, y)
    value.backward()
    assert value.item() == 1
    assert (x.grad.shape, y.grad.shape) == ((2, 3), (3,))


@pytest.mark.parametrize("loss", [mse_loss, l1_loss])
def test_mse_and_l1_losses_raise_for_wrong_weights_dtypes_and_shapes(loss):
    x = torch.ones(2)
    with pytest.raises(ValueError, match="Weights and input must have the same size"):
        loss(x, x, weight=torch.ones(3))
    with pytest.raises(
        RuntimeError, match=r"mse_loss: input or target must be floating-point|mean: could not infer output dtype"
    ):
        loss(x.long(), x.long())
    with pytest.warns(UserWarning, match="Using a target size"), pytest.raises(RuntimeError):
        loss(x, torch.ones(3))


@pytest.mark.parametrize("loss", [mse_loss, l1_loss, binary_cross_entropy, binary_cross_entropy_with_logits])
def test_the_mean_of_an_empty_loss_is_nan(loss):
    x = torch.zeros(0, 2, requires_grad=True)
    with np.errstate(invalid="ignore"):
        y = loss(x, x.detach())
    assert math.isnan(y.item())


def test_binary_cross_entropy_with_large_logits_keeps_its_digits():
    x = torch.tensor([20.0, -20.0, 200.0, -200.0], requires_grad=True)
    loss = binary_cross_entropy_with_logits(x, torch.tensor([1.0, 0.0, 0.0, 1.0]), reduction="none")
    np.testing.assert_allclose(loss.array, [math.exp(-20), math.exp(-20), 200, 200], 1e-6)
    loss.sum().backward()
    assert x.grad.tolist()[2:] == [1, -1]
    np.testing.assert_allclose(logsigmoid(x).array, [-math.exp(-20), -20, 0, -200], 1e-6, 1e-30)


def test_the_second_derivative_at_logit_0_is_a_quarter():
    x = torch.zeros(1, requires_grad=True)
    (g,) = torch.autograd.grad(binary_cross_entropy_with_logits(x, torch.ones(1)), x, create_graph=True)
    assert g.tolist() == [-0.5]
    assert torch.autograd.grad(g, x)[0].tolist() == [0.25]


def test_binary_cross_entropy_clamps_logarithms_at_minus_100():
    """But not in the gradient of the target, as in PyTorch."""
    x = torch.tensor([0.0, 1.0, 0.0], requires_grad=True)
    y = torch.tensor([1.0, 0.0, 0.0], requires_grad=True)
    loss = binary_cross_entropy(x, y, reduction="none")
    assert loss.tolist() == [100, 100, 0]
    loss.sum().backward()
    np.testing.assert_allclose(x.grad.array, [-1e12, 1e12, 0])
    assert y.grad.tolist() == [math.inf, -math.inf, math.inf]


@pytest.mark.parametrize("wrong", [[1.5, 0.0], [-0.1, 0.0], [math.nan, 0.0]])
def test_binary_cross_entropy_of_what_is_no_probability_raises(wrong):
    with pytest.raises(RuntimeError, match="all elements of input should be between 0 and 1"):
        binary_cross_entropy(torch.tensor(wrong), torch.zeros(2))


@pytest.mark.parametrize("loss", [binary_cross_entropy, binary_cross_entropy_with_logits])
def test_binary_cross_entropy_of_different_shapes_raises(loss):
    with pytest.raises(ValueError, match=rf"{loss.__name__}: .*arget size .*\[2\].* input size .*\[1\]"):
        loss(torch.zeros(1), torch.zeros(2))


@pytest.mark.parametrize(
    "options", [{"weight": torch.ones(2, 3)}, {"pos_weight": torch.ones(2, 3)}, {"weight": torch.ones(1, 1, 1)}]
)
def test_weights_that_would_enlarge_a_binary_cross_entropy_raise(options):
    losses = [binary_cross_entropy_with_logits] + [binary_cross_entropy] * ("weight" in options)
    for loss in losses:
        with pytest.raises(RuntimeError, match=r"output with shape \[1, 3\]"):
            loss(torch.zeros(1, 3), torch.zeros(1, 3), **options)


@pytest.mark.parametrize("option", ["weight", "pos_weight"])
def test_binary_cross_entropy_with_logits_has_the_dtype_of_the_target(option):
    x, y = torch.zeros(3, dtype=torch.float64, requires_grad=True), torch.ones(3)
    loss = binary_cross_entropy_with_logits(x, y, **{option: torch.ones(3, dtype=torch.float64)})
    assert loss.dtype == torch.float32
    loss.backward()
    np.testing.assert_allclose(x.grad.array, -0.5 / 3)


@pytest.mark.parametrize("loss", [mse_loss, huber_loss, smooth_l1_loss, binary_cross_entropy_with_logits])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.int64])
def test_losses_of_complex_numbers_and_integers_raise(loss, dtype):
    x = torch.ones(2, dtype=dtype)
    with pytest.raises(NotImplementedError, match=f"{loss.__name__}: input .*{dtype}"):
        loss(x, x)


def test_p_of_multi_margin_loss_may_be_a_float():
    target = torch.tensor([0, 2])
    for p in (1, 2):
        found = F.multi_margin_loss(LOGITS, target, p=float(p), reduction="none")
        np.testing.assert_array_equal(found.array, F.multi_margin_loss(LOGITS, target, p=p, reduction="none").array)


def test_gradient_of_multi_margin_loss_without_a_slope_is_positive_zero():
    x = torch.tensor([[5.0, 0.0], [0.0, 5.0]], requires_grad=True)
    F.multi_margin_loss(x, torch.tensor([0, 1])).backward()
    assert x.grad.tolist() == [[0, 0], [0, 0]]
    assert not x.grad.signbit().any()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("loss", [F.multi_margin_loss, F.multilabel_margin_loss])
def test_margin_losses_of_bad_logits_have_the_same_gradient_under_create_graph(loss, column, bad):
    x = LOGITS.clone()
    x[0, column] = bad  # of the target or of another class; its terms are 0 if it is NaN
    target = torch.tensor([0, 2]) if loss is F.multi_margin_loss else torch.tensor([[0, -1, 0], [2, 0, -1]])
    x.requires_grad_()
    plain, recorded = (torch.autograd.grad(loss(x, target), x, create_graph=c)[0] for c in (False, True))
    np.testing.assert_array_equal(recorded.detach().array, plain.array)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.complex64])
def test_margin_losses_of_integers_and_complex_numbers_raise(dtype):
    x = torch.ones(2, 3).to(dtype)
    for loss, target in ((F.multilabel_margin_loss, torch.zeros(2, 3)), (F.multi_margin_loss, torch.zeros(2))):
        with pytest.raises(NotImplementedError, match="input must be floating-point"):
            loss(x, target.long())


@pytest.mark.parametrize("loss", [F.huber_loss, F.soft_margin_loss])
def test_huber_and_soft_margin_losses_have_the_dtype_of_the_input(loss):
    single, double = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([0.0, 5.0], dtype=torch.float64)
    assert loss(single, double).dtype == loss(single, double, reduction="none").dtype == torch.float32
    assert loss(double, single.detach()).dtype == torch.float64
    loss(single, double).backward()
    assert single.grad.dtype == torch.float32
    with pytest.raises(RuntimeError, match="result type Double can't be cast to the desired output type Long"):
        loss(torch.tensor([1, 2]), double)


@pytest.mark.parametrize("shape", [(8,), (1, 8), (8, 8), (2, 8, 1), (0,)])
def test_soft_margin_loss_does_not_broadcast_the_input_to_the_shape_of_the_target(shape):
    with pytest.raises(RuntimeError, match=r"output with shape \[8, 1\] doesn't match the broadcast shape"):
        F.soft_margin_loss(torch.ones(8, 1), torch.ones(shape))
    assert F.soft_margin_loss(torch.ones(8, 1), torch.ones(1), reduction="none").shape == (8, 1)


def test_smoothed_cross_entropy_with_weights_of_sum_zero_is_nan():
    x, weight = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0]]), torch.tensor([1.0, -1.0, 0.0])
    assert F.cross_entropy(x, torch.tensor([2, 2]), weight, label_smoothing=0.1).isnan()


@pytest.mark.parametrize(
    ("targets", "lengths", "sizes", "message"),
    [
        (torch.ones(3, 3), (5, 5), (3, 3), "tensor to have size 2 at dimension 0, but got size 3 for argument #2"),
        (torch.ones(2, 2), (5, 5), (3, 3), "tensor to have size at least 3 at dimension 1, but got size 2 for"),
        (torch.ones(5), (5, 5), (3, 3), "tensor to have size 6 at dimension 0, but got size 5 for argument #2"),
        (torch.ones(2, 3, 1), (5, 5), (3, 3), "1 to 2 dimensions, but got 3-dimensional tensor for argument #2"),
        (torch.ones(2, 3), (6, 5), (3, 3), "input_lengths to have value at most 5, but got value 6"),
        (torch.ones(2, 3), (5, 5), (-1, 3), "target_lengths to have value at least 0, but got value -1"),
    ],
)
def test_ctc_loss_says_in_pytorch_s_words_what_does_not_fit(targets, lengths, sizes, message):
    with pytest.raises(RuntimeError, match=f"ctc_loss: Expected {message}"):
        torch.nn.functional.ctc_loss(torch.zeros(5, 2, 4), targets.long(), lengths, sizes)


def test_the_hinge_embedding_loss_with_reductions_by_number():
    """It is input where the target is 1, and max(0, margin - input) where it is -1."""
    x, target = torch.tensor([0.5, -2.0, 0.25, 3.0], requires_grad=True), torch.tensor([1.0, 1, -1, -1])
    for reduction, expected in ((0, [0.5, -2, 1.75, 0]), (1, 0.0625), (2, 0.25)):
        assert torch.hinge_embedding_loss(x, target, 2.0, reduction).tolist() == expected
    torch.hinge_embedding_loss(x, target, 2.0, 2).backward()
    assert x.grad.tolist() == [1, 1, -1, 0]


def test_poisson_loss_of_float16_and_integers_stays_float16() -> None:
    losses = F.poisson_nll_loss(torch.ones(2, dtype=torch.float16), torch.tensor([1, 3]), full=True, reduction="none")
    assert losses.dtype == torch.float16
