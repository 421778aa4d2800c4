"""torch.autograd, autograd.functional, torch.func and hooks: the same programs give the same in both libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgad

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # PyTorch's own

X = np.array([0.5, -1.25, 2.0])
M = np.array([[0.5, 1.0, -0.25], [2.0, -1.5, 0.75]])


def x_and_m(lib: Any) -> Any:
    return lib.tensor(X), lib.tensor(M)


def two_outputs(x: Any, m: Any) -> Any:
    return (m @ x.sin()) * x[:2], (m * m).sum() * x.prod() if hasattr(x, "prod") else (m * m).sum() * x.exp().sum()


def scalar(x: Any, m: Any) -> Any:
    return ((m @ (x * x)) ** 2).sum() + x.exp().sum()


def test_vjp_jvp_vhp_and_hvp(both):
    both(lambda t: t.autograd.functional.vjp(two_outputs, x_and_m(t), (t.ones(2).double(), t.tensor(2.0).double())))
    both(lambda t: t.autograd.functional.jvp(two_outputs, x_and_m(t), x_and_m(t)))
    both(lambda t: t.autograd.functional.vhp(scalar, x_and_m(t), x_and_m(t)))
    both(lambda t: t.autograd.functional.hvp(scalar, x_and_m(t), x_and_m(t)))


@pytest.mark.parametrize("strategy", ["reverse-mode", "forward-mode"])
def test_jacobian_and_hessian(both, strategy):
    vectorize = strategy == "forward-mode"
    both(lambda t: t.autograd.functional.jacobian(two_outputs, x_and_m(t), vectorize=vectorize, strategy=strategy))
    both(lambda t: t.autograd.functional.hessian(scalar, x_and_m(t)))
    both(lambda t: t.autograd.functional.hessian(lambda x: (x**3).sum(), t.tensor(X)))


def test_jacobian_with_create_graph(both):
    def program(t):
        x = t.tensor(X, requires_grad=True)
        j = t.autograd.functional.jacobian(lambda x: x**3, x, create_graph=True)
        (j * j).sum().backward()
        return j, x.grad

    both(program)


@pytest.mark.parametrize(
    "quotient",
    [
        lambda t, x: x // 2,
        lambda t, x: 2 // x,
        lambda t, x: x.clone().floor_divide_(x),
        lambda t, x: x - t.floor_divide(x, 2),
        lambda t, x: t.div(x, 2, rounding_mode="floor"),
        lambda t, x: x - x % 2,
    ],
)
def test_whole_quotients_have_no_derivative_but_div_has_zeros(quotient):
    def program(t):
        x = t.tensor(X, requires_grad=True)
        y = quotient(t, x)
        try:
            y.sum().backward()
        except RuntimeError as error:
            return repr(y), str(error).replace("divide_", "divide")[:52]
        return repr(y), x.grad.tolist()

    assert program(microgad) == program(torch)


def test_errors_of_functional(raises):
    raises(lambda t: t.autograd.functional.vjp(lambda x: t.ones(2), t.tensor(X), t.ones(2), strict=True))
    raises(lambda t: t.autograd.functional.jvp(lambda x: x, t.tensor(X)))
    raises(lambda t: t.autograd.functional.vhp(lambda x: x, t.tensor(X), t.tensor(X)))


def test_transforms_of_func_equal_pytorchs(both):
    both(lambda t: t.func.grad(scalar)(*x_and_m(t)))
    both(lambda t: t.func.grad(scalar, argnums=(0, 1))(*x_and_m(t)))
    both(lambda t: t.func.grad_and_value(lambda x: (x.sum(), x * 2), has_aux=True)(t.tensor(X)))
    both(lambda t: t.func.grad(lambda p: (p["w"] * p["b"][0]).sum())({"w": t.tensor(X), "b": [t.tensor(X)]}))
    both(lambda t: t.func.jvp(two_outputs, x_and_m(t), x_and_m(t)))
    both(lambda t: t.func.jacrev(two_outputs, argnums=(0, 1))(*x_and_m(t)))
    both(lambda t: t.func.jacfwd(two_outputs, argnums=1)(*x_and_m(t)))
    both(lambda t: t.func.hessian(scalar)(*x_and_m(t)))


def test_nested_func_transforms(both):
    third = lambda t, g: g(g(g(lambda x: (x**4).sum() if x.ndim else x**4)))  # noqa: E731
    both(lambda t: third(t, t.func.grad)(t.tensor(1.5)))
    both(lambda t: t.func.jacrev(t.func.grad(lambda x: (x**3).sum()))(t.tensor(X)))

    def program(t):
        x = t.tensor(X, requires_grad=True)
        g = t.func.grad(lambda y: (y**3).sum())(x)
        (g * g).sum().backward()
        return g, x.grad

    both(program)


def weighted(x, y):
    return (x * y * y).sum()


def test_nested_func_transforms_by_different_arguments(both):
    """Transforms differentiate by different arguments, and the results don't require grad."""

    def program(t):
        func = t.func
        grad, x, y = func.grad(weighted, 1), t.tensor(X), t.tensor(X) + 3
        found = [around(grad, 0)(x, y) for around in (func.jacrev, func.jacfwd)]
        found += [func.jacrev(func.jacrev(weighted, 1), k)(x, y) for k in (0, 1)]
        found.append(func.grad(lambda x: func.grad(lambda y: (x * y**2).sum())(y).sum())(x))
        return found, [r.requires_grad for r in found]

    both(program)


