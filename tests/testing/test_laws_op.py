"""check_op: each law finds what breaks it, correct operations obey them all, and inputs that nobody gave are found."""

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase

import microgad as torch
from microgad import engine
from microgad.errors import ArgumentError
from microgad.function import Function, Tensor
from microgad.linear_map import LinearMap
from microgad.ops.elementwise import Add, Div, Exp, Log, Mul, Pow, Relu, Sqrt
from microgad.ops.linalg import Linear, MatMul
from microgad.ops.reduction import Amax, Sum
from microgad.ops.softmax import Softmax
from microgad.testing import GradcheckError, check_op
from microgad.testing.laws import values
from microgad.testing.laws.case import Case
from microgad.testing.laws.op import LAWS
from microgad.testing.laws.run import hold_for_all
from microgad.testing.strategies import broadcastable_tensors, conv_problems, tensors

from .without_conj import WithoutConj

EXAMPLES = 40


@pytest.fixture(autouse=True)
def _unshrunk(pytestconfig):
    """A fault is found, and not made small, which takes the longest."""
    settings.register_profile("unshrunk", settings(), phases=[Phase.generate], database=None)
    settings.load_profile("unshrunk")
    yield
    settings.load_profile("thorough" if pytestconfig.getoption("--thorough") else "gate")


class Square(Function):
    def forward(self, x):
        return x * x

    def grad_x(self, grad, x):
        return 2 * grad * x


class Product(Function):
    def forward(self, a, b):
        return a * b

    def grad_a(self, grad, b):
        return grad * b

    def grad_b(self, grad, a):
        return grad * a


def bare(x):
    return getattr(x, "array", x)


def broken(base=Square, **body):
    return type("Broken", (base,), body)


def turned(self, x):
    x *= -1
    return x * x


def nowhere_empty(self, grad, x):
    if 0 in x.shape:
        raise ValueError("nothing there")
    return 2 * grad * x


def only_together(self, grad, a, b):
    gradients = [grad * b, grad * a]
    return [g if all(self.needs) else 2 * g for g in gradients]


def wrong_of_one(self, grad, x):
    used = [g for g in grad if g is not None]
    return sum(used) * len(used) * x


class Counted(Square):
    calls = [0]

    def forward(self, x):
        self.calls[0] += 1
        return x * x + self.calls[0]


class Cached(Square):
    nodes = []

    def forward(self, x):
        self.nodes.append(self)
        return x * x


class Hoarder(Square):
    def forward(self, x):
        vars(self)["hidden"] = x
        return x * x


class NotItsAdjoint(LinearMap):
    def forward(self, x):
        return x + x

    def adjoint(self, grad):
        return grad + grad + grad


def into_what_comes_in(self, grad, x):
    grad *= 2
    return grad * x


PLANTED = {
    "shapes": broken(grad_x=lambda self, grad, x: np.zeros((7, 7))),
    "unchanged": broken(forward=turned),
    "deterministic": Counted,
    "layout": broken(forward=lambda self, x: x * x if x.flags.c_contiguous else x * x + 1),
    "float32": broken(forward=lambda self, x: x * x * np.ones((), np.float64)),
    "each_alone": type("Broken", (Function,), {"forward": Product.forward, "backward": only_together}),
    "results_alone": broken(forward=lambda self, x: (x * x, x * x), grad_x=wrong_of_one, materializes=False),
    "linear_in_grad": broken(grad_x=lambda self, grad, x: 2 * np.abs(grad) * x),
    "adjoint": NotItsAdjoint,
    "chain_rule": lambda x: x * x if x.is_leaf else 2 * x * x,
    "create_graph": broken(grad_x=lambda self, grad, x: (2 if bare(x) is x else 2.001) * grad * x),
    "symmetry": broken(Product, grad_a=lambda self, grad, b: grad * bare(b)),
    "forward_mode": broken(grad_x=lambda self, grad, x: 2 * bare(grad) * x),
    "kept": Hoarder,
    "graph_freed": Cached,
    "sizes": broken(grad_x=nowhere_empty),
    "derivatives": broken(grad_x=lambda self, grad, x: grad * x),
}
OF_OTHERS = {"reference", "devices", "aliasing", "accumulation"}  # planted in tests of their own, below


