"""The code in the message of a failed check runs, and gives the same arrays, bit for bit."""

from __future__ import annotations

import dataclasses
import functools
import sys
import textwrap
import types

import numpy as np
import pytest

import microgad as torch
from microgad.testing.calls import GradcheckError
from microgad.testing.check_grads import check_grads
from microgad.testing.findings import reproducer
from microgad.testing.findings.finding import Finding
from microgad.testing.findings.reproducer import as_code
from microgad.testing.laws import check_module, check_op
from microgad.testing.strategies import numbers, tensors


def finding(*arguments, op="<lambda>", names=None, order=1):
    names = tuple(f"input {i}" for i in range(len(arguments))) if names is None else names
    return Finding(op, order, 0, 0, names, (2,), (2,), np.eye(2), -np.eye(2), np.zeros((2, 2)), arguments)


def run(code):
    """Run the code, and return the function, arguments and order that it calls check_grads with."""
    calls = []
    fake = types.ModuleType("microgad.testing")
    fake.check_grads = lambda f, args, order: calls.append((f, args, order))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "microgad.testing", fake)
        exec(compile(code, "<pasted>", "exec"), {})
    (call,) = calls
    return call


def reproduced(x, **options):
    """The array that the code creates for x, and the code."""
    code = as_code(finding(x, **options))
    _, (tensor,), _ = run(code)
    return tensor.array, code


def same_bits(x, y):
    return x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes()


NAN_WITH_PAYLOAD = np.array([0x7FF8_0000_0000_BEEF], np.uint64).view(np.float64)
ARRAYS = {
    "0-d": np.array(0.1),
    "1": np.array([-1e-300, 5e-324, 1.7976931348623157e308, 1 / 3, 2.0]),
    "3": np.random.default_rng(0).standard_normal((2, 3, 2)),
    "ones": np.ones((1, 1)),
    "float32": np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32),
    "float32 0-d": np.array(0.1, np.float32),
    "float16": np.array([0.1, 65504, 6e-8], np.float16),
    "int64": np.array([[1, -(2**63)], [2**63 - 1, 0]]),
    "int32": np.array([1, 2], np.int32),
    "uint8": np.array([255, 0], np.uint8),
    "bool": np.array([[True, False]]),
    "special": np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 0.0]),
    "special float32": np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0], np.float32),
    "a NaN with payload": NAN_WITH_PAYLOAD,
    "complex": np.array([complex(-0.0, np.nan), 1 - 0j]),
    "empty": np.zeros((0,)),
    "empty int": np.zeros((2, 0, 3), np.int64),
    "large": np.random.default_rng(2).standard_normal((10, 6)),
    "large int": np.arange(100, dtype=np.int32),
    "large bool": np.arange(100) % 3 == 0,
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_bit_for_bit(name):
    x = ARRAYS[name]
    y, _ = reproduced(x, names=() if x.dtype.kind not in "f" else None)
    assert same_bits(x, y)
    assert y.flags.c_contiguous


def test_every_float32_comes_back_from_its_decimal_digits():
    bits = np.random.default_rng(3).integers(0, 2**32, 50 * 20, dtype=np.uint64).astype(np.uint32)
    for x in np.split(bits.view(np.float32), 20):
        assert same_bits(x, reproduced(x)[0])


BASE = np.arange(1.0, 25.0).reshape(2, 3, 4)
LAYOUTS = {
    "fortran": np.asfortranarray(BASE),
    "transposed": BASE.transpose(1, 0, 2),
    "swapped and flipped": BASE[:, ::-1].swapaxes(0, 2),
    "flipped": BASE[::-1],
    "steps in the last axis": BASE[..., ::2],
    "steps in the first axis": BASE[0, ::2],
    "part of a row": BASE[:, :, :3],
    "a column": BASE[0, :, 1],
    "stride 0": np.broadcast_to(BASE[:, :1], BASE.shape),
    "stride 0, of one number": np.broadcast_to(np.array(2.5), (3, 2)),
    "stride 0, transposed": np.broadcast_to(BASE[0], (5, 3, 4)).transpose(2, 0, 1),
    "steps backwards": BASE[:, ::-2, ::-1],
    "windows": np.lib.stride_tricks.sliding_window_view(np.arange(5.0), 2),
    "large and transposed": np.arange(60.0).reshape(6, 10).T,
}


