"""The pytest plugin, loaded by its entry point: the mark gradcheck, the table and the HTML page."""

from __future__ import annotations

import re

import pytest

from microgad.testing.findings.html_report import WRONG

from .. import processes

pytest_plugins = ["pytester"]

FAULTY = """
    import numpy as np
    import pytest
    import microgad as torch

    class Square(torch.Function):
        def forward(self, x): return x * x
        def grad_x(self, grad, x): return grad * x  # 2 is missing

    def vector(): return torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
"""


def output_of(result: pytest.RunResult) -> str:
    return result.stdout.str() + result.stderr.str()


def test_the_call_that_a_marked_test_returns_is_checked(run):
    result = run(
        FAULTY
        + """
    @pytest.mark.gradcheck
    def test_right(): return torch.exp, vector()

    @pytest.mark.gradcheck
    def test_wrong(): return Square, vector()

    class TestMethods:
        @pytest.mark.gradcheck
        def test_method(self): return lambda x, y: Square.apply(x) + y, vector(), vector()

    @pytest.mark.gradcheck
    class TestAll:
        def test_inherits_the_mark(self): return Square, vector()
    """
    )
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(["*GradcheckError: Square: the derivative of output 0 (2,)*"])


def test_arrays_and_tensors_are_differentiated_if_none_requires_grad(run):
    run(
        FAULTY
        + """
    @pytest.mark.gradcheck
    def test_array(): return Square, np.ones(2)

    @pytest.mark.gradcheck
    def test_tensor(): return Square, torch.ones(2, dtype=torch.float64)

    @pytest.mark.gradcheck
    def test_constant(): return lambda x, y: Square.apply(x) + y, np.ones(2), vector()
    """
    ).assert_outcomes(passed=1, failed=2)


def test_each_example_of_hypothesis_is_checked_and_the_smallest_shown(run):
    result = run(
        """
    import numpy as np, pytest
    import microgad as torch
    from hypothesis import given, strategies as st
    from microgad.testing import strategies as s

    class Square(torch.Function):  # wrong for a few
        def forward(self, x): return x * x
        def grad_x(self, grad, x): return grad * np.where(x > 1, x, 2 * x)

    seen = []

    @pytest.mark.gradcheck
    @given(s.tensors((1,), elements=st.integers(-3, 3).map(float), layout="contiguous"))
    def test_wrong(x):
        return Square, x

    @given(s.tensors())
    @pytest.mark.gradcheck(order=2)
    def test_right(x):
        seen.append(x)
        return torch.sin, x

    def test_many(): assert len(seen) > 5

    class TestMethods:
        @pytest.mark.gradcheck
        @given(s.tensors())
        def test_method(self, x): return torch.exp, x
    """
    )
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.re_match_lines([r"test_wrong +Square +input 0, x +1 +output 0\[0\] by \[0\] +4 +2 +.*"])


def test_options_are_those_of_check_grads(run):
    result = run(
        FAULTY
        + """
    class Cube(torch.Function):  # the first derivative is right, the second wrong
        def forward(self, x): return x * x * x
        def grad_x(self, grad, x): return grad * 3 * Square.apply(x)

    on_a_kink = torch.zeros(1, dtype=torch.float64, requires_grad=True)

    @pytest.mark.gradcheck
    def test_first(): return Cube, vector()

    @pytest.mark.gradcheck(order=2)
    def test_second(): return Cube, vector()

    @pytest.mark.gradcheck(kinks="move")
    def test_move(): return torch.relu, on_a_kink

    @pytest.mark.gradcheck(kinks="fail")
    def test_fail(): return torch.relu, on_a_kink

    @pytest.mark.gradcheck(vjp=lambda grad, x: grad * x)
    def test_vjp(): return np.square, np.ones(2)
    """
    )
    result.assert_outcomes(passed=2, failed=3)
    lines = output_of(result).partition("wrong gradients ===")[2]
    assert re.search(r"test_second +Cube +input 0, x +2 ", lines)
    assert re.search(r"test_fail: relu sits on a kink|test_fail: .*sits on a kink", lines)
    assert re.search(r"test_vjp +numpy.square +input 0 +1 ", lines)