def test_every_law_has_a_planted_fault():
    assert {law.__name__ for law in LAWS} == set(PLANTED) | OF_OTHERS


@pytest.mark.parametrize("law", PLANTED)
def test_a_law_finds_what_breaks_it(law):
    with pytest.raises((AssertionError, GradcheckError), match=f"breaks the law `{law}`"):
        check_op(PLANTED[law], examples=EXAMPLES, laws=[law])


@pytest.mark.parametrize("law", PLANTED)
def test_a_fault_is_found_without_naming_the_law(law):
    with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):
        check_op(PLANTED[law], examples=EXAMPLES)


# What one law alone sees.
SEEN_BY_ONE = ["layout", "chain_rule", "each_alone", "results_alone", "kept", "graph_freed", "float32"]


@pytest.mark.parametrize("law", SEEN_BY_ONE)
def test_no_other_law_is_broken(law):
    check_op(PLANTED[law], examples=EXAMPLES, laws=[other.__name__ for other in LAWS if other.__name__ != law])


def test_a_backward_that_writes_into_what_comes_in():
    wrong = broken(grad_x=into_what_comes_in)
    with pytest.raises(AssertionError, match="`unchanged`: the incoming gradient of output 0 was changed in place"):
        check_op(wrong, tensors((2,)), order=1, examples=EXAMPLES)


class Clamped(torch.autograd.Function):
    """max(x, 0), which forward writes into x."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x.clamp_(min=0))
        return x * 1

    @staticmethod
    def backward(ctx, grad):
        return grad * (ctx.saved_tensors[0] > 0)


class OnCtx(torch.autograd.Function):
    """exp, whose result is an attribute of ctx."""

    @staticmethod
    def forward(ctx, x):
        ctx.out = torch.exp(x)
        return ctx.out

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.out


def test_a_forward_that_writes_into_its_argument_is_told_so_whatever_the_values():
    with pytest.raises(AssertionError, match="`layout`: it fails where nothing can be written into"):
        check_op(Clamped, tensors((2,), elements=st.just(1.0)), examples=EXAMPLES)


def test_a_result_on_ctx_is_told_how_to_be_kept():
    with pytest.raises(AssertionError, match=r"`graph_freed`: .* the node of OnCtx: .* ctx\.save_for_backward"):
        check_op(OnCtx, examples=EXAMPLES)


def test_what_cancels_has_not_been_rounded_to_float32():
    small = tensors((2,), elements=st.floats(1e-5, 3e-5))
    check_op(lambda x: 1 - torch.cos(x), small, laws=["float32"], examples=EXAMPLES)


def test_reference():
    check_op(Square, reference=np.square, examples=EXAMPLES, laws=["reference"])
    with pytest.raises(AssertionError, match="breaks the law `reference`"):
        check_op(Square, reference=np.sin, examples=EXAMPLES)


def test_the_reference_is_given_the_settings():
    inputs = tensors((2, 3))
    check_op(Softmax, inputs, settings={"axis": 1}, reference=lambda x, axis: softmax(x, axis), examples=EXAMPLES)
    with pytest.raises(AssertionError, match="`reference`"):
        check_op(Softmax, inputs, settings={"axis": 1}, reference=lambda x, axis: softmax(x, 0), examples=EXAMPLES)


def softmax(x, axis):
    e = np.exp(x)
    return e / e.sum(axis, keepdims=True)


def test_devices(monkeypatch):
    elsewhere = []
    monkeypatch.setattr(values, "_others", lambda case: [("another", lambda a: elsewhere.append(1) or a.copy())])
    check_op(Square, examples=5, laws=["devices"])
    elsewhere.clear()
    wrong = broken(forward=lambda self, x: x * x + len(elsewhere))
    with pytest.raises(AssertionError, match="breaks the law `devices`: on another"):
        check_op(wrong, tensors(), examples=1, laws=["devices"])


def test_aliasing(monkeypatch):
    monkeypatch.setattr(engine, "_fit", lambda node, i, g, create_graph: (g, True))
    with pytest.raises(AssertionError, match="breaks the law `aliasing`"):
        check_op(Add, tensors((2,)), tensors((2,)), examples=5)


def test_accumulation(monkeypatch):
    def overwritten(leaf, grad, owned, create_graph):
        leaf.tensor().grad = Tensor._made(grad.copy())

    monkeypatch.setattr(engine, "accumulate", overwritten)
    with pytest.raises(AssertionError, match="breaks the law `accumulation`"):
        check_op(Square, examples=5)


# Faults that show in some places alone, found by what is drawn where nobody says what to draw

SELDOM = {
    "below 0": broken(grad_x=lambda self, grad, x: 2 * grad * np.abs(x)),
    "at 0": broken(grad_x=lambda self, grad, x: 2 * grad * x + grad * (x == 0)),
    "beyond 5": broken(grad_x=lambda self, grad, x: np.where(x > 5, 3 * grad * x, 2 * grad * x)),
    "of 3 axes": broken(grad_x=lambda self, grad, x: 2 * grad * x if x.ndim < 3 else grad * x),
    "of no axes": broken(grad_x=lambda self, grad, x: 2 * grad * x if x.ndim else grad * x),
    "of an axis of size 1": broken(grad_x=lambda self, grad, x: grad * x if 1 in x.shape else 2 * grad * x),
    "by a millionth": broken(grad_x=lambda self, grad, x: (2 + 1e-6) * grad * x),
    "in the second derivative": broken(grad_x=lambda self, grad, x: 2 * grad * bare(x)),
    "along the last axis": broken(
        Product,
        grad_b=lambda self, grad, a, b: grad * a * (0.5 if b.ndim and b.shape[-1] == 1 and grad.shape[-1] > 1 else 1),
    ),
    "where both are equal": broken(Product, grad_b=lambda self, grad, a, b: grad * np.where(a == b, 2 * a, a)),
}


@pytest.mark.parametrize("where", SELDOM)
def test_what_is_seldom_wrong_is_found(where):
    with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):
        check_op(SELDOM[where], examples=150)


@pytest.mark.parametrize("slope", [-3.0, 2.0])
def test_at_a_kink_a_derivative_lies_between_the_two(slope):
    right = broken(forward=lambda self, x: np.maximum(x, 0), grad_x=lambda self, grad, x: grad * (x > 0))
    wrong = broken(right, grad_x=lambda self, grad, x: grad * (x > 0) + slope * grad * (x == 0))
    check_op(right, examples=EXAMPLES)
    with pytest.raises(GradcheckError, match="`derivatives`"):
        check_op(wrong, examples=EXAMPLES)


def test_of_a_composite_at_kinks_each_part_may_choose_its_side():
    check_op(lambda x: torch.relu(x) - 2 * torch.relu(2 * x), examples=EXAMPLES)


# What obeys the laws


class Power(torch.autograd.Function):
    """In PyTorch's form, with a number among its arguments."""

    @staticmethod
    def forward(ctx, x, n: int):
        ctx.save_for_backward(x)
        ctx.n = n
        return x ** (n + 1)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (ctx.n + 1) * x**ctx.n, None


