"""Thousands of broken files are loaded or refused, and Watch notices whatever a reader may not do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.processes import LIMIT, run  # new processes, since audit hooks can't be removed from this one

pytestmark = [
    pytest.mark.host("broken files: nothing of a device"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="alarms, limits and /proc as Linux has them"),
]
HERE = Path(__file__).parents[2]


def test_broken_files_are_loaded_or_refused(request: pytest.FixtureRequest) -> None:
    count = 100_000 if request.config.getoption("--thorough") else 5_000
    done = run("-m", "tests.fuzz", "--count", str(count), folder=HERE, timeout=LIMIT * count / 5_000)
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
    "time.sleep(0.3)": "takes ",
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
from tests.fuzz import watch as watching
watching.MAX_SECONDS = 0.25
watch = watching.Watch()
for body in {list(VIOLATIONS)}:
    exec(f"def reader(content):\\n    {{body}}\\n    raise FileError")
    watch.readers["tar"] = reader
    print(watch.problem("tar", b"", memory=True)[0])
"""


def test_violations_of_a_reader_are_noticed() -> None:
    done = run("-c", VIOLATING, folder=HERE)
    found = done.stdout.splitlines()
    assert len(found) == len(VIOLATIONS), done.stderr
    for (body, message), line in zip(VIOLATIONS.items(), found, strict=True):
        assert message in line, body


# Checks in microgad's readers: the kind of file, the module, the code of the check, code that disables it, what is then
# noticed, and a number from which on a file that shows it comes soon.
CHECKS = {
    "a Tensor's bounds": (
        "zip", "serialization.storages", "needed * kind.itemsize > storage.nbytes", "False", "beyond its memory", 1900,
    ),
    "errors": ("stream", "serialization.reading", "except INVALID", "except ZeroDivisionError", "raises KeyError", 0),
    "bombs": ("npz", "serialization.archive", "unpacked > max_unpacked_size(self.length)", "False", "allocates", 0),
    "gzipped bombs": ("idx", "datasets.idx", "len(found) > most", "False", "allocates", 0),
    "a table": (
        "safetensors", "serialization.safetensors", "type(header) is not dict", "False", "raises AttributeError", 0,
    ),
    "sizes that no array has": (
        "idx", "datasets.idx", "except ValueError", "except ZeroDivisionError", "raises ValueError", 0,
    ),
}  # fmt: skip
WITHOUT = """
from importlib.machinery import SourceFileLoader

def get_code(self, name, usual=SourceFileLoader.get_code):
    if name != "microgad.{module}":
        return usual(self, name)
    source = self.get_source(name)
    assert {old!r} in source
    return self.source_to_code(source.replace({old!r}, {new!r}), self.path)

SourceFileLoader.get_code = get_code
from tests.fuzz.mutate import broken_file
from tests.fuzz.watch import Watch
watching = Watch()
for number in range(100):
    try:
        watching.readers[{kind!r}](broken_file({kind!r}, 1, number))
    except Exception:
        pass
for number in [*range({first}, 6000), *range({first})]:
    if problem := watching.problem({kind!r}, broken_file({kind!r}, 0, number), memory={memory})[0]:
        print(number, problem)
        break
"""


@pytest.mark.parametrize("check", CHECKS)
def test_a_reader_without_one_of_its_checks_is_noticed(check: str) -> None:
    kind, module, old, new, message, first = CHECKS[check]
    code = WITHOUT.format(kind=kind, module=module, old=old, new=new, first=first, memory="bomb" in check)
    done = run("-c", code, folder=HERE)
    assert message in done.stdout, done.stdout + done.stderr