def layout(x):
    """Whether it is contiguous, the direction of each axis, and their order in memory."""
    strides = [s if n > 1 else 0 for s, n in zip(x.strides, x.shape, strict=True)]
    directions = [int(np.sign(s)) for s in strides]
    order = sorted(range(x.ndim), key=lambda axis: -abs(strides[axis]))
    return x.flags.c_contiguous, x.flags.f_contiguous, directions, order


@pytest.mark.parametrize("name", LAYOUTS)
def test_arrays_come_back_with_their_layout(name):
    x = LAYOUTS[name]
    y, _ = reproduced(x)
    assert same_bits(x, y)
    assert layout(x) == layout(y)


def test_short_arrays_are_literals_and_long_ones_base64():
    short, long = (np.random.default_rng(4).standard_normal(n) for n in (reproducer.SHORT, reproducer.SHORT + 1))
    code = as_code(finding(short))
    assert "base64" not in code
    assert all(repr(float(v)) in code for v in short)
    code = as_code(finding(long))
    assert code.startswith("import base64\n")
    assert len(code.splitlines()) == 8
    assert len(code) < 1200


def test_the_complete_code_of_a_finding():
    x, w = np.array([[0.5, -1.0]]), np.array([[1, 3], [2, 4]], np.float32).T
    code = as_code(finding(x, w, None, op="microgad.exp", names=("x", "input 1"), order=2))
    assert code == (
        "import numpy as np\n"
        "import microgad as torch\n"
        "from microgad.testing import check_grads\n"
        "from microgad import exp\n"
        "\n"
        "x = torch.from_numpy(np.array([[0.5, -1.0]])).requires_grad_()\n"
        "x1 = torch.from_numpy(np.asfortranarray(np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)))"
        ".requires_grad_()\n"
        "check_grads(exp, (x, x1, None), order=2)"
    )
    f, (x_again, _, nothing), order = run(code)
    assert f is torch.exp
    assert x_again.requires_grad
    assert nothing is None
    assert order == 2


def test_only_differentiated_arguments_require_grad():
    code = as_code(finding(np.ones(2), np.ones(2), np.ones(2), names=("input 1", "grad_outputs[0]")))
    _, tensors, _ = run(code)
    assert [t.requires_grad for t in tensors] == [False, True, False]


@pytest.mark.parametrize(
    "op",
    [
        "<lambda>",
        "f",
        "module_that.is_not_there",
        "os.no_such",
        "tests.test_x.f.<locals>.g",
        "Linear(2,\n bias=True)",
        "",
    ],
)
def test_a_function_that_cannot_be_imported_is_a_placeholder(op):
    code = as_code(finding(np.ones(2), op=op))
    assert f"f = ...  # PLACEHOLDER: put the checked function here: {' '.join(op.split())}\n" in code
    assert run(code)[0] is ...


def test_names_that_are_taken_or_invalid_are_replaced():
    names = ("np", "lambda", "x", "x", "a.weight", "exp")
    code = as_code(finding(*[np.full(1, float(i)) for i in range(6)], op="microgad.exp", names=names))
    f, tensors, _ = run(code)
    assert f is torch.exp
    assert [t.item() for t in tensors] == [0, 1, 2, 3, 4, 5]
    assert "(x0, x1, x, x3, x4, x5)" in code


