"""torch.multiprocessing: Python's multiprocessing, with Tensors in shared memory, and `spawn`."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
import traceback
from collections.abc import Callable
from multiprocessing import *  # noqa: F403
from multiprocessing.connection import wait
from typing import Any

from ...errors.notices import warn

__all__ = [
    "ProcessContext", "ProcessExitedException", "ProcessRaisedException", "get_all_sharing_strategies",
    "get_sharing_strategy", "set_sharing_strategy", "spawn", "start_processes", *multiprocessing.__all__,
]  # fmt: skip
LONGEST = 8_000  # the most characters of a traceback: a pipe holds as many before it is read


class ProcessException(Exception):
    """A process failed; its index and pid are attributes. Source: torch.multiprocessing.ProcessException."""

    def __init__(self, msg: str, error_index: int, error_pid: int) -> None:
        super().__init__(msg)
        self.msg, self.error_index, self.error_pid = msg, error_index, error_pid

    def __reduce__(self) -> Any:
        return type(self), (self.msg, self.error_index, self.error_pid)


class ProcessRaisedException(ProcessException):
    """A process raised an exception, which the message shows. Source: torch.multiprocessing.ProcessRaisedException."""


class ProcessExitedException(ProcessException):
    """A process ended with a nonzero code or a signal. Source: torch.multiprocessing.ProcessExitedException."""

    def __init__(
        self, msg: str, error_index: int, error_pid: int, exit_code: int, signal_name: str | None = None
    ) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code, self.signal_name = exit_code, signal_name

    def __reduce__(self) -> Any:
        return type(self), (self.msg, self.error_index, self.error_pid, self.exit_code, self.signal_name)


class ProcessContext:
    """The processes of one start_processes, with the pipes that report their exceptions."""

    def __init__(self, processes: list[Any], errors: list[Any]) -> None:
        self.processes, self._errors = processes, errors

    def pids(self) -> list[int]:
        """Return the process ids."""
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait for a process to end and return whether all have ended. If one failed, stop the others and raise.

        The others get `grace_period` seconds to end by themselves, then as long, or 30 seconds, to end after SIGTERM.
        Raises ProcessRaisedException or ProcessExitedException.
        """
        running = {process.sentinel: process for process in self.processes if process.exitcode is None}
        if not any(process.exitcode for process in self.processes):  # or the others may wait for one that failed before
            for sentinel in wait(list(running), timeout):
                running[sentinel].join()
        failed = next((i for i, process in enumerate(self.processes) if process.exitcode), None)
        if failed is None:
            return all(process.exitcode is not None for process in self.processes)
        if grace_period is not None:
            self._wait_for_all(grace_period)
        for process in self.processes:
            process.terminate()
        self._wait_for_all(30 if grace_period is None else grace_period)
        for process in self.processes:
            process.kill()
            process.join()
        raise self._error(failed)

    def _wait_for_all(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for process in self.processes:
            process.join(max(0.0, end - time.monotonic()))

    def _error(self, i: int) -> ProcessException:
        code, pid = self.processes[i].exitcode, self.processes[i].pid
        if not self._errors[i].empty():
            error = self._errors[i].get()
            return ProcessRaisedException(f"\n\n-- Process {i} terminated with the following error:\n{error}", i, pid)
        if code > 0:
            return ProcessExitedException(f"process {i} terminated with exit code {code}", i, pid, code)
        name = next((known.name for known in signal.Signals if known == -code), f"<Unknown signal {-code}>")
        return ProcessExitedException(f"process {i} terminated with signal {name}", i, pid, code, name)


SpawnContext = ProcessContext


def _run(fn: Callable[..., Any], i: int, args: tuple[Any, ...], errors: Any) -> None:
    """Call the function in the new process and report the exception that it raises."""
    try:
        fn(i, *args)
    except KeyboardInterrupt:  # asked to end
        pass
    except Exception:
        errors.put(traceback.format_exc()[-LONGEST:])
        sys.exit(1)


def start_processes(
    fn: Callable[..., Any], args: tuple[Any, ...] = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:  # fmt: skip
    """Run fn(i, *args) in `nprocs` processes and wait for them; without `join`, return a context to wait with.

    Raises ProcessRaisedException if the function raises in a process, and ProcessExitedException if one ends otherwise.
    Source: torch.multiprocessing.start_processes.
    """
    context: Any = multiprocessing.get_context(start_method)
    errors = [context.SimpleQueue() for _ in range(nprocs)]
    processes = [context.Process(target=_run, args=(fn, i, args, errors[i]), daemon=daemon) for i in range(nprocs)]
    for process in processes:
        process.start()
    started = ProcessContext(processes, errors)
    if not join:
        return started
    while not started.join():  # any process may fail while another waits for it
        pass
    return None


def spawn(
    fn: Callable[..., Any], args: tuple[Any, ...] = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:  # fmt: skip
    """Call `start_processes` with the start_method "spawn"; warn of another. Source: torch.multiprocessing.spawn."""
    if start_method != "spawn":
        warn(
            f"spawn: start_method is always 'spawn', got {start_method!r}; torch.multiprocessing.start_processes takes "
            "others",
            FutureWarning,
        )
    return start_processes(fn, args, nprocs, join, daemon)


def get_all_sharing_strategies() -> set[str]:
    """Return the only strategy. Source: torch.multiprocessing.get_all_sharing_strategies."""
    return {"file_descriptor"}


def get_sharing_strategy() -> str:
    """Return "file_descriptor": an unnamed file. Source: torch.multiprocessing.get_sharing_strategy."""
    return "file_descriptor"


def set_sharing_strategy(new_strategy: str) -> None:
    """Do nothing: there is only one strategy. Source: torch.multiprocessing.set_sharing_strategy."""