def test_vjp_equals_pytorchs(both):
    def program(t):
        y, pull = t.func.vjp(two_outputs, *x_and_m(t))
        return y, pull((t.ones(2).double(), t.tensor(3.0).double()))

    both(program)


def test_gradient_by_a_captured_tensor(both):
    def program(t):
        w = t.tensor(X, requires_grad=True)
        g = t.func.grad(lambda x: (x * x * w).sum())(t.tensor(X))
        return (g.requires_grad, *t.autograd.grad(g.sum(), w))

    both(program)


def test_vmap_equals_pytorchs(both):
    both(lambda t: t.func.vmap(lambda a, b: (a * b).sum())(t.tensor(M), t.tensor(M)))
    both(lambda t: t.func.vmap(lambda a, b: a @ b, in_dims=(1, None))(t.tensor(M), t.tensor(M[:, 0])))
    both(lambda t: t.func.vmap(lambda a: (a, a * 2), out_dims=(0, 1))(t.tensor(M)))
    both(lambda t: t.func.vmap(t.func.grad(lambda x: (x**3).sum()))(t.tensor(M)))


def test_create_graph_under_no_grad(both):
    def program(t):
        with t.no_grad():
            functional = t.autograd.functional
            rows = functional.jacobian(t.exp, t.tensor(X), create_graph=True)
            matrix = functional.hessian(lambda x: x.exp().sum(), t.tensor(X), create_graph=True)
        return rows, rows.requires_grad, matrix, matrix.requires_grad

    both(program)


def test_functional_call_equals_pytorchs_with_gradients(both):
    def program(t):
        net = t.nn.Sequential(t.nn.Linear(3, 3), t.nn.Tanh(), t.nn.Linear(3, 1)).double()
        weights = {name: t.ones_like(p) * 0.25 for name, p in net.named_parameters()}
        before = net[0].weight
        found = t.func.functional_call(net, weights, (t.tensor(X),))
        grads = t.func.grad(lambda w: t.func.functional_call(net, w, (t.tensor(X),)).sum())(weights)
        return found, grads, net[0].weight is before

    both(program)


