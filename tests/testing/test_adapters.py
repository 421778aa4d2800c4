"""`check_grads` adapts what it is given: Functions, modules, NumPy functions with a vjp, and PyTorch's functions."""

from __future__ import annotations

import functools
import importlib
import sys
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest

import microgad
import microgad.nn.functional as F
from microgad import nn
from microgad.errors import ArgumentError, DtypeError, FunctionError, GraphError, ShapeError
from microgad.testing import GradcheckError, check_grads, check_op, torch_function
from microgad.testing.adapters import adapt, name_of, with_arguments
from microgad.testing.adapters.foreign import Arguments, arrays_of
from microgad.utils.checkpoint import checkpoint

from .check_fails import check_fails


def random(*shape, seed=0, requires_grad=True):
    x = np.random.default_rng(seed).standard_normal(shape)
    return microgad.tensor(x, requires_grad=requires_grad)


class Cube(microgad.Function):
    def forward(self, x):
        return x * x * x

    def grad_x(self, grad, x):
        return grad * (3 * x * x)


class TestMicrogad:
    def test_a_function(self):
        check_grads(Cube, [random(3)], order=3, modes=("rev", "fwd"))
        check_grads(Cube.apply, [random(3)], order=2)
        check_grads(functools.partial(F.softmax, dim=1), [random(2, 3)], order=2)

    def test_a_wrong_function(self):
        class Twice(Cube):
            def grad_x(self, grad, x):
                return grad * (2 * x * x)

        assert check_fails(Twice, [random(3)], match="Twice: the derivative").finding.op == "Twice"

    def test_an_autograd_function(self):
        class Squared(microgad.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x * x

            @staticmethod
            def backward(ctx, grad):
                (x,) = ctx.saved_tensors
                return cls.factor(x) * grad

        cls = Squared
        cls.factor = lambda x: 2 * x
        check_grads(Squared, [random(3)], order=2)
        cls.factor = lambda x: 2 * x.detach()
        check_fails(Squared, [random(3)], order=2, match="Squared: the second derivative")
        cls.factor = lambda x: -2 * x
        check_fails(Squared, [random(3)], match="Squared: the derivative")

    def test_a_module(self):
        module = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5), nn.Tanh()).double()
        check_grads(module, random(4, 3), order=2)
        check_grads(module.forward, random(4, 3), order=2)

        class Detached(nn.Module):
            def forward(self, x):
                return x * x.detach()

        check_fails(Detached(), random(4, 3), match=r"Detached\(\): the derivative")

    @pytest.mark.parametrize("cls", [nn.Linear, int, Cube(), 3, None])
    def test_targets_that_cannot_be_called_are_refused(self, cls):
        made = isinstance(cls, type)
        expected, said = (ArgumentError, "instance") if made else (DtypeError, "must be Callable|expected a function")
        with pytest.raises(expected, match=said):
            check_grads(cls, [random(3)])


# NumPy functions with their vjp


def cubed(x):
    return x**3


def cubed_vjp(grad, x):
    return grad * 3 * x**2


def affine(x, w, b, scale=1.0):
    return scale * (x @ w) + b


def affine_vjp(grad, x, w, b, scale=1.0):
    return scale * (grad @ w.T), scale * (x.T @ grad), grad.sum(0)


def polar(r, phi):
    return r * np.cos(phi), r * np.sin(phi)


def polar_vjp(grad, r, phi):
    gx, gy = grad
    return gx * np.cos(phi) + gy * np.sin(phi), r * (gy * np.cos(phi) - gx * np.sin(phi))


