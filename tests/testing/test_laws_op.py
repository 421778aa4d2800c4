"""`check_op`: each law finds an operation that breaks it, also if the fault shows only in rare inputs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.errors import FailedHealthCheck

import microgad as torch
from microgad.engine import single, walk
from microgad.function import Function, Tensor
from microgad.function.linear_map import LinearMap
from microgad.ops.elementwise import Add
from microgad.ops.softmax import Softmax
from microgad.testing import GradcheckError, check_grads, check_op
from microgad.testing.laws import values
from microgad.testing.laws.op import LAWS
from microgad.testing.strategies import tensors

from .operations import Product, Square, bare, broken

pytestmark = pytest.mark.usefixtures("no_shrinking")
thorough = pytest.mark.usefixtures("thorough")
EXAMPLES, FEW = 40, 10  # few are enough if each is checked thoroughly


def fails_if_empty(self, grad, x):
    if 0 in x.shape:
        raise ValueError("nothing there")
    return 2 * grad * x


def right_for_both(self, grad, a, b):
    gradients = [grad * b, grad * a]
    return [g if all(self.needs) else 2 * g for g in gradients]


def wrong_for_one_result(self, grad, x):
    used = [g for g in grad if g is not None]
    return sum(used) * len(used) * x


class Counted(Square):
    calls = [0]

    def forward(self, x):
        self.calls[0] += 1
        return x * x + self.calls[0]


class LastMask(Function):
    """ReLU whose derivative reads the mask of the last forward pass, even if that was another node's."""

    mask = [None]

    def forward(self, x):
        self.mask[0] = x > 0
        return x * self.mask[0]

    def grad_x(self, grad):
        return grad * self.mask[0]


class ReferenceCycle(Square):
    nodes = []

    def forward(self, x):
        self.nodes.append(self)
        return x * x


class HiddenArray(Square):
    def forward(self, x):
        vars(self)["hidden"] = x
        return x * x


class WrongAdjoint(LinearMap):
    def forward(self, x):
        return x + x

    def adjoint(self, grad):
        return grad + grad + grad


def writes_to_grad(self, grad, x):
    grad *= 2
    return grad * x


PLANTED = {
    "shapes": broken(grad_x=lambda self, grad, x: np.zeros((7, 7))),
    "unchanged": broken(forward=lambda self, x: np.negative(x, out=x) * x),
    "deterministic": Counted,
    "interleaved": LastMask,
    "without_grad": lambda x: x * x if x.requires_grad else x * x + 1,
    "layout": broken(forward=lambda self, x: x * x if x.flags.c_contiguous else x * x + 1),
    "float32": broken(forward=lambda self, x: x * x * np.ones((), np.float64)),
    "each_alone": type("Broken", (Function,), {"forward": Product.forward, "backward": right_for_both}),
    "repeated_input": broken(Product, grad_b=lambda self, grad, a, b: grad * (a if a is not b else 0 * a)),
    "results_alone": broken(forward=lambda self, x: (x * x, x * x), grad_x=wrong_for_one_result, materializes=False),
    "linear_in_grad": broken(grad_x=lambda self, grad, x: 2 * np.abs(grad) * x),
    "adjoint": WrongAdjoint,
    "chain_rule": lambda x: x * x if x.is_leaf else 2 * x * x,
    "create_graph": broken(grad_x=lambda self, grad, x: (2 if bare(x) is x else 2.001) * grad * x),
    "symmetry": broken(Product, grad_a=lambda self, grad, b: grad * bare(b)),
    "forward_mode": broken(grad_x=lambda self, grad, x: 2 * bare(grad) * x),
    "kept": HiddenArray,
    "graph_freed": ReferenceCycle,
    "sizes": broken(grad_x=fails_if_empty),
    "derivatives": broken(grad_x=lambda self, grad, x: grad * x),
    "derivatives_nearby": broken(grad_x=lambda self, grad, x: 2 * grad * np.astype(np.astype(x, np.float32), x.dtype)),
    "magnitudes": broken(grad_x=lambda self, grad, x: 2 * grad * np.clip(x, -1e3, 1e3)),
}
TESTED_BELOW = {"reference", "devices", "aliasing", "accumulation"}