PIECEWISE_LINEAR: dict[str, Callable[[Any, Any], Any]] = {
    "relu": lambda F, x: F.relu(x),
    "relu6": lambda F, x: F.relu6(x),
    "hardtanh": lambda F, x: F.hardtanh(x),
    "leaky_relu": lambda F, x: F.leaky_relu(x),
    "prelu": lambda F, x: F.prelu(x, x.detach()[0, :1]),
    "rrelu": lambda F, x: F.rrelu(x, training=True),
    "softshrink": lambda F, x: F.softshrink(x),
    "hardshrink": lambda F, x: F.hardshrink(x),
    "threshold": lambda F, x: F.threshold(x, 0.1, 2.0),
    "max_pool1d": lambda F, x: F.max_pool1d(x, 2),
    "max_pool2d": lambda F, x: F.max_pool2d(x[None], 2),
    "max_pool3d": lambda F, x: F.max_pool3d(x[None, None], (1, 2, 1)),
    "avg_pool1d": lambda F, x: F.avg_pool1d(x, 2),
    "avg_pool2d": lambda F, x: F.avg_pool2d(x[None], 2),
    "reflect": lambda F, x: F.pad(x, (1, 1), "reflect"),
    "nll_loss": lambda F, x: F.nll_loss(x, x.detach().argmax(1)),
    "nll_loss of rows": lambda F, x: F.nll_loss(x, x.detach().argmax(1), reduction="none"),
    "nll_loss weighted": lambda F, x: F.nll_loss(x, x.detach().argmax(1), x.detach()[0].abs(), ignore_index=2),
    "prod of one": lambda F, x: x[:, :1].prod(1),
    "logcumsumexp of one": lambda F, x: x[:, :1].logcumsumexp(1),
    "nll_loss of planes": lambda F, x: F.nll_loss(x[None], x.detach()[None].argmax(1), reduction="sum"),
}


@pytest.mark.parametrize("name", PIECEWISE_LINEAR)
def test_second_derivative_of_piecewise_linear_functions_is_zero(both, name):
    """It is zero instead of missing."""

    def program(t):
        t.manual_seed(0)
        x = t.tensor(np.array([X, X[::-1]]), requires_grad=True)
        (first,) = t.autograd.grad(PIECEWISE_LINEAR[name](t.nn.functional, x).sum(), x, create_graph=True)
        return first, t.autograd.grad(first.sum(), x)

    both(program)


@pytest.mark.parametrize("power", [0, 1, 2, 3, 2.5])
def test_powers_have_as_many_derivatives_as_in_torch(both, power):
    def program(t):
        x = t.tensor(X, requires_grad=True)
        y, found = x**power, []
        while y.requires_grad and len(found) < 6:
            (y,) = t.autograd.grad(y.sum(), x, create_graph=True)
            found.append(y)
        return found

    both(program)


def test_batched_grad_outputs(both):
    def program(t):
        x = t.tensor(X, requires_grad=True)
        return t.autograd.grad(x**2, x, t.eye(3).double(), is_grads_batched=True)

    both(program)


def test_inputs_may_be_a_dict(both):
    def program(t):
        named = {"x": t.tensor(X, requires_grad=True), "unused": t.ones(2, requires_grad=True)}
        y, batch = named["x"].exp(), t.eye(3).double()
        batched = t.autograd.grad(y, named, batch, True, allow_unused=True, is_grads_batched=True)
        found = t.autograd.grad(y.sum(), named, retain_graph=True, materialize_grads=True)
        y.sum().backward(inputs={"x": named["x"]})
        return list(found), list(found.values()), batched["x"], batched["unused"], named["x"].grad, named["unused"].grad

    both(program)


def test_multi_grad_hooks(both):
    def program(t):
        seen: list[Any] = []
        a, b, c = (t.tensor(v, requires_grad=True) for v in (1.0, 2.0, 3.0))
        graph = t.autograd.graph
        first = graph.register_multi_grad_hook((a, b, c), lambda grads: seen.append(("all", *grads)))
        graph.register_multi_grad_hook((a, b), lambda grad: seen.append(("any",)), mode="any")
        (a * b * c).backward()
        (a * b * c).backward()
        first.remove()
        (a * b * c).backward()
        return seen

    both(program)


