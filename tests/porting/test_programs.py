"""Programs that say `import torch` print the same under PyTorch and under `python -m microgad`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "pytorch").glob("*.py"))
PROGRAMS = [*EXAMPLES, *sorted((Path(__file__).parent / "programs").glob("*.py"))]  # those try more and explain less
NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?")


def printed(*command: str) -> str:
    done = subprocess.run([sys.executable, "-W", "ignore", *command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_prints_the_same(program: Path) -> None:
    assert "microgad" not in program.read_text()
    ours = printed("-m", "microgad", str(program))
    pytest.importorskip("torch")
    theirs = printed(str(program))
    assert NUMBER.sub("number", ours) == NUMBER.sub("number", theirs)
    for x, y in zip(NUMBER.findall(ours), NUMBER.findall(theirs), strict=True):
        assert float(x) == pytest.approx(float(y), rel=1e-4, abs=1e-4 if abs(float(y)) < 0.01 else 0)


def test_there_are_twenty() -> None:
    assert len(EXAMPLES) >= 20
