"""`python -m microgad.testing check`: what can be named, exit codes, messages and the progress bar."""

from __future__ import annotations

import io
import sys
from itertools import count

import pytest

from microgad.testing.cli.command import main

from ..processes import run

OPS = """
import numpy as np
import microgad as torch
from microgad import nn
from microgad.ops.elementwise import Sin  # imported, not defined here

class Cube(torch.Function):
    def forward(self, x): return x * x * x
    def grad_x(self, grad, x): return grad * (3 * x * x)

class _Private(torch.Function):
    def forward(self, x): return x * 1.0
    def grad_x(self, grad): return grad * 2

class Abstract(torch.Function):
    factor: float

class Swish(nn.Module):
    def __init__(self):
        super().__init__()
        self.beta = nn.Parameter(torch.ones(()))
    def forward(self, x): return x * torch.sigmoid(self.beta * x)

class Double(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y): return x * 2 + y
    @staticmethod
    def backward(ctx, grad): return grad * 2, grad

number = 3.0
def square(x): return x * x
def raises(x): return x.nonsense
swish = Swish()
class Namespace:
    square = square
"""
BAD = """
import microgad as torch
from microgad import nn

class Square(torch.Function):
    def forward(self, x): return x * x
    def grad_x(self, grad, x): return grad * x

class Layer(nn.Module):
    def forward(self, x): return Square.apply(x)

class Seven(torch.Function):
    def forward(self, x):
        if x.shape != (7,):
            raise ValueError("seven only")
        return x * 1.0
    def grad_x(self, grad): return grad

class Sized(nn.Module):
    def __init__(self, size): super().__init__()
    def forward(self, x): return x
"""
names = (f"checked_{i}" for i in count())


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A function that writes a module's code to a file, and returns a module name that no other test uses."""
    monkeypatch.syspath_prepend(tmp_path)

    def module(code: str) -> str:
        name = next(names)
        (tmp_path / f"{name}.py").write_text(code)
        return name

    return module


@pytest.fixture
def check(capsys):
    """A function that runs the command, and returns its exit code, standard output and standard error."""

    def check(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(["check", *arguments])
        except SystemExit as error:
            code = error.code
        return code, *capsys.readouterr()

    return check


def test_a_module_name_checks_the_functions_and_modules_defined_there(check, module):
    code, out, err = check(module(OPS), "--examples", "5")
    assert [line.split(":")[0] for line in out.splitlines() if "examples obey" in line] == ["Cube", "Swish", "Double"]
    assert "Cube: 5 examples obey" in out
    assert out.endswith("3 checked: 3 right\n")
    assert (code, err) == (0, "")


def test_a_package_name_checks_what_its_files_define(check, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    home = tmp_path / "checked_package"
    home.mkdir()
    (home / "__init__.py").write_text("from .ops import Cube, Sin")
    (home / "ops.py").write_text(OPS)
    code, out, _ = check("checked_package", "--examples=3")
    assert code == 0
    assert out.startswith("Cube: 3 examples")
    assert out.count("examples obey") == 1


@pytest.mark.parametrize("name", ["Cube", "square", "swish", "Swish", "Namespace.square", "Double"])
def test_functions_modules_and_methods_can_be_named(check, module, name):
    code, out, err = check(f"{module(OPS)}:{name}", "--examples", "4", "--order=1")
    assert (code, err) == (0, "")
    assert f"{name}: 4 examples obey" in out


@pytest.mark.parametrize("name", ["Square", "Layer"])
def test_a_wrong_derivative_is_shown_and_exits_with_1(check, module, name):
    code, out, err = check(f"{module(BAD)}:{name}", "--examples", "10")
    assert (code, err) == (1, "")
    assert "is wrong in 1 of 1 entries" in out
    assert "It looks like a factor" in out
    assert "tensor(" in out  # the example
    assert "Explanation" not in out


@pytest.mark.usefixtures("no_shrinking")
def test_an_unchecked_target_exits_with_2_unless_another_is_wrong(check, module):
    name = module(BAD)
    code, out, err = check(f"{name}:Seven", f"{name}:Sized", "--examples", "5")
    assert code == 2
    assert f"{name}:Seven can't be checked from here: Seven refuses 1 float64 Tensor" in err
    assert f"{name}:Sized can't be checked from here: check_module: Sized takes arguments: pass" in err
    assert out == "2 checked: 2 not checked\n"
    code, out, _ = check(name, "--examples", "5")
    assert code == 1
    assert out.endswith("4 checked: 2 wrong, 2 not checked\n")


def test_a_target_that_raises_exits_with_1(check, module):
    code, out, _ = check(f"{module(OPS)}:raises", "--examples", "5")
    assert code == 1
    assert "nonsense" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such_module"], "error: there is no module no_such_module, here or among what is installed"),
        (["microgad.no_such_module:X"], "error: there is no module microgad.no_such_module"),
        (["no_such/ops.py:X"], "installed; a file is named as in an import, no_such.ops"),
        (["no_such_ops.py"], "installed; a file is named as in an import, no_such_ops"),
        (["{ops}:Cub"], "error: {ops} has no 'Cub'; did you mean 'Cube'?"),
        (["{ops}:Cube.nothing"], "error: {ops} has no 'Cube.nothing'"),
        (["{ops}:number"], "error: {ops}:number is a float: expected a Function, a Module or a function on Tensors"),
        (["{empty}"], "error: {empty} defines no Function and no Module; name what to check: {empty}:name"),
        (["{broken}"], "error: {broken} can't be imported: ZeroDivisionError: division by zero"),
        (["{needs}"], "error: {needs} can't be imported: ModuleNotFoundError: No module named 'no_such_thing'"),
        (["{ops}", "--examples=0"], "argument --examples: expected a positive integer, got '0'"),
        (["{ops}", "--examples=many"], "argument --examples: expected a positive integer, got 'many'"),
        (["{ops}", "--exemples=3"], "unrecognized arguments: --exemples=3"),
        ([], "the following arguments are required: TARGET"),
    ],
)
def test_bad_usage_exits_with_2_and_names_the_error(check, module, arguments, message):
    written = {
        "ops": module(OPS),
        "empty": module(""),
        "broken": module("1 / 0"),
        "needs": module("import no_such_thing"),
    }
    code, out, err = check(*(argument.format(**written) for argument in arguments))
    assert (code, out) == (2, "")
    assert message.format(**written) in err


