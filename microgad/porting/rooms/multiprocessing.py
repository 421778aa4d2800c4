"""torch.multiprocessing: Python's own, through which Tensors go whose memory is shared, and `spawn`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing import *  # noqa: F403
from multiprocessing.connection import wait
from typing import Any

from ...lazy import absent as _absent


class ProcessExitedException(Exception):
    """A process that `spawn` started ended with another code than 0."""


class SpawnContext:
    """The processes that `spawn` started."""

    def __init__(self, processes: list[Any]) -> None:
        self.processes = processes

    def pids(self) -> list[int]:
        """Their numbers."""
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None) -> bool:
        """Wait for one; whether all have ended. Where one failed the others are stopped, and it is said which."""
        running = {process.sentinel: process for process in self.processes if process.exitcode is None}
        for sentinel in wait(list(running), timeout):
            running[sentinel].join()
        for process in self.processes:
            if process.exitcode:
                for other in self.processes:
                    other.terminate()
                    other.join()
                raise ProcessExitedException(f"process {process.name} terminated with exit code {process.exitcode}")
        return all(process.exitcode is not None for process in self.processes)


ProcessContext = SpawnContext


def spawn(
    fn: Callable[..., Any], args: tuple[Any, ...] = (), nprocs: int = 1, join: bool = True, daemon: bool = False,
    start_method: str = "spawn",
) -> SpawnContext | None:  # fmt: skip
    """Run fn(i, *args) in `nprocs` processes, and wait for them; without join, give what can wait.

    Raises ProcessExitedException where one fails. Source: torch.multiprocessing.spawn.
    """
    context: Any = multiprocessing.get_context(start_method)
    processes = [context.Process(target=fn, args=(i, *args), daemon=daemon) for i in range(nprocs)]
    for process in processes:
        process.start()
    started = SpawnContext(processes)
    if not join:
        return started
    while not started.join():  # any of them may fail while another waits for it
        pass
    return None


def get_all_sharing_strategies() -> set[str]:
    """The one there is. Source: torch.multiprocessing.get_all_sharing_strategies."""
    return {"file_descriptor"}


def get_sharing_strategy() -> str:
    """ "file_descriptor": a file without a name. Source: torch.multiprocessing.get_sharing_strategy."""
    return "file_descriptor"


def set_sharing_strategy(new_strategy: str) -> None:
    """No effect: nothing runs out of names. Source: torch.multiprocessing.set_sharing_strategy."""


_absent(globals())
