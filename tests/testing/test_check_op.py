"""`check_op`: right operations pass, inputs are inferred, and failing examples shrink."""

import math

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.database import InMemoryExampleDatabase

import microgad as torch
from microgad.errors import ArgumentError, FunctionError
from microgad.function import Function
from microgad.ops.elementwise import Add, Div, Exp, Log, Mul, Pow, Relu, Sqrt
from microgad.ops.linalg import Linear, MatMul
from microgad.ops.reduction import Amax, Sum
from microgad.ops.softmax import Softmax
from microgad.testing import GradcheckError, check_module, check_op
from microgad.testing.laws.case import Case
from microgad.testing.laws.runner import check_for_all
from microgad.testing.strategies import broadcastable_tensors, conv_problems, shapes, tensors

from .operations import Product, Square, bare
from .without_conj import WithoutConj

pytestmark = pytest.mark.usefixtures("no_shrinking")
thorough = pytest.mark.usefixtures("thorough")
EXAMPLES, FEW = 40, 10  # few are enough if each is checked thoroughly, or if only the call is tested


class Power(torch.autograd.Function):
    """An autograd.Function with a number among its arguments."""

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
    """An autograd.Function with setup_context, and a number without an annotation."""

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
    """A product that takes matrices only."""

    def forward(self, a, b):
        return a @ b

    def grad_a(self, grad, b):
        return grad @ b.T

    def grad_b(self, grad, a):
        return a.T @ grad


class SquaredError(Function):
    """A loss whose inputs have the same shape."""

    def forward(self, x, y):
        return np.mean((x - y) ** 2)

    def grad_x(self, grad, x, y):
        return grad * (x - y) * (2 / np.size(bare(x)))

    def grad_y(self, grad, x, y):
        return grad * (y - x) * (2 / np.size(bare(x)))


class Gelu(Function):
    """Its 1 + tanh(x) cancels where x is negative."""

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
LIBRARY = [Exp, Log, Sqrt, Relu, Add, Mul, Div, Pow, Sum, Amax, Softmax, MatMul, Linear]


@pytest.mark.parametrize("op", RIGHT + LIBRARY, ids=lambda op: op.__name__)
def test_right_operations_obey_all_laws(op):
    examples = EXAMPLES // 4 if op in LIBRARY else EXAMPLES // 2  # tests/properties has more of the library's
    report = check_op(op, examples=examples)
    assert report.examples == examples
    assert op.__name__ in report.classes or issubclass(op, torch.autograd.Function)


@pytest.mark.parametrize("op", [Power, Swish, Square], ids=lambda op: op.__name__)
def test_the_apply_of_a_function_is_checked_as_the_function_is(op):
    assert str(check_op(op.apply, examples=2, laws=["derivatives"])).startswith(f"{op.__name__}: 2 examples")


@thorough
def test_right_functions_obey_all_laws():
    check_op(torch.softmax, examples=FEW)
    check_op(torch.nn.functional.conv2d, examples=FEW)
    check_op(torch.nn.functional.dropout, examples=FEW)
    check_op(torch.nn.functional.max_pool2d, examples=FEW)
    problems = conv_problems().map(lambda p: (*p.operands, p.stride, p.padding, p.dilation, p.groups))
    check_op(torch.nn.functional.conv2d, problems, examples=FEW)


@thorough
def test_a_numpy_function_is_checked_with_its_vjp():
    check_op(np.sin, vjp=lambda grad, x: grad * np.cos(x), examples=FEW)
    check_op(lambda a, b: a @ b, vjp=lambda grad, a, b: (grad @ b.T, a.T @ grad), examples=FEW)
    with pytest.raises(AssertionError, match="broadcast"):
        check_op(lambda a, b: a + b, vjp=lambda grad, a, b: (grad, grad), examples=EXAMPLES)
    with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):
        check_op(np.sin, vjp=lambda grad, x: grad * np.sin(x), examples=EXAMPLES)


def test_an_autograd_function_of_pytorch_is_checked():
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

    check_op(Cube, examples=FEW)
    check_op(Cube, tensors(), examples=FEW)
    with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):
        check_op(Wrong, examples=EXAMPLES)


@thorough
def test_a_function_with_float64_constants_obeys_all_laws():
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    check_op(lambda x: x @ weight, tensors((3, 2)), examples=FEW)


# Inputs and settings


