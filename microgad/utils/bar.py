"""Progress bars, where tqdm is installed: its only import."""

from __future__ import annotations

from typing import Any, TextIO


def bar(total: int | None, file: TextIO, form: str, **options: Any) -> Any:
    """A bar of tqdm's in the format `form`; None where that isn't installed.

    >>> import io
    >>> shown = bar(2, io.StringIO(), "{n}/{total}")
    >>> shown is None or (shown.update(2), shown.close()) is not None
    True
    """
    try:
        from tqdm import tqdm
    except ImportError:
        return None

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # no thread that watches over the bar: there are places without threads

    return Bar(total=total, file=file, bar_format=form, dynamic_ncols=True, **options)
