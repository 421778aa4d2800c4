"""check_grads of torch's functions, modules and autograd Functions, and of functions that call torch."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import microgad
from microgad.errors import ArgumentError
from microgad.testing import GradcheckError, check_grads, torch_function
from microgad.testing.adapters import with_arguments

from ..testing.check_fails import check_fails

torch = pytest.importorskip("torch")
F = torch.nn.functional


def random(*shape, seed=0, dtype=torch.float64, requires_grad=True):
    x = np.random.default_rng(seed).standard_normal(shape)
    return torch.tensor(x, dtype=dtype, requires_grad=requires_grad)


def to_microgad(x):
    return microgad.tensor(x.detach().numpy(), requires_grad=True)


class Squared(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x * grad


class Negated(Squared):
    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return -2 * x * grad


class HalfDetached(Squared):
    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x.detach() * grad


class OnceDifferentiable(Squared):
    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 2 * x * grad


class TestFunctions:
    """Functions of torch, checked with Tensors of torch and of microgad."""

    @pytest.fixture(params=["torch's tensors", "microgad's Tensors"])
    def convert(self, request):
        return (lambda *xs: xs) if request.param == "torch's tensors" else (lambda *xs: tuple(map(to_microgad, xs)))

    @pytest.mark.parametrize(
        ("f", "shapes"),
        [
            (torch.sin, [(2, 3)]),
            (torch.Tensor.exp, [(3,)]),
            (torch.mul, [(2, 3), (3,)]),
            (torch.matmul, [(2, 3), (3, 2)]),
            (F.conv2d, [(1, 2, 3, 4), (2, 2, 2, 2), (2,)]),
            (functools.partial(F.conv2d, padding=1), [(1, 1, 2, 2), (1, 1, 2, 2)]),
            (functools.partial(F.softmax, dim=1), [(2, 3)]),
            (torch.relu, [(2, 3)]),
            (F.dropout, [(3, 4)]),
            (functools.partial(F.rrelu, training=True), [(3, 4)]),
            (functools.partial(torch.max, dim=1), [(2, 3)]),
            (torch.linalg.svdvals, [(2, 3)]),
            (torch.nn.Tanh(), [(2, 3)]),
            (torch.nn.Tanh().forward, [(2, 3)]),
            (torch.nn.Linear(3, 2).double(), [(4, 3)]),
            (Squared, [(3,)]),
            (Squared.apply, [(3,)]),
        ],
    )
    def test_correct_derivatives_pass(self, convert, f, shapes):
        args = convert(*(random(*shape, seed=i) for i, shape in enumerate(shapes)))
        check_grads(f, args, order=2, modes=("rev", "fwd"))
        check_grads(f, args, order=2, full=False)

    def test_wrong_derivatives_fail(self, convert):
        error = check_fails(Negated, convert(random(3)), match=r"Negated: the derivative[\s\S]*sign")
        assert error.finding.op == "Negated"
        check_fails(HalfDetached, convert(random(3)), order=2, match="HalfDetached: the second derivative")
        check_fails(torch_function(lambda x: x * x.detach()), convert(random(3)))

    def test_once_differentiable_function_has_no_second_derivative(self, convert):
        check_grads(OnceDifferentiable, convert(random(3)))
        with pytest.raises(
            RuntimeError, match="no second derivative of OnceDifferentiable: a backward on the way is once_diff"
        ):
            check_grads(OnceDifferentiable, convert(random(3)), order=2)

    def test_once_differentiable_function_has_no_second_derivative_for_a_constant_grad_output(self):
        x = to_microgad(random(3))
        (g,) = microgad.autograd.grad(torch_function(OnceDifferentiable)(x).sum(), x, create_graph=True)
        with pytest.raises(RuntimeError, match="no second derivative of OnceDifferentiable"):
            microgad.autograd.grad(g.sum(), x)

    def test_results_that_are_inputs(self, convert):
        check_grads(torch_function(lambda x: x), convert(random(2, 3)), order=2)
        check_grads(torch_function(lambda x: (x, x.T)), convert(random(2, 3)), order=2)
        x = microgad.ones(2)
        y = torch_function(lambda x: x)(x)
        x.add_(1)
        assert y.tolist() == [1.0, 1.0]

    def test_torch_function_with_a_number(self, convert):
        check_grads(torch_function(lambda x, n: x**n), (*convert(random(3)), 3), order=2)

    def test_non_tensor_arguments(self, convert):
        check_grads(torch.sum, (*convert(random(2, 3)), 1), order=2)
        check_grads(torch.index_select, (*convert(random(4)), 0, torch.tensor([1, 1, 3])), order=2)

    def test_unused_inputs_are_accepted(self, convert):
        check_grads(torch_function(lambda x, y: x * 2), convert(random(3), random(3, seed=1)), order=2)

    def test_detached_results_are_left_out(self, convert):
        check_grads(torch_function(lambda x, y: (x * 2, y.detach())), convert(random(3), random(3)), order=2)
        check_fails(torch_function(lambda x, y: (x.detach() * 2, y.detach())), convert(random(3), random(3)))

    def test_same_tensor_twice(self, convert):
        (x,) = convert(random(3))
        check_grads(torch.mul, (x, x), order=3)

    def test_float32_is_checked_too(self, convert):
        check_grads(torch.sin, convert(random(3, dtype=torch.float32)), order=2)
        check_fails(Negated, convert(random(3, dtype=torch.float32)))

    @pytest.mark.parametrize("shape", [(), (0,), (0, 3), (1, 1)])
    def test_scalar_and_empty_shapes(self, convert, shape):
        check_grads(torch.sin, convert(random(*shape)), order=2)

    def test_writing_to_the_input_raises(self, convert):
        with pytest.raises(RuntimeError, match=r"in.place|other values"):
            check_grads(torch_function(lambda x: x.mul_(2) * 1), convert(random(3)))


class TestTensors:
    """Tensors of torch among the arguments of check_grads."""

    def test_any_function_of_torch_tensors_is_checked(self):
        def function(x, w):
            return torch.tanh(x @ w), w.exp().sum()

        check_grads(function, (random(2, 3), random(3, 2, seed=1)), order=2)
        check_grads(lambda x: x.sigmoid(), random(3), order=2)
        assert check_fails(lambda x, y: x * y.detach(), (random(3), random(3))).finding.input == 1

    def test_inputs_are_unchanged(self):
        x = random(3)
        before = x.detach().clone()
        check_grads(lambda x: x.exp(), x, order=2)
        assert torch.equal(x, before)
        assert x.grad is None
        y = torch.exp(x)  # not a leaf
        check_grads(lambda y: y * y, [y])

    def test_inputs_are_unchanged_if_the_function_writes_to_them(self):
        y = torch.ones(3, dtype=torch.float64)
        with pytest.raises(GradcheckError, match="other values"):
            check_grads(lambda x, y: x * y.add_(1), (random(3), y))
        assert torch.equal(y, torch.ones_like(y))

    def test_identical_inputs_stay_identical(self):
        x = random(3)
        _, (a, b) = with_arguments(torch.mul, [x, x])
        assert a is b

    def test_inputs_without_requires_grad_are_not_checked(self):
        check_grads(lambda x, y: x * y.detach(), (random(3), random(3, requires_grad=False)), order=2)
        with pytest.raises(ArgumentError, match="expects at least one input tensor to require gradient"):
            check_grads(torch.sin, torch.arange(3))

    def test_integer_inputs_are_left_alone(self):
        check_grads(lambda x, i: x[i], (random(4), torch.tensor([1, 1, 3])), order=2)

    def test_noncontiguous_inputs_are_checked_too(self):
        check_grads(torch.sin, random(3, 2).T, order=2)
        check_grads(torch.sin, random(6)[::2], order=2)
        check_grads(torch.sin, random(1, 3).expand(2, 3), order=2)

    def test_inputs_of_both_libraries(self):
        check_grads(torch.mul, (random(3), to_microgad(random(3))), order=2)

    def test_torch_inputs_for_functions_of_microgad_and_numpy(self):
        check_grads(microgad.exp, random(3), order=2)
        check_grads(microgad.nn.Tanh(), random(3), order=2)
        check_grads(np.sin, random(3), order=2, vjp=lambda grad, x: grad * np.cos(x))


class TestModules:
    def test_parameters_as_arguments(self):
        module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1)).double()
        names = [name for name, _ in module.named_parameters()]

        def call(x, *parameters):
            return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), (x,))

        check_grads(call, (random(4, 3), *module.parameters()), order=2)

        def detached(x, *parameters):
            return call(x, *parameters[:-1], parameters[-1].detach())

        assert check_fails(detached, (random(4, 3), *module.parameters())).finding.input == 4

    def test_float32_modules_raise(self):
        with pytest.raises(ArgumentError, match=r"parameter weight is torch.float32.*module.double\(\)"):
            check_grads(torch.nn.Linear(3, 2), random(4, 3))
        with pytest.raises(ArgumentError, match=r"module.double\(\)"):
            check_grads(torch.nn.Linear(3, 2).forward, random(4, 3))

    def test_module_classes_raise(self):
        with pytest.raises(ArgumentError, match="pass an instance of it"):
            check_grads(torch.nn.Linear, random(4, 3))

    def test_vjp_argument_raises(self):
        for target in (torch.nn.Tanh(), torch.sin, Squared):
            with pytest.raises(ArgumentError, match="vjp is for NumPy functions"):
                check_grads(target, random(3), vjp=lambda grad, x: grad)


class TestRandom:
    def test_draws_come_from_microgads_generator(self):
        microgad.manual_seed(3)
        torch.manual_seed(5)
        x = microgad.ones(20)
        y = torch_function(F.dropout)(x, 0.5)
        after = torch.rand(1)
        microgad.manual_seed(3)
        np.testing.assert_array_equal(y.numpy(), microgad.nn.functional.dropout(x, 0.5).numpy())
        torch.manual_seed(5)
        assert torch.equal(torch.rand(1), after)

    def test_backward_uses_the_draws_of_its_forward(self):
        microgad.manual_seed(0)
        x = microgad.ones(50, requires_grad=True)
        drop = torch_function(F.dropout)
        y, z = drop(x), drop(x)
        assert not np.array_equal(y.detach().numpy(), z.detach().numpy())
        for out in (y, z):
            (g,) = microgad.autograd.grad(out.sum(), x)
            np.testing.assert_array_equal(g.numpy(), out.detach().numpy())

    def test_module_in_training_mode(self):
        module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(4)).double()
        check_grads(module, random(5, 3), order=2)

    def test_wrong_derivative_of_a_random_function_fails(self):
        check_fails(lambda x: F.dropout(x, 0.5) * x.detach(), random(4))


def test_non_tensor_results_raise():
    with pytest.raises(RuntimeError, match="returned a float, expected torch's tensors"):
        check_grads(lambda x: 2.0, random(3))


class WithoutBackward(Squared):
    @staticmethod
    def backward(ctx, grad):
        raise RuntimeError("not written yet")


def test_error_in_torchs_backward_is_reported():
    with pytest.raises(RuntimeError, match="torch gives no gradient of WithoutBackward: not written yet"):
        check_grads(WithoutBackward, random(3))
