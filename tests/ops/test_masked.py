"""torch.masked: each function equals the one of the same name, applied to the elements that the mask keeps."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

import microgad as torch

masked = torch.masked

REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum": torch.sum, "prod": torch.prod, "amax": torch.amax, "amin": torch.amin, "mean": torch.mean,
    "median": torch.median, "var": torch.var, "std": torch.std, "logsumexp": lambda x: torch.logsumexp(x, 0),
    "norm": torch.linalg.vector_norm,
}  # fmt: skip
IDENTITIES = {"sum": 0, "prod": 1, "amax": -torch.inf, "amin": torch.inf, "logsumexp": -torch.inf, "norm": 0}
SAME_SHAPE: dict[str, Callable[[Any], Any]] = {
    "softmax": lambda x: torch.softmax(x, 0), "log_softmax": lambda x: torch.log_softmax(x, 0),
    "softmin": lambda x: torch.softmax(-x, 0), "cumsum": lambda x: torch.cumsum(x, 0),
    "cumprod": lambda x: torch.cumprod(x, 0), "normalize": lambda x: torch.nn.functional.normalize(x, dim=0),
}  # fmt: skip
CALLS = {**REDUCTIONS, **SAME_SHAPE}


def masked_function(name: str) -> Callable[..., Any]:
    return functools.partial(masked.normalize, ord=2.0) if name == "normalize" else getattr(masked, name)


@pytest.fixture
def x(device: str) -> torch.Tensor:
    torch.manual_seed(3)
    return torch.randn(3, 5, dtype=torch.float64).to(device).requires_grad_()


@pytest.fixture
def mask(device: str) -> torch.Tensor:
    kept = [[True, True, False, True, False], [False, True, True, False, True], [True] * 5]
    return torch.tensor(kept, device=device)


@pytest.mark.parametrize("name", CALLS)
def test_masked_functions_equal_the_function_of_kept_elements(name, x, mask):
    found = masked_function(name)(x, dim=1, mask=mask)
    for row, kept, result in zip(x, mask, found, strict=True):
        of_kept = CALLS[name](row[kept])
        torch.testing.assert_close(result[kept] if name in SAME_SHAPE else result, of_kept)
    unmasked = masked_function(name)(x, dim=1)
    torch.testing.assert_close(unmasked, torch.stack([CALLS[name](row) for row in x]))


@pytest.mark.parametrize("name", CALLS)
def test_first_and_second_derivatives(name, x, mask):
    def apply(x: Any) -> Any:
        out = masked_function(name)(x, dim=0, mask=mask)
        return out[mask] if name in SAME_SHAPE else out

    assert torch.autograd.gradcheck(apply, (x,))
    assert torch.autograd.gradgradcheck(apply, (x,))


@pytest.mark.parametrize("ord", [0, 1, 3, torch.inf, -torch.inf])
def test_norms_of_any_order(ord, x, mask):
    expected = [torch.linalg.vector_norm(row[kept], ord) for row, kept in zip(x, mask, strict=True)]
    torch.testing.assert_close(masked.norm(x, ord, 1, mask=mask), torch.stack(expected))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_fully_masked_row_gives_the_identity_and_no_gradient(name, x, device):
    found = masked_function(name)(x, dim=1, mask=torch.tensor([[True], [False], [True]], device=device))
    expected = torch.tensor(IDENTITIES.get(name, torch.nan), dtype=torch.float64, device=device)
    torch.testing.assert_close(found[1], expected, equal_nan=True)
    (grad,) = torch.autograd.grad(found[[0, 2]].sum(), x)
    assert not grad[1].any()
    assert grad[[0, 2]].any(1).all()


def test_masked_reductions_of_integers_use_their_limits_as_identities(device):
    x, mask = torch.tensor([-3, 7, 5], dtype=torch.int8, device=device), torch.tensor([True, False, True]).to(device)
    found = [getattr(masked, name)(x, mask=mask) for name in ("amax", "amin", "argmax", "argmin", "sum", "prod")]
    assert [int(y) for y in found] == [5, -3, 2, 0, 2, -15]
    assert [y.dtype for y in found] == [torch.int8] * 4 + [torch.int64] * 2
    assert [int(masked.amax(x, mask=mask & False)), int(masked.amin(x, mask=mask & False))] == [-128, 127]
    assert {f(x, dtype=torch.int32, mask=mask).dtype for f in (masked.argmax, masked.argmin)} == {torch.int32}


def test_masks_are_broadcast_and_several_dims_reduced(x, mask, device):
    column = torch.tensor([1.0, 0.0, 2.0], device=device)[:, None]  # of numbers: elements with a nonzero one are kept
    for name in ("sum", "prod", "amax", "mean", "var", "logsumexp", "norm"):
        both = masked_function(name)(x, dim=(0, -1), mask=column, keepdim=True)
        assert both.shape == (1, 1)
        torch.testing.assert_close(both[0, 0], REDUCTIONS[name](x[[0, 2]].flatten()))
        torch.testing.assert_close(masked_function(name)(x, mask=column), both[0, 0])


@pytest.mark.parametrize("name", CALLS)
def test_masked_functions_compute_in_the_dtype_that_is_given(name, device):
    """Others than these four convert before they compute, as in PyTorch; norms need floating-point numbers."""
    real = name in ("norm", "normalize")
    x = torch.tensor([[100, 90, 80]], dtype=torch.float32 if real else torch.int8, device=device)
    found = masked_function(name)(x, dim=1, dtype=torch.float64, mask=torch.ones_like(x))
    if name in ("amax", "amin", "median", "logsumexp"):
        assert found.dtype == torch.float64
    else:
        torch.testing.assert_close(found, masked_function(name)(x.double(), dim=1), rtol=1e-14, atol=0)


def test_logaddexp_has_a_mask_for_each(device):
    x, y = torch.tensor([0.0, 1.0, 2.0], device=device), torch.tensor([3.0, 0.0, 1.0], device=device)
    first, second = torch.tensor([True, True, False]).to(device), torch.tensor([False, True, False]).to(device)
    found = masked.logaddexp(x, y, input_mask=first, other_mask=second)
    torch.testing.assert_close(found, torch.tensor([0.0, 1.3132616, -torch.inf], device=device))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: masked.sum(x, mask=torch.ones_like(x)[None]), IndexError, "more dimensions than input"),
        (lambda x: masked.sum(x, mask=torch.ones_like(x)[:, :2]), RuntimeError, "must match the existing size"),
        (lambda x: masked.sum(x, (0, 0)), RuntimeError, "appears multiple times"),
        (lambda x: masked.sum(x, 2), IndexError, "out of range"),
        (lambda x: masked.sum(x, mask=[True]), TypeError, "'mask' must be Tensor, not list"),
        (lambda x: masked.amax(x > 0, mask=x > 0), NotImplementedError, "booleans"),
        (lambda x: masked.mean(x.long()), ValueError, "masked.mean: the result must be floating-point"),
        (lambda x: masked.median(x.long(), mask=x > 9), ValueError, "left out whole"),
        (lambda x: masked.var(x, unbiased=True, correction=1), AssertionError, "Only one of unbiased and correction"),
        (lambda x: masked.masked_tensor(x, x > 0), NotImplementedError, "MaskedTensor is a prototype"),
    ],
)
def test_wrong_masks_dims_and_dtypes_raise(call, error, message, x):
    with pytest.raises(error, match=message):
        call(x.detach())
