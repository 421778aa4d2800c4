"""Ten thousand broken files are loaded or refused, and Watch notices whatever a reader may not do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.host("broken files: nothing of a device"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="alarms, limits and /proc as Linux has them"),
]
HERE = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, since its audit hooks can't be removed."""
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=HERE)


def test_broken_files_are_loaded_or_refused(request: pytest.FixtureRequest) -> None:
    count = 100_000 if request.config.getoption("--thorough") else 10_000
    done = run("-m", "tests.fuzz", "--count", str(count))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} files" in done.stdout
    for line in done.stdout.splitlines()[:-1]:  # some are loaded and some refused, as mutations are near the formats
        files, loaded = (int(word) for word in line.replace(",", "").split() if word.isdigit())
        assert 0.02 < loaded / files < 0.6, line


VIOLATIONS = {
    "os.system('true')": "does os.system",
    "subprocess.run(['true'])": "does subprocess.Popen",
    "eval('1')": "does compile",
    "open('/tmp/written', 'w')": "does open",
    "np.memmap('/etc/passwd', mode='r')": "does open",
    "import this": "does import",
    "pickle.loads(pickle.dumps(os.system))": "does pickle.find_class",
    "raise KeyError('x')": "raises KeyError",
    "time.sleep(1.2)": "takes ",
    "while True: pass": "takes ",
    "np.empty(2**29, np.uint8)": "raises MemoryError",
    "bytearray(3 * 2**20)": "allocates 3",
    "return np.lib.stride_tricks.as_strided(np.ones(4), (2,), (4000,))": "beyond its memory",
    "raise FileError": "None",
}
VIOLATING = f"""
import os, pickle, subprocess, time
import numpy as np
from microgad.serialization import FileError
from tests.fuzz.watch import Watch
watch = Watch()
for body in {list(VIOLATIONS)}:
    exec(f"def reader(content):\\n    {{body}}\\n    raise FileError")
    watch.readers["tar"] = reader
    print(watch.problem("tar", b"", memory=True)[0])
"""


def test_violations_of_a_reader_are_noticed() -> None:
    done = run("-c", VIOLATING)
    found = done.stdout.splitlines()
    assert len(found) == len(VIOLATIONS), done.stderr
    for (body, message), line in zip(VIOLATIONS.items(), found, strict=True):
        assert message in line, body


# Checks in microgad's readers: the kind of file, the module, the code of the check, and code that disables it.
CHECKS = {
    "a Tensor's bounds": ("zip", "serialization.storages", "needed * kind.itemsize > storage.nbytes", "False"),
    "errors": ("stream", "serialization.reading", "except INVALID", "except ZeroDivisionError"),
    "bombs": ("npz", "serialization.archive", "unpacked > max_unpacked_size(self.length)", "False"),
    "gzipped bombs": ("idx", "datasets.idx", "len(found) > most", "False"),
    "a table": ("safetensors", "serialization.safetensors", "type(header) is not dict", "False"),
    "sizes that no array has": ("idx", "datasets.idx", "except ValueError", "except ZeroDivisionError"),
}
WITHOUT = """
import importlib, inspect, sys
from tests.fuzz import watch
from tests.fuzz.mutate import broken_file
module = importlib.import_module("microgad.{module}")
source = inspect.getsource(module)
assert {old!r} in source
before = dict(vars(module))
exec(compile(source.replace({old!r}, {new!r}), module.__file__, "exec"), vars(module))
for other in [*sys.modules.values()]:
    for name, value in [*vars(other).items()] if other.__name__.startswith(("microgad.", "tests.fuzz")) else ():
        if value is not vars(module).get(name) and value is before.get(name) and callable(value):
            setattr(other, name, vars(module)[name])
watching = watch.Watch()
for number in range(-100, 6000):
    if number < 0:
        try:
            watching.readers[{kind!r}](broken_file({kind!r}, 1, number + 100))
        except Exception:
            pass
    elif problem := watching.problem({kind!r}, broken_file({kind!r}, 0, number), memory={memory})[0]:
        print(problem)
        break
"""


@pytest.mark.parametrize("check", CHECKS)
def test_a_reader_without_one_of_its_checks_is_noticed(check: str) -> None:
    kind, module, old, new = CHECKS[check]
    done = run("-c", WITHOUT.format(kind=kind, module=module, old=old, new=new, memory="bomb" in check))
    assert done.stdout, done.stderr
