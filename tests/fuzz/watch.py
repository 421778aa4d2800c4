"""Watch what a reader does with a broken file: it may only load it or refuse it, in a second and in little memory."""

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
MAX_SECONDS = 1.0  # for a file
MAX_MEMORY = 2**28  # bytes of address space beyond those at the start; the system refuses more
# Prefixes of the audit events of Python that no reader may cause.
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
    """A reader is about to run code or open a file. It is no Exception, so that no `except Exception` hides it."""


class Watch:
    """Watches readers. There can be only one in a process, as Python's audit hooks can't be removed."""

    def __init__(self, readers: dict[str, Reader] | None = None) -> None:
        self.readers = {**READERS, **(readers or {})}
        self._on = False
        self._seen: list[str] = []
        sys.addaudithook(self._audit)
        signal.signal(signal.SIGALRM, self._late)
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MAX_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "os.listdir" and str(args[0]).startswith(PACKAGE):
            return  # an import of a module that a file names lists the package's folder if it has changed
        if self._on and event.startswith(FORBIDDEN):
            self._seen.append(f"{event}{args!r:.200}")
            raise Forbidden(event)

    def _late(self, *facts: Any) -> None:
        raise TimeoutError

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        signal.setitimer(signal.ITIMER_REAL, 3 * MAX_SECONDS)
        self._on = True
        try:
            yield
        finally:
            self._on = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def problem(self, kind: str, content: bytes, memory: bool = False) -> tuple[str | None, bool]:
        """Read a file, and return what is wrong, or None, and whether it was loaded.

        With `memory` the allocated memory is measured too, which takes longer.
        """
        found, loaded = self._read(kind, content)
        if found and found.startswith("takes"):
            found, loaded = self._read(kind, content)  # again, since the machine may have been busy
        if memory and not found:
            packed = 2 * max_unpacked_size(len(content)) if kind in ("zip", "npz", "idx") else 0
            most = 200_000 + 25 * len(content) + packed
            # Twice, as Python's own tables may grow once.
            taken = min(self._allocated(kind, content), self._allocated(kind, content))
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
        if time.perf_counter() - begins > MAX_SECONDS:
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
    """A message if an array in what was loaded exceeds its memory, else None."""
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
    """Print the traceback and exit after some seconds, even if no signal handler can run."""
    faulthandler.dump_traceback_later(seconds, exit=True)
