"""Edge cases of elementwise operations: special values, overflow, rounding, dtypes and bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad.engine import versions

TINY = 1e-40  # a subnormal float32, whose inverse overflows


def gradients(result, *inputs):
    return [g.tolist() for g in torch.autograd.grad(result.sum(), inputs)]


@pytest.mark.parametrize(
    ("write", "operation", "x", "others"),
    [
        (torch.Tensor.remainder_, torch.remainder, torch.tensor([-4.0, 4, 0, -0.0]), (torch.tensor([2.0, -2, 3, -3]),)),
        (torch.Tensor.log1p_, torch.log1p, torch.tensor([1e-6 + 1e-7j]), ()),
        (torch.Tensor.pow_, torch.pow, torch.arange(1, 99).half() / 10, (3,)),
        (torch.Tensor.pow_, torch.pow, torch.arange(1, 99).half() / 10, (-0.5,)),
        (torch.Tensor.sign_, torch.sign, torch.tensor([math.nan, -2.0]).half(), ()),
    ],
)
def test_in_place_results_are_bit_for_bit_those_of_the_operation(write, operation, x, others):
    expected = operation(x, *others)
    assert write(x.clone(), *others).array.tobytes() == expected.array.tobytes()


@pytest.mark.parametrize(
    "name", ["pow_", "remainder_", "fmod_", "floor_divide_", "heaviside_", "xlogy_", "mul_", "lt_"]
)
def test_nothing_is_written_in_place_from_a_result_of_more_dimensions(name):
    for x in torch.ones(3), torch.ones(3).half(), torch.ones(3, requires_grad=True).exp():
        with pytest.raises(RuntimeError, match=r"output with shape \[3\] doesn't match the broadcast shape \[1, 3\]"):
            getattr(x, name)(torch.ones(1, 3, dtype=x.dtype))


def test_a_complex_weight_needs_complex_numbers():
    with pytest.raises(RuntimeError, match="cannot be converted to type float32 without overflow"):
        torch.lerp(torch.ones(2), torch.zeros(2), 1j)
    assert torch.lerp(torch.ones(2) + 0j, torch.zeros(2) + 0j, 1j).tolist() == [1 - 1j, 1 - 1j]


def test_the_angle_of_nan_and_of_negative_numbers():
    assert math.isnan(torch.angle(torch.tensor(math.nan)).item())
    assert torch.angle(torch.tensor(-1.0)).item() == pytest.approx(math.pi)
    assert torch.angle(torch.tensor([math.nan, -2.0, -0.0]).half())[1:].tolist() == [float(np.float16(math.pi)), 0]


def test_a_negative_eps_of_logit_clamps_nothing():
    x = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
    np.testing.assert_array_equal(gradients(torch.logit(x, -1.0), x)[0], [4, math.nan, math.nan])


def test_the_exponent_of_ldexp_may_be_complex():
    found = torch.ldexp(torch.tensor([1.5]), torch.tensor([2j]))
    assert found.dtype == torch.complex64
    np.testing.assert_allclose(found.array, 1.5 * 2**2j, rtol=1e-6)


def test_ldexp_overflows_only_if_its_result_does():
    x, power = torch.tensor([1e-30, 1.0, 1e30], requires_grad=True), torch.tensor([130, -140, -200])
    result = torch.ldexp(x, power)
    assert result.tolist() == [float(np.float32(1e-30)) * 2.0**130, 2.0**-140, float(np.float32(1e30)) * 2.0**-200]
    assert gradients(result[1:], x) == [[0, 2.0**-140, 0]]
    assert torch.ldexp(torch.tensor([2.0**-14]).half(), torch.tensor([20])).tolist() == [64]
    assert torch.ldexp(torch.tensor([2.0**-20]).half(), torch.tensor([32])).tolist() == [4096]
    assert torch.ldexp(torch.tensor([1.0]), torch.tensor([3], dtype=torch.uint64)).tolist() == [8]


def test_ldexp_rounds_once():
    x = float.fromhex("0x1.b1bffcp-120")  # half of the power makes it a subnormal number and a tie
    assert torch.ldexp(torch.tensor([x]), torch.tensor([-20])).item() == np.float32(x * 2.0**-20)


def test_numpys_hypot_takes_a_number_first():
    assert np.hypot(3.0, torch.tensor([4.0, 0.0])).tolist() == [5, 3]


def test_allclose_compares_large_integers_exactly():
    a, b = torch.tensor([2**53]), torch.tensor([2**53 + 1])
    assert not torch.allclose(a, b, rtol=0, atol=0)
    assert torch.allclose(a, b, rtol=0, atol=1)
    nan = torch.tensor([math.nan])
    assert [torch.allclose(nan, nan, rtol=0, atol=0, equal_nan=equal) for equal in (False, True)] == [False, True]


def test_powers_have_the_right_derivatives_at_and_next_to_0():
    x, p = torch.tensor([TINY, 0.0, math.nan, 2.0], requires_grad=True), torch.zeros(4)
    assert gradients(x**p, x) == [[0, 0, 0, 0]]
    p = torch.tensor([1.0, 1.0, 2.0, 2.0], requires_grad=True)
    y = torch.tensor([TINY, 0.0, 0.0, 2.0], requires_grad=True)
    assert gradients(y**p, y) == [[1, 1, 0, 4]]


@pytest.mark.parametrize("p", [-5, -4, 0, 4, 5.0, 2**53 - 1, 2**60 + 1, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_powers_of_negative_numbers_are_numpys(p, dtype):
    special = [-0.0, 0.0, math.inf, -math.inf, math.nan, -1, 1, -TINY, 1e30, -1e30]
    x = np.array([*special, *np.random.default_rng(0).normal(size=100)], dtype)
    with np.errstate(all="ignore"):
        expected = x**p
    found = (torch.tensor(x) ** p).cpu().numpy()
    np.testing.assert_allclose(found, expected, 2 * np.finfo(dtype).eps)
    known = expected == expected
    np.testing.assert_array_equal(np.signbit(found)[known], np.signbit(expected)[known])


@pytest.mark.parametrize("bounds", [{"min": 70000}, {"max": 70000.0}, {"min": 0, "max": 1e300}])
def test_clamp_bounds_that_the_dtype_cannot_hold_raise(bounds):
    with pytest.raises(RuntimeError, match="cannot be converted to type float16 without overflow"):
        torch.tensor([1.0, math.inf]).half().clamp(**bounds)
    assert torch.tensor([1.0, math.inf]).half().clamp(max=math.inf).tolist() == [1, math.inf]


@pytest.mark.parametrize("bounds", [(math.nan, 1.0), (1.0, math.nan), (math.nan, None), (None, math.nan)])
def test_a_bound_of_nan_makes_everything_nan(bounds):
    for x in (torch.zeros(3), torch.zeros(5000), torch.zeros(3, dtype=torch.float16)):
        for found in (x.clamp(*bounds), x.clone().clamp_(*bounds)):
            assert found.isnan().all()


@pytest.mark.parametrize("alpha", [3.3e6, 1e9])
def test_elu_of_positive_numbers_has_slope_1_for_any_alpha(alpha):
    x = torch.tensor([0.5, 3.0, -200.0], requires_grad=True)
    assert gradients(F.elu(x, alpha), x) == [[1, 1, 0]]
    (first,) = torch.autograd.grad(F.elu(x, alpha).sum(), x, create_graph=True)
    assert first.tolist() == [1, 1, 0]


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_of_int16_raises(approximate):
    with pytest.raises(RuntimeError, match="not implemented for int16"):
        F.gelu(torch.tensor([1, 2], dtype=torch.int16), approximate=approximate)


@pytest.mark.parametrize("op", [torch.gcd, torch.lcm, torch.bitwise_and, torch.bitwise_left_shift])
def test_integer_ops_of_floats_of_one_dtype_raise_without_numpy_s_words(op):
    x, message = torch.ones(2), r": not implemented for float32 \(input \(2,\), other \(2,\)\)$"
    with pytest.raises(NotImplementedError, match=message) as caught:
        op(x, x)
    assert caught.value.__cause__ is None


class Other:
    """A class that can be added to a Tensor."""

    def __radd__(self, x):
        return "added"


def test_augmented_assignments_leave_unknown_types_to_the_other_operand():
    x = torch.ones(2)
    x += Other()
    assert x == "added"
    x = torch.ones(2)
    with pytest.raises(TypeError, match=r"\*="):
        x *= Other()


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_negation_of_complex_numbers_negates_both_parts_also_of_zeros(dtype):
    parts = np.array([0.0, -0.0, 1, -2, np.inf, -np.inf, np.nan])
    x = np.empty((7, 7), dtype)
    x.real, x.imag = parts[:, None], parts
    for part, negated in zip((x.real, x.imag), torch.view_as_real(-torch.from_numpy(x)).numpy().T, strict=True):
        np.testing.assert_array_equal(negated.T, -part)
        not_nan = part == part
        np.testing.assert_array_equal(np.signbit(negated.T)[not_nan], ~np.signbit(part)[not_nan])


def test_addcdiv_of_integers_is_refused_in_pytorch_s_words():
    x = torch.tensor([6])
    with pytest.raises(RuntimeError, match=r"^Integer division.+is no longer supported.+"):
        torch.addcdiv(x.float(), x, x)


CONJUGATES = {
    "conj": torch.conj,
    "adjoint": torch.adjoint,
    "H": lambda x: x.H,
    "mH": lambda x: x.mH,
    "a row": lambda x: x.conj()[0],
    "the real part": lambda x: x.conj().real,
    "detached": lambda x: x.conj().detach(),
}


@pytest.mark.parametrize("name", CONJUGATES)
def test_a_conjugate_can_t_be_written_to_while_its_source_exists(name):
    """In PyTorch it is a view, so the write changes the source too; here that would be lost."""
    x = torch.tensor([[1 + 2j, 3], [4j, 5]])
    for write in (lambda y: y.mul_(2), lambda y: y.fill_(1), lambda y: y.__setitem__(0, 1), lambda y: y.normal_()):
        y = CONJUGATES[name](x)
        before = y.tolist()
        with pytest.raises(RuntimeError, match="a conjugate is a copy"):
            write(y)
        assert y.tolist() == before
        write(y.clone())
        write(y.resolve_conj())
        write(CONJUGATES[name](x * 2))
        write(torch.conj_physical(x))


WRITES = {
    "in place": lambda x: x.mul_(2),
    "an assignment": lambda x: x.__setitem__(0, 7j),
    "a draw": lambda x: x.normal_(),
    "out=": lambda x: torch.add(x.detach(), 1j, out=x),
    "to a view": lambda x: x.t()[0].real.fill_(3),
    "to an alias": lambda x: x.data.mul_(3),
}


@pytest.mark.parametrize("name", CONJUGATES)
@pytest.mark.parametrize("write", WRITES)
def test_a_conjugate_follows_writes_to_its_source(name, write):
    x = torch.tensor([[1 + 2j, 3], [4j, 5]])
    y, of_row, twice = CONJUGATES[name](x), x[1].conj(), torch.conj(x.mH)
    kept = torch.exp(of_row.clone().requires_grad_() * of_row)
    WRITES[write](x)
    for found, expected in ((y, CONJUGATES[name](x)), (of_row, x[1].conj()), (twice, x.mT)):
        assert found.tolist() == expected.tolist()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        kept.real.sum().backward()


def test_a_conjugate_of_a_parameter_follows_the_optimizer():
    p = torch.nn.Parameter(torch.tensor([1 + 1j, 2]))
    p.grad, y = torch.ones_like(p), p.conj()
    torch.optim.SGD([p], lr=0.5).step()
    assert y.tolist() == [0.5 - 1j, 1.5]


def test_a_conjugate_follows_in_inference_mode():
    with torch.inference_mode():
        x = torch.tensor([1 + 1j, 2])
        y = x.conj()[:1]
        x.mul_(2)
        assert y.tolist() == [2 - 2j]


def test_conjugates_leave_nothing_behind():
    before = len(versions.mirrors)
    for _ in range(3):
        torch.ones(1, 2, dtype=torch.complex64).conj().mH.conj()
    assert len(versions.mirrors) == before
    x = torch.ones(2, dtype=torch.complex64)
    first, second = x.conj(), x.conj()
    del first
    x.mul_(2j)
    assert second.tolist() == [-2j, -2j]
    del second  # writes to anything cost what they did, though the source lives
    assert len(versions.mirrors) == before


def test_a_conjugate_is_unchanged_where_another_tensor_takes_over_its_source_s_memory():
    source, w = torch.tensor([1 + 2j, 3]), torch.ones(2, dtype=torch.complex64, requires_grad=True)
    product, other = source.conj() * w, torch.zeros(2, dtype=torch.complex64)
    other.data = source
    product.real.sum().backward()
    assert w.grad.tolist() == [1 + 2j, 3]


def test_many_conjugates_of_conjugates_follow():
    x = torch.ones(1, dtype=torch.complex64).requires_grad_() * 1
    y = x
    for _ in range(2000):
        y = y.conj()
    x.mul_(2j)
    assert y.tolist() == [2j]
    del x  # then nothing remains that a write would have to change
    assert y.mul_(2).tolist() == [4j]


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("count", [0, 3, 2000])  # 2000 · 12 pairs aren't compared one by one
def test_isin_of_few_and_of_many_elements(count, invert):
    a, b = np.arange(12.0).reshape(4, 3).T, np.append(np.arange(count) / 2, math.nan)
    a[0, 0] = math.nan
    found = torch.isin(torch.tensor(a), torch.tensor(b), invert=invert)
    np.testing.assert_array_equal(found.array, np.isin(a, b, invert=invert))
    assert found.is_contiguous()
    assert bool(torch.isin(torch.tensor(a[0, 1]), torch.tensor(b), invert=invert)) == (np.isin(a[0, 1], b) != invert)


def test_arithmetic_of_two_numbers_gives_a_tensor_also_with_numpy_s_numbers():
    for found in (torch.add(np.float64(2), 3), torch.mul(2.5, np.int64(2)), torch.add(np.float32(2), 3, alpha=1)):
        assert isinstance(found, torch.Tensor)
        assert (found.item(), found.dtype) == (5, torch.float32)
    assert torch.div(np.int64(3), 2).tolist() == 1.5
    assert torch.sub(np.int64(3), 2).dtype == torch.int64
    assert torch.add(np.bool_(True), 3).dtype == torch.float32  # NumPy's bools count as floats
