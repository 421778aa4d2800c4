"""torch.ops: handles of PyTorch's operators, such as `torch.ops.aten.clone.default`, which libraries use as keys."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, NoReturn


class Operator:
    """An operator or one of its overloads. It can be a key of a table, and be called if microgad has its function.

    That is looked for in torch, Tensor, nn.functional and, as `linalg_det`, in torch's modules. Its results are that
    function's: named tuples, for example.

    >>> relu = Operator("aten.relu")
    >>> relu, relu.default(torch.tensor([-1.0, 2.0]))
    (<OpOverloadPacket(op='aten.relu')>, tensor([0., 2.]))
    >>> aten.linalg_det(torch.eye(2)), aten.index.Tensor(torch.ones(1, 2), [None, torch.tensor([0])])
    (tensor(1.), tensor([[1.]]))
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        if "self" in kwargs:  # an operator's name for what functions call `input`
            args = kwargs.pop("self"), *args
        return _function(self._name.split(".")[1], len(args))(*args, **kwargs)

    def __getattr__(self, name: str) -> Operator:
        if name.startswith("__"):
            raise AttributeError(name)
        made = vars(self)[name] = Operator(f"{self._name}.{name}")
        return made

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        op, _, overload = self._name.removeprefix("aten.").partition(".")
        kind = f"OpOverload(op='aten.{op}', overload='{overload}')" if overload else f"OpOverloadPacket(op='aten.{op}')"
        return f"<{kind}>"


def _function(name: str, count: int) -> Callable[..., Any]:
    """Return the function of an operator's name, to be called with `count` arguments by position."""
    if (other := _ONLY_ATEN.get(name)) is not None:
        return other
    torch: Any = sys.modules["microgad"]
    for place in (torch, torch.Tensor):
        if callable(found := getattr(place, name, None)):  # torch.size is a module here
            return found
    if (found := getattr(torch.nn.functional, name, None)) is not None:
        for parameter in list(inspect.signature(found).parameters)[:count]:
            if parameter in _NOT_ATEN:
                raise NotImplementedError(f"aten.{name}: give `{parameter}` by name, as nn.functional.{name} takes it")
        return found
    module, _, rest = name.partition("_")
    return getattr(getattr(torch, module), rest) if module in _MODULES else getattr(torch, name)


# Arguments that an operator has at another place, or as a number, so that one given by position would mean another.
_NOT_ATEN = frozenset({"inplace", "reduction", "size_average", "reduce", "training"})
_MODULES = ("linalg", "fft", "special")
# Operators that have no public function.
_ONLY_ATEN: dict[str, Callable[..., Any]] = {
    "_to_copy": lambda x, /, layout=None, pin_memory=None, **options: x.to(copy=True, **options),
    "alias": lambda x, /: x.view_as(x),
    "index": lambda x, /, indices: x[tuple([slice(None) if i is None else i for i in indices])],
}


def load_library(path: Any) -> NoReturn:
    """Raise OSError, as PyTorch does if the file doesn't exist. Source: torch.ops.load_library."""
    raise OSError(f"{path}: microgad loads no compiled operations")


aten = Operator("aten")