class SoftmaxOfVectors(Function):
    """Its derivative is right for vectors only: for matrices the sum lacks keepdims."""

    def forward(self, x):
        e = np.exp(x - np.max(x, axis=-1, keepdims=True))
        return e / np.sum(e, axis=-1, keepdims=True)

    def grad_x(self, grad, out):
        return out * (grad - np.sum(grad * out, axis=-1))


def test_a_derivative_that_fails_for_inferred_inputs_is_wrong():
    with pytest.raises((AssertionError, GradcheckError), match="breaks the law") as error:
        check_op(SoftmaxOfVectors, examples=EXAMPLES)
    assert any("check_op chose the inputs" in note for note in error.value.__notes__)
    check_op(SoftmaxOfVectors, tensors(shapes(min_dims=1, max_dims=1)), examples=FEW)


def same(self, x):
    return x


def with_cosine(self, x):
    self.c = np.cos(x)
    return np.sin(x)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"forward": same, "grad_x": lambda self, grad: grad}, "^Wrong: forward returned memory of an input"),
        (
            {"forward": with_cosine, "grad_x": lambda self, grad, c: grad * c, "constants": ("c",)},
            "^Wrong: c is float64, but constants are boolean or integer",
        ),
        ({"forward": lambda self, x: None, "grad_x": lambda self, grad: grad}, "^Wrong: forward returned None"),
    ],
)
def test_an_error_of_a_function_is_not_taken_for_a_refusal_of_its_inputs(members, message):
    with pytest.raises(FunctionError, match=message):
        check_op(type("Wrong", (Function,), members), examples=EXAMPLES)


def test_a_function_that_calls_grad_gets_inputs_that_require_grad():
    def slope(x):
        return torch.autograd.grad((x * x * x).sum(), x, create_graph=True)[0]

    assert check_op(slope, order=1, examples=FEW).examples == FEW


def test_inputs_are_strategies_arrays_or_values():
    report = check_op(torch.pow, tensors((2,), elements=st.just(2.0)), np.array([0.5, 3.0]), examples=FEW)
    assert "Pow" in report.classes
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    check_op(torch.mul, x, x, examples=1)
    assert x.grad is None
    check_op(torch.mul, broadcastable_tensors(2), examples=FEW)


def test_settings_are_values_or_strategies():
    check_op(Sum, tensors((2, 3)), settings={"axis": st.sampled_from([0, 1]), "keepdims": False}, examples=FEW)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (torch.ops.movement.Reshape, "give settings={'size': ...}"),
        (torch.ops.elementwise.BitwiseNot, "give its inputs"),
        (lambda *, x: x, "takes no Tensors: give its inputs (TypeError: "),
        (lambda x: x + "a", "give its inputs (TypeError: "),
        (lambda: 1, "takes no Tensors: give its inputs"),
    ],
)
def test_the_error_names_what_has_to_be_given(op, message):
    with pytest.raises(ArgumentError) as error:
        check_op(op, examples=5)
    assert message in str(error.value)


def test_a_function_gets_as_many_inputs_as_it_takes():
    with pytest.raises(ArgumentError, match="Square takes 1 input, x; given are 2"):
        check_op(Square, tensors(), tensors(), examples=3)


@pytest.mark.parametrize("module", [torch.nn.ReLU(), torch.nn.Softmax(0), torch.nn.MSELoss()])
def test_the_inputs_of_a_module_are_inferred(module):
    check_op(module, examples=3, laws=["shapes"])


def test_a_forward_that_calls_a_tensors_method_is_named():
    class Exponential(Function):
        def forward(self, x):
            return np.exp(x.numpy())

    with pytest.raises(AssertionError, match=r"^Exponential: its forward fails: AttributeError: .*attribute 'numpy'"):
        check_op(Exponential, examples=3)


@thorough
def test_results_may_be_nested_or_complex():
    check_op(lambda x: {"a": x * x, "b": [torch.sin(x), (1, "c")]}, tensors(), examples=FEW)
    check_op(torch.fft.fft, tensors((3,)), reference=np.fft.fft, examples=FEW)
    for wrong in (lambda x: {"a": (x * x.detach(),)}, lambda x: torch.complex(x, x * x.detach())):
        with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):
            check_op(wrong, tensors(), examples=EXAMPLES)


