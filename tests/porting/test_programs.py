"""Programs that say `import torch` print the same under PyTorch and under `python -m microgad`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "pytorch").glob("*.py"))
PROGRAMS = [*EXAMPLES, *sorted((Path(__file__).parent / "programs").glob("*.py"))]  # these cover more and explain less
NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?")


# Imports PyTorch once and forks for each program that it reads from stdin. The child ends by os._exit, because a
# regular exit of PyTorch takes more than a second, and most programs less than a tenth.
PYTORCH = """
import os, runpy, sys, traceback, warnings
import torch, torchvision
warnings.simplefilter("ignore")
for line in sys.stdin:
    program, output = line.rstrip().split("\\t")
    child = os.fork()
    if child == 0:
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


def output_of(program: Path) -> str:
    command = [sys.executable, "-W", "ignore", "-m", "microgad", str(program)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def pytorch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path], str]]:
    """A function that runs a program under PyTorch and returns its output."""
    pytest.importorskip("torchvision")
    folder = tmp_path_factory.mktemp("printed")
    with subprocess.Popen([sys.executable, "-c", PYTORCH], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout

        def run(program: Path) -> str:
            output = folder / program.stem
            print(program, output, sep="\t", file=process.stdin, flush=True)
            code = process.stdout.readline()  # type: ignore[union-attr]
            assert code == "0\n", output.read_text()
            return output.read_text()

        yield run
        process.stdin.close()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_program_prints_the_same_under_both(program: Path, request: pytest.FixtureRequest) -> None:
    assert "microgad" not in program.read_text()
    ours = output_of(program)
    # requested late: without PyTorch, the program must run on microgad anyway
    theirs = request.getfixturevalue("pytorch")(program)
    assert NUMBER.sub("number", ours) == NUMBER.sub("number", theirs)
    for x, y in zip(NUMBER.findall(ours), NUMBER.findall(theirs), strict=True):
        assert float(x) == pytest.approx(float(y), rel=1e-4, abs=1e-4 if abs(float(y)) < 0.01 else 0)


def test_there_are_twenty_examples() -> None:
    assert len(EXAMPLES) >= 20
