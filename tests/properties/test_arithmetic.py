"""Arithmetic, powers, signs, logarithms of sums, angles and other elementwise functions of two inputs."""

import math

import numpy as np
import pytest
from hypothesis import strategies as st

import microgad as torch
from microgad.ops import elementwise as ops
from microgad.ops.elementwise.exponential import Share
from microgad.testing.strategies import broadcastable_tensors, numbers, tensors

from .registry import checks, computes

nonzero = numbers(away_from=[0])
positive = numbers(0.25, 3)
scalars = numbers(-2, 2)


def operands(draw, *elements):
    """Two Tensors that broadcast together, or a Tensor and a Python number."""
    a, b = draw(broadcastable_tensors(2, elements=elements or None, min_side=0, requires_grad=True))
    return [(a, b), (a, b), (a, float(b.array.flat[0])) if b.numel() else (a, b)][draw(st.integers(0, 2))]


@checks(ops.Add)
def test_add(draw):
    alpha = draw(st.sampled_from([1, 2, -0.5]))
    return lambda a, b: torch.add(a, b, alpha=alpha), *operands(draw)


@checks(ops.Sub)
def test_sub(draw):
    a, b = operands(draw)
    return draw(st.sampled_from([lambda a, b: a - b, lambda a, b: b - a, np.subtract])), a, b


@checks(ops.Mul)
def test_mul(draw):
    return torch.mul, *operands(draw)


@checks(ops.Mul)
def test_one_tensor_times_itself(draw):
    x = draw(tensors(requires_grad=True))
    return torch.mul, x, x


@checks(ops.Div)
def test_div(draw):
    a, b = operands(draw, nonzero, nonzero)
    return draw(st.sampled_from([lambda a, b: a / b, lambda a, b: b / a])), a, b


@checks(ops.Neg)
def test_neg(draw):
    return torch.neg, draw(tensors(requires_grad=True))


@checks(ops.Pow)
def test_pow(draw):
    """At a base of 0, only the exponent gets a gradient, as the base's may be infinite."""
    zero_base = draw(st.booleans())
    elements = [st.sampled_from([0.0, 0.5, 2.0]), positive] if zero_base else [positive, scalars]
    x, p = draw(broadcastable_tensors(2, elements=elements, requires_grad=True))
    return torch.pow, x.detach() if zero_base else x, p


@checks(ops.Pow)
def test_pow_of_a_constant(draw):
    base = draw(st.sampled_from([0.5, 1, 3]))
    return lambda p: base**p, draw(tensors(requires_grad=True))


@checks(ops.Pow)
def test_constant_power(draw):
    """Integer powers of any number, others of positive ones; three at once, so that each kind occurs."""
    kinds = [(0, 1, 2, 3, 4, 2.0), (-2, -1, 1, 2), (-0.5, 0.5, 1.5)]
    powers = draw(st.permutations(draw(st.sampled_from(kinds))))[:3]
    elements = positive if 0.5 in powers else nonzero if min(powers) < 0 else numbers()
    return lambda x: tuple(x**p for p in powers), draw(tensors(elements=elements, requires_grad=True))


@checks(ops.Abs)
def test_abs(draw):
    return torch.abs, draw(tensors(elements=nonzero, requires_grad=True))


@checks(ops.Sign)
def test_sign(draw):
    return torch.sign, draw(tensors(elements=nonzero, requires_grad=True))


@checks(ops.Lerp)
def test_lerp(draw):
    a, b, weight = draw(broadcastable_tensors(3, requires_grad=True))
    if draw(st.booleans()):
        return torch.lerp, a, b, weight
    constant = draw(st.sampled_from([0.25, 0.5, 0.75]))
    return lambda a, b: torch.lerp(a, b, constant), a, b


@checks(ops.Mul, ops.Add, ops.Div)
def test_addcmul_and_addcdiv(draw):
    value = draw(st.sampled_from([1, -0.5]))
    function = draw(st.sampled_from([torch.addcmul, torch.addcdiv]))
    x, a, b = draw(broadcastable_tensors(3, elements=[None, None, nonzero], requires_grad=True))
    return lambda x, a, b: function(x, a, b, value=value), x, a, b


no_multiples = st.integers(-16, 16).map(lambda n: n / 8 + 0.03)  # of the divisors, where the quotients jump
divisors = st.sampled_from([-1.25, -0.5, 0.5, 0.75])


def rounded_division(draw, *functions):
    a, b = draw(broadcastable_tensors(2, elements=[no_multiples, divisors], requires_grad=True))
    return draw(st.sampled_from(functions)), a, b


@checks(ops.FloorDiv)
def test_floor_division(draw):
    by_mode = lambda a, b: torch.div(a, b, rounding_mode="floor")  # noqa: E731
    return rounded_division(draw, np.floor_divide, by_mode)


@checks(ops.TruncDiv)
def test_division_towards_zero(draw):
    return rounded_division(draw, lambda a, b: torch.div(a, b, rounding_mode="trunc"))


