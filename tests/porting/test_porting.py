"""Programs that say `import torch` run on microgad, each in its own process where PyTorch isn't imported."""

from __future__ import annotations

import contextlib
import io
import pkgutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import microgad
from microgad.porting import alias, check

from ..processes import run, run_module

NO_DISTRIBUTED = "one process computes on one device; nn.DataParallel calls its module, DataLoader has workers"


def run_program(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "program.py").write_text(program)
    return run_module("microgad", "program.py", *arguments, folder=folder)


def test_program_runs_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = """
import sys
import torch
import torch.nn as nn, torch.nn.functional as F
from torch import optim, Tensor
from torch.nn.modules.module import Module
from torch.nn.modules.batchnorm import BatchNorm2d
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets, transforms
import torchvision.transforms as T

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
loss = F.mse_loss(net(torch.ones(4, 2)), torch.zeros(4, 3))
loss.backward()
assert Module is nn.Module and BatchNorm2d is nn.BatchNorm2d and T is transforms
assert tuple(int(part) for part in torch.__version__.split("+")[0].split(".")) >= (2, 0, 0)
print(f"{loss.item():.6f}", __name__, sys.argv[1:], isinstance(net[0].weight, Tensor))
sys.exit(7)
"""
    result = run_program(program, tmp_path, "a", "--b")
    assert result.returncode == 7, result.stderr
    pytest.importorskip("torchvision")
    monkeypatch.setattr(sys, "argv", ["program.py", "a", "--b"])
    with contextlib.redirect_stdout(io.StringIO()) as theirs, pytest.raises(SystemExit, match="7"):
        exec(program, {"__name__": "__main__"})
    assert result.stdout == theirs.getvalue() != ""


def test_missing_names_raise_when_they_are_used(tmp_path: Path) -> None:
    program = """
import torch
import torch.distributed.rpc as rpc
from torch import Absentee
from torch.nn import Linar
from torch.utils.mobile_optimizer import optimize_for_mobile

def used(f):
    try:
        f()
    except AttributeError as error:
        print(error)

used(lambda: rpc.init_rpc("worker"))
used(lambda: Absentee(1))
used(lambda: Linar)
used(lambda: Linar(2, 3))
used(lambda: optimize_for_mobile())
used(lambda: torch.sparse_csr_tensor)
print(hasattr(torch, "sparse_csr_tensor"), isinstance(1, Absentee))

class Net(Linar, torch.nn.Module):  # libraries define subclasses that the program may never use
    def __init__(self, width):
        super().__init__()

Net(3)
"""
    result = run_program(program, tmp_path)
    assert result.stdout.replace(f"{tmp_path.resolve()}/", "").splitlines() == [
        f"program.py:14: microgad has no distributed.rpc.init_rpc: {NO_DISTRIBUTED}",
        "program.py:15: microgad has no Absentee",
        "program.py:17: microgad has no nn.Linar; the nearest name is Linear",
        "program.py:18: microgad has no utils.mobile_optimizer.optimize_for_mobile",
        (
            "microgad has no sparse_csr_tensor: arrays are dense; index_add, gather and matmul do what sparse ones do; "
            "the nearest name is sparse_coo_tensor"
        ),
        "False False",
    ]
    assert result.returncode == 1
    assert result.stderr.endswith(
        f"AttributeError: {tmp_path.resolve()}/program.py:26: microgad has no nn.Linar; the nearest name is Linear\n"
    ), result.stderr


def test_modules_that_torch_removed_can_not_be_imported(tmp_path: Path) -> None:
    program = """
import importlib.util

try:
    import torch._six as old
except ImportError:
    import collections.abc as old
try:
    import torchvision.transforms.functional_tensor
except ModuleNotFoundError as error:
    print(error)
try:
    from torchvision.models.utils import load_state_dict_from_url
except ImportError:
    from torch.hub import load_state_dict_from_url
print(old.__name__, importlib.util.find_spec("torch.utils.ffi"), importlib.util.find_spec("torch.nn") is None)
print(load_state_dict_from_url.__module__.split(".")[-1])
"""
    result = run_program(program, tmp_path)
    assert result.stdout.splitlines() == [
        "No module named 'torchvision.transforms.functional_tensor'", "collections.abc None False", "hub",
    ], result.stderr  # fmt: skip


def test_modules_that_torch_does_not_have_can_not_be_imported(tmp_path: Path) -> None:
    program = """
for statement in "import torch.zzz", "import torch.zzz.inner", "from torch.zzz import inner":
    try:
        exec(statement)
    except ImportError as error:
        print(type(error).__name__)
import torch.export, torch._prims_common, torch.nn.zzz
"""
    result = run_program(program, tmp_path)
    assert result.stdout.split() == ["ModuleNotFoundError"] * 3, result.stderr


def test_all_modules_right_below_torch_are_known() -> None:
    theirs = {module.name for module in pkgutil.iter_modules(pytest.importorskip("torch").__path__)}
    assert {name for name in (*theirs, "classes", "ops") if alias.find_module(f"torch.{name}") is None} == alias.LACKING


