"""Pitfalls of an autograd framework on NumPy, one test for each: scalars, views, shared memory, cycles, detaching."""

from __future__ import annotations

import re
import weakref

import numpy as np
import pytest

import microgad as torch
from microgad import backend, nn
from microgad.testing import gradcheck

from .leaves import leaf


@pytest.mark.parametrize(
    "scaled",
    [
        lambda x: x / np.prod(x.shape),
        lambda x: x * np.sqrt(4),
        lambda x: np.sqrt(4) * x,
        lambda x: x - np.array(1.5),
        lambda x: np.array(1.5) * x,
        lambda x: x[0] * np.float64(2),
        lambda x: torch.maximum(x, torch.tensor(0.5, dtype=torch.float64)),
        lambda x: x.mean() + np.float64(1),
    ],
)
def test_numpy_scalars_do_not_make_float32_float64(scaled):
    x = leaf(1, 2, dtype=torch.float32)
    y = scaled(x)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    for tensor in (y, g):
        assert tensor.array.dtype == np.float32
        assert backend.is_array(tensor.array), "a NumPy scalar would promote later on"


class SquareTimes(torch.Function):
    """a² · b, with a decomposition."""

    def forward(self, a, b):
        self.square = a * a
        return self.square * b

    def grad_a(self, grad, a, b):
        return grad * (2 * a * b)

    def grad_b(self, grad, square):
        return grad * square

    def decomposition(self, a, b):
        return a * a * b


def test_a_decomposition_is_differentiated_partially():
    """x³ with one Tensor as both inputs, x⁴ with one input that depends on the other: f'' at 2 is 12 and 48."""
    for function, expected in ((lambda x: SquareTimes.apply(x, x), 12), (lambda x: SquareTimes.apply(x, x * x), 48)):
        x = torch.tensor(2.0, requires_grad=True)
        (first,) = torch.autograd.grad(function(x), x, create_graph=True)
        (second,) = torch.autograd.grad(first, x)
        assert second.item() == expected


def test_a_derivative_reads_intermediate_values_only_by_its_signature():
    with pytest.raises(TypeError, match=r"forward sets self\.inv_std, but no derivative names inv_std"):

        class Standardized(torch.Function):
            def forward(self, x):
                self.inv_std = 1 / np.sqrt((x * x).mean(0))
                return x * self.inv_std

            def grad_x(self, grad):
                return grad * self.inv_std

    with pytest.raises(TypeError, match=r"reads inv_std.*decomposition"):

        class Declared(torch.Function):
            def forward(self, x):
                self.inv_std = 1 / np.sqrt((x * x).mean(0))
                return x * self.inv_std

            def grad_x(self, grad, inv_std):
                return grad * inv_std


def test_a_write_through_one_of_two_overlapping_views_propagates_to_the_other():
    x = leaf(1, 2, 3, 4)
    base = x * 1
    first, second = base[:2], base[1:3]
    first.mul_(3)
    second.sum().backward()
    assert x.grad.tolist() == [0, 3, 1, 0]


def test_leaves_do_not_share_a_gradient():
    p, q = leaf(1, 2), leaf(3, 4)
    given = torch.ones(2, dtype=torch.float64)
    (p + q).backward(given)
    p.grad.mul_(0)
    assert q.grad.tolist() == [1, 1]
    assert given.tolist() == [1, 1]
    p.grad = None
    p.sum().backward()
    assert backend.is_gpu(p.grad.array) or p.grad.array.flags.writeable
    assert 0 not in p.grad.array.strides
    p.grad.mul_(5)
    assert p.grad.tolist() == [5, 5]


