"""Progress bars, where tqdm is installed: its only import."""

from __future__ import annotations

from typing import Any, TextIO


def tqdm() -> Any:
    """The class of that name; where tqdm isn't installed one that goes through an iterable and shows nothing.

    >>> [x for x in tqdm()(["a"], disable=True)]
    ['a']
    """
    try:
        from tqdm import tqdm
    except ImportError:
        return _NoBar
    return tqdm


class _NoBar:
    """A bar that shows nothing, with what programs call of a bar's."""

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
        """Nothing."""

    set_postfix = set_description = set_postfix_str = close = write = update


BAR_FORMAT = "{desc}{percentage:3.0f} %|{bar}| {elapsed}, {remaining} left{postfix}"


def bar(total: int | None, file: TextIO, **options: Any) -> Any:
    """A bar of tqdm's, with the time left; None where that isn't installed.

    >>> import io
    >>> shown = bar(2, io.StringIO(), desc="net ")
    >>> shown is None or (shown.update(2), shown.close()) is not None
    True
    """
    kind = tqdm()
    if kind is _NoBar:
        return None

    class Bar(kind):  # type: ignore[misc, valid-type]
        monitor_interval = 0  # no thread that watches over the bar: there are places without threads

    return Bar(total=total, file=file, bar_format=BAR_FORMAT, dynamic_ncols=True, **options)
