"""`check_grads` finds wrong derivatives, and accepts right ones at kinks, at ties and at every scale."""

from __future__ import annotations

import contextlib
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
import microgad.nn.functional as F
from microgad import Function
from microgad.errors import ArgumentError, notices
from microgad.testing import GradcheckError, check_grads

from ..leaves import leaf
from .without_conj import WithoutConj

full_or_projected = pytest.mark.parametrize("full", [True, False])


def random(*shape, scale=1.0, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape) * scale, requires_grad=True)


OPERATIONS = {
    "mul": (torch.mul, lambda s: (random(3, 4, scale=s), random(4, scale=1 / s, seed=1))),
    "add": (torch.add, lambda s: (random(3, 4, scale=s), random(4, scale=1 / s, seed=1))),
    "div": (torch.div, lambda s: (random(3, 4, scale=s), random(4, scale=s, seed=1))),
    "exp": (torch.exp, lambda s: (random(3, 4, scale=s),)),
    "sin": (torch.sin, lambda s: (random(3, 4, scale=s),)),
    "softmax": (lambda x: F.softmax(x, 1), lambda s: (random(3, 4, scale=s),)),
    "logsumexp": (lambda x: torch.logsumexp(x, 1), lambda s: (random(3, 4, scale=s),)),
    "std": (lambda x: torch.std(x, 1), lambda s: (random(3, 4, scale=s),)),
    "matmul": (torch.matmul, lambda s: (random(3, 4, scale=s), random(4, 2, scale=s, seed=1))),
    "amax": (lambda x: torch.amax(x, 1), lambda s: (random(3, 4, scale=s),)),
    "relu": (torch.relu, lambda s: (random(3, 4, scale=s),)),
    "dropout": (lambda x: F.dropout(x, 0.4), lambda s: (random(3, 4, scale=s),)),
    "conv2d": (F.conv2d, lambda s: (random(2, 2, 3, 4, scale=s), random(1, 2, 2, 2, seed=1))),
}


@full_or_projected
@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e-3, 1.0, 1e4, 1e12, 1e30])
@pytest.mark.parametrize("name", OPERATIONS)
def test_right_derivatives_pass_at_every_scale(name, scale, full):
    f, inputs = OPERATIONS[name]
    check_grads(f, inputs(scale), order=2, modes=("rev", "fwd"), full=full)


@full_or_projected
@pytest.mark.parametrize("f", [lambda x: x * x.detach(), lambda x: x.detach() * 2, lambda x: x + 1e-7 * x.detach()])
def test_detached_terms_are_found(f, full):
    with pytest.raises(GradcheckError, match="wrong in"):
        check_grads(f, [random(2, 3)], full=full)


def test_a_projection_that_is_nan_is_found():
    with pytest.raises(GradcheckError, match="is nan, although the numerical one is finite: backward computes 0 / 0"):
        check_grads(lambda x: ((x * x).sum()) ** 0.5, [leaf()], order=2, full=False)


class Cubed(Function):
    """x³, whose second derivative is wrong, as the first one detaches a factor x."""

    def forward(self, x):
        return x**3

    def grad_x(self, grad, x):
        return grad * (3 * x * getattr(x, "array", x))


@full_or_projected
def test_a_wrong_second_derivative_is_found_with_order_2_only(full):
    check_grads(Cubed, [leaf(1.0, 2.0)], full=full)
    with pytest.raises(GradcheckError, match="second derivative") as error:
        check_grads(Cubed, [leaf(1.0, 2.0)], order=2, full=full)
    assert error.value.finding.order == 2
    assert "Look at the derivatives of Cubed, Mul" in str(error.value)