def test_custom_function_that_writes_in_place(both):
    def program(t):
        class Double(t.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                x.mul_(2)
                ctx.mark_dirty(x)
                return x

            @staticmethod
            def backward(ctx, grad):
                return grad * 2

        x = t.tensor(X, requires_grad=True)
        y = x * 1
        view = y[1:]
        z = Double.apply(y)
        (z * z).sum().backward()
        return z is y, x.grad, view

    both(program)


def test_set_materialize_grads_false(both):
    def program(t):
        seen = []

        class Two(t.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.set_materialize_grads(False)
                return x * 2, x * 3

            @staticmethod
            def backward(ctx, a, b):
                seen.append((a is None, b is None))
                return a * 2

        x = t.tensor(X, requires_grad=True)
        Two.apply(x)[0].sum().backward()
        return seen, x.grad

    both(program)


@pytest.mark.parametrize("name", ["eq_", "lt_", "clamp_min_", "clamp_max_", "mul_", "pow_", "lerp_"])
@pytest.mark.parametrize("requires_grad", ["written", "operand", "both"])
def test_gradients_of_in_place_binary_operations(both, name, requires_grad):
    def program(t):
        x = t.tensor(np.abs(X), requires_grad=requires_grad != "operand")
        y = t.tensor(np.abs(X[::-1].copy()), requires_grad=requires_grad != "written")
        out = x * 1
        getattr(out, name)(y, *((0.25,) if name == "lerp_" else ()))
        leaves = [leaf for leaf in (x, y) if leaf.requires_grad]
        grads = t.autograd.grad((out * t.arange(1.0, 4)).sum() + sum(leaves).sum(), leaves)
        return out.detach(), grads

    both(program)


@pytest.mark.parametrize("written", ["input", "result"])
@pytest.mark.parametrize("name", ["sign", "round", "floor"])
def test_functions_with_zero_derivative_save_no_input_or_result(both, name, written):
    def program(t):
        x = t.tensor(X, requires_grad=True)
        y = x * 1
        out = getattr(t, name)(y)
        total = (out * 2).sum() + x.sum()
        (y if written == "input" else out).fill_(3)
        return t.autograd.grad(total, x)

    both(program)


VIEWS = {
    "real": lambda t, y: y.real,
    "imag": lambda t, y: y.imag[1:],
    "as real": lambda t, y: t.view_as_real(y).transpose(0, 1),
    "as complex": lambda t, y: t.view_as_complex(t.view_as_real(y))[:2],
    "of real numbers": lambda t, y: t.view_as_complex(y)[1:],
    "its imaginary part": lambda t, y: t.view_as_complex(y).imag,
}


@pytest.mark.parametrize("write", [lambda v: v.mul_(3), lambda v: v.copy_(v.clone() ** 2), lambda v: v.exp_()])
@pytest.mark.parametrize("name", VIEWS)
def test_writes_through_real_and_imaginary_views(both, name, write):
    z = [1 + 2j, 3 - 1j, -0.5 + 0.25j]

    def program(t):
        parts = [[c.real, c.imag] for c in z]
        x = t.tensor(parts if name in ("of real numbers", "its imaginary part") else z, requires_grad=True)
        x = x.detach().to(t.complex128 if x.is_complex() else t.float64).requires_grad_()
        base = x * 1
        view = VIEWS[name](t, base)
        write(view)
        loss = (base**3).sum() * (1 + 2j) + (view * view).sum()
        grad = t.autograd.grad(loss.real, x, create_graph=True)[0]
        return base.detach(), grad, t.autograd.grad(((grad * grad).sum() * (2 - 1j)).real, x)

    both(program)


@pytest.mark.parametrize("write", [lambda y, v: y.copy_(v), lambda y, v: y.__setitem__(0, v)])
@pytest.mark.parametrize("dtype", ["int64", "bool", "uint8"])
def test_writing_into_integers_records_no_gradient(both, write, dtype):
    def program(t):
        y = t.zeros(2, dtype=getattr(t, dtype))
        write(y, t.tensor(2.5, requires_grad=True))
        return y, y.requires_grad, y.is_leaf

    both(program)


def test_logical_in_place_writes_end_the_gradient():
    """PyTorch ignores `logical_and_` there, and gives the gradient for the values before the write."""
    x = microgad.tensor([1.0, 0.0, 2.0], requires_grad=True)
    out = x * 1
    out.logical_and_(microgad.ones(3))
    assert out.tolist() == [1.0, 0.0, 1.0]
    assert microgad.autograd.grad((out * 5 + x).sum(), x)[0].tolist() == [1.0, 1.0, 1.0]


def flat(x: Any) -> Any:
    """The leaves of nested dicts, tuples and lists."""
    if isinstance(x, dict):
        return [leaf for name in x for leaf in flat(x[name])]
    if isinstance(x, (tuple, list)):
        return [leaf for part in x for leaf in flat(part)]
    return [x]


@pytest.fixture
def both():
    def compare(program: Any, rtol: float = 1e-12) -> None:
        ours, theirs = flat(program(microgad)), flat(program(torch))
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs, strict=True):
            if isinstance(b, torch.Tensor):
                assert tuple(a.shape) == tuple(b.shape)
                assert a.requires_grad == b.requires_grad
                np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=rtol, atol=1e-12)
            else:
                assert a == b

    return compare


