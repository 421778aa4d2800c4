"""Arguments of wrong types, and values that PyTorch refuses, raise errors that name them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.errors.arguments import type_check
from microgad.errors.wording import kind_of


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: torch.zeros(2, 3) + torch.zeros(4), ValueError, r"Add: .*\(a \(2, 3\), b \(4,\)\)"),
        (lambda: torch.zeros(2, 3) @ torch.zeros(4, 5), RuntimeError, "MatMul: mat1 and mat2 shapes cannot"),
        (lambda: torch.zeros(2).sum(dim=3), IndexError, r"sum: Dimension out of range .* but got 3"),
        (lambda: torch.zeros(2)[5], IndexError, "GetItem: index 5 is out of bounds"),
        (lambda: torch.zeros(2)[torch.zeros(1)], IndexError, "tensors used as indices must be long, int"),
        (lambda: torch.tensor([1, 2]).mean(), RuntimeError, "mean: .* must be either a floating point or complex"),
        (lambda: torch.zeros(2).reshape(3), RuntimeError, "invalid for input of size 2"),
        (lambda: torch.zeros(2, 3).permute(0, 0), RuntimeError, "permute"),
        (lambda: torch.cat([]), ValueError, r"cat\(\): expected a non-empty list"),
        (lambda: torch.cat([torch.zeros(2, 2), torch.zeros(3)]), RuntimeError, "cat: Tensors must have same"),
        (lambda: torch.zeros(2).item(), RuntimeError, "2 elements cannot be converted to Scalar"),
        (lambda: float(torch.zeros(2)), ValueError, "only one element tensors can be converted to Python scalars"),
        (lambda: bool(torch.zeros(2)), RuntimeError, "ambiguous"),
        (lambda: torch.device("cpu", device="cpu"), TypeError, "either a device or a type"),
        (lambda: torch.device("tpu"), RuntimeError, "Expected one of cpu, cuda device type"),
        (lambda: torch.mul(torch.zeros(2), "2"), TypeError, "'other' .* must be Tensor, not str"),
        (lambda: torch.clamp(torch.zeros(2)), ValueError, "At least one of 'min' or 'max'"),
        (lambda: torch.ones(2, 2, dtype=bool) @ torch.ones(2, 2, dtype=bool), NotImplementedError, "for bool"),
        (lambda: torch.linalg.cholesky(torch.ones(2, 2, dtype=int)), NotImplementedError, "floating point or complex"),
        (lambda: torch.split(torch.zeros(4), [1, 1]), RuntimeError, r"split_sizes to sum exactly to 4 .* sum to 2"),
    ],
)
def test_wrong_arguments_raise_an_error_that_names_the_rule(call: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: torch.exp([1.0]), r"exp\(\): argument 'input' \(position 1\) must be Tensor, not list"),
        (lambda x: torch.matmul([[1.0]], x), r"matmul\(\): argument 'input' must be Tensor, not list"),
        (lambda x: torch.transpose("a", 0, 1), r"transpose\(\): argument 'input' \(position 1\) .*, not str"),
        (
            lambda x: torch.nn.functional.mse_loss(x, target=None),
            r"mse_loss\(\): argument 'target' must be .* NoneType",
        ),
        (lambda x: torch.sum(x=[1.0]), r"sum\(\): argument 'input' must be Tensor, not list"),
        (lambda x: x.dot((1.0, 2.0)), r"dot\(\): argument 'tensor' \(position 2\) must be Tensor, not tuple"),
        (lambda x: x.masked_fill_([True], 0), r"masked_fill_\(\): argument 'mask' \(position 1\) .*, not list"),
        (lambda x: x.masked_fill_(x > 0), r"masked_fill_\(\) missing 1 required positional argument: 'value'"),
        (lambda x: torch.block_diag(x, [1.0]), r"block_diag\(\): argument 'tensors' \(position 2\) .*, not list"),
        (lambda x: torch.meshgrid([x, "a"]), r"meshgrid\(\): expected Tensor as element 1 in argument 'tensors'"),
        (lambda x: torch.sigmoid(None), r"sigmoid\(\): argument 'input' \(position 1\) must be Tensor, not NoneType"),
        (lambda x: torch.where(x > 0, x, None), r"where\(\): argument 'other' must be Tensor or Number, not NoneType"),
        (lambda x: torch.exp(3.0), r"exp\(\): argument 'input' \(position 1\) must be Tensor, not float"),
        (lambda x: torch.erf(True), r"erf\(\): argument 'input' \(position 1\) must be Tensor, not bool"),
        (lambda x: torch.abs_(3), r"abs_\(\): argument 'input' \(position 1\) must be Tensor, not int"),
        (lambda x: torch.is_complex(3), r"is_complex\(\): argument 'input' \(position 1\) must be Tensor, not int"),
        (lambda x: torch.bmm(x, "a"), r"bmm\(\): argument 'batch2' must be Tensor, not str"),
        (
            lambda x: torch.outer(torch.ones(2, 2), 1),
            r"outer\(\): argument 'vec2' \(position 2\) must be Tensor, not int",
        ),
        (lambda x: torch.celu(x, "a"), r"celu\(\): argument 'alpha' \(position 2\) must be float, not str"),
        (
            lambda x: torch.reshape(x, [1.0]),
            r"reshape\(\): argument 'shape' must be tuple of ints, got \[1.0\]",
        ),
        (
            lambda x: torch.broadcast_to(x, "a"),
            r"broadcast_to\(\): argument 'size' must be tuple of ints, got 'a'",
        ),
        (lambda x: torch.nn.functional.adaptive_avg_pool2d(x, "a"), r"pool2d\(\): argument 'output_size' .*, got 'a'"),
        (
            lambda x: torch.flip(x, None),
            r"flip\(\): argument 'dims' \(position 2\) must be int or a tuple of ints, got None",
        ),
        (
            lambda x: torch.permute(x, None),
            r"permute\(\): argument 'dims' \(position 2\) must be tuple of ints, not None",
        ),
        (
            lambda x: x.split([None, 1]),
            r"split_with_sizes\(\): argument 'split_sizes' \(position 2\) .*, got \(None, 1\)",
        ),
        (
            lambda x: torch.cat(None),
            r"cat\(\): argument 'tensors' \(position 1\) must be tuple of Tensors, not NoneType",
        ),
        (
            lambda x: torch.linalg.multi_dot("abc"),
            r"multi_dot\(\): argument 'tensors' .* must be tuple of Tensors, not str",
        ),
        (
            lambda x: torch.atleast_2d(3),
            r"atleast_2d\(\): argument 'tensors' .* must be Tensor or tuple of Tensors, not int",
        ),
        (lambda x: torch.normal(x, [1.0, 2.0]), r"normal\(\): argument 'std' .* must be Tensor or Number, not list"),
        (
            lambda x: torch.narrow(x, 0, 0.5, 1),
            r"narrow\(\) received an invalid .* - got \(Tensor, int, float, int\): 'float'",
        ),
        (
            lambda x: torch.randint(2.5, (2,)),
            r"randint\(\) received an invalid combination .* - got \(float, tuple\): 'float'",
        ),
        (
            lambda x: x.max(dim=torch.tensor(1.0)),
            r"max\(\) received an .* - got \(Tensor, dim=Tensor\): only integer tensors",
        ),
        (lambda x: torch.add(x, [1], alpha=2), r"add\(\): argument 'other' must be Tensor, not list"),
        (lambda x: torch.full((2,), None), r"full\(\): argument '.*' must be Number, not NoneType"),
    ],
)
def test_an_argument_of_a_wrong_type_is_named(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(torch.ones(2))


def test_type_check_is_none_for_functions_without_numeric_parameters() -> None:
    def plain(input: torch.Tensor, size: tuple[int, ...]) -> bool:
        return True

    def numeric(input: torch.Tensor, *, dim: int = 0) -> bool:
        return True

    assert type_check(plain) is None
    check = type_check(numeric)
    assert check is not None
    with pytest.raises(TypeError, match=r"numeric\(\): argument 'dim' must be int, not str"):
        check((), {"dim": "a"})


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda p: nn.functional.leaky_relu(torch.ones(2), p), "negative_slope"),
        (lambda p: nn.functional.elu(torch.ones(2), alpha=p), "alpha"),
        (lambda p: nn.functional.celu(torch.ones(2), p), "alpha"),
        (lambda p: nn.functional.softplus(torch.ones(2), p), "beta"),
        (lambda p: nn.functional.rrelu(torch.ones(2), p, 1.0), "lower"),
        (lambda p: nn.functional.huber_loss(torch.ones(2), torch.zeros(2), delta=p), "delta"),
        (lambda p: nn.functional.cross_entropy(torch.ones(1, 2), torch.tensor([0]), label_smoothing=p), "smoothing"),
        (lambda p: nn.functional.pairwise_distance(torch.ones(1, 2), torch.zeros(1, 2), eps=p), "eps"),
    ],
)
def test_a_tensor_is_rejected_as_a_number_that_would_get_no_gradient(call: Any, argument: str) -> None:
    with pytest.raises(TypeError, match=f"{argument}.* must be float, not Tensor"):
        call(torch.tensor(0.5, requires_grad=True))
    with pytest.raises(TypeError, match=f"{argument}.* must be float, not Tensor"):
        call(torch.tensor([0.5]))
    assert torch.equal(call(torch.tensor(0.5)), call(0.5))


def test_the_temperature_of_gumbel_softmax_may_require_grad() -> None:
    tau = torch.tensor([0.5], requires_grad=True)
    nn.functional.gumbel_softmax(torch.tensor([1.0, 2.0]), tau)[0].backward()
    assert tau.grad is not None


@pytest.mark.parametrize(
    "call",
    [
        lambda x, **dim: torch.max(x, **dim), lambda x, **dim: x.min(**dim), lambda x, **dim: torch.prod(x, **dim),
        lambda x, **dim: x.median(**dim), lambda x, **dim: torch.nanmedian(x, **dim),
        lambda x, **dim: x.squeeze(**dim), lambda x, **dim: torch.logsumexp(x, **dim or {"dim": (0, 1)}),
    ],
)  # fmt: skip
def test_a_dim_may_be_left_out_but_not_be_none(call):
    """A variable that is None by mistake would give the result over all dims."""
    assert call(torch.ones(2, 2)) is not None
    with pytest.raises(TypeError, match=r"argument 'dim' must be int( or tuple of ints)?, not NoneType"):
        call(torch.ones(2, 2), dim=None)


@pytest.mark.parametrize(
    "call",
    [
        lambda: torch.eye(3, None), lambda: torch.arange(None, 5, 1), lambda: torch.arange(0, None),
        lambda: torch.arange(start=0, end=None), lambda: torch.randint(None, 5, (2,)),
        lambda: torch.ones(1).random_(None, 5), lambda: torch.ones(1).random_(None),
    ],
)  # fmt: skip
def test_a_bound_may_be_left_out_but_not_be_none(call):
    with pytest.raises(TypeError, match=r"must be (int|Number), not NoneType"):
        call()


def test_numpy_s_functions_take_none_for_an_axis():
    x, y = np.array([[[1.0, 2.0]], [[3.0, 4.0]]]), torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])
    for function in (np.prod, np.max, np.median, np.squeeze, np.logaddexp.reduce):
        assert np.allclose(function(y, axis=None), function(x, axis=None), rtol=1e-6)
    assert np.prod(y, keepdims=True).shape == (1, 1, 1)
    assert torch.masked.prod(y, None, keepdim=True).shape == (1, 1, 1)
    assert torch.masked.logsumexp(y).shape == ()


MARGIN_LOSS = nn.functional.multilabel_margin_loss


BCE_OF_LOGITS = nn.functional.binary_cross_entropy_with_logits


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: MARGIN_LOSS(x, torch.tensor([[-2, 1], [0, 1]])), RuntimeError, "classes outside of 0 to 1"),
        (lambda x: MARGIN_LOSS(x, torch.tensor([[-1, 2], [0, 1]])), RuntimeError, "classes outside of 0 to 1"),
        (lambda x: nn.functional.embedding_bag(torch.tensor([[0]]), x.long()), RuntimeError, "must be floating-point"),
        (lambda x: BCE_OF_LOGITS(x, x, pos_weight=3), TypeError, "'pos_weight' must"),
        (lambda x: BCE_OF_LOGITS(x, x, weight=3), TypeError, "'weight' must"),
        (lambda x: nn.functional.binary_cross_entropy(x, x, weight=2.5), TypeError, "'weight' must be"),
        (lambda x: nn.functional.batch_norm(x, x[0].double(), x[0], training=True), RuntimeError, "running_mean must"),
        (lambda x: nn.functional.batch_norm(x, x[0], x[0].double(), training=True), RuntimeError, "running_var must"),
        (lambda x: torch.autograd.graph.saved_tensors_hooks(abs, 4).__enter__(), TypeError, "expected two functions"),
    ],
)
def test_arguments_that_were_computed_with_although_pytorch_refuses_them(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.ones(2, 2))


@pytest.mark.parametrize(
    "call",
    [
        lambda x, theirs: torch.exp(theirs),
        lambda x, theirs: torch.add(x, theirs),
        lambda x, theirs: torch.cat([x, theirs]),
        lambda x, theirs: x.copy_(theirs),
        lambda x, theirs: nn.Linear(2, 2)(theirs),
        lambda x, theirs: nn.Conv2d(1, 1, 1)(theirs),
        lambda x, theirs: torch.optim.SGD([theirs], lr=0.1),
    ],
)
def test_a_tensor_of_another_framework_is_named_with_its_module(call):
    theirs = type("Tensor", (), {"__module__": "elsewhere"})()  # as where one `import torch` of a program was forgotten
    with pytest.raises(TypeError, match=r"(not|got|is) elsewhere\.Tensor"):
        call(torch.ones(2, 2), theirs)
    assert kind_of(torch.ones(1)) == "Tensor"