def test_names_that_are_functions_and_modules_stay_functions(tmp_path: Path) -> None:
    program = """
from unittest import mock
import torch
for name in "torch.optim.SGD.step", "torch.nn.utils.prune.L1Unstructured.compute_mask", "torch.cuda.is_available":
    with mock.patch(name):
        pass
from torch.autograd.gradcheck import GradcheckError, gradcheck
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel.data_parallel import DataParallel, data_parallel
from torch.nn.utils.weight_norm import weight_norm
assert gradcheck is torch.autograd.gradcheck and weight_norm is torch.nn.utils.weight_norm
assert spawn is torch.multiprocessing.spawn and data_parallel is torch.nn.parallel.data_parallel
assert DataParallel is torch.nn.DataParallel and issubclass(GradcheckError, RuntimeError)
assert isinstance(torch.optim.SGD, type) and isinstance(torch.nn.utils.prune.L1Unstructured, type)
try:
    import torch.optim.SGD
except ModuleNotFoundError:
    print("no module")
"""
    result = run_program(program, tmp_path)
    assert (result.stdout, result.returncode) == ("no module\n", 0), result.stderr


def test_traceback_starts_in_the_program(tmp_path: Path) -> None:
    result = run_program("import torch\ndef f():\n    return torch.ones(2) @ torch.ones(3)\nf()", tmp_path)
    assert result.returncode == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("  File")]
    assert f'"{tmp_path.resolve() / "program.py"}", line 4' in lines[0]
    assert f'"{tmp_path.resolve() / "program.py"}", line 3' in lines[1]


def test_program_knows_its_file_in_every_folder(tmp_path: Path) -> None:
    """Its __file__ and what warnings and tracebacks show are absolute paths, as under Python."""
    program = "import os, sys, warnings\nos.chdir('/')\nprint(__file__, sys.argv)\nwarnings.warn('w')\n1 / 0"
    ours, python = run_program(program, tmp_path, "x"), run("program.py", "x", folder=tmp_path)
    assert (ours.stdout, ours.stderr, ours.returncode) == (python.stdout, python.stderr, 1)


@pytest.mark.parametrize("name", ["/dev/stdin", "-"])
def test_program_is_read_from_a_pipe(name: str) -> None:
    program = "import sys, torch\nprint(torch.ones(1), sys.argv, globals().get('__file__'))"
    result = run("-m", "microgad", name, "x", input=program)
    file = None if name == "-" else name
    assert result.stdout == f"tensor([1.]) ['{name}', 'x'] {file}\n", result.stderr


def test_syntax_error_is_shown_without_a_traceback(tmp_path: Path) -> None:
    assert run_program("x = (", tmp_path).stderr == run("program.py", folder=tmp_path).stderr


def test_program_may_be_a_zip_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "program.zip", "w") as archive:
        archive.writestr("__main__.py", "import torch; print(torch.ones(1))")
    assert run_module("microgad", "program.zip", folder=tmp_path).stdout == "tensor([1.])\n"


def test_command_runs_modules_and_code(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import sys, torch\nprint(torch.ones(2).sum().item(), sys.argv[1:], __package__)"
    )
    result = run_module("microgad", "-m", "package", "x", folder=tmp_path)
    assert result.stdout == "2.0 ['x'] package\n", result.stderr
    result = run_module("microgad", "-c", "import torch, sys; print(torch.zeros(1).item(), sys.argv)", "y")
    assert result.stdout == "0.0 ['-c', 'y']\n", result.stderr
    assert run_module("microgad").returncode == 2
    assert "usage" in run_module("microgad", "--help").stdout
    assert "argument expected for the -m option" in run_module("microgad", "-m").stderr


def test_as_torch_in_a_with_block_and_permanently() -> None:
    result = run(
        "-c",
        """
import sys, microgad
before = microgad.__version__
with microgad.as_torch() as given:
    import torch, torch.nn, torch.nested
    assert torch is given is microgad and torch.nn is microgad.nn
    assert torch.__version__ == f"2.13.0+microgad.{before}" and torch.__version__ >= (1, 13)
    assert torch.__version__ > "2.9"  # compared as a version: as text it would be smaller
    with microgad.as_torch():
        assert torch.__version__ == f"2.13.0+microgad.{before}"
assert microgad.__version__ == before and not hasattr(microgad, "nested")
assert callable(microgad.autograd.gradcheck)
assert not [name for name in sys.modules if name.partition(".")[0] == "torch"]
try:
    from microgad import Absentee
except ImportError:
    microgad.as_torch()
    from torch import Absentee
    print(Absentee)
""",
    )
    assert result.stdout == "<microgad has no Absentee>\n", result.stderr


def test_as_torch_raises_if_torch_is_imported() -> None:
    pytest.importorskip("torch")
    with pytest.raises(ImportError, match="as_torch: torch itself is imported already") as raised:
        microgad.as_torch()
    assert type(raised.value).__name__ == "NameTakenError"