class TestNumPy:
    def test_one_input(self):
        check_grads(cubed, [random(2, 3)], order=3, modes=("rev", "fwd"), vjp=cubed_vjp)
        check_fails(cubed, [random(2, 3)], vjp=lambda g, x: -cubed_vjp(g, x), match=r"cubed: the derivative[\s\S]*sign")

    def test_a_ufunc(self):
        check_grads(np.sin, [random(3)], order=2, vjp=lambda grad, x: grad * np.cos(x))
        check_fails(np.sin, [random(3)], vjp=lambda grad, x: grad * np.sin(x))

    def test_several_inputs(self):
        args = random(4, 3), random(3, 2, seed=1), random(2, seed=2)
        check_grads(affine, args, order=2, vjp=affine_vjp)

        def transposed(grad, x, w, b):
            gx, gw, gb = affine_vjp(grad, x, w, b)
            return gx, gw[::-1], gb

        error = check_fails(affine, args, vjp=transposed)
        assert error.finding.names[error.finding.input] == "input 1"

    def test_keyword_arguments(self):
        args = random(4, 3), random(3, 2, seed=1), random(2, seed=2)
        check_grads(functools.partial(affine, scale=2.0), args, vjp=functools.partial(affine_vjp, scale=2.0))
        call = adapt(affine, affine_vjp)
        check_grads(lambda x, w, b: call(x, w, b, scale=0.5), args, order=2)

    def test_arguments_that_are_numbers(self):
        def power(x, n):
            return x**n

        check_grads(power, (random(3), 3), order=2, vjp=lambda grad, x, n: n * x ** (n - 1) * grad)
        check_grads(power, (random(3), 3), order=2, vjp=lambda grad, x, n: (n * x ** (n - 1) * grad, None))

    def test_arrays_in_lists_and_dicts(self):
        class Pair(NamedTuple):
            a: object
            b: object

        def weighted(pair, weights, scale):
            return scale * (pair.a * weights["w"][0] + pair.b)

        def vjp(grad, pair, weights, scale):
            return grad * scale * weights["w"][0], grad * scale, grad * scale * pair.a

        a, b, w = random(3), random(3, seed=1), random(3, seed=2)
        call = adapt(weighted, vjp)
        check_grads(lambda a, b, w: call(Pair(a, b), {"w": [w]}, 2.0), (a, b, w), order=2)
        check_grads(lambda a, b, w: call(Pair(a, b), weights={"w": (w,)}, scale=2.0), (a, b, w), order=2)

    def test_several_results(self):
        args = random(3), random(3, seed=1)
        check_grads(polar, args, order=2, vjp=polar_vjp)
        check_grads(lambda r, phi: adapt(polar, polar_vjp)(r, phi)[1], args, order=2)  # only one result gets a gradient

        def only_first(grad, r, phi):
            return polar_vjp((grad[0], 0 * grad[1]), r, phi)

        assert check_fails(polar, args, vjp=only_first).finding.output == 1

    def test_a_result_that_is_not_floating_point(self):
        def largest(x):
            return np.max(x), np.argmax(x)

        def vjp(grad, x):
            return grad[0] * (x == np.max(x))

        check_grads(largest, [random(4)], order=2, vjp=vjp)
        with pytest.raises(DtypeError, match="only floating-point results have a derivative"):
            check_grads(np.argmax, [random(4)], vjp=lambda grad, x: x)
        with pytest.raises(DtypeError, match="expected an array or several"):
            check_grads(lambda x: None, [random(4)], vjp=lambda grad, x: x)

    def test_a_result_that_is_its_input(self):
        check_grads(lambda x: x, [random(3)], order=2, vjp=lambda grad, x: grad)
        check_grads(lambda x: x[::-1], [random(3)], order=2, vjp=lambda grad, x: np.flip(grad))

    def test_integer_arrays_get_no_gradient(self):
        def taken(x, i):
            return x[i]

        def vjp(grad, x, i):
            spread = np.arange(x.shape[0])[:, None] == i
            return spread * 1.0 @ grad, None

        check_grads(taken, (random(4), np.array([1, 1, 3])), vjp=vjp)

    def test_none_means_no_gradient(self):
        def first(x, y):
            return x * 2 + 0 * y

        check_grads(first, (random(3), random(3, seed=1)), order=2, vjp=lambda grad, x, y: (2 * grad, None))
        check_fails(lambda x, y: x * y, (random(3), random(3, seed=1)), vjp=lambda grad, x, y: (y * grad, None))

    def test_a_missing_sum_over_a_broadcast_axis_is_found(self):
        args = random(4, 3), random(3, seed=1)
        check_grads(np.multiply, args, order=2, vjp=lambda grad, x, y: (grad * y, (grad * x).sum(0)))
        with pytest.raises(ShapeError, match=r"gradient of shape \(4, 3\) for array 1, whose shape is \(3,\). Sum it"):
            check_grads(np.multiply, args, vjp=lambda grad, x, y: (grad * y, grad * x))
        check_fails(np.multiply, args, vjp=lambda grad, x, y: (grad * y, (grad * x)[0]))
        with pytest.raises(ShapeError, match="shape"):
            check_grads(np.sum, [random(3)], vjp=lambda grad, x: grad)

    def test_a_wrong_number_of_gradients(self):
        with pytest.raises(ShapeError, match="<lambda>: its vjp returned 1 gradient for 2 arrays"):
            check_grads(lambda x, y: x * y, (random(3), random(3)), vjp=lambda grad, x, y: grad * y)

    def test_a_vjp_with_other_parameters(self):
        message = r"multiply: its vjp is called as vjp\(grad, args\[0\], args\[1\]\), but .* takes 1 positional"
        with pytest.raises(FunctionError, match=message):
            check_grads(np.multiply, (random(3), random(3)), vjp=lambda grad: grad)
        with pytest.raises(TypeError, match=r"^unsupported operand"):  # an error of the vjp itself
            check_grads(np.sin, [random(3)], vjp=lambda grad, x: grad + None)

    def test_a_gradient_that_is_not_floating_point(self):
        with pytest.raises(DtypeError, match="vjp returned int64 for array 0, expected a float"):
            check_grads(np.ceil, [random(3)], vjp=lambda grad, x: np.zeros(x.shape, np.int64))

    def test_a_wrong_second_derivative(self):
        def half_detached(grad, x):
            return grad * 3 * (x * microgad.tensor(x.array) if isinstance(x, microgad.Tensor) else x**2)

        check_fails(cubed, [random(3)], order=2, match="second derivative", vjp=half_detached)

    @pytest.mark.parametrize(
        ("vjp", "why"),
        [
            (lambda grad, x: grad * 3 * np.asarray(x) ** 2, "raised"),
            (lambda grad, x: np.array([g * 3 * float(v) ** 2 for g, v in zip(grad, x, strict=True)]), "raised"),
            (lambda grad, x: np.einsum("i,i->i", grad.copy(), 3 * x**2), "raised"),
            (lambda grad, x: _bare(grad) * 3 * _bare(x) ** 2, "takes the gradient of array 0 off the graph"),
        ],
    )
    def test_a_vjp_that_cannot_be_recorded_has_a_first_derivative_only(self, vjp, why):
        check_grads(cubed, [random(3)], vjp=vjp)
        with pytest.raises(
            RuntimeError, match=rf"cubed: there is no second derivative, because its vjp {why}"
        ) as error:
            check_grads(cubed, [random(3)], order=2, vjp=vjp)
        assert isinstance(error.value, GraphError)
        assert "order=1" in str(error.value)

    def test_a_method_that_computes_something_else_on_tensors(self):
        def spread(x):
            return np.std(x)

        def vjp(grad, x):  # x.size is a method of Tensors
            return grad * (x - x.mean()) / (np.std(x) * (3 if x.size == 3 else 1))

        check_grads(spread, [random(3)], vjp=vjp)
        with pytest.raises(GraphError, match="gives other values on Tensors"):
            check_grads(spread, [random(3)], order=2, vjp=vjp)

    def test_values_beside_an_infinite_one_are_compared(self):
        x = microgad.tensor([0.0, 1.0, 2.0], dtype=microgad.float64, requires_grad=True)
        with np.errstate(all="ignore"):
            y = adapt(np.log, lambda grad, x: grad / x * (1.0 if x.size == 3 else 2.0))(x)
        with np.errstate(all="ignore"), pytest.raises(GraphError, match="gives other values on Tensors"):
            microgad.autograd.grad(y.sum(), x, create_graph=True)

    def test_a_gradient_of_zeros_needs_no_graph(self):
        check_grads(np.floor, [random(3)], order=2, vjp=lambda grad, x: np.zeros(x.shape))
        check_grads(np.floor, [random(3)], order=2, vjp=lambda grad, x: np.zeros_like(x))

    def test_equal_infinities_and_nans_are_no_difference(self):
        x = microgad.tensor([0.0, 1.0, np.nan, np.inf], dtype=microgad.float64, requires_grad=True)
        root = adapt(np.sqrt, lambda grad, x: grad / (2 * np.sqrt(x)))
        with np.errstate(all="ignore"):
            (g,) = microgad.autograd.grad(root(x).sum(), x, create_graph=True)
        np.testing.assert_array_equal(g.detach().numpy(), [np.inf, 0.5, np.nan, 0.0])

    def test_a_function_that_writes_to_its_input(self):
        def doubled(x):
            x *= 2
            return x * 1.0

        with pytest.raises(GradcheckError, match=r"in place|other values"):
            check_grads(doubled, [random(3)], vjp=lambda grad, x: 2 * grad)

    def test_errors_of_a_function_are_raised(self):
        with pytest.raises(ShapeError, match="matmul"):
            check_grads(affine, (random(4, 3), random(2, 2), random(2)), vjp=affine_vjp)

    def test_random_draws_repeat(self):
        state = {}

        def noisy(x):
            state["mask"] = microgad.rand(3).numpy() > 0.5
            return x * state["mask"]

        check_grads(noisy, [random(3)], vjp=lambda grad, x: grad * state["mask"])

    def test_a_vjp_for_a_function_or_module_is_refused(self):
        for target in (Cube, nn.Tanh()):
            with pytest.raises(ArgumentError, match="vjp is for NumPy functions"):
                check_grads(target, [random(3)], vjp=lambda grad, x: grad)

    def test_the_node_has_the_name_of_the_function(self):
        y = adapt(cubed, cubed_vjp)(random(3))
        assert "cubedBackward" in repr(y)
        assert name_of(adapt(cubed, cubed_vjp)) == name_of(cubed)


