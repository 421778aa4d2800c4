"""Progress: the progress bar of the command line, on a terminal and if tqdm is installed."""

from __future__ import annotations

from typing import Any, TextIO

from ...utils.progress_bar import bar


class Progress:
    """Progress bar over `total` examples. Shows nothing if `file` isn't a terminal.

    >>> import io
    >>> progress = Progress(10, io.StringIO())
    >>> progress.at("Softplus", 0), progress.example(), progress.close(), progress.file.getvalue()
    (None, None, None, '')
    """

    def __init__(self, total: int, file: TextIO) -> None:
        self.file = file
        self._bar: Any = bar(total, file, leave=False) if file.isatty() else None

    def at(self, name: str, done: int) -> None:
        """Set the name of the current target and the number of examples done."""
        if self._bar is not None:
            self._bar.set_postfix_str(name, refresh=False)
            self._bar.update(done - self._bar.n)

    def example(self) -> None:
        """Advance by one example."""
        if self._bar is not None:
            self._bar.update()

    def say(self, text: str, file: TextIO) -> None:
        """Print a text above the bar."""
        if self._bar is not None:
            self._bar.clear()
        print(text, file=file, flush=True)

    def close(self) -> None:
        """Remove the bar from the screen."""
        if self._bar is not None:
            self._bar.close()