@pytest.mark.parametrize(
    ("mark", "body", "expected"),
    [
        ("(ordr=2)", "return torch.exp, vector()", "no option ordr; there are order, modes, kinks"),
        ("(2)", "return torch.exp, vector()", "no option 2; there are order, modes, kinks"),
        ("(kinks='no')", "return torch.exp, vector()", "kinks must be one of move, accept, reject, fail, got 'no'"),
        ("", "pass", "it returns the function to check and its inputs, `return function, x, y`; got None"),
        ("", "return torch.exp", "it returns the function to check and its inputs"),
        ("", "return vector(), torch.exp", "it returns the function to check and its inputs"),
        ("", "return torch.exp, 1.0", "expects at least one input tensor to require gradient"),
        ("", "return Square, np.arange(3)", "integers, numbers and lists are constants; pass floating-point arrays"),
        (
            "",
            "return Square, [1.0]",
            "integers, numbers and lists are constants; pass floating-point arrays or Tensors",
        ),
    ],
)
def test_invalid_options_and_results_of_a_marked_test_are_errors(run, mark, body, expected):
    result = run(f"{FAULTY}\n    @pytest.mark.gradcheck{mark}\n    def test_it(): {body}\n")
    result.assert_outcomes(failed=1)
    assert expected in output_of(result)


def test_a_mark_on_a_test_case_is_an_error(run):
    result = run(
        """
    import unittest, pytest, microgad as torch

    class TestIt(unittest.TestCase):
        @pytest.mark.gradcheck
        def test_it(self): return None
    """
    )
    result.assert_outcomes(failed=1)
    assert "test_it is marked gradcheck, but a TestCaseFunction can't be: make it a function" in output_of(result)


def test_skipped_tests_and_expected_failures_stay_so(run):
    result = run(
        FAULTY
        + """
    @pytest.mark.gradcheck
    def test_skipped(): pytest.skip("for now")

    @pytest.mark.xfail(strict=True)
    @pytest.mark.gradcheck
    def test_known(): return Square, vector()
    """
    )
    result.assert_outcomes(skipped=1, xfailed=1)
    assert "wrong gradients" not in output_of(result)


def test_the_table_has_a_line_for_each_wrong_gradient_of_any_check(run):
    result = run(
        FAULTY
        + """
    from microgad.testing import check_grads, check_op, gradcheck

    def test_grads(): check_grads(Square, vector())
    def test_op(): check_op(Square, vector(), examples=5, laws=["derivatives"])
    def test_as_in_torch(): gradcheck(Square.apply, vector())
    def test_other(): assert 1 == 2
    """
    )
    result.assert_outcomes(failed=4)
    lines = output_of(result).partition("wrong gradients ===")[2].splitlines()[1:5]
    assert re.split("  +", lines[0]) == [
        *("test", "op", "input", "order", "worst", "numerical", "analytical", "likely mistake")
    ]
    assert re.match(r"test_grads +Square +input 0, x +1 +output 0\[\d\] by \[\d\] +\d +\d +a factor", lines[1])
    assert re.match(r"test_op +Square +input 0, x +1 ", lines[2])
    assert re.match(r"test_as_in_torch: Jacobian mismatch for output 0 with respect to input 0", lines[3])
    starts = [re.search(word, lines[0]).start() for word in ("op", "input", "order", "worst")]
    assert all(lines[1][at - 1] == " " and lines[1][at] != " " for at in starts)


def test_a_wrong_derivative_behind_another_broken_law_is_in_the_table_and_on_the_page(run, pytester):
    result = run(
        FAULTY
        + """
    from microgad.testing import check_op

    class Product(torch.Function):
        def forward(self, x, y): return x * y
        def grad_x(self, grad, y): return grad * y
        def grad_y(self, grad, x): return grad * abs(x)

    def test_op(): check_op(Product, examples=20)
    """,
        "--grad-report=out.html",
    )
    said = output_of(result)
    assert "breaks the law `symmetry`" in said
    assert re.search(r"\ntest_op +Product +input 1, y ", said.partition("wrong gradients ===")[2])
    assert "<svg" in (pytester.path / "out.html").read_text()