class Swish(torch.autograd.Function):
    """In its other form, with a factor by its name."""

    @staticmethod
    def forward(x, beta):
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[0])
        ctx.beta = inputs[1]

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(ctx.beta * x)
        return grad * (s + ctx.beta * x * s * (1 - s)), None


class Both(Function):
    """Two results."""

    def forward(self, x):
        return np.sin(x), np.cos(x)

    def grad_x(self, grad, x):
        return grad[0] * np.cos(x) - grad[1] * np.sin(x)


class PlainMatMul(Function):
    """Of matrices alone."""

    def forward(self, a, b):
        return a @ b

    def grad_a(self, grad, b):
        return grad @ b.T

    def grad_b(self, grad, a):
        return a.T @ grad


class SquaredError(Function):
    """Of inputs of one shape."""

    def forward(self, x, y):
        return np.mean((x - y) ** 2)

    def grad_x(self, grad, x, y):
        return grad * (x - y) * (2 / np.size(bare(x)))

    def grad_y(self, grad, x, y):
        return grad * (y - x) * (2 / np.size(bare(x)))


class Gelu(Function):
    """1 + tanh(x) cancels where x is negative."""

    def forward(self, x):
        return 0.5 * x * (1 + np.tanh(0.8 * (x + 0.045 * x * x * x)))

    def grad_x(self, grad, x):
        t = np.tanh(0.8 * (x + 0.045 * x * x * x))
        return grad * (0.5 * (1 + t) + 0.4 * x * (1 - t * t) * (1 + 0.135 * x * x))