def test_an_intermediate_saved_by_forward_makes_the_second_derivative_wrong():
    class Swish(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            s = torch.sigmoid(x)
            ctx.save_for_backward(x, s)
            return x * s

        @staticmethod
        def backward(ctx, grad):
            x, s = ctx.saved_tensors
            return grad * (s + x * s * (1 - s))

    with pytest.raises(GradcheckError, match="the derivatives of Swish, Mul") as error:
        check_grads(Swish, [leaf(1.0, 2.0)], order=2)
    assert "What Swish computes in forward and keeps is a constant in backward, unless it is a result" in str(
        error.value
    )


def test_a_wrong_third_derivative_is_found_with_order_3_only():
    class Fourth(Function):
        def forward(self, x):
            return x**4

        def grad_x(self, grad, x):
            frozen = torch.tensor(getattr(x, "array", x))
            return grad * (4 * (x**3 - (x - frozen) ** 2))  # right for orders 1 and 2

    check_grads(Fourth, [leaf(1.0, 2.0)], order=2)
    with pytest.raises(GradcheckError, match="order 3"):
        check_grads(Fourth, [leaf(1.0, 2.0)], order=3)
    check_grads(torch.exp, [leaf(0.5)], order=4)


class TestKinks:
    @full_or_projected
    @pytest.mark.parametrize("kinks", ["move", "accept"])
    @pytest.mark.parametrize(
        ("f", "values"),
        [
            (torch.relu, (0.0, 1.0, -1.0, -0.0)),
            (torch.abs, (0.0, 2.0)),
            (lambda x: torch.amax(x, 0), (1.0, 1.0, 0.0, 1.0)),
            (lambda x: torch.maximum(x, x.flip(0)), (1.0, 1.0, 2.0)),
            (lambda x: torch.clamp(x, 0, 1), (0.0, 1.0, 0.5, 2.0)),
            (lambda x: F.max_pool2d(x.reshape(1, 1, 2, 2), 2), (1.0, 1.0, 1.0, 0.0)),
            (lambda x: torch.minimum(x, x.flip(0)), (0.0, 0.0)),
        ],
    )
    def test_right_derivatives_pass_at_kinks(self, f, values, kinks, full):
        check_grads(f, [leaf(*values)], order=2 if kinks == "move" else 1, kinks=kinks, full=full)

    def test_kinks_fail_if_the_caller_says_so(self):
        with pytest.raises(GradcheckError, match="kink"):
            check_grads(torch.relu, [leaf(0.0, 1.0)], kinks="fail")
        check_grads(torch.relu, [leaf(0.5, 1.0)], kinks="fail")

    @given(st.sampled_from([0.0, 1.0]))
    def test_reject_discards_an_example_of_hypothesis(self, x):
        check_grads(torch.relu, [leaf(x)], kinks="reject")
        assert x == 1.0

    def test_reject_needs_hypothesis(self):
        with pytest.raises(GradcheckError, match="needs hypothesis"):
            check_grads(torch.relu, [leaf(0.0)], kinks="reject")

    @pytest.mark.parametrize("slope", [-0.5, 1.5])
    def test_accept_requires_a_derivative_between_the_one_sided_ones(self, slope):
        class Steep(Function):
            def forward(self, x):
                return np.maximum(x, 0)

            def grad_x(self, grad, x):
                return grad * ((x > 0) + slope * (x == 0))

        check_grads(Steep, [leaf(0.0, 1.0)], kinks="move")
        with pytest.raises(GradcheckError, match="wrong in 1 of 4"):
            check_grads(Steep, [leaf(0.0, 1.0)], kinks="accept")

    @pytest.mark.parametrize(
        ("f", "wrong"),
        [
            (lambda x: (x * x).sqrt(), True),  # NaN at 0
            (lambda x: (x[:1] * x[:1]).sum().sqrt(), True),
            (lambda x: torch.where(x > 0, 1 / x * x * x, x * 0), True),  # the NaN of the branch that isn't taken
            (lambda x: torch.stack([x.sqrt(), x.abs()]), False),  # infinite, as the one-sided derivative is
            (lambda x: torch.where(x > 0, x.sqrt() * x, x * 0), False),
            (lambda x: (x * x).sqrt() ** 1.5, "where input 0 is 0"),  # no kink: its derivative is 0
        ],
    )
    def test_nan_is_no_derivative_at_a_kink(self, f, wrong):
        match = wrong if isinstance(wrong, str) else "but nan isn't"
        with pytest.raises(GradcheckError, match=match) if wrong else contextlib.nullcontext():
            check_grads(f, [leaf(0.0, 1.0)])

    def test_a_value_that_ties_with_both_bounds(self):
        x = torch.tensor([[-0.375, 0.125], [0.25, 0.125]], dtype=torch.float64, requires_grad=True)
        low = torch.tensor([[-0.375], [0.125]], dtype=torch.float64, requires_grad=True)
        check_grads(torch.clamp, (x, low, torch.tensor(0.125, dtype=torch.float64, requires_grad=True)))

    def test_a_fault_at_ties_only_is_found(self):
        class Largest(Function):
            def forward(self, x):
                return np.max(x, keepdims=True)

            def grad_x(self, grad, x, out):
                return grad * (x == out)  # each of several largest ones gets the whole gradient

        check_grads(Largest, [leaf(1.0, 2.0, 3.0)])
        with pytest.raises(GradcheckError, match="where values are equal"):
            check_grads(Largest, [leaf(1.0, 3.0, 3.0)])

    @full_or_projected
    def test_other_elements_are_checked_beside_a_kink(self, full):
        with pytest.raises(GradcheckError, match="wrong in"):
            check_grads(lambda x: torch.cat([torch.relu(x[:1]), 2 * x[1:].detach()]), [leaf(0.0, 1.0)], full=full)


class TestSinglePoints:
    """Derivatives that are wrong at a single point, where the function is smooth and its derivative small nearby."""

    @full_or_projected
    @pytest.mark.parametrize("values", [(0.0,), (0.0, 0.125), (0.0, 0.0), (1.0, 0.0, -2.0)])
    @pytest.mark.parametrize("there", [1.0, np.nan])
    def test_a_fault_at_zero_is_found(self, there, values, full):
        class Square(Function):
            def forward(self, x):
                return x * x

            def grad_x(self, grad, x):
                return grad * np.where(x == 0, there, 2 * x)

        with pytest.raises(GradcheckError, match="wrong in"):
            check_grads(Square, [leaf(*values)], full=full)

    @full_or_projected
    def test_a_fault_where_two_inputs_are_equal_is_found(self, full):
        class Distance(Function):
            def forward(self, a, b):
                return (a - b) * (a - b)

            def grad_a(self, grad, a, b):
                return grad * np.where(a == b, 1.0, 2 * (a - b))

        with pytest.raises(GradcheckError, match="wrong in"):
            check_grads(Distance, [leaf(1.0, 2.0), torch.tensor([1.0, 3.0], dtype=torch.float64)], full=full)


def test_float32_derivatives_are_compared_with_float64():
    check_grads(lambda x: torch.tanh(x) * x, [leaf(0.5, -1.0, 3.0, dtype=torch.float32)], order=2)

    class Rough(Function):
        def forward(self, x):
            return x * x

        def grad_x(self, grad, x):
            return grad * (2 * x if x.dtype == np.float64 else 2.01 * x)

    with pytest.raises(GradcheckError, match="between float32 and float64"):
        check_grads(Rough, [leaf(1.0, dtype=torch.float32)])


def test_float16_derivatives_are_compared_with_float64():
    class Rough(Function):
        def forward(self, x):
            return x * x

        def grad_x(self, grad, x):
            return grad * (2 * x if x.dtype == np.float64 else 2.2 * x)

    for values in ((0.5, -1.0, 3.0), (0.3, 1.7, -1.2)):
        x = leaf(*values, dtype=torch.float16)
        check_grads(lambda x: torch.exp(x) * torch.sin(3 * x), [x], order=2)
        with pytest.raises(GradcheckError, match="between float16 and float64"):
            check_grads(Rough, [x])


def test_the_complex_step_gives_no_warning():
    notices.heard.clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_grads(lambda x: x * x.long(), [leaf(1.5, 0.5)])
    assert not caught


def test_modes_may_be_one_string():
    check_grads(torch.exp, [leaf(1.0)], modes="fwd")


def test_a_float32_input_stays_float32():
    x = leaf(1.0, dtype=torch.float32)
    check_grads(torch.exp, [x])
    assert x.dtype == torch.float32
    x.sum().backward()
    assert x.grad.dtype == torch.float32


@full_or_projected
def test_inputs_are_unchanged_and_the_generator_advances_by_one_call(full):
    x = random(3, 4)
    array, values = x.array, x.array.copy()
    torch.manual_seed(0)
    F.dropout(x, 0.5)
    once = torch.get_rng_state()
    torch.manual_seed(0)
    check_grads(lambda x: F.dropout(x, 0.5), [x], order=2, full=full)
    assert torch.equal(torch.get_rng_state(), once)
    assert x.array is array
    np.testing.assert_array_equal(x.array, values)
    assert x.grad is None


def test_a_function_that_writes_to_its_input_is_found():
    def f(x):
        x.array[...] += 1
        return x * x

    with pytest.raises(GradcheckError, match=r"other values|in place"):
        check_grads(f, [leaf(1.0)])


def test_a_function_with_a_generator_of_its_own_is_found():
    rng = np.random.default_rng(0)
    with pytest.raises(GradcheckError, match="gives other values when it is called again"):
        check_grads(lambda x: x * rng.random(), [leaf(1.0)])


def test_forward_mode_finds_a_backward_that_is_not_linear():
    class Squared(Function):
        def forward(self, x):
            return x * 1.0

        def grad_x(self, grad):
            return grad * grad

    with pytest.raises(GradcheckError):
        check_grads(Squared, [leaf(1.0)], modes=("fwd",))


def test_a_finding_has_both_derivatives():
    with pytest.raises(GradcheckError) as error:
        check_grads(lambda x, y: x * y.detach() * y, [leaf(1.0, 2.0), leaf(3.0, 4.0)])
    finding = error.value.finding
    assert finding.names == ("input 0", "input 1")
    assert finding.input == 1
    np.testing.assert_allclose(finding.numerical, np.diag([6.0, 16.0]), rtol=1e-8)
    np.testing.assert_allclose(finding.analytical, np.diag([3.0, 8.0]), rtol=1e-12)
    assert finding.worst() == ((1,), (1,))
    assert [a.tolist() for a in finding.arguments] == [[1, 2], [3, 4]]
    assert "Mul" in finding.operations


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinks": "ignore"}, "kinks must be one of move, accept, reject, fail, got 'ignore'"),
        ({"modes": ("back",)}, "modes must be among rev, fwd"),
        ({"modes": ()}, "modes must be among rev, fwd"),
        ({"order": 0}, "order must be at least 1, got 0"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        check_grads(torch.exp, [leaf(1.0)], **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_module_in_single_precision_is_refused(dtype):
    layer = torch.nn.Linear(3, 2)
    for module in (layer, layer.forward):
        with pytest.raises(ArgumentError, match=r"its parameter weight is torch.float32.* module.double\(\)"):
            check_grads(module, [leaf(1.0, 2.0, 3.0, dtype=dtype)])
    check_grads(layer.double(), [leaf(1.0, 2.0, 3.0)])


def test_if_no_input_requires_grad_all_floating_point_ones_are_checked():
    x, index = torch.ones(2), torch.tensor([1, 0])
    check_grads(lambda x, index, y: x[index] * y, [x, index, x])
    with pytest.raises(GradcheckError, match="with respect to input 2"):
        check_grads(lambda x, index, y: x[index] * y.detach(), [x, index, torch.ones(2)])
    assert not x.requires_grad
    for constant in (index, 1.0):
        with pytest.raises(ArgumentError, match="check_grads expects at least one input tensor to require gradient"):
            check_grads(torch.exp, [constant])


def test_a_tensor_that_requires_grad_in_a_list_is_refused():
    with pytest.raises(ArgumentError, match="argument 1 holds Tensors that require grad: pass them one by one"):
        check_grads(lambda x, ys: x * ys[0], [leaf(1.0), [leaf(2.0)]])


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda x: None, "returned NoneType, which has no derivative"),
        (lambda x: float(x.detach()), "returned float"),
        (lambda x: (x.detach() > 0, 3), "returned torch.bool"),
    ],
)
def test_results_without_a_derivative_are_refused(f, message):
    with pytest.raises(ArgumentError, match=message):
        check_grads(f, [leaf(1.0)])