def test_each_of_several_errors_that_hypothesis_finds_has_a_line(run):
    result = run(
        FAULTY
        + """
    from hypothesis import given, strategies as st

    @pytest.mark.gradcheck(kinks="fail")
    @given(st.booleans())
    def test_two(on_a_kink):
        return (torch.relu, torch.zeros(1, dtype=torch.float64)) if on_a_kink else (Square, vector())
    """
    )
    result.assert_outcomes(failed=1)
    lines = output_of(result).partition("wrong gradients ===")[2]
    assert re.search(r"\ntest_two +Square +input 0, x ", lines)
    assert re.search(r"\ntest_two: .*sits on a kink", lines)


def test_without_wrong_gradients_there_is_no_table(run):
    result = run("def test_it(): assert 1 == 2")
    assert "wrong gradients" not in output_of(result)


PAGE = (
    FAULTY
    + """
    @pytest.mark.gradcheck
    def test_wrong(): return lambda x: Square.apply(x.exp()).sum(), vector()
"""
)


def marked(page: str) -> list[str]:
    """The operations that the drawing in a page marks, by the color of their borders."""
    groups = re.findall(r'<g id="node\d+" class="node">(.*?)</g>\s*(?=<!--|</g>)', page, re.DOTALL)
    return [re.search('xlink:title="([^"]*)"', g)[1] for g in groups if f'stroke="{WRONG.lower()}"' in g.lower()]


def test_the_page_draws_the_graph_and_marks_the_wrong_operation(run, pytester):
    pytest.importorskip("pygraphviz")
    result = run(PAGE, "--grad-report", "out/report.html")
    result.assert_outcomes(failed=1)
    assert "gradient report: out/report.html" in output_of(result)
    page = (pytester.path / "out/report.html").read_text()
    assert page.count("<section>") == 1
    assert "test_it.py::test_wrong" in page
    assert "Marked: <b>Square</b>, since its derivative is wrong by itself." in page
    assert marked(page) == ["Square"]
    assert "Exp" in page
    assert "check_grads(" in page
    assert "It looks like" in page


def test_the_page_of_a_run_without_failures_says_so(run, pytester):
    run("def test_it(): pass", "--grad-report=r.html").assert_outcomes(passed=1)
    assert "No gradient was found wrong" in (pytester.path / "r.html").read_text()


def test_findings_of_xdist_workers_are_reported(run, pytester):
    pytest.importorskip("xdist")
    result = run(PAGE, "-n1", "--grad-report=r.html", "--microgad-device=cpu", in_subprocess=True)
    result.assert_outcomes(failed=1)
    assert re.search(r"test_wrong +test_it.<lambda>|test_wrong +<lambda>", output_of(result))
    assert (pytester.path / "r.html").read_text().count("<section>") == 1


def test_the_plugin_can_be_disabled(run):
    result = run("def test_it(): pass", "-p", "no:microgad", "--grad-report=r.html", in_subprocess=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    run("def test_it(): pass", "-p", "no:microgad", in_subprocess=True).assert_outcomes(passed=1)
    result = run("def test_it(rng): pass", "-p", "no:microgad", in_subprocess=True)
    result.assert_outcomes(errors=1)


def test_the_mark_is_registered(run):
    run(PAGE, "--strict-markers").assert_outcomes(failed=1)
    run("", "--markers").stdout.fnmatch_lines(["*gradcheck(order=1, kinks='move', ...)*"])


def test_a_run_without_gradchecks_imports_neither_microgad_nor_numpy(run):
    result = run(
        """
    import sys
    def test_it(): assert not {"numpy", "microgad"} & set(sys.modules)
    def test_fails(): assert 1 == 2
    """,
        in_subprocess=True,
    )
    result.assert_outcomes(passed=1, failed=1)
    code = "import sys, _microgad_pytest; print('numpy' in sys.modules, 'microgad' in sys.modules)"
    assert processes.output_of(code) == "False False\n"
