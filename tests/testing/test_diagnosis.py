"""`likely_mistake` recognizes faults that are planted in derivatives, one at a time, by their effect on the numbers."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest

import microgad as torch
from microgad.testing import GradcheckError, check_grads
from microgad.testing.findings.diagnosis import MISTAKES, likely_mistake
from microgad.testing.findings.finding import Finding

from .fault_table import FAULTS
from .faults import F, Fault, conv, dropped, exp, find, first, layer_norm, mixed, negated, r, relu, rng, tanh, times
from .without_conj import WithoutConj


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_of_the_table_is_recognized(name):
    fault = FAULTS[name]
    assert re.search(fault.pattern, likely_mistake(find(fault)) or "")


def test_every_kind_of_mistake_is_the_answer_to_some_fault():
    with np.errstate(all="ignore"):
        sentences = [likely_mistake(find(fault)) or "" for fault in FAULTS.values()]
    assert {name for name, _ in MISTAKES} == {sentence.split(":")[0] for sentence in sentences} | {
        "float32",
        "a conjugate",
    }


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (WithoutConj, {}),
        (lambda z: z * z, {"vjp": lambda grad, z: grad * 2 * np.conj(z)}),
        (lambda z: np.abs(z), {"vjp": lambda grad, z: grad * z / np.abs(z)}),  # PyTorch's gradient
    ],
)
def test_a_conjugate_too_few_or_too_many_is_recognized(function, options):
    z = torch.tensor([1 + 2j, 0.5 - 1j], dtype=torch.complex128, requires_grad=True)
    with pytest.raises(GradcheckError, match=r"a conjugate: .* a vjp gives grad · f'\(z\)") as raised:
        check_grads(function, (z,), **options)
    assert "0 is the real part, 1 the imaginary one\n" in str(raised.value)
    assert "ViewAs" not in str(raised.value), "the check called these"


OPS = {
    "exp": (exp, r(2, 3)),
    "tanh": (tanh, r(3, 3)),
    "sigmoid": (torch.sigmoid, r(4)),
    "log": (torch.log, r(3, 2)),
    "sqrt": (torch.sqrt, r(5)),
    "mul": (lambda a, b: a * b, r(3, 4), r(3, 4)),
    "mul, broadcast": (lambda a, b: a * b, r(3, 1), r(3, 4)),
    "div": (lambda a, b: b / a, r(4), r(3, 4)),
    "matmul": (torch.matmul, r(3, 3), r(3, 4)),
    "matmul, batch": (torch.matmul, r(3, 2), r(2, 2, 4)),
    "linear": (lambda w, x: F.linear(x, w), r(4, 3), r(5, 3)),
    "conv2d": (conv, r(1, 2, 4, 4), r(3, 2, 2, 2)),
    "conv2d, weight": (lambda w, x: conv(x, w), r(2, 2, 3, 3), r(2, 2, 5, 4)),
    "conv2d, bias": (lambda b, x, w: F.conv2d(x, w, b), r(3), r(2, 1, 4, 4), r(3, 1, 2, 2)),
    "sum": (lambda x: x.sum(0), r(3, 5)),
    "mean": (lambda x: x.mean((0, 2)), r(2, 3, 2)),
    "softmax": (lambda x: F.softmax(x, -1), r(3, 3)),
    "layer_norm": (layer_norm, r(2, 5)),
    "relu": (relu, mixed(3, 4)),
    "dropout": (dropped, r(6)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), r(1, 1, 4, 4)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), r(1, 2, 4, 2)),
    "permute": (lambda x: x.permute(1, 0), r(3, 3)),
    "pad": (lambda x: F.pad(x, (1, 2)), r(2, 4)),
    "cat": (lambda a, b: torch.cat([a, b]), r(3), r(2)),
    "getitem": (lambda x: x[1:], r(4, 2)),
}


def faults(x):
    """Faults that any derivative may have: a pattern of the expected sentence, and a change of the gradient."""
    size = float(x.size)
    yield "sign", negated
    yield "factor", times(2)
    yield "factor", times(0.5)
    yield "factor", times(0.7)
    yield "nothing arrives", times(0)
    yield "1/N|factor", times(1 / size)
    yield "1/N|factor", times(x.shape[0])
    yield "offset|factor", lambda g: g + 0.3 * (g != 0)
    for axis in range(x.ndim):
        yield "flipped", lambda g, axis=axis: np.flip(g, axis)
        yield "rolled|flipped", lambda g, axis=axis: np.roll(g, 1, axis)
        yield "missing sum|slices lost|mask", first(axis)
        yield "summed too much|factor", lambda g, axis=axis: g.sum(axis, keepdims=True) + 0 * g
    for axes in itertools.combinations([axis for axis in range(x.ndim) if x.shape[axis] > 1], 2):
        if x.shape[axes[0]] == x.shape[axes[1]]:
            yield "transposed", lambda g, axes=axes: np.swapaxes(g, *axes)


def test_almost_all_generated_faults_are_recognized():
    right, wrong = 0, []
    for name, (f, *arrays) in OPS.items():
        for pattern, change in faults(arrays[0]):
            finding = find(Fault(pattern, f, tuple(arrays), at_input=change))
            if finding.excess().any():
                sentence = likely_mistake(finding) or "nothing"
                right += bool(re.search(pattern, sentence))
                if not re.search(pattern, sentence):
                    wrong.append(f"{name}: {pattern} is taken for {sentence}")
    share = right / (right + len(wrong))
    print(f"{right} of {right + len(wrong)} = {share:.1%}", *wrong, sep="\n")
    assert right > 200
    assert share > 0.95


def planted(change, error=1e-9, x=None, **fields):
    """The finding of a check of x ↦ w · x, for x of shape (4,), with a changed derivative."""
    w = np.array([0.5, -1.5, 2.0, 3.0])
    finding = Finding("f", 1, 0, 0, ("x",), (4,), (4,), np.diag(w), change(np.diag(w)), np.full((4, 4), error), (x,))
    return replace(finding, **fields)


def test_a_loss_of_precision_to_float32():
    assert likely_mistake(planted(lambda n: np.float32(n / 3).astype(float) * 3)).startswith("float32")
    assert likely_mistake(planted(lambda n: n * 1.01)).startswith("a factor")


def test_one_small_difference_may_come_from_an_approximation():
    """Hypothesis shrinks a series that is cut off to a number for which it is nearly right."""
    found = likely_mistake(planted(lambda n: n + np.diag([3e-8, 0, 0, 0])))
    assert found.endswith("as if something had been computed in float32 or cut off, as a series is")


def test_a_factor_of_two_is_no_mask_that_drops_nothing():
    finding = planted(lambda n: n)
    fields = {"input_shape": (), "output_shape": (), "numerical": np.array([[2.0]]), "analytical": np.array([[1.0]])}
    finding = replace(finding, **fields, error=np.array([[1e-9]]), arguments=(np.array(4.0),))
    assert likely_mistake(finding) == "a factor: the analytical derivative is 1/2 × the numerical one"


def test_the_sentence_for_first_and_second_derivatives():
    finding = planted(lambda n: -n)
    assert likely_mistake(finding) == "a sign: the analytical derivative is -1 × the numerical one"
    assert likely_mistake(replace(finding, order=2)) == (
        "a sign: the analytical derivative is -1 × the numerical one. It is right in the first derivative: something "
        "may have been taken off the graph"
    )


def test_right_and_empty_derivatives_have_no_mistake():
    empty = np.zeros((0, 3))
    assert likely_mistake(planted(lambda n: n)) is None
    assert likely_mistake(Finding("f", 1, 0, 0, ("x",), (0,), (3,), empty, empty, empty, (np.zeros(0),))) is None


@pytest.mark.parametrize("size", [1e-30, 1e-8, 1.0, 1e30])
def test_faults_are_recognized_at_any_scale_and_with_noise(size):
    noise = 1e-6 * size * rng.uniform(-1, 1, (4, 4))
    n = size * np.diag([0.5, -1.5, 2.0, 3.0])
    for pattern, a in (
        ("a sign", -n),
        ("a factor", 2 * n),
        ("flipped|rolled", np.flip(n, 0)),
        ("slices", n * [[1], [0], [0], [0]]),
    ):
        sentence = likely_mistake(planted(lambda n, a=a: a, 2e-6 * size, numerical=n + noise))
        assert re.match(pattern, sentence)


def test_entries_that_are_not_finite_are_ignored():
    n = np.diag([0.5, -1.5, 2.0, 3.0])
    n[1, 1] = np.nan
    n[2, 3] = np.inf
    assert likely_mistake(planted(lambda n: -n, numerical=n)).startswith("a sign")
    unknown = np.where(np.eye(4)[::-1] > 0, np.inf, 1e-9)
    assert likely_mistake(planted(lambda n: np.where(np.isinf(unknown), 7.0, 2 * n), error=unknown)).startswith(
        "a factor"
    )


def test_a_nan_or_infinite_gradient_is_recognized():
    for bad in (np.nan, np.inf, -np.inf):
        sentence = f"a number that isn't finite: the analytical derivative is {bad} where the numerical one is finite"
        assert likely_mistake(planted(lambda n, bad=bad: np.where(n == 2, bad, n))) == sentence


def test_a_nan_where_x_is_0_is_explained():
    x, n = np.array([0.0, 1.0]), np.eye(2)
    found = Finding("f", 1, 0, 0, ("x",), (2,), (2,), n, np.diag([np.nan, 1.0]), np.full((2, 2), 1e-9), (x,))
    text = "nan only where x is 0, but the numerical one is finite. There backward computes 0 / 0 or 0 · ∞; np.where"
    assert text in likely_mistake(found)


@pytest.mark.parametrize(
    "shapes", [((), ()), ((3,), (3,)), ((2, 2), (2, 2)), ((1, 3), (2, 3)), ((2, 3), ()), ((3, 2), (2,))]
)
def test_random_derivatives_have_no_likely_mistake(shapes):
    for seed in range(20):
        random = np.random.default_rng(seed)
        sizes = [int(np.prod(shape)) for shape in shapes]
        n, a = random.standard_normal((2, *sizes))
        if seed % 2 and shapes[0] == shapes[1]:
            n, a = n * np.eye(*sizes), a * np.eye(*sizes)
        finding = Finding(
            "f", 1, 0, 0, ("x",), *shapes, n, a, 1e-6 * (1 + abs(n)), (random.standard_normal(shapes[0]),)
        )
        assert likely_mistake(finding) is None
        assert likely_mistake(replace(finding, order=2)) == (
            "off the graph: a term is missing or wrong. It is right in the first derivative: something may have been "
            "taken off the graph"
        )


def test_one_wrong_entry_has_no_likely_mistake():
    n = rng.standard_normal((6, 4))
    a = n.copy()
    a[2, 1] += 0.5
    finding = Finding("f", 1, 0, 0, ("x",), (2, 3), (4,), n, a, np.full(n.shape, 1e-6), (rng.standard_normal((2, 3)),))
    assert likely_mistake(finding) is None


def test_other_arguments_may_be_of_any_type():
    x = np.array([-0.5, 1.5, 2.0, 3.0])
    arguments = ("text", None, [1, 2], np.array(["a"]), x, torch.float32, 2, np.array([True]), np.ones((7, 7)))
    wrong = {"numerical": np.diag(np.exp(x)), "arguments": arguments}
    sentence = "the wrong function: it is exp's in terms of out, but with input 4 in its place"
    assert likely_mistake(planted(lambda n: np.diag(x), names=("input 4",), **wrong)) == sentence
    assert likely_mistake(planted(lambda n: np.diag(x), names=("grad_outputs[0]",), **wrong)) is None
