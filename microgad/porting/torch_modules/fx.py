"""torch.fx: programs aren't traced, so what marks a function for the tracer gives it as it is."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError, UnsupportedError
from ...lazy import define_getattr as _define_getattr
from ...nn import Module
from ...tensor import Tensor


class Proxy:
    """A value of a traced program: there is none. Source: torch.fx.Proxy."""


class Node:
    """A step of a traced program: there is none. Source: torch.fx.Node."""


class Graph:
    """A traced program's steps: there are none, but annotations name them. Source: torch.fx.Graph."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError("torch.fx.Graph: programs run as they are; microgad.graph shows what was recorded")


class GraphModule(Module):
    """A traced program: there is none, but programs ask for it, and derive from it. Source: torch.fx.GraphModule."""


def wrap(fn_or_name: Any) -> Any:
    """Give the function, or its name, as it is. Source: torch.fx.wrap.

    >>> torch.fx.wrap(len) is len
    True
    """
    return fn_or_name


def get_proxy_mode() -> None:
    """None: nothing is traced. Source: torch.fx.experimental.proxy_tensor.get_proxy_mode."""


def _assert(condition: Any, message: str) -> None:
    """Raise AssertionError unless the condition holds. Source: torch._assert.

    >>> torch._assert(1 < 2, "one is less than two")
    """
    assert condition, message


def _assert_async(input: Tensor, assert_msg: str = "Expected Tensor with single nonzero value, but got zero") -> None:
    """Raise RuntimeError with the message where a Tensor of one element is zero. Source: torch._assert_async.

    >>> torch._assert_async(torch.tensor(True))
    """
    if not input:
        raise ArgumentError(assert_msg)


class SymInt:
    """A size that PyTorch's compiler doesn't know yet: there is none, but programs ask. Source: torch.SymInt.

    >>> isinstance(torch.ones(2).shape[0], torch.SymInt)
    False
    """

    def __init__(self, *args: Any) -> None:
        raise UnsupportedError(f"torch.{type(self).__name__}: programs run as they are, with numbers for sizes")


class SymFloat(SymInt):
    """A number that PyTorch's compiler doesn't know yet: see SymInt. Source: torch.SymFloat."""


class SymBool(SymInt):
    """A truth value that PyTorch's compiler doesn't know yet: see SymInt. Source: torch.SymBool."""


_define_getattr(globals())
