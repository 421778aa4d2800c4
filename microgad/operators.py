"""torch.ops: handles of PyTorch's operators, such as `torch.ops.aten.clone.default`, which libraries use as keys."""

from __future__ import annotations

import sys
from typing import Any, NoReturn


class Operator:
    """An operator or one of its overloads. It can be a key of a table, and be called if microgad has its function.

    >>> relu = Operator("aten.relu")
    >>> relu, relu.default(torch.tensor([-1.0, 2.0]))
    (<OpOverloadPacket(op='aten.relu')>, tensor([0., 2.]))
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(sys.modules["microgad"], self._name.split(".")[1])(*args, **kwargs)

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


def load_library(path: Any) -> NoReturn:
    """Raise OSError, as PyTorch does if the file doesn't exist. Source: torch.ops.load_library."""
    raise OSError(f"{path}: microgad loads no compiled operations")


aten = Operator("aten")