@full_or_projected
@pytest.mark.parametrize("wrap", [lambda y: {"a": y}, lambda y: (1, [y]), lambda y: ((y, None), y.detach().int())])
def test_results_in_lists_and_dicts_are_checked(wrap, full):
    check_grads(lambda x: wrap(x * x), [leaf(1.0, 2.0)], order=2, full=full)
    with pytest.raises(GradcheckError, match="wrong in 2"):
        check_grads(lambda x: wrap(x * x.detach()), [leaf(1.0, 2.0)], full=full)


@full_or_projected
def test_complex_numbers(full):
    z = torch.tensor([1 + 2j, 0.3 - 0.5j], dtype=torch.complex128, requires_grad=True)
    options = {"order": 2, "modes": ("rev", "fwd"), "full": full}
    for f in (torch.exp, torch.abs, lambda z: z * z.conj(), lambda z: (z.real, torch.fft.fft(z))):
        check_grads(f, [z], **options)
    for f in (torch.fft.fft, lambda x: torch.complex(x, x * x)):
        check_grads(f, [random(3)], **options)
    with pytest.raises(GradcheckError, match=r"with respect to input 0 \(2, 2\)") as error:
        check_grads(WithoutConj, [z], full=full)
    assert error.value.finding.arguments[0].tolist() == z.tolist()
    with pytest.raises(GradcheckError, match=r"output 0 \(3, 2\)"):
        check_grads(lambda x: torch.complex(x, x * x.detach()), [random(3)], full=full)
    assert z.dtype == torch.complex128
    check_grads(torch.exp, [torch.tensor([1 + 2j], requires_grad=True)])


