"""How far a check from the shell is: a bar on a terminal, where tqdm is installed."""

from __future__ import annotations

from typing import Any, TextIO

from ...utils.progress_bar import bar


class Progress:
    """Goes through `total` examples. Shows nothing where `file` is no terminal.

    >>> import io
    >>> progress = Progress(10, io.StringIO())
    >>> progress.at("Softplus", 0), progress.example(), progress.close(), progress.file.getvalue()
    (None, None, None, '')
    """

    def __init__(self, total: int, file: TextIO) -> None:
        self.file = file
        self._bar: Any = bar(total, file, leave=False) if file.isatty() else None

    def at(self, name: str, done: int) -> None:
        """The check of `name` begins, or was the last, when `done` examples are through or need not be."""
        if self._bar is not None:
            self._bar.set_postfix_str(name, refresh=False)
            self._bar.update(done - self._bar.n)

    def example(self) -> None:
        """Another one is through."""
        if self._bar is not None:
            self._bar.update()

    def say(self, text: str, file: TextIO) -> None:
        """Text of its own, above the bar if there is one."""
        if self._bar is not None:
            self._bar.clear()
        print(text, file=file, flush=True)

    def close(self) -> None:
        """All are, or something else ended it; the bar is taken off the screen."""
        if self._bar is not None:
            self._bar.close()
