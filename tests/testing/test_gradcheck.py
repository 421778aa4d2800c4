"""`gradcheck` and `gradgradcheck`: what they accept and refuse, and their messages."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.testing import GradcheckError, gradcheck, gradgradcheck

from ..leaves import uniform_leaf as leaf
from ..processes import output_of
from .without_conj import WithoutConj

F = nn.functional


class WrongCube(torch.Function):
    """x³, whose derivative has the wrong sign."""

    def forward(self, x):
        return x * x * x

    def grad_x(self, grad, x):
        return -3 * grad * x * x


class DetachedExp(torch.autograd.Function):
    """exp, whose first derivative is right but detached, so that the second is wrong."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(torch.exp(x))
        return torch.exp(x)

    @staticmethod
    def backward(ctx, grad):
        (out,) = ctx.saved_tensors
        return grad * out.detach()


@pytest.mark.parametrize("fast_mode", [False, True])
def test_right_derivatives_pass(fast_mode):
    x, w = leaf(2, 3), leaf(3, seed=1)
    functions = [
        lambda x, w: torch.exp(x) * w,
        lambda x, w: (x.sum(), x @ w, torch.tensor([1, 2])),
        lambda x, w: torch.relu(x - 1) * w,
        lambda x, w: F.dropout(x, 0.5) * w,
    ]
    for function in functions:
        assert gradcheck(function, (x, w), fast_mode=fast_mode)
        assert gradgradcheck(function, (x, w), fast_mode=fast_mode)
        assert gradgradcheck(function, [x, w], fast_mode=fast_mode, gen_non_contig_grad_outputs=True)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_the_message_shows_the_worst_entry(fast_mode):
    x = torch.tensor([[1.0, 2.0, 0.5]], dtype=torch.float64, requires_grad=True)
    with pytest.raises(GradcheckError) as failed:
        gradcheck(lambda c, x: WrongCube.apply(x), ("passed through", x), fast_mode=fast_mode)
    lines = str(failed.value).splitlines()
    assert lines[0] == (
        "Jacobian mismatch for output 0 with respect to input 1, of shapes (1, 3) and (1, 3): wrong in 3 of 9 entries. "
        "The worst: output 0[0, 1] by input 1[0, 1]"
    )
    assert [line.split() for line in lines[1:3]] == [["numerical", "12"], ["analytical", "-12"]]
    assert lines[3] == "    difference  24, tolerance 0.01201 = atol + rtol · |numerical|"
    assert lines[4] == (
        "Everywhere the analytical derivative is -1 × the numerical one: a sign. Look at the derivatives of WrongCube"
    )
    assert isinstance(failed.value, RuntimeError)
    assert gradcheck(WrongCube.apply, x, raise_exception=False, fast_mode=fast_mode) is False


def test_a_wrong_second_derivative_is_found_where_the_first_is_right():
    x = leaf(3)
    assert gradcheck(DetachedExp.apply, x)
    with pytest.raises(GradcheckError, match=r"mismatch for gradient 0 with respect to input 0,"):
        gradgradcheck(DetachedExp.apply, x)
    assert gradgradcheck(DetachedExp.apply, x, raise_exception=False, fast_mode=True) is False


def test_the_message_names_a_kink():
    x = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    with pytest.raises(
        GradcheckError, match="From below the derivative is 0, from above 1: the input may sit on a kink"
    ):
        gradcheck(torch.relu, x)


def test_detached_outputs_are_found_unless_another_output_has_a_graph():
    x = leaf(2)
    with pytest.raises(
        GradcheckError, match="gradient for function expected to be zero, as output 0 doesn't require grad"
    ):
        gradcheck(lambda x: x.detach() * 2, x)
    assert gradcheck(lambda x: (x * 2, x.detach()), x)  # beside another output it counts as intended, as in PyTorch
    assert gradcheck(lambda x: torch.ones(2) * 2, x)  # does not depend on x


def test_parameters_in_the_closure_of_a_function_are_checked():
    layer = nn.Linear(2, 2, dtype=torch.float64)
    x = leaf(1, 2)
    assert gradcheck(lambda x, *parameters: torch.tanh(layer(x)), (x, *layer.parameters()))


def test_one_tensor_may_be_two_inputs():
    x = leaf(2)
    assert gradcheck(torch.mul, (x, x))
    assert gradgradcheck(torch.mul, (x, x))


def test_inputs_need_not_be_leaves():
    x = leaf(2) * 2
    assert gradcheck(torch.exp, x)
    assert gradgradcheck(torch.exp, x)
    assert type(x.node).__name__ == "Mul"


@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1.0, 1e8, 1e30])
def test_inputs_of_any_scale(scale):
    """The complex step needs no eps, which at 1e-6 is no small step for some of these inputs."""
    x = torch.tensor([0.7 * scale, 1.3 * scale], dtype=torch.float64, requires_grad=True)
    assert gradcheck(torch.log, x, atol=0, rtol=1e-10)
    assert gradgradcheck(torch.sqrt, x, atol=0, rtol=1e-10)


