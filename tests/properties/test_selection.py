"""Selection between values: maximum, minimum, clamp, where, nan_to_num."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad.ops.elementwise import Clamp, Flat, Fmax, Fmin, Maximum, Minimum, NanToNum, Select, Where
from microgad.ops.elementwise.selection import RaisedCopy
from microgad.testing.strategies import broadcastable_tensors, numbers, tensors

from .registry import checks

plain, shifted, shifted_again = (numbers().map(lambda x, by=by: x + by) for by in (0, 0.04, 0.08))  # never equal
few = numbers(-0.5, 0.5)  # often equal


@checks(Maximum, Select)
def test_maximum(draw):
    elements = draw(st.sampled_from([[plain, shifted], [few, few]]))
    a, b = draw(broadcastable_tensors(2, elements=elements, min_side=0, requires_grad=True))
    return draw(st.sampled_from([torch.maximum, np.maximum])), a, b


@checks(Minimum, Select)
def test_minimum(draw):
    elements = draw(st.sampled_from([[plain, shifted], [few, few]]))
    a, b = draw(broadcastable_tensors(2, elements=elements, min_side=0, requires_grad=True))
    return draw(st.sampled_from([torch.minimum, np.minimum])), a, b


@checks(Fmax, Select)
def test_fmax(draw):
    a, b = draw(broadcastable_tensors(2, elements=[plain, shifted], min_side=0, requires_grad=True))
    return draw(st.sampled_from([torch.fmax, np.fmax])), a, b


@checks(Fmin, Select)
def test_fmin(draw):
    a, b = draw(broadcastable_tensors(2, elements=[plain, shifted], min_side=0, requires_grad=True))
    return draw(st.sampled_from([torch.fmin, np.fmin])), a, b


@checks(NanToNum)
def test_nan_to_num(draw):
    function = draw(st.sampled_from([torch.nan_to_num, np.nan_to_num, torch.Tensor.nan_to_num_]))
    x = draw(tensors(requires_grad=True))
    return (lambda x: function(x.clone())) if function.__name__.endswith("_") else function, x


@checks(Clamp, Select)
def test_clamp_by_tensors(draw):
    """Also if low > high, where the result is high."""
    elements = draw(st.sampled_from([[plain, shifted, shifted_again], [few, few, few]]))
    x, low, high = draw(broadcastable_tensors(3, elements=elements, requires_grad=True))
    one_sided = lambda x, low, high: torch.clamp_min(x, low) * torch.clamp(x, max=high)  # noqa: E731
    return draw(st.sampled_from([torch.clamp, one_sided])), x, low, high


@checks(Clamp)
def test_clamp_by_numbers(draw):
    low, high = draw(st.sampled_from([(-0.7, 0.7), (None, 0.3), (-0.3, None), (0.3, -0.3)]))
    in_place = draw(st.booleans())
    return lambda x: x.clone().clamp_(low, high) if in_place else x.clamp(low, high), draw(tensors(requires_grad=True))


@checks(RaisedCopy)
def test_raised_copy(draw):
    """Of numbers above the bound: below it the gradient isn't the derivative."""
    return lambda x: RaisedCopy.apply(1 + x * x, low=0.5), draw(tensors(requires_grad=True))


@checks(Where)
def test_where(draw):
    condition, a, b = draw(broadcastable_tensors(3, min_side=0, requires_grad=True))
    condition = condition.detach() > 0
    if draw(st.booleans()) or not b.numel():
        return torch.where, condition, a, b
    return torch.where, condition, *draw(st.sampled_from([(a, 0.5), (0.5, b)]))


@checks(Select)
def test_select(draw):
    x = draw(tensors(requires_grad=True))
    mask = draw(tensors(tuple(x.shape), dtype=torch.bool))
    return Select.apply, mask, x


@checks(Flat)
def test_flat(draw):
    g = draw(tensors(requires_grad=True))
    return Flat.apply, g, draw(tensors(tuple(g.shape), requires_grad=True))


@given(st.sampled_from([torch.maximum, torch.minimum]), numbers())
def test_ties_of_maximum_and_minimum_share_the_gradient(function, value):
    a, b = (torch.full((2,), value, dtype=torch.float64, requires_grad=True) for _ in range(2))
    for g in torch.autograd.grad(function(a, b).sum(), (a, b), create_graph=True):
        assert g.tolist() == [0.5, 0.5]


def test_at_its_bounds_clamp_gives_the_gradient_to_the_input():
    x = torch.tensor([-1.0, 0.0, 1.0], requires_grad=True)
    low, high = (torch.tensor(bound, requires_grad=True) for bound in (-1.0, 1.0))
    grads = torch.autograd.grad(torch.clamp(x, low, high).sum(), (x, low, high))
    assert [g.tolist() for g in grads] == [[1, 1, 1], 0, 0]


def test_an_infinite_gradient_leaves_zeros_where_the_input_is_not_selected():
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    (g,) = torch.autograd.grad(torch.where(x > 0, 1.0, x), x, torch.tensor([1.0, float("inf")]))
    assert g.tolist() == [1, 0]


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("function", [torch.fmax, torch.fmin])
@pytest.mark.parametrize(("a", "b", "to_a"), [(1.0, 1.0, 1), (NAN, 1.0, 0), (1.0, NAN, 1), (NAN, NAN, 1)])
def test_the_gradient_of_fmax_and_fmin_at_ties_and_nan(function, a, b, to_a):
    a, b = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    grads = torch.autograd.grad(function(a, b), (a, b))
    assert [g.item() for g in grads] == [to_a, 1 - to_a]


def test_nan_to_num_replaces_nan_and_infinities():
    x = torch.tensor([NAN, INF, -INF, 2.0], requires_grad=True)
    y = torch.nan_to_num(x, nan=7, posinf=8)
    assert y.tolist() == [7, 8, torch.finfo(torch.float32).min, 2]
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, 0, 0, 1]


def test_where_with_only_a_condition_returns_indices():
    assert [i.tolist() for i in torch.where(torch.tensor([[True, False], [False, True]]))] == [[0, 1], [0, 1]]
    assert [i.tolist() for i in torch.where(torch.tensor(True))] == [[0]]


def test_where_of_numbers_has_default_dtypes_and_needs_a_boolean_condition():
    assert torch.where(torch.tensor([True]), 1.0, 2).dtype == torch.float32
    assert torch.where(torch.tensor([True]), 1, 2).dtype == torch.int64
    with pytest.raises(RuntimeError, match="boolean"):
        torch.where(torch.tensor([1.0]), 1, 2)