class TestArrays:
    """NumPy's arrays as arguments."""

    def test_arrays_are_differentiated_if_nothing_requires_grad(self):
        check_grads(cubed, np.array([1.0, 2.0]), order=2, vjp=cubed_vjp)
        args = random(4, 3).detach().numpy(), random(3, 2).detach().numpy(), random(2).detach().numpy()
        check_grads(affine, args, order=2, vjp=affine_vjp)
        error = check_fails(affine, args, vjp=lambda grad, x, w, b: (*affine_vjp(grad, x, w, b)[:2], grad[0]))
        assert error.finding.input == 2

    def test_arrays_are_constants_if_something_requires_grad(self):
        def vjp(grad, x, y):
            return grad * y, None

        check_grads(np.multiply, (random(3), np.ones(3)), vjp=vjp)
        with pytest.raises(GradcheckError):
            check_grads(np.multiply, (np.ones(3), np.ones(3)), vjp=vjp)

    def test_arrays_are_not_written_to(self):
        x = np.array([1.0, 2.0])
        x.flags.writeable = False
        check_grads(cubed, [x], order=2, vjp=cubed_vjp)
        assert x.tolist() == [1.0, 2.0]

    def test_float32_arrays_are_checked_in_float64(self):
        check_grads(cubed, [np.array([1.0, 2.0], np.float32)], vjp=cubed_vjp)
        check_fails(cubed, [np.array([1.0, 2.0], np.float32)], vjp=lambda grad, x: grad * 2 * x**2)

    def test_the_same_array_twice_is_one_tensor(self):
        x = np.array([1.0, 2.0])
        _, (a, b) = with_arguments(np.multiply, [x, x], lambda grad, x, y: (grad * y, grad * x))
        assert a is b
        check_grads(np.multiply, (x, x), order=2, vjp=lambda grad, x, y: (grad * y, grad * x))

    def test_integer_arrays_are_not_differentiated(self):
        with pytest.raises(ArgumentError, match="expects at least one input tensor to require gradient"):
            check_grads(cubed, [np.array([1, 2])], vjp=cubed_vjp)

    def test_arrays_are_constants_without_a_vjp(self):
        with pytest.raises(ArgumentError, match="requires_grad=True: arrays are constants to a function on Tensors"):
            check_grads(cubed, [np.array([1.0, 2.0])])

    def test_arrays_are_inputs_of_a_function_class(self):
        for x in (np.array([1.0, 2.0]), np.array([1 + 2j])):
            check_grads(Cube, x, order=2)
            check_grads(Cube.apply, (x,))
        with pytest.raises(ArgumentError, match="expects at least one input tensor to require gradient"):
            check_grads(Cube, np.array([1, 2]))


