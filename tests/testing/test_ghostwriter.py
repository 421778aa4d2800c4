"""`python -m microgad.testing write`: the tests that it prints are formatted, and fail for wrong Functions only."""

from __future__ import annotations

import subprocess
import sys

import pytest

from microgad.testing.cli.command import main

from ..processes import run

RIGHT = """
import numpy as np
import microgad as torch

class Softplus(torch.Function):
    def forward(self, x): return np.logaddexp(0, x)
    def grad_x(self, grad, x): return grad / (1 + np.exp(-x))

class XLogX(torch.Function):
    def forward(self, x): return x * np.log(x)
    def grad_x(self, grad, x): return grad * (np.log(x) + 1)

class Times(torch.Function):
    numpy = np.multiply
    def forward(self, a, b): return a * b
    def grad_a(self, grad, b): return grad * b
    def grad_b(self, grad, a): return grad * a

class Ratio(torch.Function):
    def forward(self, a, b): return a / b
    def grad_a(self, grad, b): return grad / b
    def grad_b(self, grad, out, b): return -grad * out / b

class Product(torch.Function):
    broadcasts = True
    def forward(self, a, b): return a @ b
    def grad_a(self, grad, b): return grad @ np.swapaxes(b, -1, -2)
    def grad_b(self, grad, a): return np.swapaxes(a, -1, -2) @ grad

class Scale(torch.Function):
    factor: float
    def forward(self, x): return x * self.factor
    def grad_x(self, grad): return grad * self.factor

class SoftPlus(Softplus): ...

class softPlus(Softplus): ...

class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y): return x * 2 + y
    @staticmethod
    def backward(ctx, grad): return grad * 2, grad
"""
SCALE = """
import microgad as torch

class Scale(torch.Function):
    factor: float
    def forward(self, x): return x * self.factor
    def grad_x(self, grad): return grad * self.factor
"""
WRONG = """
import microgad as torch

class Square(torch.Function):
    def forward(self, x): return x * x
    def grad_x(self, grad, x): return grad * x

class Seven(torch.Function):
    def forward(self, x):
        if x.shape != (7,):
            raise ValueError("seven only")
        return x * 1.0
    def grad_x(self, grad): return grad
"""
FEW = """
from hypothesis import Phase, settings
settings.register_profile("few", max_examples=6, phases=[Phase.generate], database=None)
settings.load_profile("few")
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder with the package `mypackage`, in which the written tests are saved and run."""
    home = tmp_path / "mypackage"
    home.mkdir()
    files = {"__init__": "", "ops": RIGHT, "wrong": WRONG, "np": RIGHT, "scales": SCALE, "empty": "x = 1"}
    for name, code in files.items():
        (home / f"{name}.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.partition(".")[0] == "mypackage"]:
        del sys.modules[name]


@pytest.fixture
def written(package, capsys):
    """A function that returns the tests that the command prints for a module."""

    def written(module: str) -> str:
        assert main(["write", module]) == 0
        return capsys.readouterr().out

    return written


def pytest_run(package, code: str) -> subprocess.CompletedProcess[str]:
    (package / "test_written.py").write_text(code)
    (package / "conftest.py").write_text(FEW)
    return run("-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "test_written.py", folder=package)


def body(code: str, test: str) -> str:
    """The body of a test in the printed code."""
    return code.partition(f"def {test}() -> None:\n")[2].partition("\n\n\n")[0].rstrip()


def test_each_function_has_a_test_with_inputs_that_it_accepts(written):
    code = written("mypackage.ops")
    tensors = "s.tensors(elements=s.numbers(), scale=SCALES)"
    assert body(code, "test_softplus") == f"    check_op(ops.Softplus, {tensors})"
    assert body(code, "test_soft_plus") == f"    check_op(ops.SoftPlus, {tensors})"
    assert body(code, "test_soft_plus_2") == f"    check_op(ops.softPlus, {tensors})"
    assert "elements=s.numbers(0.125, 3), scale=SCALES" in body(code, "test_x_log_x")
    assert body(code, "test_times").startswith("    elements = [s.numbers(), s.numbers()]\n")
    assert "s.broadcastable_tensors(2, elements=elements, scale=SCALES)," in body(code, "test_times")
    assert "reference=np.multiply," in body(code, "test_times")
    assert "    elements = [s.numbers(), s.numbers(away_from=[0])]\n" in body(code, "test_ratio")
    assert "    check_op(ops.Twice, s.broadcastable_tensors(2, " in body(code, "test_twice")
    assert body(code, "test_product").endswith("    check_op(ops.Product)")
    assert body(code, "test_scale").startswith("    # check_op draws factor")


def test_the_module_is_imported_under_a_name_that_is_free(written):
    code = written("mypackage.np")
    assert "from mypackage import np as module\n" in code
    assert "check_op(module.Softplus" in code


@pytest.mark.parametrize(
    "module", ["mypackage.ops", "mypackage.wrong", "mypackage.np", "mypackage.scales", "microgad.ops.elementwise"]
)
def test_written_tests_pass_ruff(written, package, module):
    pytest.importorskip("ruff")
    (package / "test_written.py").write_text(written(module))
    rules = ["", "--select=E,F,W,I,UP,B,PT,RUF", "--select=I --line-length=120"]
    for command in [f"check {options}" for options in rules] + ["format --check", "format --check --line-length=120"]:
        options = *command.split(), "--isolated", "--no-cache"
        done = run("-m", "ruff", *options, "test_written.py", folder=package)
        assert done.returncode == 0, done.stdout + done.stderr


def test_written_tests_pass_for_right_functions(written, package):
    result = pytest_run(package, written("mypackage.ops"))
    assert result.returncode == 0, result.stdout
    assert "9 passed" in result.stdout


def test_written_tests_fail_for_wrong_functions_and_name_missing_inputs(written, package):
    result = pytest_run(package, written("mypackage.wrong"))
    assert result.returncode == 1
    assert "2 failed" in result.stdout
    assert "Square: the derivative of output 0" in result.stdout
    assert "Seven refuses 1 float64 Tensor of every shape that was tried: give its" in result.stdout


def test_a_module_without_functions_is_bad_usage(package, capsys):
    assert main(["write", "mypackage.empty"]) == 2
    assert capsys.readouterr() == ("", "error: mypackage.empty defines no Function\n")
    assert main(["write", "mypackage.nothing"]) == 2
