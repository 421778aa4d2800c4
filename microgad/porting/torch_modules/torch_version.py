"""torch.torch_version: TorchVersion, a version string that compares by its numbers."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from typing import Any

_FORM = re.compile(
    r"\s*v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<stage>a|alpha|b|beta|rc|c|pre|preview)[-_.]?(?P<of_stage>\d*))?"
    r"(?P<post>-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?P<dev>[-_.]?dev[-_.]?\d*)?"
    r"(?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*",
    re.IGNORECASE,
)


class TorchVersion(str):
    """A version that compares with strings and tuples of numbers in the order of PEP 440: 2.13 is after 2.9.

    A string that isn't a version compares as text; for other types `<` raises TypeError. Source:
    torch.torch_version.TorchVersion.

    >>> version = TorchVersion("2.13.0+cpu")
    >>> version >= "2.9", version >= (2, 13), version == "2.13.0", version < "parrot"
    (True, True, False, True)
    """

    def __lt__(self, other: Any) -> bool:
        return self._compare(operator.lt, other)

    def __le__(self, other: Any) -> bool:
        return self._compare(operator.le, other)

    def __gt__(self, other: Any) -> bool:
        return self._compare(operator.gt, other)

    def __ge__(self, other: Any) -> bool:
        return self._compare(operator.ge, other)

    def __eq__(self, other: object) -> bool:
        return self._compare(operator.eq, other)

    __hash__ = str.__hash__

    def _compare(self, how: Callable[[Any, Any], bool], other: Any) -> bool:
        """Compare by the keys of the versions, or as text if one of the two isn't a version."""
        if not isinstance(other, (str, Iterable)):
            return NotImplemented
        ours, theirs = _key(self), _key(other if isinstance(other, str) else ".".join(map(str, other)))
        return how(str(self), other) if ours is None or theirs is None else how(ours, theirs)


def _key(version: str) -> tuple[Any, ...] | None:
    """Return the sort key of a version in PEP 440, or None if it isn't a version."""
    found = _FORM.fullmatch(version)
    if found is None:
        return None
    release = [int(part) for part in found["release"].split(".")]
    while release and release[-1] == 0:  # 2.0 is 2
        release.pop()
    stage, post, dev = (found[name] for name in ("stage", "post", "dev"))
    if stage is not None:
        first = stage[0].lower()
        before = (first if first in "ab" else "c", int(found["of_stage"] or 0))
    else:  # a bare development release sorts before the first alpha, any other release after all of them
        before = ("", 0) if dev is not None and post is None else ("z", 0)
    local = re.split("[-_.]", found["local"].lower()) if found["local"] else []
    return (
        int(found["epoch"] or 0),
        release,
        before,
        -1 if post is None else _number(post),
        float("inf") if dev is None else _number(dev),
        [(part.isdigit(), int(part) if part.isdigit() else part) for part in local],  # numbers sort after letters
    )


def _number(part: str) -> int:
    """Return the number at the end of a part of a version, or 0."""
    return int("".join(filter(str.isdigit, part)) or 0)