def test_arguments_of_other_types_come_back():
    weight = torch.tensor([1.0, 2.0], requires_grad=True)
    arguments = (
        None, True, -3, 0.1, np.inf, -np.inf, "a'b", b"c", ..., [1, (2,)], (), {"k": [np.float32(0.1)]}, torch.float32,
        np.float64(1 / 3), np.int32(5), complex(0.1, -np.inf), slice(1, None, -2), range(3), [np.array([1.5]), None],
    )  # fmt: skip
    _, found, _ = run(as_code(finding(*arguments, [weight], np.nan, names=())))
    assert found[: len(arguments) - 1] == arguments[:-1]
    assert [type(v) for v in found[: len(arguments)]] == [type(v) for v in arguments]
    assert found[len(arguments) - 1][0].tolist() == [1.5]
    assert found[-2][0].requires_grad
    assert found[-2][0].tolist() == [1.0, 2.0]
    assert np.isnan(found[-1])


def test_arguments_without_a_literal_are_placeholders():
    objects = object(), [object()], np.array([object()]), {"a": object()}, len, slice(object())
    code = as_code(finding(*objects, names=()))
    assert code.count("PLACEHOLDER") == 7
    assert run(code)[1] == (...,) * 6


class Wrong(torch.Function):
    """x·w, with the wrong sign."""

    def forward(self, x, w):
        return x * w

    def grad_x(self, grad, w):
        return -grad * w


def wrong(x, w):
    return Wrong.apply(x, w)


def wrong_product(x, y):
    return Wrong.apply(x, 2.0) * y


def test_the_code_finds_the_same_fault_again():
    x = torch.tensor(np.array([[1.0, 2.0], [0.3, 4.0]]).T, requires_grad=True)
    with pytest.raises(GradcheckError) as first:
        check_grads(wrong, (x, torch.tensor([3.0, 1 / 3])))
    code = as_code(first.value.finding)
    assert f"from {wrong.__module__} import wrong" in code
    f, args, order = run(code)
    with pytest.raises(GradcheckError) as second:
        check_grads(f, args, order)
    np.testing.assert_array_equal(first.value.finding.analytical, second.value.finding.analytical)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_a_tensor_that_is_passed_twice_is_one_in_the_code(dtype):
    x = torch.tensor([3.0, -1.0], dtype=dtype, requires_grad=True)
    with pytest.raises(GradcheckError) as error:
        check_grads(wrong_product, (x, x))
    f, (a, b), order = run(as_code(error.value.finding))
    assert a is b
    with pytest.raises(GradcheckError):
        check_grads(f, (a, b), order)


def double(x):
    return 2 * x


def test_a_given_vjp_is_a_placeholder():
    with pytest.raises(GradcheckError) as error:
        check_grads(double, [np.ones(2)], vjp=lambda grad, x: grad)
    code = as_code(error.value.finding)
    assert "vjp = ...  # PLACEHOLDER" in code
    assert code.endswith("order=1, vjp=vjp)")


class WrongInFloat32(torch.Function):
    def forward(self, x):
        return 2 * x

    def grad_x(self, grad):
        return (3 if grad.dtype == np.float32 else 2) * grad


class WrongWithoutGrad(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, k):
        return k * x if ctx.needs_input_grad[0] else x

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad, None


def negating(x):
    x.data.neg_()
    return x * 2


class Leaky(torch.nn.Module):
    def forward(self, x):
        return x - x.mean(0)


@pytest.mark.parametrize(
    ("check", "law"),
    [
        (lambda: check_op(WrongInFloat32, tensors(elements=numbers(away_from=[0])), examples=10), "float32"),
        (lambda: check_op(WrongWithoutGrad, tensors((2,)), settings={}, examples=10), None),
        (lambda: check_op(functools.partial(WrongWithoutGrad.apply, k=2), tensors((2,)), examples=10), "without_grad"),
        (lambda: check_op(negating, np.asfortranarray([[1.0, 2.0]]), examples=1), "unchanged"),
        (lambda: check_module(Leaky, torch.ones(3, 2), independent="samples", examples=5), "samples"),
    ],
)
def test_the_code_of_a_broken_law_breaks_it_again(check, law):
    message = f"breaks the law `{law}`" if law else "its forward fails: TypeError"
    with pytest.raises(AssertionError, match=message) as first:
        check()
    code = textwrap.dedent(str(first.value).partition("To reproduce it:\n")[2].partition("Failing test case")[0])
    with pytest.raises(AssertionError, match=message):
        exec(compile(code, "<pasted>", "exec"), {})


