"""torch.fx: programs aren't traced; decorators for the tracer return functions unchanged."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError, UnsupportedError
from ...nn import Module
from ...tensor import Tensor


class Proxy:
    """A value of a traced program. There are none. Source: torch.fx.Proxy."""


class Node:
    """A step of a traced program. There are none. Source: torch.fx.Node."""


class _Untraced:
    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError(
            f"torch.fx: {type(self).__name__} needs a traced program; programs run as they are; "
            "microgad.trace(model, *inputs) gives the graph of a call"
        )


class Graph(_Untraced):
    """The steps of a traced program, for annotations. There are none. Source: torch.fx.Graph."""


class GraphModule(_Untraced, Module):
    """A traced program, for isinstance and as a base class. There are none. Source: torch.fx.GraphModule."""


class Tracer(_Untraced):
    """What makes a Graph of a program, as a base class. There are none. Source: torch.fx.Tracer."""


class Interpreter(_Untraced):
    """What runs a Graph step by step, as a base class. There are none. Source: torch.fx.Interpreter."""


class Transformer(Interpreter):
    """What makes a Graph of another one, as a base class. There are none. Source: torch.fx.Transformer."""


def wrap(fn_or_name: Any) -> Any:
    """Return the function or its name unchanged. Source: torch.fx.wrap.

    >>> torch.fx.wrap(len) is len
    True
    """
    return fn_or_name


def get_proxy_mode() -> None:
    """Return None: nothing is traced. Source: torch.fx.experimental.proxy_tensor.get_proxy_mode."""


def _assert(condition: Any, message: str) -> None:
    """Raise AssertionError unless the condition holds. Source: torch._assert.

    >>> torch._assert(1 < 2, "one is less than two")
    """
    assert condition, message


def _assert_async(input: Tensor, assert_msg: str = "Expected Tensor with single nonzero value, but got zero") -> None:
    """Raise RuntimeError with the message if a Tensor of one element is zero. Source: torch._assert_async.

    >>> torch._assert_async(torch.tensor(True))
    """
    if not input:
        raise ArgumentError(assert_msg)


class SymInt:
    """A symbolic size of PyTorch's compiler, for isinstance. Making one raises NotImplementedError.

    Source: torch.SymInt.

    >>> isinstance(torch.ones(2).shape[0], torch.SymInt)
    False
    """

    def __init__(self, *args: Any) -> None:
        raise UnsupportedError(f"torch.{type(self).__name__}: programs run as they are, with numbers for sizes")


class SymFloat(SymInt):
    """A symbolic number of PyTorch's compiler: see SymInt. Source: torch.SymFloat.

    >>> isinstance(torch.ones(2).sum().item(), torch.SymFloat)
    False
    """


class SymBool(SymInt):
    """A symbolic truth value of PyTorch's compiler: see SymInt. Source: torch.SymBool.

    >>> isinstance(torch.equal(torch.ones(2), torch.ones(2)), torch.SymBool)
    False
    """