@full_or_projected
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1, 1)])
def test_scalars_and_empty_tensors_are_checked(shape, full):
    check_grads(torch.mul, [random(*shape), random(*shape, seed=1)], order=2, full=full)


def test_one_tensor_as_two_inputs_and_several_results():
    x = leaf(1.0, 2.0)
    check_grads(lambda x, y: (x * y, x + y, torch.tensor([1])), [x, x], order=2)


def test_random_draws_repeat_at_inputs_moved_off_a_kink():
    torch.manual_seed(0)
    check_grads(lambda x: F.dropout(torch.relu(x), 0.5), [leaf(0.0, 1.0, -1.0)], order=2)


@pytest.mark.parametrize("check", [check_grads, torch.autograd.gradcheck])
def test_a_view_made_under_no_grad_is_found(check):
    def flat(x):
        with torch.no_grad():
            return x.view(-1)

    with pytest.raises(GradcheckError, match="wrong in 2 of 4"):
        check(flat, [leaf(1.0, 2.0)])


def test_the_message_names_the_operation_with_several_results_and_not_its_results():
    class SinCos(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin(), x.cos()

        @staticmethod
        def backward(ctx, g, h):
            return g * ctx.saved_tensors[0].cos()

    x = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match="Look at the derivatives of SinCos\n"):
        check_grads(SinCos, (x,))