def test_the_code_of_a_wrong_value_has_a_placeholder_for_the_reference():
    with pytest.raises(AssertionError, match="breaks the law `reference`") as error:
        check_op(WrongInFloat32, examples=5, reference=np.cos)
    assert "reference = ...  # PLACEHOLDER: " in str(error.value)
    assert "check_op(WrongInFloat32, (x0,), order=2, reference=reference, laws=['reference'])" in str(error.value)


class WrongPower(torch.Function):
    """scale · x ** p, with half its gradient."""

    p: int

    def forward(self, x):
        return self.scale * x**self.p

    def grad_x(self, grad, x):
        return grad * (self.scale / 2 * self.p * x ** (self.p - 1))


def weighted(weight, x, *, scale):
    return Wrong.apply(x, weight) * scale


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (functools.partial(WrongPower, p=3, scale=0.5), "from {home} import WrongPower"),
        (functools.partial(weighted, torch.tensor([3.0, 4.0]), scale=2.0), "from {home} import weighted"),
    ],
)
def test_bound_arguments_and_settings_are_written_as_partial(call, expected):
    with pytest.raises(GradcheckError) as first:
        check_grads(call, [torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)])
    code = as_code(first.value.finding)
    assert expected.format(home=__name__) in code
    f, args, order = run(code)
    with pytest.raises(GradcheckError) as second:
        check_grads(f, args, order)
    np.testing.assert_array_equal(first.value.finding.analytical, second.value.finding.analytical)


def test_settings_of_check_op_are_written_as_partial():
    class Number(float):
        pass

    with pytest.raises(GradcheckError) as error:
        check_op(WrongPower, tensors((2,)), settings={"p": 3, "scale": Number(0.5)}, laws=["derivatives"], examples=5)
    assert "bound1 = ...  # PLACEHOLDER: 0.5" in str(error.value)
    assert "check_grads(partial(WrongPower, p=3, scale=bound1), (x,), order=1)" in str(error.value)


def test_settings_of_check_op_are_bound_to_the_vjp_too():
    with pytest.raises(GradcheckError) as error:
        check_op(power, tensors((2,)), settings={"k": 3}, vjp=power, laws=["derivatives"], examples=5)
    assert "check_grads(partial(power, k=3), (x0,), order=1, vjp=partial(vjp, k=3))" in str(error.value)


def power(*grads_and_x, k):
    return grads_and_x[-1] ** k


def test_a_pytorch_function_is_wrapped_in_torch_function():
    found = dataclasses.replace(finding(np.ones(2), op="f"), adapter="torch")
    code = as_code(found)
    assert "from microgad.testing import check_grads, torch_function\n" in code
    assert code.endswith("check_grads(torch_function(f), (x0,), order=1)")


class StepAtZero(torch.Function):
    """|x|, whose derivative at 0 is 5."""

    def forward(self, x):
        return np.abs(x)

    def grad_x(self, grad, x):
        return grad * np.where(x == 0, 5.0, np.sign(x))


def test_the_code_of_what_is_wrong_at_a_kink_finds_it_again():
    with pytest.raises(GradcheckError, match=r"on a kink: any value between .*, but 5\.0 isn't") as first:
        check_grads(StepAtZero, (torch.zeros(1, dtype=torch.float64, requires_grad=True),), kinks="accept")
    with pytest.raises(GradcheckError, match="any value between"):
        exec(compile(as_code(first.value.finding), "<pasted>", "exec"), {})
