"""Shapes that inputs of an operation may have together: any that broadcast, those of products, of images, ..."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from ..strategies import broadcastable_shapes, shapes

Shapes = tuple[tuple[int, ...], ...]

TOGETHER = ((2, 3), (3,), (2, 1), ())  # shapes that broadcast
ALONE = ((), (1,), (3,), (2, 3), (4, 1, 2))
# A letter is a length, and each word the shape of an input. Of a row an operation may take all that it accepts.
FAMILIES = (
    (("mk", "kn", "n"), ("bmk", "bkn", "n")),  # products
    (("mk", "nk", "n"), ("bmk", "nk", "n")),  # linear layers
    (("mk", "k", "k", "k", "k"), ("bmk", "m", "m", "m", "m"), ("bmk", "k", "k", "k", "k"), ("nchw", *"cccc")),  # norms
    (("bmk", "bnk", "bnk"),),  # attention
    (("ncw", "oci", "o"),),  # convolutions
    (("nchw", "ocij", "o"),),
)
LENGTHS = {"h": (3, 4), "w": (3, 4)}  # of other letters 1 to 3
KERNEL = "ij"  # not larger than an image


class ShapeFamily(NamedTuple):
    """Shapes of inputs that belong together: some of them, and a strategy of more."""

    examples: Sequence[Shapes]
    strategy: st.SearchStrategy[Shapes]

    @property
    def axes(self) -> int:
        """How many an input has at the most."""
        return max(len(size) for sizes in self.examples for size in sizes)


class Families(NamedTuple):
    """Kinds of which an operation that accepts one may have been written for some alone: for one, or for several."""

    families: Sequence[ShapeFamily]
    alternatives: bool


def groups(n: int) -> Iterator[Families]:
    """Shapes that n inputs may have: any that broadcast, products, images, any that are the same."""
    if n == 1:
        yield Families([_alike(1, low, high) for low, high in ((0, 3), (1, 3), (2, 3), (1, 2), (2, 2), (1, 1))], False)
        yield Families([_family([word]) for word in ("bmk", "nchw")], True)
        return
    yield Families(
        [ShapeFamily(together(n, least), broadcastable_shapes(n, min_dims=least)) for least in range(3)], False
    )
    for row in FAMILIES:
        found = [_family(words[:n]) for words in row if n <= len(words)]
        if found:
            yield Families(found, True)
    yield Families([_alike(n, least, 3) for least in range(3)], False)


def together(n: int, least: int) -> list[Shapes]:
    """Examples of n shapes that broadcast, with at least so many axes."""
    sizes = [size for size in (ALONE if n == 1 else TOGETHER) if len(size) >= least]
    found: list[Shapes] = [tuple(sizes[(i + turn) % len(sizes)] for i in range(n)) for turn in range(len(sizes))]
    return [((),) * n, *found] if least == 0 else found


def _alike(n: int, least: int, most: int) -> ShapeFamily:
    some: list[Shapes] = [(size,) * n for size in ALONE if least <= len(size) <= most]
    return ShapeFamily(some, shapes(min_dims=least, max_dims=most).map(lambda size: (size,) * n))


def _family(words: Sequence[str]) -> ShapeFamily:
    return ShapeFamily([_shapes(words, of) for of in _examples(words)], _in_family(words))


def _examples(words: Sequence[str]) -> Iterator[dict[str, int]]:
    """Lengths that all differ, but of images, so that no axis is taken for another; in two orders."""
    letters = sorted(set("".join(words)) - set(LENGTHS) - set(KERNEL))
    fixed = {c: high for c, (_, high) in LENGTHS.items()} | dict.fromkeys(KERNEL, 2)
    for order in (letters, letters[::-1]):
        yield fixed | {c: 2 + i for i, c in enumerate(order)}


def _shapes(words: Sequence[str], of: Mapping[str, int]) -> Shapes:
    return tuple(tuple(of[c] for c in word) for word in words)


@st.composite
def _in_family(draw: st.DrawFn, words: Sequence[str]) -> Shapes:
    return _shapes(words, {c: draw(st.integers(*LENGTHS.get(c, (1, 3)))) for c in sorted(set("".join(words)))})