@checks(ops.Remainder)
def test_remainder(draw):
    return rounded_division(draw, torch.remainder, np.remainder, lambda a, b: a % b)


@checks(ops.Fmod)
def test_fmod(draw):
    return rounded_division(draw, torch.fmod, np.fmod)


@checks(ops.Hypot)
def test_hypot(draw):
    return draw(st.sampled_from([torch.hypot, np.hypot])), *operands_as_tensors(draw, nonzero, nonzero)


@checks(ops.Atan2)
def test_atan2(draw):
    return draw(st.sampled_from([torch.atan2, np.arctan2])), *operands_as_tensors(draw, nonzero, positive)


@checks(ops.LogAddExp, Share)
def test_logaddexp(draw):
    return draw(st.sampled_from([torch.logaddexp, np.logaddexp])), *operands_as_tensors(draw, None, None)


@checks(ops.LogAddExp2)
def test_logaddexp2(draw):
    return draw(st.sampled_from([torch.logaddexp2, np.logaddexp2])), *operands_as_tensors(draw, None, None)


@checks(ops.XLogY)
def test_xlogy(draw):
    x, y = operands_as_tensors(draw, numbers(), positive)
    calls = [(torch.xlogy, x, y), (lambda y: torch.xlogy(2, y), y), (lambda x: torch.xlogy(x, 0.5), x)]
    return draw(st.sampled_from(calls))


@checks(ops.CopySign)
def test_copysign(draw):
    return draw(st.sampled_from([torch.copysign, np.copysign])), *operands_as_tensors(draw, nonzero, nonzero)


@checks(ops.Ldexp)
def test_ldexp(draw):
    x, n = draw(broadcastable_tensors(2, min_side=0, requires_grad=True))
    return torch.ldexp, x, (2 * n.detach()).to(torch.int32)


@checks(ops.Heaviside)
def test_heaviside(draw):
    x, values = operands_as_tensors(draw, st.sampled_from([-1.0, 0.0, 2.0]), None)
    return draw(st.sampled_from([torch.heaviside, np.heaviside])), x.detach(), values


@checks(ops.Heaviside)
def test_heaviside_away_from_its_jump(draw):
    return torch.heaviside, *operands_as_tensors(draw, nonzero, None)


@checks(ops.NextAfter)
def test_nextafter(draw):
    a, b = draw(broadcastable_tensors(2, elements=[no_multiples, divisors], requires_grad=True))
    return torch.nextafter, a, b


def operands_as_tensors(draw, *elements):
    return draw(broadcastable_tensors(2, elements=elements, min_side=0, requires_grad=True))


INTEGERS = broadcastable_tensors(2, elements=[st.integers(-12, 12)] * 2, dtype=torch.int64)
GCD_AND_LCM = [
    computes(cls, function, np.vectorize(reference, otypes=[np.int64]), INTEGERS)
    for cls, function, reference in [(ops.Gcd, torch.gcd, math.gcd), (ops.Lcm, torch.lcm, math.lcm)]
]


@pytest.mark.parametrize("entry", GCD_AND_LCM, ids=lambda entry: entry.name)
def test_gcd_and_lcm(entry):
    entry.run()


@checks(ops.Add, ops.Sub, ops.Mul, ops.Div)
def test_in_place(draw):
    """x op= y, where y broadcasts to x's shape; the derivative reads x as it was before."""
    x = draw(tensors(elements=nonzero, requires_grad=True))
    y = draw(tensors(tuple(draw(st.sampled_from([1, n])) for n in x.shape), elements=nonzero, requires_grad=True))
    writes = [*draw(st.permutations(["add_", "sub_", "mul_"])), "div_"]  # last, as its result is kept for backward

    def function(x, y):
        z = x.clone()
        for op in writes:
            z = getattr(z, op)(y)
        return z

    return function, x, y


@checks(ops.Neg, ops.Abs, ops.Pow)
def test_in_place_of_one_input(draw):
    x = draw(tensors(elements=positive, requires_grad=True))
    return lambda x: (x * 2).neg_().abs_().pow_(1.5), x


AT_ZERO = [(torch.abs, 0.0), (torch.sign, 0.0), (lambda x: x**0, 0.0), (lambda x: x**1, 1.0), (lambda x: x**2, 0.0)]


@pytest.mark.parametrize(("function", "expected"), AT_ZERO)
def test_derivatives_at_zero(function, expected):
    x = torch.tensor([0.0, -0.0], dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(function(x).sum(), x)
    assert g.tolist() == [expected, expected]


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.5])
def test_derivatives_of_a_power_of_zero(p):
    """The derivative of 0ᵖ is p·0ᵖ⁻¹ for the base and 0 for the exponent, never NaN."""
    x = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    p = torch.full((2,), p, dtype=torch.float64, requires_grad=True)
    by_x, by_p = torch.autograd.grad((x**p).sum(), (x, p))
    assert by_x.tolist() == [1.0 if p.tolist()[0] == 1 else 0.0] * 2
    assert by_p.tolist() == [0.0, 0.0]
