"""Function: a node keeps the values that its derivatives' signatures name and no others; wrong declarations raise."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import Function, LinearMap, errors
from microgad.ops.elementwise import Add, Mul


def leaf(*shape: int, dtype: Any = torch.float64) -> torch.Tensor:
    return torch.rand(*shape, dtype=dtype, requires_grad=True)


def test_addition_keeps_nothing() -> None:
    assert Add.apply(leaf(3), leaf(3)).node.kept == ()


def test_a_product_keeps_what_the_wanted_derivatives_read() -> None:
    x, c = leaf(3), torch.rand(3, dtype=torch.float64)
    (kept,) = Mul.apply(x, c).node.kept
    assert kept is c.array
    y = leaf(3)
    assert [k is t.array for k, t in zip(Mul.apply(x, y).node.kept, (x, y), strict=True)] == [True, True]


def test_only_the_derivatives_that_are_needed_are_computed() -> None:
    called = []

    class Product(Function):
        def forward(self, a, b):
            return a * b

        def grad_a(self, grad, b):
            called.append("a")
            return grad * b

        def grad_b(self, grad, a):
            called.append("b")
            return grad * a

    x, y = leaf(2), leaf(2)
    Product.apply(x, 2.0).sum().backward()
    assert called == ["a"]
    called.clear()
    torch.autograd.grad(Product.apply(x, y).sum(), y)
    assert called == ["b"]


def test_bare_arrays_are_computed_and_not_recorded() -> None:
    out = Mul.apply(np.ones(2), np.full(2, 3.0))
    assert type(out) is np.ndarray
    assert out.tolist() == [3.0, 3.0]


def test_a_tensor_as_a_setting_raises() -> None:
    with pytest.raises(errors.DtypeError, match="Mul: the setting scale is a Tensor"):
        Mul.apply(leaf(2), leaf(2), scale=leaf(2))


def test_a_derivative_for_an_unknown_input_raises() -> None:
    with pytest.raises(TypeError, match="grad_y is no derivative: forward's inputs are x"):

        class Wrong(Function):
            def forward(self, x):
                return x

            def grad_y(self, grad):
                return grad


def test_an_undeclared_view_raises() -> None:
    class Half(Function):
        def forward(self, x):
            return x[::2]

        def grad_x(self, grad):
            return np.stack((grad, 0 * grad), 1).reshape(-1)

    with pytest.raises(RuntimeError, match=r"Half: forward returned memory of an input: say may_share = True"):
        Half.apply(leaf(4))


def test_a_declared_constant_must_be_boolean_or_integer() -> None:
    class Wrong(Function):
        constants = ("half",)

        def forward(self, x):
            self.half = x / 2
            return x * x

        def grad_x(self, grad, half):
            return grad * half * 4

    with pytest.raises(TypeError, match="half is float64, but constants are boolean or integer"):
        Wrong.apply(leaf(2))


def test_an_operation_without_a_derivative_raises_if_its_input_requires_grad() -> None:
    class Floor(Function):
        def forward(self, x):
            return np.floor(x)

    with pytest.raises(RuntimeError, match="Floor has no derivative"):
        Floor.apply(leaf(2))
    assert not Floor.apply(leaf(2).detach()).requires_grad


def test_a_function_with_several_results_is_differentiated_twice() -> None:
    class SinCos(Function):
        def forward(self, x):
            return np.sin(x), np.cos(x)

        def grad_x(self, grad, x):
            gs, gc = grad
            return gs * np.cos(x) - gc * np.sin(x)

    x = leaf(4)
    s, c = SinCos.apply(x)
    (g,) = torch.autograd.grad((s * s + 3 * c).sum(), x, create_graph=True)
    expected = 2 * np.sin(x.array) * np.cos(x.array) - 3 * np.sin(x.array)
    np.testing.assert_allclose(g.array, expected)
    (gg,) = torch.autograd.grad(g.sum(), x)
    np.testing.assert_allclose(gg.array, 2 * np.cos(2 * x.array) - 3 * np.cos(x.array))
    (only,) = torch.autograd.grad(SinCos.apply(x)[1].sum(), x)  # the other result's gradient is zero
    np.testing.assert_allclose(only.array, -np.sin(x.array))


@pytest.mark.parametrize(
    "slope",
    [
        lambda x: np.where(x > 0, 1, 0.1),
        lambda x: np.where(x > 1, 0.3, np.where(x > 0, 2, 0.1)) / 3,
        lambda x: np.where(x > 0, np.float32(1), 0.1) / 3,
        lambda x: (x > 0) * 0.7 + 0.1 * (x <= 0),
        lambda x: x - (x > 1) - np.bool_(True),
        lambda x: (x > 0) / 3,
        lambda x: np.exp((x > 0) * 1) + np.argsort(x) * 0.1,
        lambda x: np.maximum(x > 0, 0.1) ** 0.7,
        lambda x: np.power(0.1, x > 0) - 0.3 ** (x != 0),
        lambda x: np.sqrt(np.sum(x > 0) + 0.1) / 3,
        lambda x: np.mean(x > 0) / np.cumsum(x < 9),
        lambda x: 1 / np.log(np.count_nonzero(x) + 0.1),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_masks_and_numbers_in_a_derivative_have_numpys_precision_under_create_graph(slope: Any, dtype: Any) -> None:
    class Scaled(Function):
        def forward(self, x):
            return x * 1

        def grad_x(self, grad, x):
            return grad * slope(x)

    x = torch.tensor([-1.3, 0.7, 2.1], dtype=dtype, requires_grad=True)
    y, seed = Scaled.apply(x), torch.tensor([0.3, 0.7, 1.9], dtype=dtype)
    plain, recorded = (torch.autograd.grad(y, x, seed, retain_graph=True, create_graph=c)[0] for c in (False, True))
    assert recorded.dtype == dtype
    assert recorded.tolist() == plain.tolist()


def test_the_mask_of_a_scalar_selects_under_create_graph() -> None:
    class Abs(Function):
        constants = ("positive",)

        def forward(self, x):
            self.positive = x > 0  # of a 0-d array it is a NumPy scalar
            return np.abs(x)

        def grad_x(self, grad, positive):
            return np.where(positive, grad, -grad)

    for value in (2.0, [2.0]):
        x = torch.tensor(value, requires_grad=True)
        (g,) = torch.autograd.grad(Abs.apply(x) ** 3, x, create_graph=True)
        g.backward()
        assert x.grad is not None
        assert x.grad.item() == 12


def test_a_function_with_any_number_of_inputs_differentiates_each() -> None:
    class Product(Function):
        def forward(self, *inputs):
            return math.prod(inputs)

        def grad_inputs(self, grad, *inputs):
            return tuple(grad * math.prod(inputs[:i] + inputs[i + 1 :]) for i in range(len(inputs)))

    a, b, c = (torch.tensor(v, requires_grad=True) for v in (2.0, 3.0, 5.0))
    plain = torch.tensor(7.0)
    for inputs in ((a, b), (a, b, plain), (a, b, c), (plain, a)):
        leaves = [x for x in inputs if x.requires_grad]
        grads = torch.autograd.grad(Product.apply(*inputs), leaves, create_graph=True)
        product = math.prod(x.item() for x in inputs)
        assert [g.item() for g in grads] == [product / x.item() for x in leaves]
        assert (grads[0].node is None) == (len(leaves) == 1)


class Normalize(Function):
    """A fused operation with a float intermediate: the decomposition makes its second derivative right."""

    def forward(self, x, weight):
        self.norm = np.sqrt((x * x).sum(0))
        return x * weight / self.norm

    def backward(self, grad, x, weight, norm):
        gx = grad * weight / norm - x * ((grad * weight * x).sum(0) / (norm * norm * norm))
        return gx if self.needs[0] else None, grad * x / norm if self.needs[1] else None

    def decomposition(self, x, weight):
        return x * weight / np.sqrt((x * x).sum(0))


@pytest.mark.parametrize("weight_is", ["independent", "one Tensor twice", "one depends on the other"])
def test_a_decomposition_gives_partial_derivatives_if_inputs_depend_on_each_other(weight_is: str) -> None:
    torch.manual_seed(1)
    x = leaf(5)
    weight = {"independent": leaf(5), "one Tensor twice": x, "one depends on the other": x * x}[weight_is]

    def composite(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return x * w / ((x * x).sum(0)).sqrt()

    results = []
    for f in (Normalize.apply, composite):
        g = torch.autograd.grad((f(x, weight) ** 2).sum(), x, create_graph=True)[0]
        results.append((g, torch.autograd.grad((g * g).sum(), x, retain_graph=True)[0]))
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours.detach().array, expected.detach().array, rtol=1e-10)


def test_a_linear_map_is_its_adjoints_derivative_to_every_order() -> None:
    class Cumsum(LinearMap):
        def forward(self, x):
            return np.cumsum(x)

        def adjoint(self, grad):
            return np.cumsum(grad[::-1])[::-1].copy()

    x, seed = leaf(3), torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64, requires_grad=True)
    (g,) = torch.autograd.grad(Cumsum.apply(x), x, seed, create_graph=True)
    assert g.tolist() == [6.0, 5.0, 3.0]
    assert type(g.node).__name__ == "CumsumAdjoint"
    (gg,) = torch.autograd.grad(g, seed, torch.ones(3, dtype=torch.float64))
    assert gg.tolist() == [1.0, 2.0, 3.0]


def test_errors_in_forward_name_the_operation_the_module_and_every_argument() -> None:
    from microgad import state

    with (
        state.scope(path="features.0"),
        pytest.raises(ValueError, match=r"Mul \(features\.0\): .*\(a \(2, 3\), b \(4,\) float64\)"),
    ):
        torch.zeros(2, 3) * torch.zeros(4, dtype=torch.float64)


def test_an_operand_of_a_wrong_type_raises() -> None:
    with pytest.raises(TypeError, match=r"mul\(\): argument 'other' \(position 2\) must be Tensor, not list"):
        torch.mul(torch.zeros(2), [1, 2])


class Unit:
    """A class with operators of its own."""

    def __radd__(self, other: object) -> str:
        return "radd"

    def __add__(self, other: object) -> str:
        return "add"

    __lt__ = __rpow__ = __rmatmul__ = __add__


def test_operators_leave_unknown_types_to_the_other_operand() -> None:
    x = torch.ones(2, 2)
    assert [x + Unit(), Unit() + x, x > Unit(), x ** Unit(), x @ Unit()] == ["radd", "add", "add", "add", "add"]
    assert torch.tensor(2) * [1, 3] == [1, 3, 1, 3] == [1, 3] * torch.tensor(2)  # as an int repeats a list in Python
    for wrong in (lambda: x - [1], lambda: None + x, lambda: x < "a", lambda: [[1.0, 2.0]] @ x, lambda: x @ [[1.0]]):
        with pytest.raises(TypeError, match=r"unsupported operand|not supported between"):
            wrong()


def test_a_variadic_operation_plans_once_for_each_number_of_inputs() -> None:
    class Total(Function):
        def forward(self, *inputs):
            return sum(inputs)

        def grad_inputs(self, grad):
            return (grad,) * len(self.edges)

    for pattern in range(1, 8):
        inputs = [torch.ones(1, requires_grad=bool(pattern >> i & 1)) for i in range(3)]
        Total.apply(*inputs).sum().backward()
        assert [x.grad is not None for x in inputs] == [x.requires_grad for x in inputs]
    assert len(Total.plans) == 1  # not one for each set of inputs that want a gradient, of which there are 2ⁿ


def test_threads_may_want_the_gradients_of_different_inputs_of_one_node() -> None:
    both_run = Barrier(2, timeout=10)

    class Product(Function):
        def forward(self, a, b):
            return a * b

        def backward(self, grad, a, b):
            both_run.wait()
            by_a, by_b = self.needs
            return grad * b if by_a else None, grad * a if by_b else None

    a, b = torch.tensor(2.0, requires_grad=True), torch.tensor(3.0, requires_grad=True)
    y = Product.apply(a, b)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda x: torch.autograd.grad(y, x, retain_graph=True)[0].item(), (a, b)))
    assert found == [3, 2]


def test_hooks_of_a_node_are_called_while_another_thread_is_in_its_derivative() -> None:
    entered, called = Event(), Event()

    class Double(Function):
        def forward(self, x):
            return x * 2

        def grad_x(self, grad):
            if not entered.is_set():
                entered.set()
                assert called.wait(10)
            return grad * 2

    x = torch.tensor(2.0, requires_grad=True)
    y = Double.apply(x)
    seen: list[Any] = []
    y.node.register_hook(lambda *grads: seen.append(grads))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(torch.autograd.grad, y, x, retain_graph=True)
        assert entered.wait(10)
        torch.autograd.grad(y, x, retain_graph=True)
        called.set()
        first.result()
    assert len(seen) == 2


def test_apply_of_a_subclass_may_call_that_of_its_base() -> None:
    class Double(Function):
        def forward(self, x):
            return x * 2

        def grad_x(self, grad):
            return grad * 2

    class Triple(Double):
        def forward(self, x):
            return x * 3

        def grad_x(self, grad):
            return grad * 3

        @classmethod
        def apply(cls, x):
            return super().apply(x + 1)  # it computes this class's forward

    x = torch.tensor(1.0, requires_grad=True)
    assert [op.apply(x).item() for op in (Double, Triple)] == [2, 6]
    assert torch.autograd.grad(Triple.apply(x), x)[0].item() == 3