def test_a_gradient_of_a_wrong_shape_raises():
    class Wrong(torch.Function):
        def forward(self, x, weight):
            return x @ weight

        def grad_x(self, grad, weight):
            return grad @ weight.T

        def grad_weight(self, grad, x):
            return np.broadcast_to(x.T @ grad, (9, 3, 4))

    x, weight = torch.zeros(2, 3), torch.zeros(3, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Wrong: .*weight has shape \(9, 3, 4\), but the input's shape is \(3, 4\)"):
        Wrong.apply(x, weight).sum().backward()
    assert weight.grad is None


@pytest.mark.parametrize("detour", [lambda buffer, t: buffer.fill(t), lambda buffer, t: buffer.__setitem__(1, t)])
def test_a_derivative_cannot_leave_the_graph_through_a_buffer(detour):
    class Detour(torch.Function):
        def forward(self, x):
            return x * 3

        def grad_x(self, grad):
            buffer = np.zeros(2)
            detour(buffer, grad)
            return grad * buffer[1]

    x = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    torch.autograd.grad(Detour.apply(x), x)  # allowed in a first derivative, which runs on arrays
    with pytest.raises((RuntimeError, ValueError)) as raised:  # some NumPy versions wrap the error
        torch.autograd.grad(Detour.apply(x), x, torch.ones_like(x).requires_grad_(), create_graph=True)
    assert "derivative called item()" in f"{raised.value} {raised.value.__cause__}"


def derivative_of_square(factor, create_graph):
    """The gradient of x · x, whose derivative says `grad * factor(x)`, at a matrix."""

    class Square(torch.Function):
        def forward(self, x):
            return x * x

        def grad_x(self, grad, x):
            return grad * factor(x)

    x = torch.tensor([[1.0, 2.0], [5.0, 3.0]], dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(Square.apply(x).sum(), x, create_graph=create_graph)[0].detach().cpu().numpy()


@pytest.mark.parametrize(
    ("name", "method", "function"),
    [
        ("std()", lambda x: x.std(), np.std),
        ("var()", lambda x: x.var(0), lambda x: np.var(x, 0)),
        ("repeat()", lambda x: x.repeat(2)[:2], lambda x: np.repeat(x, 2)[:2]),
        ("nonzero()", lambda x: x.nonzero()[0].size, lambda x: np.size(np.nonzero(x)[0])),
        ("sort()", lambda x: np.copy(x).sort() or 1.0, np.sort),
        ("max()", lambda x: x == x.max(0), lambda x: x == np.max(x, 0)),
        ("min()", lambda x: x.min(axis=1)[:, None], lambda x: np.min(x, 1)[:, None]),
        (".data", lambda x: x.data, None),
    ],
)
def test_a_derivative_cannot_call_a_method_that_means_something_else_on_a_tensor(name, method, function):
    if function is not None:
        derivative_of_square(method, False)  # on arrays
    with pytest.raises(RuntimeError, match=f"derivative called .*{re.escape(name)}"):
        derivative_of_square(method, True)
    if function is not None:
        assert (derivative_of_square(function, True) == derivative_of_square(function, False)).all()


@pytest.mark.parametrize("method", [lambda g: g.std(correction=0), lambda g: g.max(-1), lambda g: g.data])
def test_hooks_may_call_those_methods_under_create_graph(method):
    seen = []

    def look(*found):
        seen.append(method(found[0][0] if type(found[0]) is tuple else found[0]))

    x = torch.ones(2, 2, requires_grad=True)
    y = x.sin()
    y.grad_fn.register_hook(look)
    y.grad_fn.register_prehook(look)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: [look(t), t][1], lambda t: [look(t), t][1]):
        torch.autograd.grad((y * y).sum(), x, create_graph=True)[0].sum().backward()
    assert len(seen) > 6


def test_a_decomposition_cannot_call_a_method_that_means_something_else_on_a_tensor():
    class Scaled(torch.Function):
        def forward(self, x):
            self.std = np.std(x, keepdims=True)
            return x / self.std

        def grad_x(self, grad, std):
            return grad / std

        def decomposition(self, x):
            return x / x.std()

    x = torch.tensor([1.0, 2.0, 4.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"derivative called the method std\(\) of a Tensor"):
        torch.autograd.grad(Scaled.apply(x).sum(), x, create_graph=True)
    with torch.graph.fine(), pytest.raises(RuntimeError, match=r"np\.std"):
        Scaled.apply(x)


def packed(x):
    """The name is that of a function which calls hooks."""
    return x.copy()


@pytest.mark.parametrize(
    ("method", "function"),
    [
        (lambda x: x / x.size, lambda x: x / np.size(x)),
        (packed, np.copy),
        (lambda x: x.copy(), np.copy),
        (lambda x: x.astype(float), lambda x: np.astype(x, float)),
        (lambda x: x.transpose(), np.transpose),
    ],
)
def test_an_error_of_a_derivative_on_tensors_says_how_derivatives_are_written(method, function):
    expected = derivative_of_square(method, False)
    with pytest.raises((TypeError, AttributeError)) as raised:
        derivative_of_square(method, True)
    assert "NumPy's functions, such as np.size(x)" in "".join(raised.value.__notes__)
    assert (derivative_of_square(function, True) == expected).all()


def test_an_error_of_a_hook_under_create_graph_says_nothing_about_derivatives():
    def fail(*grads):
        raise TypeError("a hook's own error")

    def noted(pack=lambda t: t, unpack=lambda t: t, hook=lambda *grads: None):
        x = torch.ones(2, requires_grad=True)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t, unpack):
            y = x.sin()
        y.grad_fn.register_hook(hook)
        with pytest.raises(TypeError) as raised, torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            torch.autograd.grad(y.sum(), x, create_graph=True)
        return hasattr(raised.value, "__notes__")

    assert not any((noted(pack=fail), noted(unpack=fail), noted(hook=fail)))


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("first", ["module", "result"])
@pytest.mark.parametrize("hooked", [False, True])
def test_a_module_that_stores_its_output_forms_no_reference_cycle(first, hooked):
    class Storing(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x):
            self.output = torch.tanh(self.linear(x))
            return self.output

    module = Storing()
    if hooked:
        module.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    result = module(torch.ones(1, 2, requires_grad=True))
    assert hooked or "linear" in result.node.edges[0].path
    gone = weakref.ref(module), weakref.ref(module.output.node)
    if first == "module":
        del module
        assert (gone[0]() is not None) == hooked  # its hook may be called
        result.sum().backward()
        del result
    else:
        del result, module
    assert [x() for x in gone] == [None, None]


def test_the_recorded_environment_has_the_number_of_blas_threads():
    pytest.importorskip("threadpoolctl")
    from microgad.training.environment import environment, with_threads

    counts = []
    for count in (1, 2):
        with with_threads(count):
            counts.append(environment()["threads"])
    assert counts == [1, 2]


@pytest.mark.host("numerical derivatives are taken on the CPU")
def test_the_step_of_numerical_derivatives_scales_with_x():
    x = leaf(1e-30, -1e-25, 1.0, 1e25)
    assert gradcheck(lambda x: 1 / x, x, atol=0, rtol=1e-12)
    assert gradcheck(lambda x: torch.log(x * x), x, atol=0, rtol=1e-12)


@pytest.mark.parametrize("through", [lambda x: x, lambda x: x.data])
def test_a_write_to_an_argument_that_forward_returns_raises_in_backward(through):
    class WritesInput(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            through(x).mul_(2)
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = torch.tensor([1.0, 2.0], requires_grad=True) * 1
    y = (x * x).sum()
    WritesInput.apply(x)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
