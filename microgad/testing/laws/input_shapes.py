"""Families of shapes that the inputs of an operation may have: shapes that broadcast, those of products, images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from ..strategies import broadcastable_shapes, shapes

Shapes = tuple[tuple[int, ...], ...]

BROADCASTING = ((2, 3), (3,), (2, 1), ())  # shapes that broadcast with each other
SINGLE = ((), (1,), (3,), (2, 3), (4, 1, 2))  # shapes of one input, or equal shapes of several
# A letter is a length, and each word the shape of an input. All families of a row that are accepted are used.
FAMILIES = (
    (("mk", "kn", "n"), ("bmk", "bkn", "n")),  # products
    (("mk", "nk", "n"), ("bmk", "nk", "n")),  # linear layers
    (("mk", "k", "k", "k", "k"), ("bmk", "m", "m", "m", "m"), ("bmk", "k", "k", "k", "k"), ("nchw", *"cccc")),  # norms
    (("bmk", "bnk", "bnk"),),  # attention
    (("ncw", "oci", "o"),),  # convolutions
    (("nchw", "ocij", "o"),),
)
LENGTHS = {"h": (3, 4), "w": (3, 4)}  # other letters are 1 to 3
KERNEL = "ij"  # not larger than an image
LONG = st.integers(5, 17)  # longer than a block, a tile or an unrolled loop; one axis is, the others are 1 or 2
OFTEN = (False,) * 8 + (True,) * 2  # whether an axis is long: such examples take longer


class ShapeFamily(NamedTuple):
    """Shapes that the inputs of one operation have together: some examples, and a strategy that draws them."""

    examples: Sequence[Shapes]
    strategy: st.SearchStrategy[Shapes]

    @property
    def axes(self) -> int:
        """The largest number of axes of an input."""
        return max(len(size) for sizes in self.examples for size in sizes)


class Families(NamedTuple):
    """Families to try together. With `alternatives` all that are accepted are used, without it only the first."""

    families: Sequence[ShapeFamily]
    alternatives: bool


def groups(n: int) -> Iterator[Families]:
    """Yield the families that n inputs may have, in the order to try them: broadcasting, products, images, equal."""
    if n == 1:
        yield Families([_equal(1, low, high) for low, high in ((0, 3), (1, 3), (2, 3), (1, 2), (2, 2), (1, 1))], False)
        yield Families([_family([word]) for word in ("bmk", "nchw")], True)
        return
    yield Families([_broadcasting(n, least) for least in range(3)], False)
    for row in FAMILIES:
        found = [_family(words[:n]) for words in row if n <= len(words)]
        if found:
            yield Families(found, True)
    yield Families([_equal(n, least, 3) for least in range(3)], False)


def broadcasting(n: int, least: int) -> list[Shapes]:
    """Return examples of n shapes that broadcast, with at least `least` axes."""
    sizes = [size for size in (SINGLE if n == 1 else BROADCASTING) if len(size) >= least]
    found: list[Shapes] = [tuple(sizes[(i + shift) % len(sizes)] for i in range(n)) for shift in range(len(sizes))]
    return [((),) * n, *found] if least == 0 else found


def _broadcasting(n: int, least: int) -> ShapeFamily:
    usual = broadcastable_shapes(n, min_dims=least)
    small = [broadcastable_shapes(n, min_dims=axes, max_dims=max(axes, 3), max_side=2) for axes in (least, 4)]
    return ShapeFamily(broadcasting(n, least), _sometimes_long(usual, st.one_of(small)))


def _equal(n: int, least: int, most: int) -> ShapeFamily:
    some: list[Shapes] = [(size,) * n for size in SINGLE if least <= len(size) <= most]
    small = [shapes(min_dims=axes, max_dims=max(axes, most), max_side=2) for axes in (least, 4 if most == 3 else least)]
    usual = shapes(min_dims=least, max_dims=most)
    return ShapeFamily(some, _sometimes_long(usual.map(lambda x: (x,) * n), st.one_of(small).map(lambda x: (x,) * n)))


@st.composite
def _sometimes_long(draw: st.DrawFn, usual: st.SearchStrategy[Shapes], small: st.SearchStrategy[Shapes]) -> Shapes:
    """Draw the usual shapes, or sometimes small ones, of which one axis is made long."""
    if not draw(st.sampled_from(OFTEN)):
        return draw(usual)
    sizes = draw(small)
    ndim = max(map(len, sizes))
    if not ndim:
        return sizes
    axis, length = draw(st.integers(-ndim, -1)), draw(LONG)
    whole = max(size[axis] for size in sizes if len(size) >= -axis)  # the others have 1 there, which broadcasts
    return tuple(
        (*size[:axis], length, *size[len(size) + axis + 1 :]) if len(size) >= -axis and size[axis] == whole else size
        for size in sizes
    )


def _family(words: Sequence[str]) -> ShapeFamily:
    return ShapeFamily([_shapes(words, of) for of in _examples(words)], _in_family(words))


def _examples(words: Sequence[str]) -> Iterator[dict[str, int]]:
    """Yield lengths that differ, except those of images and kernels, so that no axis can pass for another."""
    letters = sorted(set("".join(words)) - set(LENGTHS) - set(KERNEL))
    fixed = {c: high for c, (_, high) in LENGTHS.items()} | dict.fromkeys(KERNEL, 2)
    for order in (letters, letters[::-1]):
        yield fixed | {c: 2 + i for i, c in enumerate(order)}


def _shapes(words: Sequence[str], of: Mapping[str, int]) -> Shapes:
    return tuple(tuple(of[c] for c in word) for word in words)


@st.composite
def _in_family(draw: st.DrawFn, words: Sequence[str]) -> Shapes:
    letters = sorted(set("".join(words)))
    long = draw(st.sampled_from(OFTEN))
    of = {c: draw(st.integers(*LENGTHS.get(c, (1, 2 if long else 3)))) for c in letters}
    if long:
        of[draw(st.sampled_from([c for c in letters if c not in KERNEL]))] = draw(LONG)
    return _shapes(words, of)