def test_a_function_that_takes_complex_input_but_is_not_analytic():
    x = torch.tensor([-1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x: x * x.abs(), x)
    assert gradcheck(lambda x: torch.where(x > 0, x, x * x), x)


def test_every_evaluation_repeats_the_random_draws():
    x = leaf(20)
    torch.manual_seed(5)
    F.dropout(x, 0.5)
    after_one = torch.rand(1)
    torch.manual_seed(5)
    assert gradcheck(lambda x: F.dropout(x, 0.5), x)
    assert torch.equal(torch.rand(1), after_one)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_backward_that_adds_to_its_gradient_is_found(fast_mode):
    def adds(x):
        y = x * 1
        y.register_hook(lambda grad: grad + 1e-2)
        return y

    with pytest.raises(GradcheckError, match="backward not multiplied by grad_output"):
        gradcheck(adds, leaf(2), atol=0.1, fast_mode=fast_mode)


@pytest.mark.parametrize(
    ("func", "what"),
    [
        (lambda x: torch.cat([x, x]) if x >= 1 else x, "shape"),
        (lambda x: x.float() if x >= 1 else x, "dtype"),
    ],
)
def test_outputs_that_differ_in_kind_at_perturbed_inputs_are_found(func, what):
    x = torch.ones(1, dtype=torch.float64, requires_grad=True)
    with pytest.raises(AssertionError, match=f"outputs with the same {what} when inputs are perturbed"):
        gradcheck(func, x, raise_exception=False)


def test_draws_of_another_generator_are_found():
    rng = np.random.default_rng(0)
    with pytest.raises(GradcheckError, match="other values when it is called again"):
        gradcheck(lambda x: x * rng.random(), leaf(2))


def test_an_in_place_write_to_an_input_is_found():
    def writes_to_input(x):
        x.array[0] += 1e-12
        return x * 2

    with pytest.raises(GradcheckError, match="changed input 0 in place"):
        gradcheck(writes_to_input, leaf(2))


def test_a_nondeterministic_backward_is_found():
    class Unstable(torch.Function):
        count = 0

        def forward(self, x):
            return x * 2

        def grad_x(self, grad):
            Unstable.count += 1
            return grad * (2 + 1e-9 * Unstable.count)

    with pytest.raises(GradcheckError, match="Backward is not reentrant"):
        gradcheck(Unstable.apply, leaf(2))
    assert gradcheck(Unstable.apply, leaf(2), nondet_tol=1e-6)


def test_a_zero_gradient_and_an_undefined_one_must_give_the_same():
    class Pair(torch.Function):
        """x and 2 x, whose backward reads both gradients."""

        def forward(self, x):
            return x * 1, x * 2

        def grad_x(self, grad):
            return grad[0] + 2 * grad[1]

    assert gradcheck(Pair.apply, leaf(2))
    watched = []

    def through_a_hook(x):
        a, b = Pair.apply(x)
        b.register_hook(lambda grad: watched.append(grad) or (None if grad is None else grad + 1))
        return a, b

    with pytest.raises(GradcheckError, match="output 0 gives input 0 one gradient if"):
        gradcheck(through_a_hook, leaf(2), atol=10)
    with pytest.raises(GradcheckError, match="backward not multiplied by grad_output"):
        gradcheck(through_a_hook, leaf(2), atol=10, check_undefined_grad=False)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_backward_that_cannot_take_undefined_gradients_is_found(fast_mode):
    def refuses(x):
        def hook(grad):
            if grad is None:
                raise RuntimeError("no gradient")

        y = x.clone()
        y.register_hook(hook)
        return y

    with pytest.raises(
        GradcheckError, match="Expected backward function to handle undefined output grads: no gradient"
    ):
        gradcheck(refuses, leaf(2), fast_mode=fast_mode)
    assert gradcheck(refuses, leaf(2), check_undefined_grad=False)
    assert gradcheck(lambda x: (x, x), leaf(2))

    class Offset(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return torch.ones(2).double() if grad is None else grad * 2

    with pytest.raises(
        GradcheckError, match="Expected all input grads to be undefined or zero when all output grads are"
    ):
        gradcheck(Offset.apply, leaf(2), fast_mode=fast_mode)


def test_a_gradient_of_another_dtype_is_found(monkeypatch):
    """The engine's gradients always have the right dtype, so that it is patched here."""
    x, module = leaf(2), sys.modules[gradcheck.__module__]
    gradients = module.gradients
    monkeypatch.setattr(module, "gradients", lambda *given: [g.astype(np.float32) for g in gradients(*given)])
    assert gradcheck(torch.exp, x)
    with pytest.raises(GradcheckError, match="the gradient of input 0 has dtype float32, but input 0 has float64"):
        gradcheck(torch.exp, x, check_grad_dtypes=True)


def test_float32_inputs_give_a_warning():
    x, z = torch.ones(2, requires_grad=True), torch.tensor([1 + 2j], requires_grad=True)
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not .* torch.float32") as warned:
        assert gradcheck(lambda x: x * 2, x, eps=0.25)
    assert warned[0].filename == __file__
    with pytest.warns(UserWarning, match="Input #1 requires gradient and is not .* torch.complex64"):
        assert gradgradcheck(lambda x, z: z * z, (leaf(2), z), eps=0.25, atol=0.1)


@pytest.mark.filterwarnings("ignore:gradgradcheck. Input .0 requires gradient")
def test_recorded_derivatives_in_float32_may_be_rounded_differently():
    x = leaf(4, 50).detach().float().requires_grad_()
    assert gradgradcheck(lambda x: F.layer_norm(x, (50,)), x, eps=1e-2, atol=0.1)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_complex_numbers(fast_mode):
    z = torch.tensor([1 + 2j, 0.3 - 0.5j], dtype=torch.complex128, requires_grad=True)
    for f in (torch.exp, torch.abs, lambda z: z * z.conj(), lambda z: (z.real, torch.fft.fft(z))):
        assert gradcheck(f, z, fast_mode=fast_mode)
        assert gradgradcheck(f, z, fast_mode=fast_mode)
    for f in (torch.fft.fft, lambda x: torch.complex(x, x * x)):
        assert gradcheck(f, leaf(2), fast_mode=fast_mode)
        assert gradgradcheck(f, leaf(2), fast_mode=fast_mode)
    with pytest.raises(GradcheckError, match=r"output 0 with respect to input 0, of shapes \(2, 2\) and \(2, 2\):"):
        gradcheck(WithoutConj.apply, z, fast_mode=fast_mode)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_a_transposed_matrix_is_found(fast_mode):
    weight = np.arange(9.0).reshape(3, 3)

    class Times(torch.Function):
        def forward(self, x):
            return x @ weight

        def grad_x(self, grad):
            return grad @ weight

    with pytest.raises(GradcheckError, match="wrong in 6 of 9 entries"):
        gradcheck(Times.apply, leaf(3), fast_mode=fast_mode)


def test_grad_outputs_may_be_complex():
    z = torch.tensor([1 + 2j, 0.3 - 0.5j], dtype=torch.complex128, requires_grad=True)
    for given in (z.detach(), (z.detach().clone().requires_grad_(),)):
        assert gradgradcheck(torch.exp, z, given)


def test_results_in_lists_and_dicts_are_checked():
    with pytest.raises(GradcheckError, match="output 1"):
        gradcheck(lambda x: {"a": x * 2, "b": (3, [WrongCube.apply(x)])}, leaf(2))
    for nothing in (None, 2.0):
        with pytest.raises(ValueError, match=f"func returned a {type(nothing).__name__}, expected Tensors"):
            gradcheck(lambda x, y=nothing: y, leaf(2))
    assert gradcheck(lambda x: torch.argmax(x), leaf(2))


def test_grad_outputs_may_be_given():
    x = leaf(2)
    fixed = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert gradgradcheck(torch.exp, x, fixed)
    assert gradgradcheck(torch.exp, x, (fixed.clone().requires_grad_(),))


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ((torch.ones(2),), {}, "expects at least one input tensor to require gradient"),
        (
            (leaf(2), torch.ones(1).double().expand(2).requires_grad_()),
            {},
            "The 1th input has a dimension with stride 0",
        ),
        ((leaf(2),), {"check_backward_ad": False}, "Expected at least one of check_forward_ad or check_backward_ad"),
        ((leaf(2),), {"check_batched_forward_grad": True}, "Expected check_forward_ad, as check_batched_forward_grad"),
    ],
)
def test_invalid_arguments_are_refused(inputs, options, message):
    with pytest.raises(ValueError, match=message):
        gradcheck(lambda x: x * 2, inputs, **options)


def test_inputs_are_unchanged_after_failed_checks():
    x = leaf(2)
    array, node = x.array, x.node
    with pytest.raises(ZeroDivisionError):
        gradcheck(lambda x: x * (1 / 0), x)
    with pytest.raises(GradcheckError):
        gradcheck(WrongCube.apply, x)
    assert x.array is array
    assert x.node is node
    assert x.grad is None


def test_torch_autograd_has_the_same_functions():
    assert torch.autograd.gradcheck is gradcheck
    assert torch.autograd.gradgradcheck is gradgradcheck


def test_gradcheck_works_without_hypothesis():
    program = """
import sys
sys.modules["hypothesis"] = None
import microgad as torch
x = torch.ones(2, dtype=torch.float64, requires_grad=True)
assert torch.testing.gradcheck(torch.exp, x)
try:
    torch.testing.strategies
except ImportError as error:
    print(error)
"""
    assert output_of(program) == "microgad.testing.strategies needs hypothesis: pip install 'microgad[test]'\n"
