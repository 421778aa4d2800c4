"""What a reader may not do with a broken file: anything but load it or refuse it, at once, in little memory."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import resource
import signal
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import microgad
from microgad.datasets import DataError
from microgad.datasets.idx import decode_idx, decompress
from microgad.errors import DeviceError, UnsupportedError
from microgad.serialization import FileError, safetensors
from microgad.serialization.archive import max_unpacked_size

from .mutate import KINDS

Reader = Callable[[bytes], Any]
LONGEST = 1.0  # seconds for a file
ROOM = 2**28  # bytes of addresses that the process may take beyond what it has; the system refuses more
# What Python tells of before it does it, and no reader does. Words that begin so.
FORBIDDEN = (
    "os.", "subprocess.", "shutil.", "socket.", "ctypes.", "exec", "compile", "import", "marshal.", "pickle.", "open",
    "code.__new__", "function.__new__", "builtins.input", "builtins.breakpoint", "tempfile.", "webbrowser.", "urllib.",
    "sys.", "pty.", "glob.", "mmap.", "signal.", "fcntl.", "syslog.",
)  # fmt: skip
PACKAGE = str(Path(microgad.__file__).parent)


def load(content: bytes) -> Any:
    return microgad.load(io.BytesIO(content), map_location="cpu", weights_only=False)


def load_table(content: bytes) -> Any:
    return safetensors.load(content)


def load_graph(content: bytes) -> Any:
    return microgad.onnx.load(content)


def read_idx(content: bytes) -> Any:
    return decode_idx(decompress(content, "a file"), "a file")


READERS: dict[str, Reader] = dict.fromkeys(KINDS, load) | {
    "safetensors": load_table,
    "idx": read_idx,
    "onnx": load_graph,
}
DECLARED: dict[str, tuple[type[Exception], ...]] = dict.fromkeys(KINDS, (FileError, DeviceError))
DECLARED |= {"idx": (DataError,), "onnx": (FileError, UnsupportedError)}


class Forbidden(BaseException):
    """Raised where a reader is about to run something, or to open a file: no `except Exception` hides it."""


class Watch:
    """Sees what readers do. There is one for a process, as Python's audit hooks stay."""

    def __init__(self, readers: dict[str, Reader] | None = None) -> None:
        self.readers = {**READERS, **(readers or {})}
        self._on = False
        self._seen: list[str] = []
        sys.addaudithook(self._audit)
        signal.signal(signal.SIGALRM, self._late)
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, resource.getrlimit(resource.RLIMIT_AS)[1]))

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "os.listdir" and str(args[0]).startswith(PACKAGE):
            return  # Python looks for a layer's module that a file names, and somebody is at work in the folder
        if self._on and event.startswith(FORBIDDEN):
            self._seen.append(f"{event}{args!r:.200}")
            raise Forbidden(event)

    def _late(self, *facts: Any) -> None:
        raise TimeoutError

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        signal.setitimer(signal.ITIMER_REAL, 3 * LONGEST)
        self._on = True
        try:
            yield
        finally:
            self._on = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def problem(self, kind: str, content: bytes, memory: bool = False) -> tuple[str | None, bool]:
        """What is wrong with how a file is read, None if nothing; and whether it was loaded.

        `memory` looks at what is allocated, too, which takes some time.
        """
        found, loaded = self._read(kind, content)
        if found and found.startswith("takes"):
            found, loaded = self._read(kind, content)  # unless the machine had something else to do
        if memory and not found:
            packed = 2 * max_unpacked_size(len(content)) if kind in ("zip", "npz", "idx") else 0
            most = 200_000 + 25 * len(content) + packed
            taken = min(self._allocated(kind, content), self._allocated(kind, content))  # Python's own tables grow once
            if taken > most:
                found = f"allocates {taken} bytes for a file of {len(content)}"
        return found, loaded

    def _read(self, kind: str, content: bytes) -> tuple[str | None, bool]:
        self._seen.clear()
        begins, loaded, found = time.perf_counter(), False, None
        try:
            with self._watched():
                result = self.readers[kind](content)
            loaded = True
            found = outside(result)
        except DECLARED[kind]:
            pass
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            found = f"raises {type(error).__name__}: {error!s:.300}"
        if time.perf_counter() - begins > LONGEST:
            found = f"takes {time.perf_counter() - begins:.1f} s"
        if self._seen:
            found = f"does {self._seen[0]}"
        return found, loaded

    def _allocated(self, kind: str, content: bytes) -> int:
        tracemalloc.start()
        self._read(kind, content)
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return taken


def outside(x: Any) -> str | None:
    """Whether an array in what was loaded reaches beyond its memory."""
    todo, seen = [x], set()
    while todo:
        x = todo.pop()
        if id(x) in seen:
            continue
        seen.add(id(x))
        if isinstance(x, dict):
            todo += [*x.keys(), *x.values()]
        elif isinstance(x, (list, tuple, set)):
            todo += x
        elif isinstance(x, (microgad.Tensor, np.ndarray)):
            array = x.array if isinstance(x, microgad.Tensor) else x
            low, high = np.lib.array_utils.byte_bounds(array)
            first, last = np.lib.array_utils.byte_bounds(microgad.backend.owner(array))
            if array.size and not first <= low <= high <= last:
                return f"makes an array of shape {array.shape}, strides {array.strides} beyond its memory"
    return None


def end_if_stuck(seconds: int) -> None:
    """Where not even an alarm comes through: say where, and end."""
    faulthandler.dump_traceback_later(seconds, exit=True)
