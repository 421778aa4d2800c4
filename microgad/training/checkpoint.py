"""Save everything that the next epoch depends on, so that an interrupted run continues with the same numbers."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from ..errors import MicrogadError
from ..errors.notices import warn
from ..errors.own_arguments import checked
from ..generator import Generator
from ..serialization import load, save
from .environment import differences, environment
from .history import RENAMED, History, Path

KIND = "microgad training checkpoint 1"


class CheckpointError(MicrogadError, RuntimeError, ValueError):
    """A checkpoint is damaged, or belongs to another run. It is a RuntimeError and a ValueError."""


class Checkpoint:
    """The state of a run in one file: its parts, its random streams and its history.

    `parts` have state_dict and load_state_dict. `settings` describe the run; a file with other settings is refused.
    The file also has the environment, on which the last digits of results depend: see `environment`.

    >>> import tempfile
    >>> model = nn.Linear(2, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = torch.training.Checkpoint(f"{folder}/run.ckpt", {"model": model}, [], {"model": repr(model)})
    ...     kept.save(torch.training.History([{"epoch": 1, "loss": 0.5}]))
    ...     kept.load()[0]
    [{'epoch': 1, 'loss': 0.5}]
    """

    @checked
    def __init__(
        self, path: Path, parts: Mapping[str, Any], streams: Sequence[Generator], settings: Mapping[str, Any]
    ) -> None:
        self.path = os.fspath(path)
        self.parts = parts
        self.streams = streams
        self.settings = dict(settings)

    def exists(self) -> bool:
        """Whether the file exists."""
        return os.path.exists(self.path)

    def remove(self) -> None:
        """Delete the file if it exists."""
        if self.exists():
            os.remove(self.path)

    def save(self, history: History) -> None:
        """Write the file atomically, so that an interruption leaves the old one or the new one, but no part of one.

        Raises RuntimeError if the folder doesn't exist.
        """
        facts = {"kind": KIND, "settings": self.settings, "environment": environment(), "history": list(history)}
        save(facts | self._states(), self.path)

    def load(self, at_most: float = math.inf) -> tuple[History, int | None]:
        """Restore all parts and streams from the file. Returns the history, and the number of BLAS threads if known.

        Warns if the environment has changed. Raises CheckpointError (a RuntimeError and a ValueError), and changes
        nothing, if the file is damaged, belongs to another run, or has more than `at_most` epochs.
        """
        saved = self._read()
        if len(saved["history"]) > at_most:
            done = len(saved["history"])
            raise CheckpointError(f"checkpoint {self.path} is of {done} epochs, but only {at_most} are wanted")
        before = copy.deepcopy(self._states())
        try:
            self._restore(saved)
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            self._restore(before)
            raise CheckpointError(f"checkpoint {self.path} does not fit, nothing was changed: {error}") from error
        if changed := differences(saved["environment"], environment()):
            warn(
                f"{self.path}: resumed, but the last digits may differ from those of an uninterrupted run: "
                f"{'; '.join(changed)}"
            )
        history = History({RENAMED.get(name, name): x for name, x in row.items()} for row in saved["history"])
        return history, saved["environment"]["threads"]

    def _read(self) -> Any:
        try:
            saved = load(self.path, map_location="cpu")
        except MicrogadError as error:
            raise CheckpointError(f"{error}. Delete this checkpoint, and start without resume") from None
        if not isinstance(saved, dict) or saved.get("kind") != KIND:
            raise CheckpointError(f"{self.path} is not a checkpoint that microgad's fit wrote")
        if unlike := _unlike(saved["settings"], self.settings):
            raise CheckpointError(
                f"checkpoint {self.path} is of another run, nothing was changed: {'; '.join(unlike)}. "
                "Resume with the settings that it was made with, or choose another file"
            )
        return saved

    def _states(self) -> dict[str, Any]:
        return {
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "streams": [stream.snapshot() for stream in self.streams],
        }

    def _restore(self, saved: dict[str, Any]) -> None:
        for name, part in self.parts.items():
            part.load_state_dict(saved["parts"][name])
        for stream, state in zip(self.streams, saved["streams"], strict=True):
            stream.set_state(state)


def _unlike(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """Describe each setting that differs by its first different line."""
    found = []
    for name in dict.fromkeys([*there, *here]):
        lines = zip_longest(str(there.get(name)).splitlines(), str(here.get(name)).splitlines(), fillvalue="nothing")
        pair = next(((a.strip(), b.strip()) for a, b in lines if a != b), None)
        if pair is not None:
            found.append(f"{name} is {pair[0]} there, {pair[1]} here")
    return found