def test_every_law_has_a_planted_fault():
    assert {law.__name__ for law in LAWS} == set(PLANTED) | TESTED_BELOW


@pytest.mark.parametrize("law", PLANTED)
def test_a_law_finds_its_planted_fault(law):
    with pytest.raises((AssertionError, GradcheckError), match=f"breaks the law `{law}`"):
        check_op(PLANTED[law], examples=EXAMPLES, laws=[law])


@pytest.mark.parametrize("law", PLANTED)
def test_a_fault_is_found_without_naming_the_law(law):
    with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):
        check_op(PLANTED[law], examples=EXAMPLES)


# Laws whose planted faults no other law finds.
FOUND_BY_ONE = [
    "layout",
    "interleaved",
    "chain_rule",
    "each_alone",
    "repeated_input",
    "results_alone",
    "kept",
    "graph_freed",
    "float32",
    "without_grad",
    "magnitudes",
]


@pytest.mark.parametrize("law", FOUND_BY_ONE)
def test_no_other_law_finds_the_fault(law):
    check_op(PLANTED[law], examples=EXAMPLES // 2, laws=[other.__name__ for other in LAWS if other.__name__ != law])


def test_a_backward_that_writes_to_its_incoming_gradient_is_found():
    wrong = broken(grad_x=writes_to_grad)
    with pytest.raises(AssertionError, match="`unchanged`: the incoming gradient of output 0 was changed in place"):
        check_op(wrong, tensors((2,)), order=1, examples=EXAMPLES)


def writes_to_out(self, grad, out):
    out *= grad
    return out


def test_a_backward_that_writes_to_its_result_is_found():
    with pytest.raises(AssertionError, match="`unchanged`: by backward, output 0 was changed in place"):
        check_op(broken(forward=lambda self, x: np.exp(x), grad_x=writes_to_out), tensors((2,)), order=1, examples=5)


class Clamped(torch.autograd.Function):
    """max(x, 0), which forward writes to x in place."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x.clamp_(min=0))
        return x * 1

    @staticmethod
    def backward(ctx, grad):
        return grad * (ctx.saved_tensors[0] > 0)


class OnCtx(torch.autograd.Function):
    """exp, whose result is kept as an attribute of ctx."""

    @staticmethod
    def forward(ctx, x):
        ctx.out = torch.exp(x)
        return ctx.out

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.out


def test_a_forward_that_writes_to_its_input_is_found_whatever_the_values():
    with pytest.raises(AssertionError, match="`layout`: it fails for inputs that are not writable"):
        check_op(Clamped, tensors((2,), elements=st.just(1.0)), examples=EXAMPLES)


def test_a_write_to_an_input_that_needs_no_gradient_is_named():
    with pytest.raises(AssertionError, match=r"`without_grad`: input 0 .* was changed in place"):
        check_op(lambda x: x * 2 if x.requires_grad else x.mul_(2), tensors((2,)), examples=EXAMPLES)


class Distinct(Function):
    """2 · x of distinct numbers, as a sorting network may want them."""

    def forward(self, x):
        if x.size != np.unique(x).size:
            raise ValueError("equal entries")
        return x * 2

    def grad_x(self, grad):
        return grad * 2


@pytest.mark.parametrize("op", [torch.linalg.inv, Distinct])
def test_a_function_that_refuses_equal_values_is_not_taken_for_one_that_writes_to_its_inputs(op):
    x = torch.tensor([[2.0, 0.5, 0.25], [0.125, 3.0, 0.75], [1.5, -0.5, 4.0]], dtype=torch.float64)
    check_op(op, x, examples=3)


def test_a_result_kept_on_ctx_is_found_and_the_error_names_save_for_backward():
    with pytest.raises(AssertionError, match=r"`graph_freed`: .* the node of OnCtx: .* ctx\.save_for_backward"):
        check_op(OnCtx, examples=EXAMPLES)


def test_a_derivative_that_computes_in_float64_for_float32_inputs_is_found():
    wide = broken(grad_x=lambda self, grad, x: 2 * grad * x * np.ones((), np.float64))
    with pytest.raises(AssertionError, match="with float32 inputs its derivative's Mul gives float64"):
        check_op(wide, examples=EXAMPLES, laws=["float32"])


def either(self, grad, x):
    return np.where(grad[0] != 0, 2 * grad[0] * x, 3 * grad[1])


def test_a_derivative_that_reads_one_of_two_gradients_is_found():
    two = broken(forward=lambda self, x: (x * x, 3 * x), grad_x=either)
    with pytest.raises(AssertionError, match="`linear_in_grad`: of all results together, not of one at a time"):
        check_op(two, examples=EXAMPLES)


@thorough
@pytest.mark.parametrize("slope", [lambda x: np.where(x > 0, 1, 0.1), lambda x: (x > 0) * 0.7 + (x <= 0) * 0.1 / 3])
def test_a_derivative_made_of_masks_and_numbers_obeys_all_laws(slope):
    leaky = broken(forward=lambda self, x: x * slope(x).astype(x.dtype), grad_x=lambda self, grad, x: grad * slope(x))
    check_op(leaky, examples=FEW)


def test_a_derivative_that_clips_its_incoming_gradient_is_found():
    with pytest.raises(AssertionError, match="`linear_in_grad`"):
        check_op(broken(grad_x=lambda self, grad, x: 2 * np.clip(grad, -100, 100) * x), examples=EXAMPLES)


@thorough
def test_an_overflow_counts_in_a_derivative_but_not_in_a_composite():
    softplus = broken(
        forward=lambda self, x: np.logaddexp(0, x), grad_x=lambda self, grad, x: grad * np.exp(x) / (1 + np.exp(x))
    )
    with pytest.raises(GradcheckError, match=r"`magnitudes`.*\n.*\n *analytical  nan"):
        check_op(softplus, examples=EXAMPLES)
    check_op(lambda x: 1 / torch.cosh(x), examples=FEW)


@thorough
def test_relative_steps_give_no_false_alarm_at_large_inputs():
    check_op(np.floor, vjp=lambda grad, x: 0 * grad, laws=["magnitudes"], examples=2 * FEW)
    check_op(lambda x: x.remainder(1.0), laws=["magnitudes"], examples=2 * FEW)


CANCELLING = {
    "log(cosh(x))": (lambda x: np.log(np.cosh(x)), lambda grad, x: grad * np.tanh(x)),
    "exp(x) - 1 - x": (lambda x: np.exp(x) - 1 - x, lambda grad, x: grad * np.expm1(x)),
    "x - sin(x)": (lambda x: x - np.sin(x), lambda grad, x: 2 * grad * np.sin(x / 2) ** 2),
}


@thorough
@pytest.mark.parametrize("name", CANCELLING)
def test_cancellation_gives_no_false_alarm_at_large_and_small_inputs(name):
    function, vjp = CANCELLING[name]
    check_op(function, vjp=vjp, laws=["magnitudes"], examples=2 * FEW)


@thorough
def test_at_large_and_small_inputs_composites_are_not_checked():
    for function in (lambda x: x - torch.sin(x), lambda x: torch.log(x + torch.sqrt(x * x + 1))):
        check_op(function, laws=["magnitudes"], examples=2 * FEW)


@thorough
def test_a_jump_or_a_cancellation_is_not_taken_for_an_error_of_float32():
    small = tensors((2,), elements=st.floats(1e-5, 3e-5))
    check_op(lambda x: 1 - torch.cos(x), small, laws=["float32"], examples=EXAMPLES // 2)
    check_op(lambda x: x.div(0.3, rounding_mode="floor"), laws=["float32"], examples=2 * EXAMPLES)
    check_op(lambda x: torch.log(x.exp() + 1e-12), laws=["float32"], examples=EXAMPLES // 2)


@thorough
def test_an_overflow_or_few_digits_are_not_taken_for_an_error_of_float32():
    check_op(lambda x: torch.exp(torch.exp(x)), laws=["float32"], examples=2 * EXAMPLES)
    check_op(lambda x: x + 1e6 - 1e6, laws=["float32"], examples=2 * EXAMPLES)


@pytest.mark.parametrize(("scale", "ridge"), [(1.0, 1e-6), (1000.0, 1.0)])
def test_few_digits_near_a_singular_matrix_give_no_false_alarm(scale, ridge):
    x = torch.tensor([[1.5409961], [-0.2934289], [-2.1787894]], dtype=torch.float64) * scale

    def f(x):
        return x * torch.linalg.det(x @ x.T + ridge * torch.eye(3, dtype=x.dtype))

    laws = ["layout", "symmetry", "forward_mode", "float32"]
    check_op(f, x, laws=laws, examples=3)
    check_op(lambda x: torch.logdet(x @ x.T + ridge * torch.eye(3, dtype=x.dtype)), x, laws=laws, examples=3)
    check_grads(f, [x.requires_grad_()], order=2, modes="fwd", full=False)


def test_cancellation_in_backward_is_still_linear():
    check_op(lambda x: (torch.sin(x + 1e-4) - torch.sin(x)) / 1e-4, laws=["linear_in_grad"], examples=4 * EXAMPLES)


def test_the_law_of_the_reference_finds_a_wrong_value():
    check_op(Square, reference=np.square, examples=EXAMPLES, laws=["reference"])
    with pytest.raises(AssertionError, match="breaks the law `reference`"):
        check_op(Square, reference=np.sin, examples=EXAMPLES)


def test_integers_agree_with_the_reference_in_every_digit():
    values.assert_equal(np.array([2**53 + 1]), np.array([2**53 + 1]), "output 0")
    with pytest.raises(AssertionError, match=r"first at \[1\]: 9007199254740993 in place of"):
        values.assert_equal(np.array([0, 2**53 + 1]), np.array([0, 2**53]), "output 0")
    with pytest.raises(AssertionError, match="True in place of False"):
        values.assert_equal(np.array(True), np.array(False), "output 0")


def test_the_reference_gets_the_settings():
    inputs = tensors((2, 3))
    check_op(Softmax, inputs, settings={"axis": 1}, reference=lambda x, axis: softmax(x, axis), examples=FEW)
    with pytest.raises(AssertionError, match="`reference`"):
        check_op(Softmax, inputs, settings={"axis": 1}, reference=lambda x, axis: softmax(x, 0), examples=EXAMPLES)


def softmax(x, axis):
    return np.exp(x) / np.exp(x).sum(axis, keepdims=True)


def test_the_law_of_devices_finds_a_fault_on_another_device(monkeypatch):
    calls = []
    monkeypatch.setattr(values, "_other_devices", lambda case: [("another", lambda a: calls.append(1) or a.copy())])
    check_op(Square, examples=5, laws=["devices"])
    calls.clear()
    with pytest.raises(AssertionError, match="breaks the law `devices`: on another"):
        check_op(broken(forward=lambda self, x: x * x + len(calls)), tensors(), examples=1, laws=["devices"])


@pytest.mark.parametrize(
    ("law", "function", "op"), [("aliasing", "fit_to_input", Add), ("accumulation", "accumulate", Square)]
)
def test_laws_find_gradients_that_the_engine_shares_or_overwrites(monkeypatch, law, function, op):
    def overwritten(leaf, grad, owned, create_graph):
        leaf.tensor().grad = Tensor._wrap(grad.copy())

    faults = {"fit_to_input": lambda node, i, g, create_graph: (g, True), "accumulate": overwritten}
    for engine in (walk, single):
        monkeypatch.setattr(engine, function, faults[function])
    with pytest.raises(AssertionError, match=f"breaks the law `{law}`"):
        check_op(op, examples=5)


# Faults that only some inputs show, among those that check_op draws by default

RARE = {
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


@pytest.mark.parametrize("where", RARE)
def test_faults_that_only_some_inputs_show_are_found(where):
    with pytest.raises((AssertionError, GradcheckError), match="breaks the law"):
        check_op(RARE[where], examples=150)


@thorough
@pytest.mark.parametrize("slope", [-3.0, 2.0])
def test_at_a_kink_a_derivative_must_lie_between_the_one_sided_ones(slope):
    right = broken(forward=lambda self, x: np.maximum(x, 0), grad_x=lambda self, grad, x: grad * (x > 0))
    wrong = broken(right, grad_x=lambda self, grad, x: grad * (x > 0) + slope * grad * (x == 0))
    check_op(right, examples=FEW)
    with pytest.raises(GradcheckError, match="`derivatives`"):
        check_op(wrong, examples=EXAMPLES)


@thorough
def test_each_part_of_a_composite_may_choose_its_side_of_a_kink():
    check_op(lambda x: torch.relu(x) - 2 * torch.relu(2 * x), examples=FEW)


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * grad * x**2


class Foreign(torch.autograd.Function):
    """Its backward computes on NumPy's arrays, as that of a program in C does."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(x.numpy() ** 3)

    @staticmethod
    def backward(ctx, grad):
        return torch.from_numpy(3 * grad.detach().numpy() * ctx.saved_tensors[0].detach().numpy() ** 2)


def test_checks_of_an_operation_run_where_gradients_are_off():
    with torch.no_grad():
        check_op(torch.sin, examples=2)
        check_grads(torch.sin, [torch.ones(2, dtype=torch.float64)], order=2)
        with pytest.raises(GradcheckError, match="is wrong"):
            check_op(lambda x: x * x.detach(), examples=2)


def test_a_check_inside_of_a_property_test_says_what_to_do_instead():
    @given(tensors((2,)))
    def nested(x):
        check_op(torch.sin, x, examples=2)

    with pytest.raises(FailedHealthCheck) as raised:
        nested()
    assert raised.value.__notes__ == [
        (
            "check_op and check_module are such tests themselves: instead of using @given, pass strategies as their "
            "inputs, and to check_module one of modules, or of tuples (module, *inputs)"
        )
    ]


class Jvp(torch.autograd.Function):
    """Its derivative in forward mode fails, where its second derivative doesn't."""

    @staticmethod
    def forward(x):
        return x * 2

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, grad):
        return grad * 2

    @staticmethod
    def jvp(ctx, tangent):
        raise ValueError("no tangent")


def test_a_jvp_that_fails_is_not_called_a_second_derivative():
    with pytest.raises(AssertionError, match="Jvp breaks the law `forward_mode`: ValueError: no tangent"):
        check_op(Jvp, examples=3)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (Foreign, r"Foreign: its second derivative fails: .* off the graph[^`]*check it with order=1"),
        (Once, r"Once: its second derivative fails: GraphError: trying to .* twice[^`]*check it with order=1"),
        (broken(grad_x=lambda self, grad, x: grad * 2 * x * x.size / x.size), r"second derivative[^`]*np\.size\(x\)"),
        (broken(grad_x=lambda self, grad, x: grad @ np.ones((3, 3, 2))), r"backward fails in <lambda>: ValueError"),
    ],
)
def test_what_fails_whatever_the_law_is_not_called_a_broken_law(op, message):
    with pytest.raises(AssertionError, match=message) as raised:
        check_op(op, examples=3)
    assert "breaks the law" not in str(raised.value)