def test_complex_inputs():
    z = torch.tensor([1 + 2j, 0.3 - 0.5j, 2.0], dtype=torch.complex128, requires_grad=True)
    for f in (torch.exp, torch.abs, torch.fft.ifft, lambda z: z * z.conj() + z.real):
        assert check_op(f, z, examples=1).laws
    check_op(torch.fft.ifft, z, linear=True, examples=1, laws=["adjoint"])
    with pytest.raises(AssertionError, match="`float32`: with float32 inputs output 0 is float64"):
        check_op(lambda z: z * torch.tensor(1j).to(torch.complex128).reshape(1), z, examples=1, laws=["float32"])
    with pytest.raises(GradcheckError, match="`derivatives`"):
        check_op(WithoutConj, z, examples=1)
    with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):  # of inputs that don't require grad
        check_op(WithoutConj, tensors((2,), torch.complex128), examples=EXAMPLES)


def test_a_function_must_return_tensors():
    with pytest.raises(AssertionError, match="<lambda> returned a NoneType, expected Tensors"):
        check_op(lambda x: None, tensors(), examples=5)
    with pytest.raises(AssertionError, match="<lambda> returned a dict, expected Tensors"):
        check_op(lambda x: {}, examples=5)
    foreign = type("Tensor", (), {"__module__": "torch"})
    with pytest.raises(AssertionError, match=r"this one is PyTorch's. Wrap the function in microgad.testing.torch_f"):
        check_op(lambda x: foreign(), tensors(), examples=5)
    check_op(lambda x: torch.unbind(x), tensors((3, 2)), examples=FEW)  # without rows it returns no Tensors
    check_op(lambda x: torch.gradient(x, dim=0), tensors((3,)), examples=FEW)


class Blocks(Function):
    """The cumulative sum, whose derivative forgets what one block of four hands to the next."""

    def forward(self, x):
        return np.cumsum(x, -1) if x.ndim else x * 1.0

    def grad_x(self, grad, x):
        if not x.ndim or not x.shape[-1]:
            return grad
        blocks = [np.flip(grad[..., i : i + 4], -1) for i in range(0, x.shape[-1], 4)]
        return np.concatenate([np.flip(np.cumsum(block, -1), -1) for block in blocks], -1)


def up_to_three_axes(self, grad):
    return 2 * grad if grad.ndim < 4 else grad


FourAxes = type("FourAxes", (Function,), {"forward": lambda self, x: 2 * x, "grad_x": up_to_three_axes})
FourAxesOfTwo = type(
    "FourAxesOfTwo",
    (Function,),
    {"forward": lambda self, x, y: 2 * x + y, "grad_x": up_to_three_axes, "grad_y": lambda self, grad: grad},
)


@pytest.mark.parametrize("op", [Blocks, FourAxes, FourAxesOfTwo])
def test_a_fault_that_only_long_axes_or_four_axes_show_is_found(op):
    with pytest.raises(GradcheckError, match="derivative of output 0"):
        check_op(op, laws=["derivatives"], examples=100)


def test_shapes_of_inferred_inputs_are_mostly_small():
    """Else the checks would take longer."""
    seen = []
    check_op(lambda x, y: seen.append((tuple(x.shape), tuple(y.shape))) or x * y, laws=["shapes"], examples=100)
    drawn = seen[-100:]
    assert 5 <= sum(max((*a, *b), default=0) > 4 for a, b in drawn) <= 35
    assert max(math.prod(np.broadcast_shapes(a, b)) for a, b in drawn) <= 17 * 2**3


def test_the_report_names_the_largest_shape():
    report = check_op(Square, tensors((2, 3)), laws=["shapes"], examples=3)
    assert report.largest == (2, 3)
    assert str(report).endswith("largest input: (2, 3)")


def test_warnings_of_the_function_are_not_repeated_for_each_example(recwarn):
    check_op(torch.nn.functional.mse_loss, examples=3)
    assert not recwarn.list


@pytest.mark.parametrize("options", [{"order": 3}, {"order": 0}, {"examples": 0}])
def test_options_out_of_range_are_refused(options):
    (name,) = options
    with pytest.raises(ArgumentError, match=f"check_op: {name}"):
        check_op(Square, **options)
    with pytest.raises(ArgumentError, match=f"check_module: {name}"):
        check_module(torch.nn.Linear(2, 2), torch.ones(1, 2), **options)


def test_an_unknown_law_is_refused():
    with pytest.raises(ArgumentError, match="no law gravity"):
        check_op(Square, laws=["gravity"])
    assert check_op(Square, laws="layout", examples=3).laws == ("layout",)