def test_names_of_public_functions():
    functions = {"stack": microgad.stack, "nn.functional.mse_loss": F.mse_loss, "linalg.inv": microgad.linalg.inv}
    for name, function in functions.items():
        assert name_of(function) == f"microgad.{name}"


def test_the_name_of_a_function_after_a_module_with_a_torch_function_is_loaded(monkeypatch):
    program = ModuleType("program")
    program.Logged = type("Logged", (), {"__module__": "program", "__torch_function__": None})
    monkeypatch.setitem(sys.modules, "program", program)
    assert name_of(F.mse_loss) == "microgad.nn.functional.mse_loss"


def test_arguments_holds_the_structure_without_the_arrays():
    x, y = np.ones(2), np.zeros(2)
    args, settings = (x, [1, (y,)]), {"scale": 2.0}
    around = Arguments(args, settings)
    assert str(around) == "(·, [1, (·,)], scale=2.0)"
    found, same = around.filled([y, x])
    assert found[0] is y
    assert found[1][1][0] is x
    assert same == settings
    assert [a is b for a, b in zip(arrays_of(args, settings), (x, y), strict=True)] == [True, True]


class TestWithoutTorch:
    @pytest.fixture
    def _absent(self, monkeypatch):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "torch", None)

    @pytest.mark.usefixtures("_absent")
    def test_torch_function_says_what_to_install(self):
        with pytest.raises(ModuleNotFoundError, match="pip install torch"):
            torch_function(lambda x: x)

    @pytest.mark.usefixtures("_absent")
    def test_other_functions_are_checked(self):
        check_grads(Cube, [random(3)], order=2)
        check_grads(cubed, np.ones(3), vjp=cubed_vjp)

    def test_a_missing_dependency_of_torch_is_named(self, monkeypatch):
        def broken(name, *rest):
            raise ModuleNotFoundError("No module named 'sympy'", name="sympy")

        monkeypatch.setattr(importlib, "import_module", broken)
        with pytest.raises(ModuleNotFoundError, match="sympy"):
            torch_function(lambda x: x)

    def test_microgad_imported_as_torch_is_not_taken_for_torch(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch", microgad)
        check_grads(Cube, [random(3)])
        check_grads(lambda x: x * 2, [random(3)])


def _bare(x):
    return getattr(x, "array", x)


def test_a_vjp_may_give_float64_for_float32_inputs():
    """The constant np.log(2) is a float64 scalar, by which NumPy promotes float32 arrays."""
    check_op(np.exp2, vjp=lambda grad, x: grad * np.exp2(x) * np.log(2), laws=["float32"], examples=20)


class Redrawn(microgad.autograd.Function):
    """Dropout whose backward draws another mask. A checkpoint draws the same one again."""

    @staticmethod
    def forward(ctx, x):
        return x * (microgad.rand_like(x) < 0.5)

    @staticmethod
    def backward(ctx, grad):
        return grad * (microgad.rand_like(grad) < 0.5)


def test_a_backward_that_makes_random_draws_is_found():
    for check in (check_grads, check_op):
        with pytest.raises((GradcheckError, AssertionError), match="backward makes random draws of its own"):
            check(Redrawn, random(2))
    for reentrant in (False, True):
        check_grads(functools.partial(checkpoint, F.dropout, use_reentrant=reentrant), [random(3)])
