"""Programs that say `import torch` print the same under PyTorch and under microgad."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

from ..processes import LIMIT

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "pytorch").glob("*.py"))
PROGRAMS = [*EXAMPLES, *sorted((Path(__file__).parent / "programs").glob("*.py"))]  # these cover more and explain less
NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?")


# Imports a library once and forks for each program that it reads from stdin. The child ends by os._exit, because a
# regular exit of PyTorch takes more than a second, and most programs less than a tenth.
RUNNER = """
import os, runpy, signal, sys, traceback, warnings
{imports}
warnings.simplefilter("ignore")
for line in sys.stdin:
    program, output = line.rstrip().split("\\t")
    child = os.fork()
    if child == 0:
        signal.alarm({limit})
        sys.stdout = sys.stderr = open(output, "w")
        sys.argv, sys.path[0] = [program], os.path.dirname(program)
        code = 1
        try:
            runpy.run_path(program, run_name="__main__")
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
PYTORCH = "import torch, torchvision"
OURS = "import microgad; microgad.as_torch(); import torch.nn, torch.optim, torch.utils.data, torchvision"


@contextlib.contextmanager
def runner(imports: str, folder: Path) -> Iterator[Callable[[Path], str]]:
    """A function that runs a program after `imports` and returns its output."""
    command = [sys.executable, "-c", RUNNER.format(imports=imports, limit=LIMIT)]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout

        def run(program: Path) -> str:
            output = folder / program.stem
            print(program, output, sep="\t", file=process.stdin, flush=True)
            code = process.stdout.readline()
            assert code == "0\n", output.read_text()
            return output.read_text()

        yield run
        process.stdin.close()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], str]]:
    with runner(OURS, tmp_path_factory.mktemp("ours")) as run:
        yield run


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], str]]:
    pytest.importorskip("torchvision")
    with runner(PYTORCH, tmp_path_factory.mktemp("theirs")) as run:
        yield run


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_program_prints_the_same_under_both(
    program: Path, ours: Callable[[Path], str], request: pytest.FixtureRequest
) -> None:
    assert "microgad" not in program.read_text()
    found = ours(program)
    # requested late: without PyTorch, the program must run on microgad anyway
    expected = request.getfixturevalue("theirs")(program)
    assert NUMBER.sub("number", found) == NUMBER.sub("number", expected)
    for x, y in zip(NUMBER.findall(found), NUMBER.findall(expected), strict=True):
        assert float(x) == pytest.approx(float(y), rel=1e-4, abs=1e-4 if abs(float(y)) < 0.01 else 0)


def test_there_are_twenty_examples() -> None:
    assert len(EXAMPLES) >= 20