def test_a_wrong_derivative_that_vanishes_at_the_input_is_reported_there():
    class WrongSin(torch.Function):
        def forward(self, x):
            return np.sin(x)

        def grad_x(self, grad, x):
            return grad * np.sin(x)

    with pytest.raises(GradcheckError) as error:
        check_grads(WrongSin, torch.tensor([0.0], dtype=torch.float64, requires_grad=True))
    assert error.value.finding.arguments[0] == 0


@pytest.mark.parametrize("full", [True, False])
def test_rounding_errors_of_an_ill_conditioned_derivative_are_no_mistake(full):
    rows = [
        [2.5915164366346494, 2.5998798788212043, 2.661437076908509],
        [-2.2292180913249604e-05, -2.0567029688390795e-05, -2.3736468201093338e-05],
        [-0.7573085116830848, -0.7387717074033017, -0.7410736795096007],
    ]
    x = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    check_grads(torch.linalg.pinv, x, order=2, full=full)


def test_a_backward_that_draws_random_numbers_is_not_taken_for_rounding():
    class Noisy(torch.Function):
        def forward(self, x):
            return x * 2

        def grad_x(self, grad):
            return grad * (2 + 1e-3 * np.random.default_rng().normal())

    with pytest.raises(GradcheckError, match="derivative of output 0"):
        check_grads(Noisy, torch.ones(3, dtype=torch.float64, requires_grad=True))
