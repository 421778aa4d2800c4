"""Processes that tests start, and whether they have ended. As Linux has /proc."""

from __future__ import annotations

import atexit
import functools
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from subprocess import PIPE
from typing import Any

LIMIT = 240  # seconds, after which a process that hangs is killed, so that its test fails. The slowest takes ten

# Imports microgad, and forks for each command that it reads from stdin. The child runs the command to its regular end.
SERVER = f"""
import json, os, runpy, signal, sys
import microgad.graph.__main__, microgad.nn.modules.torch_names, microgad.porting.run
del sys.modules["microgad.graph.__main__"]
commands, codes = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
for line in commands:
    module, arguments, folder, files = json.loads(line)
    child = os.fork()
    if child == 0:
        signal.alarm({LIMIT})
        os.chdir(folder)
        for number, file in enumerate(files):
            os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number)
        sys.argv, sys.path[0] = [module, *arguments], folder
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=codes, flush=True)
"""


def run(
    *arguments: str, folder: Path | None = None, timeout: float = LIMIT, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, with options of `subprocess.run`."""
    options |= {"capture_output": True, "text": True, "cwd": folder, "timeout": timeout}
    return subprocess.run([sys.executable, *arguments], **options)


def start(program: str, *arguments: Any, **options: Any) -> subprocess.Popen[str]:
    """Start a Python program in a process of its own, with options of `subprocess.Popen`."""
    program = f"import signal\nsignal.alarm({LIMIT})\n{program}"
    return subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], text=True, stdout=PIPE, **options)


def output_of(code: str, *options: str, folder: Path | None = None) -> str:
    """What code prints in a process of its own, which must end without an error."""
    done = run(*options, "-c", code, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_module(module: str, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `python -m module`, a command of microgad's, in a process of its own.

    It is forked from one that has imported microgad, which takes longer than most programs. So it does not have the
    environment variables that a test sets.
    """
    server = _server()
    assert server.stdin
    assert server.stdout
    with tempfile.TemporaryDirectory() as files:
        stdout, stderr = (Path(files, name) for name in ("stdout", "stderr"))
        command = module, arguments, str((folder or Path.cwd()).resolve()), ["/dev/null", str(stdout), str(stderr)]
        print(json.dumps(command), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess([module, *arguments], code, stdout.read_text(), stderr.read_text())


@functools.cache
def _server() -> subprocess.Popen[str]:
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=PIPE, stdout=PIPE, text=True)
    atexit.register(server.communicate)  # closes its stdin, which ends it
    return server


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def gone(pids: Iterable[int], seconds: float = 10) -> bool:
    """Whether all processes end within some seconds."""
    pids, until = list(pids), time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.02)
    return not any(map(alive, pids))
