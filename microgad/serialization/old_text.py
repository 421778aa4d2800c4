"""Strings that Python 2 pickled: bytes, in the encoding that the program gives to `load(f, encoding="latin1")`."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

encoding: ContextVar[str] = ContextVar("the encoding of Python 2's strings", default="utf-8")


def decoded(data: bytes) -> str | bytes:
    """Return a string in the encoding of the current load, which may be "bytes". `encoded` returns the same bytes."""
    chosen = encoding.get()
    return data if chosen == "bytes" else data.decode(chosen, "surrogateescape")


def encoded(text: str | bytes) -> bytes:
    """Return the bytes of a string, such as the elements of an array."""
    return text if isinstance(text, bytes) else text.encode(encoding.get(), "surrogateescape")


def as_names(facts: Any) -> Any:
    """Decode the names in a list or tuple, which are ASCII also where the program wants bytes."""
    if not isinstance(facts, (list, tuple)):
        return facts
    return type(facts)(x.decode("ascii", "replace") if type(x) is bytes else x for x in facts)