class RowSum(Function):
    axis: int

    def forward(self, x):
        return np.sum(x, self.axis)

    def grad_x(self, grad, x):
        return np.expand_dims(grad, self.axis) * np.ones_like(x)


RIGHT = [Square, Product, Power, Swish, Both, PlainMatMul, SquaredError, Gelu, RowSum]
OF_THE_LIBRARY = [Exp, Log, Sqrt, Relu, Add, Mul, Div, Pow, Sum, Amax, Softmax, MatMul, Linear]


@pytest.mark.parametrize("op", RIGHT + OF_THE_LIBRARY, ids=lambda op: op.__name__)
def test_correct_operations_obey(op):
    report = check_op(op, examples=EXAMPLES)
    assert report.examples == EXAMPLES
    assert op.__name__ in report.classes or issubclass(op, torch.autograd.Function)


def test_correct_functions_obey():
    check_op(torch.softmax, examples=EXAMPLES)
    check_op(torch.nn.functional.conv2d, examples=EXAMPLES)
    check_op(torch.nn.functional.dropout, examples=EXAMPLES)
    check_op(torch.nn.functional.max_pool2d, examples=EXAMPLES)
    problems = conv_problems().map(lambda p: (*p.operands, p.stride, p.padding, p.dilation, p.groups))
    check_op(torch.nn.functional.conv2d, problems, examples=EXAMPLES)


def test_a_numpy_function_with_its_derivative():
    check_op(np.sin, vjp=lambda grad, x: grad * np.cos(x), examples=EXAMPLES)
    check_op(lambda a, b: a @ b, vjp=lambda grad, a, b: (grad @ b.T, a.T @ grad), examples=EXAMPLES)
    with pytest.raises(AssertionError, match="broadcast"):
        check_op(lambda a, b: a + b, vjp=lambda grad, a, b: (grad, grad), examples=EXAMPLES)
    with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):
        check_op(np.sin, vjp=lambda grad, x: grad * np.sin(x), examples=EXAMPLES)


def test_a_function_of_torch():
    pytorch = pytest.importorskip("torch")

    class Cube(pytorch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 3 * grad * x * x

    class Wrong(Cube):
        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 2 * grad * x * x

    check_op(Cube, examples=EXAMPLES)
    check_op(Cube, tensors(), examples=EXAMPLES)
    with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):
        check_op(Wrong, examples=EXAMPLES)


def test_a_function_with_float64_constants():
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    check_op(lambda x: x @ weight, tensors((3, 2)), examples=EXAMPLES)


# Inputs and settings


def test_inputs_are_strategies_arrays_or_values():
    report = check_op(torch.pow, tensors((2,), elements=st.just(2.0)), np.array([0.5, 3.0]), examples=EXAMPLES)
    assert "Pow" in report.classes
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    check_op(torch.mul, x, x, examples=1)
    assert x.grad is None
    check_op(torch.mul, broadcastable_tensors(2), examples=EXAMPLES)


def test_settings_are_values_or_strategies():
    check_op(Sum, tensors((2, 3)), settings={"axis": st.sampled_from([0, 1]), "keepdims": False}, examples=EXAMPLES)


@pytest.mark.parametrize(
    ("op", "said"),
    [
        (torch.ops.movement.Reshape, "give settings={'size': ...}"),
        (torch.ops.elementwise.BitwiseNot, "give its inputs"),
        (lambda *, x: x, "takes no Tensors: give its inputs (TypeError: "),
        (lambda x: x + "a", "give its inputs (TypeError: "),
    ],
)
def test_what_has_to_be_given_is_said(op, said):
    with pytest.raises(ArgumentError) as error:
        check_op(op, examples=5)
    assert said in str(error.value)


def test_results_may_be_nested_or_complex():
    check_op(lambda x: {"a": x * x, "b": [torch.sin(x), (1, "c")]}, tensors(), examples=EXAMPLES)
    check_op(torch.fft.fft, tensors((3,)), reference=np.fft.fft, examples=EXAMPLES)
    for wrong in (lambda x: {"a": (x * x.detach(),)}, lambda x: torch.complex(x, x * x.detach())):
        with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):
            check_op(wrong, tensors(), examples=EXAMPLES)


