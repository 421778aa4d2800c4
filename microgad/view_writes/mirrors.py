"""Copies that are views in PyTorch: conjugates. They follow writes to their sources.

`engine.versions.mirrors` has their counters by memory; while it is empty, a write costs no more than a look at it.
"""

from __future__ import annotations

import functools
import weakref
from _thread import RLock  # the one of threading, without its import, which takes a millisecond
from typing import Any

import numpy as np

from .. import backend, state
from ..backend.memory_layout import address, memory_of
from ..backend.meta import MetaArray
from ..engine import versions
from ..function import Function
from ..type_aliases import Array, Tensor

_registering = RLock()


def _forget(key: int, others: set[Any], gone: Any) -> None:
    """Drop a conjugate that is gone; after the last one, writes to its source cost no more than before."""
    with _registering:
        others.discard(gone)
        if not others and versions.mirrors.get(key, (None, None))[1] is others:
            del versions.mirrors[key]


class Mirror(list[Any]):
    """The version counter of a copy that is a view in PyTorch: a conjugate. A write to it should change its source.

    Writes to the source are followed, see `follow`. A source that is such a copy itself is kept alive as long as it has
    to follow its own.
    """

    chain: Any
    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other

    def __init__(self, source: Tensor, copy: Tensor, operation: type[Function]) -> None:
        super().__init__([0])
        links = source._links
        base = source if links.base is None else links.base
        self.base, self.tensor, self.values = weakref.ref(base), weakref.ref(copy), _plain(copy.array)
        recorded = state.current().grad_enabled and (links.base is None or links.chain is not None)
        self.chain = (links.chain, operation, {}) if recorded else None
        x = _plain(source.array)
        memory = _memory(x)
        self.place = x.shape, x.strides, 0 if x is memory else address(x) - address(memory)
        key = id(memory)
        with _registering:
            known = versions.mirrors.get(key)
            entry = known or (weakref.ref(memory, lambda _: versions.mirrors.pop(key, None)), set())
            self.memory: Any = entry[0]
            others: set[Any] = entry[1]
            others.add(weakref.ref(self, functools.partial(_forget, key, others)))
            versions.mirrors[key] = entry
        self.first, self.held = self.memory, None  # the memory that the first copy was made of, and its copy
        if type(counter := source._version_counter) is Mirror and counter.has_source:
            self.first, self.held = counter.first, base

    @property
    def has_source(self) -> bool:
        """Whether the source's memory still exists, so that a write would be missing there."""
        if self.first() is None:
            self.held = None
        return self.memory() is not None


def _plain(array: Array) -> Array:
    """Return the array inside vmap's arrays."""
    return getattr(array, "innermost", array)


def _memory(array: Array) -> Array:
    """Return the owner of an array's elements: of a slice that a Tensor was made of, that of the whole NumPy array."""
    x = backend.owner(_plain(array))
    while type(x.base) is memoryview and isinstance(x.base.obj, np.ndarray):
        x = backend.owner(x.base.obj)
    return x


def mirrors_of(array: Array) -> list[Any]:
    """Return the counters of the conjugates that are kept of parts of this memory."""
    refs = list(versions.mirrors.get(id(_memory(array)), (None, ()))[1])
    return [mirror for ref in refs if (mirror := ref()) is not None]


def follow(array: Array) -> None:
    """After a write to an array, compute the conjugates of its memory anew, and those of these, in their memory."""
    written = [array]
    while written:
        memory = _memory(written.pop())
        for mirror in mirrors_of(memory):
            list.__setitem__(mirror, 0, mirror[0] + 1)
            out, (shape, strides, offset) = mirror.values, mirror.place
            if not isinstance(memory, MetaArray):
                row = memory_of(memory).view(np.uint8)[offset:]
                row = row[: row.size // out.itemsize * out.itemsize].view(out.dtype)
                np.conjugate(backend.as_strided(row, shape, strides), out=out)
            written.append(out)