def test_a_failure_shows_no_decorator_that_would_not_work():
    settings.register_profile("blobs", settings(), print_blob=True, phases=[Phase.generate])
    settings.load_profile("blobs")
    with pytest.raises(GradcheckError) as error:
        check_op(lambda x: x.detach() * 2, examples=3)
    assert error.value.__notes__
    assert not any("reproduce_failure" in note for note in error.value.__notes__)


def test_check_op_restores_the_random_state():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    check_op(torch.nn.functional.dropout, tensors((3,)), examples=3)
    assert torch.equal(torch.get_rng_state(), before)


squares = st.builds(Case, st.just("Square"), st.just(Square.apply), st.tuples(tensors()))


@pytest.mark.usefixtures("shrinking")
def test_the_first_example_and_those_after_a_failure_are_checked_thoroughly():
    seen = []

    def record(case):
        seen.append((case.seed, case.thorough, case.one_in(10**9)))
        assert len(seen) < 4

    with pytest.raises(AssertionError, match="record"):
        check_for_all("Square", squares, [record], 9)
    assert [flags for _, *flags in seen[:4]] == [[True, True], [False, False], [False, False], [False, False]]
    failed = seen[3][0]
    assert {(seed == failed, thorough) for seed, thorough, _ in seen[4:]} == {(True, False), (False, True)}


def test_a_failure_that_does_not_repeat_is_reported_as_such():
    failed = []

    def once(case):
        if not failed:
            failed.append(case)
            raise AssertionError("7 in place of 8")

    with pytest.raises(AssertionError, match=r"7 in place of 8\n[^$]*The same example passed when it was checked"):
        check_for_all("Square", squares, [once], 5)


def test_random_draws_of_a_law_do_not_depend_on_the_laws_before_it():
    """A failing example is checked again by the broken law alone, which must draw the same numbers."""
    x = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    drawn = []
    for before in (["shapes"], []):
        case = Case("Square", Square.apply, [x])
        for law in [*before, "symmetry"]:
            case.begin(law)
            _ = case.gradients, case.scales
        drawn.append([*case.grad_outputs[0], *case.scales[0], *case.scales[1], *case.random_like(x.array)])
    assert drawn[0] == drawn[1]


class Affine(Function):
    """x wᵀ + b, whose derivative for b is the mean over the rows, and NaN without rows."""

    def forward(self, x, w, b):
        return x @ w.T + b

    def backward(self, grad, x, w):
        return grad @ w, grad.T @ x, np.mean(grad, 0)


@pytest.mark.usefixtures("shrinking")
def test_a_failing_example_breaks_the_same_law_while_it_shrinks():
    """Hypothesis calls a test flaky if the example breaks another law when it is run again."""
    sizes = st.tuples(*[st.integers(1, 4)] * 3)
    inputs = sizes.flatmap(lambda s: st.tuples(tensors((s[0], s[1])), tensors((s[2], s[1])), tensors((s[2],))))
    with pytest.raises(GradcheckError, match="breaks the law `derivatives`") as error:
        check_op(Affine, inputs)
    assert [x.shape for x in error.value.finding.arguments] == [(2, 1), (1, 1), (1,)]


def test_a_rare_failure_is_repeated_when_hypothesis_replays_the_example():
    def rare(case):
        assert not case.one_in(10) or case.inputs[0].ndim < 3

    settings.register_profile("replayed", settings(), phases=list(Phase), database=InMemoryExampleDatabase())
    settings.load_profile("replayed")
    with pytest.raises(AssertionError, match="rare"):
        check_for_all("Square", squares, [rare], 500)
    with pytest.raises(AssertionError, match="rare"):
        check_for_all("Square", squares, [rare], 1)


def test_a_failure_of_another_operation_is_not_replayed():
    """Hypothesis doesn't shrink what it replays, so that the message would show the other's example."""
    seen = []

    def of_many_axes(case):
        assert case.inputs[0].ndim < 2

    def of_no_input(case):
        seen.append(case.inputs[0].ndim)
        raise AssertionError

    settings.register_profile("replayed", settings(), phases=list(Phase), database=InMemoryExampleDatabase())
    settings.load_profile("replayed")
    for name, law in (("Square", of_many_axes), ("Cube", of_no_input)):
        with pytest.raises(AssertionError, match="breaks the law"):
            check_for_all(name, squares, [law], 100)
    assert seen[-1] == 0
