"""torch.fx: programs aren't traced, so what marks a function for the tracer gives it as it is."""

from __future__ import annotations

from typing import Any

from ...lazy import absent as _absent
from ...nn import Module


class Proxy:
    """A value of a traced program: there is none. Source: torch.fx.Proxy."""


class Node:
    """A step of a traced program: there is none. Source: torch.fx.Node."""


class GraphModule(Module):
    """A traced program: there is none, but programs ask for it, and derive from it. Source: torch.fx.GraphModule."""


def wrap(fn_or_name: Any) -> Any:
    """Give the function, or its name, as it is. Source: torch.fx.wrap.

    >>> torch.fx.wrap(len) is len
    True
    """
    return fn_or_name


def _assert(condition: Any, message: str) -> None:
    """Raise AssertionError unless the condition holds. Source: torch._assert.

    >>> torch._assert(1 < 2, "one is less than two")
    """
    assert condition, message


_absent(globals())