def test_without_hypothesis_the_message_names_the_extra_to_install(check, monkeypatch):
    monkeypatch.setattr("microgad.testing.cli.command.find_spec", lambda name: None)
    assert check("microgad.ops.elementwise") == (
        2,
        "",
        "microgad.testing needs hypothesis: pip install 'microgad[test]'\n",
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_progress_bar(check, module, monkeypatch):
    pytest.importorskip("tqdm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    code, out, _ = check(module(OPS), "--examples", "20")
    assert code == 0
    assert "%|" not in out
    shown = terminal.getvalue()
    assert "  0 %|" in shown
    assert "left" in shown
    assert ":Cube" in shown or ":Double" in shown


def test_the_bar_advances_with_every_example_and_ends_full(monkeypatch):
    pytest.importorskip("tqdm")
    from microgad.testing.cli.command import _progress_bar
    from microgad.testing.cli.progress import Progress
    from microgad.testing.laws import check_op
    from microgad.testing.laws.runner import on_example

    moved = []
    monkeypatch.setattr(Progress, "example", lambda self: moved.append(self))
    with _progress_bar(6):
        check_op(abs, examples=6, laws=["unchanged"])
    assert len(moved) == 6
    on_example.get()()  # outside of the block nothing is counted
    assert len(moved) == 6
    progress = Progress(10, Terminal())
    progress.at("x", 5)
    assert progress._bar.n == 5
    progress.at("x", 10)
    assert progress._bar.n == progress._bar.total == 10
    progress.close()


def test_without_tqdm_there_is_no_bar(check, module, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert check(f"{module(OPS)}:Cube", "--examples", "3")[0] == 0
    assert terminal.getvalue() == ""


def test_the_command_runs_in_a_process(tmp_path):
    (tmp_path / "mine.py").write_text(OPS)
    (tmp_path / "bad.py").write_text(BAD)
    arguments = "check", "mine:Cube", "bad:Seven", "--examples", "3"
    done = run("-m", "microgad.testing", *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout.startswith("Cube: 3 examples obey")
    assert done.stderr.startswith("bad:Seven can't be checked from here: ")
