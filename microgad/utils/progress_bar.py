"""Progress bars by tqdm, if it is installed. Only this module imports tqdm."""

from __future__ import annotations

from typing import Any, TextIO


def tqdm() -> Any:
    """Return the class tqdm or, if it isn't installed, a substitute that iterates and shows nothing.

    >>> [x for x in tqdm()(["a"], disable=True)]
    ['a']
    """
    try:
        from tqdm import tqdm
    except ImportError:
        return _NoBar
    return tqdm


class _NoBar:
    """A bar that shows nothing, with the methods that programs call."""

    def __init__(self, iterable: Any = (), *args: Any, **options: Any) -> None:
        self.iterable = iterable

    def __iter__(self) -> Any:
        return iter(self.iterable)

    def __len__(self) -> int:
        return len(self.iterable)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *raised: Any) -> None:
        pass

    def update(self, *args: Any, **options: Any) -> None:
        """Do nothing."""

    set_postfix = set_description = set_postfix_str = close = update

    @staticmethod
    def write(s: str, file: TextIO | None = None, end: str = "\n", nolock: bool = False) -> None:
        """Print a message, as tqdm does above its bars."""
        print(s, file=file, end=end)


BAR_FORMAT = "{desc}{percentage:3.0f} %|{bar}| {elapsed}, {remaining} left{postfix}"


def bar(total: int | None, file: TextIO, **options: Any) -> Any:
    """Make a tqdm bar that shows the time left, or return None if tqdm isn't installed.

    >>> import io
    >>> shown = bar(2, io.StringIO(), desc="net ")
    >>> shown is None or (shown.update(2), shown.close()) is not None
    True
    """
    kind = tqdm()
    if kind is _NoBar:
        return None

    class Bar(kind):  # type: ignore[misc, valid-type]
        monitor_interval = 0  # no monitor thread: some platforms have no threads

    return Bar(total=total, file=file, bar_format=BAR_FORMAT, dynamic_ncols=True, **options)