def test_complex_inputs():
    z = torch.tensor([1 + 2j, 0.3 - 0.5j, 2.0], dtype=torch.complex128, requires_grad=True)
    for f in (torch.exp, torch.abs, torch.fft.ifft, lambda z: z * z.conj() + z.real):
        assert check_op(f, z, examples=1).laws
    check_op(torch.fft.ifft, z, linear=True, examples=1, laws=["adjoint"])
    with pytest.raises(AssertionError, match="`float32`: of float32 inputs output 0 is float64"):
        check_op(lambda z: z * torch.tensor(1j).to(torch.complex128).reshape(1), z, examples=1, laws=["float32"])
    with pytest.raises(GradcheckError, match="`derivatives`"):
        check_op(WithoutConj, z, examples=1)


def test_something_has_to_come_out():
    with pytest.raises(AssertionError, match="it returned a NoneType, expected Tensors"):
        check_op(lambda x: None, tensors(), examples=5)
    with pytest.raises(AssertionError, match="it returned a dict, expected Tensors"):
        check_op(lambda x: {}, examples=5)
    check_op(lambda x: torch.unbind(x), tensors((3, 2)), examples=EXAMPLES)  # of no rows it returns none
    check_op(lambda x: torch.gradient(x, dim=0), tensors((3,)), examples=EXAMPLES)


def test_a_law_that_there_is_not():
    with pytest.raises(ArgumentError, match="no law gravity"):
        check_op(Square, laws=["gravity"])


def test_draws_are_not_seen_outside():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    check_op(torch.nn.functional.dropout, tensors((3,)), examples=3)
    assert torch.equal(torch.get_rng_state(), before)


squares = st.builds(Case, st.just("Square"), st.just(Square.apply), st.tuples(tensors()))


@pytest.fixture
def _shrunk(_unshrunk):
    settings.register_profile("shrunk", settings(), phases=[Phase.generate, Phase.shrink], derandomize=True)
    settings.load_profile("shrunk")


@pytest.mark.usefixtures("_shrunk")
def test_the_first_example_and_all_others_after_a_failure_are_looked_at_in_every_way():
    seen = []

    def noted(case):
        seen.append((case.seed, case.thorough, case.one_in(10**9)))
        assert len(seen) < 4

    with pytest.raises(AssertionError, match="noted"):
        hold_for_all("Square", squares, [noted], 9)
    assert [ways for _, *ways in seen[:4]] == [[True, True], [False, False], [False, False], [False, False]]
    failed = seen[3][0]
    assert {(seed == failed, thorough) for seed, thorough, _ in seen[4:]} == {(True, False), (False, True)}


class Affine(Function):
    """x wᵀ + b, whose derivative for b is the mean over the rows, which of none is no number."""

    def forward(self, x, w, b):
        return x @ w.T + b

    def backward(self, grad, x, w):
        return grad @ w, grad.T @ x, np.mean(grad, 0)


@pytest.mark.usefixtures("_shrunk")
def test_an_example_that_failed_fails_in_the_same_way_while_it_is_made_small():
    """Hypothesis takes a test for flaky whose example breaks another law the second time."""
    sizes = st.tuples(*[st.integers(1, 4)] * 3)
    inputs = sizes.flatmap(lambda s: st.tuples(tensors((s[0], s[1])), tensors((s[2], s[1])), tensors((s[2],))))
    with pytest.raises(GradcheckError, match="breaks the law `derivatives`") as error:
        check_op(Affine, inputs)
    assert [x.shape for x in error.value.finding.arguments] == [(2, 1), (1, 1), (1,)]


def test_what_failed_at_one_of_many_examples_fails_again_when_hypothesis_replays_it():
    def rare(case):
        assert not case.one_in(10) or case.inputs[0].ndim < 3

    settings.register_profile("replayed", settings(), phases=list(Phase), database=InMemoryExampleDatabase())
    settings.load_profile("replayed")
    with pytest.raises(AssertionError, match="rare"):
        hold_for_all("Square", squares, [rare], 500)
    with pytest.raises(AssertionError, match="rare"):
        hold_for_all("Square", squares, [rare], 1)