def test_pytest_runs_also_where_its_warnings_are_errors(tmp_path: Path) -> None:
    """It marks the modules of its plugins to rewrite their assertions, and warns of those that are imported already."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "test_it.py").write_text("import torch\ndef test_it(): assert torch.ones(2).sum() == 2\n")
    result = run("-m", "microgad", "-m", "pytest", "-q", folder=tmp_path)
    assert "1 passed" in result.stdout, result.stderr


def test_check_command_lists_missing_names(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(
        """
import torch, torch.distributed.rpc
import torch.nn as nn
from torch.nn import functional as F, Linar
from torch import *
import numpy

x = torch.relu(torch.Tensor(2)).anything.at_all
y = F.rellu(x), F.rellu(-x), nn.Conv2d, torch.nn.init.zeros_, numpy.absent, torch.quantize_per_tensor
nn.Module.absent
torch.own_setting = True
"""
    )
    assert [(absence.line, absence.message) for absence in check(file)] == [
        (2, f"microgad has no distributed.rpc: {NO_DISTRIBUTED}"),
        (4, "microgad has no nn.Linar"),
        (9, "microgad has no nn.functional.rellu; the nearest name is relu"),
        (
            9,
            (
                "microgad has no quantize_per_tensor: arrays are not quantized; float16 takes half of the memory of "
                "float32; the nearest name is fake_quantize_per_tensor_affine"
            ),
        ),
    ]
    result = run_module("microgad", "check", str(file))
    assert result.returncode == 1
    assert result.stdout.splitlines()[0] == f"{file}:2: microgad has no distributed.rpc: {NO_DISTRIBUTED}"
    file.write_text("import torch\ntorch.ones(2)\nfrom torch.version import cuda, debug")
    result = run_module("microgad", "check", str(file))
    assert result.returncode == 0
    assert result.stdout == f"{file}: microgad has all torch names in it; methods of Tensors are not checked\n"
    file.write_text("from torch.absent import *")
    assert [absence.message for absence in check(file)] == ["microgad has no absent"]
    file.write_text("x = (")
    result = run_module("microgad", "check", str(file))
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert "python -m microgad check: '(' was never closed (program.py, line 1)" in result.stderr


def test_check_does_not_take_a_parameter_or_a_folder_for_torch(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(
        """
import torch
from .torch import absent, another
def compare(*, torch): return [torch.absent, lambda: torch.absent]
async def run(*torch): return torch.absent
get = lambda torch: torch.absent
def use(x): return torch.absent
"""
    )
    assert [absence.line for absence in check(file)] == [7]


def test_check_and_run_suggest_the_same_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import torch\ntorch.seralization\n")
    (absence,) = check(tmp_path / "program.py")
    assert absence.message.endswith("the nearest name is serialization")
    assert f"AttributeError: {absence.message}\n" in run_module("microgad", "program.py", folder=tmp_path).stderr


def test_check_knows_what_programs_find_in_torch_ops(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text("import torch\nkey = torch.ops.aten.add, torch.ops.load_library\n")
    assert check(file) == []


@pytest.mark.parametrize("line", ["import torch; torch.onnx.export", "from torch.onnx import export"])
def test_check_names_the_package_that_a_name_needs(tmp_path: Path, line: str) -> None:
    (tmp_path / "program.py").write_text(line)
    code = "import sys; sys.modules['onnx'] = None; from microgad.porting import check; print(*check('program.py'))"
    result = run("-c", code, folder=tmp_path)
    assert result.stdout == "program.py:1: microgad.onnx.export needs onnx: pip install 'microgad[onnx]'\n", (
        result.stderr
    )


def test_check_reads_all_programs_of_a_folder(tmp_path: Path) -> None:
    package = tmp_path / "package" / "models"
    package.mkdir(parents=True)
    (package / "net.py").write_text("import torch\ntorch.absent\n")
    (package.parent / "data.py").write_text("import torch\ntorch.ones(2)\n")
    result = run_module("microgad", "check", "package", folder=tmp_path)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.startswith(f"{Path('package', 'models', 'net.py')}:2: microgad has no absent")
    (package / "net.py").write_text("import torch\n")
    result = run_module("microgad", "check", "package", folder=tmp_path)
    assert result.stdout == "package: microgad has all torch names in it; methods of Tensors are not checked\n"
    (package / "broken.py").write_text("x = (")
    (package / "net.py").write_text("import torch\ntorch.absent\n")
    result = run_module("microgad", "check", "package", folder=tmp_path)
    assert (result.returncode, "'(' was never closed" in result.stderr) == (2, True)
    assert "microgad has no absent" in result.stdout
    (tmp_path / "empty").mkdir()
    result = run_module("microgad", "check", "empty", folder=tmp_path)
    assert (result.returncode, "there is no .py file in empty" in result.stderr) == (2, True)


@pytest.mark.parametrize("command", [(), ("check",)])
def test_missing_program_file(command: tuple[str, ...]) -> None:
    result = run_module("microgad", *command, "absent.py")
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("python -m microgad")
    assert "absent.py" in line


@pytest.mark.parametrize("command", [(), ("check",)])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_flag(command: tuple[str, ...], flag: str) -> None:
    result = run_module("microgad", *command, flag)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("usage: python -m microgad program.py")
