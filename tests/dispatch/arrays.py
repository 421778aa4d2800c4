"""Arguments for NumPy functions, and comparisons of what these give for Tensors with what they give for arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

import microgad as torch
from microgad.testing import check_grads

rng = np.random.default_rng(0)
SQUARE = np.array([[2.0, 0.5, -0.25], [0.5, 3.0, 0.75], [-0.25, 0.75, 1.5]])  # positive definite, distinct eigenvalues
OTHER = rng.permutation(9).reshape(3, 3) / 4 + 0.3
VECTOR = np.array([0.3, -1.2, 2.1])
MASK = OTHER > 1


def tensors(x: Any, requires_grad: bool = True) -> Any:
    """Arguments with Tensors in place of floating-point arrays."""
    if isinstance(x, np.ndarray) and x.dtype == np.float64:
        return torch.tensor(x, requires_grad=requires_grad)
    if isinstance(x, np.ndarray) and x.dtype == bool and torch.get_default_device().type != "cpu":
        return torch.tensor(x)  # a NumPy mask isn't on the device
    return type(x)(tensors(part, requires_grad) for part in x) if isinstance(x, (tuple, list)) else x


def leaves(x: Any) -> list[Any]:
    if isinstance(x, (tuple, list)):
        return [leaf for part in x for leaf in leaves(part)]
    return [x]


def compare(found: Any, expected: Any, *, up_to_a_phase: bool = False) -> None:
    """Assert that values and dtypes are equal, or, up to a phase or sign, only the magnitudes.

    NumPy's eig is real if it can be, PyTorch's always complex.
    """
    ours, theirs = leaves(found), leaves(expected)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        values = a.detach().cpu().numpy() if isinstance(a, torch.Tensor) else a
        if up_to_a_phase:
            values, b = np.abs(values), np.abs(b)
        elif isinstance(a, torch.Tensor):
            assert a.array.dtype == np.asarray(b).dtype
        np.testing.assert_allclose(values, b, rtol=1e-10, atol=1e-10)


def differentiate(function: Any, inputs: Any) -> None:
    """Check first and second derivatives numerically; on a GPU only compute them."""
    if not inputs[0].is_cuda:
        check_grads(function, inputs, order=2, full=False)
        return
    inputs_with_grad = [x for x in inputs if x.requires_grad]
    first = [g for g in vjp_of_ones(leaves(function(*inputs)), inputs_with_grad) if g is not None]
    second = vjp_of_ones(first, inputs_with_grad)  # of nothing for a norm of order 0
    assert all(g is None or g.is_cuda for g in (*first, *second))


def vjp_of_ones(outputs: Any, inputs: Any) -> Any:
    outputs = [y for y in outputs if isinstance(y, torch.Tensor) and y.requires_grad]
    ones = [torch.ones_like(y) for y in outputs]
    return torch.autograd.grad(outputs, inputs, ones, create_graph=True, allow_unused=True) if outputs else ()