@pytest.fixture
def raises():
    def compare(program: Any) -> None:
        with pytest.raises(Exception) as theirs:  # noqa: PT011 - whatever torch raises
            program(torch)
        with pytest.raises(theirs.type):
            program(microgad)

    return compare


@pytest.mark.parametrize("mode_name", ["no_grad", "enable_grad", "inference_mode"])
def test_grad_mode_decorator_of_generators(mode_name):
    """The caller keeps its own mode, and values that are sent, thrown and returned arrive."""

    def program(t):
        seen = []

        @getattr(t, mode_name)()
        def steps(n):
            try:
                for i in range(n):
                    try:
                        seen.append((yield i, t.is_grad_enabled()))
                    except KeyError as error:
                        seen.append(str(error))
                return t.is_grad_enabled()
            finally:
                seen.append(t.is_grad_enabled())

        for mode in (True, False):
            with t.set_grad_enabled(mode):
                seen += [(step, t.is_grad_enabled()) for step in steps(2)]
                generator = steps(3)
                seen += [next(generator), generator.send("sent"), generator.throw(KeyError("thrown"))]
                try:
                    next(generator)
                except StopIteration as stop:
                    seen.append(stop.value)
                stopped = steps(2)
                next(stopped)
                stopped.close()
                failing = steps(2)
                next(failing)
                try:
                    failing.throw(ValueError("out"))
                except ValueError as error:
                    seen.append(str(error))
                seen.append(t.is_grad_enabled())
        return seen

    assert program(microgad) == program(torch)


@pytest.mark.parametrize(
    "f",
    [
        lambda t, w: t.bincount(t.tensor([0, 2, 2, 1]), w, 5),
        lambda t, w: t.zeros(5).double().index_add(0, t.tensor([0, 2, 2, 1]), w),
        lambda t, w: t.histogram(t.tensor([1.0, 2.0, 1.0, 5.0]).double(), 5, weight=w)[0],
        lambda t, w: t.histogram(t.tensor([1.0, 2.0, 1.0, 5.0]).double(), 5, weight=w, density=True)[0],
    ],
)
def test_gradients_by_weights_of_bincount_and_histogram(f):
    """PyTorch has no gradient of bincount and histogram, so finite differences of its results are compared."""
    values, grad = torch.arange(1.0, 5.0).double(), torch.arange(5.0).double()
    w = microgad.tensor(values.tolist(), dtype=microgad.float64, requires_grad=True)
    (f(microgad, w) * microgad.tensor(grad.tolist(), dtype=microgad.float64)).sum().backward()
    steps = 1e-5 * torch.eye(4).double()
    slopes = [((f(torch, values + h) - f(torch, values - h)) * grad).sum().item() / 2e-5 for h in steps]
    assert w.grad.tolist() == pytest.approx(slopes, abs=1e-8)
