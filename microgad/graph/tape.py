"""Tape: what was recorded, as plain data. Everything that people look at is a view of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

Shape = tuple[int, ...]


@dataclass(slots=True)
class Source:
    """Where values come in: a parameter, another leaf whose gradient is wanted, or a constant, which wants none."""

    number: int  # of the leaf's node; constants have -1, -2, ...
    kind: Literal["parameter", "leaf", "constant"]
    name: str  # "features.0.weight"; empty where nothing is known
    shape: Shape | None  # None: a constant of which nothing is left
    dtype: str | None
    value: Any = None  # the number itself, of a 0-d one


@dataclass(slots=True)
class Input:
    """One argument of an operation."""

    name: str  # "weight", "inputs[1]"
    source: int | None  # number of the Op or Source that it comes from; None: a number, None, or not known
    index: int  # which of that Op's results
    shape: Shape | None
    dtype: str | None
    value: Any = None  # of a Python number


@dataclass(slots=True)
class Kept:
    """An array that an operation keeps for backward: its facts, never the array."""

    name: str  # "weight", "out", "mask"
    role: Literal["input", "output", "intermediate", "setting"]
    shape: Shape
    dtype: str
    bytes: int  # its own, or its memory's where that is smaller (an expanded view)
    memory: int  # arrays that share memory have the same number
    leaf: int | None  # the parameter or leaf whose memory it is: that is there anyway


@dataclass(slots=True)
class Op:
    """One recorded operation."""

    number: int  # its place on the whole program's tape
    name: str  # "Conv2d"
    symbol: str  # "×"; may be empty
    path: str  # of the module that called it: "features.0"
    settings: dict[str, Any]  # plain: numbers, strings, tuples; arrays as "int64 (3,)"
    inputs: list[Input]
    shapes: list[Shape]  # of each result
    dtypes: list[str]
    kept: list[Kept]
    freed: bool  # backward has let go of what it kept

    @property
    def bytes(self) -> int:
        """Bytes kept for backward that would not be there anyway."""
        return total([self])


@dataclass(slots=True)
class Result:
    """A Tensor whose graph this is."""

    source: int  # number of the Op or Source that it is
    index: int
    name: str
    shape: Shape
    dtype: str
    value: Any = None  # the number itself, of a 0-d one


class Tape:
    """The operations that led to some Tensors, and where their values came in. It holds no array and no node.

    `ops` and `sources` are oldest first, `results` as they were given; `tape[number]` is an Op or a Source.

    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> tape = torch.graph.graph((x * x).exp()).tape
    >>> [op.name for op in tape], [source.kind for source in tape.sources]
    (['Mul', 'Exp'], ['leaf'])
    """

    __slots__ = ("_by_number", "ops", "results", "sources")

    def __init__(self, ops: list[Op], sources: list[Source], results: list[Result]) -> None:
        self.ops = ops
        self.sources = sources
        self.results = results
        self._by_number: dict[int, Op | Source] = {op.number: op for op in ops}
        self._by_number.update((source.number, source) for source in sources)

    def __len__(self) -> int:
        return len(self.ops)

    def __iter__(self) -> Iterator[Op]:
        return iter(self.ops)

    def __getitem__(self, number: int) -> Op | Source:
        return self._by_number[number]

    @property
    def bytes(self) -> int:
        """Bytes kept for backward, each memory once, without what parameters and leaves hold anyway."""
        return total(self.ops)


def total(ops: list[Op]) -> int:
    """Bytes that operations keep for backward, each memory once, without what parameters and leaves hold anyway."""
    sizes: dict[int, int] = {}
    for op in ops:
        for kept in op.kept:
            if kept.leaf is None:
                sizes[kept.memory] = max(kept.bytes, sizes.get(kept.memory, 0))
    return sum(sizes.values())
