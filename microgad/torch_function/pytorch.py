"""Tell PyTorch's own functions and Tensors from microgad's, where a program has both. It imports no PyTorch."""

from __future__ import annotations

import sys
from typing import Any

from .. import function


def is_tensor(kind: type) -> bool:
    """Whether a class is PyTorch's Tensor or a subclass; ours may have its name."""
    named = (base.__name__ == "Tensor" and base.__module__ == "torch" for base in kind.__mro__)
    return not issubclass(kind, function.Tensor) and any(named)


def has(func: Any) -> bool:
    """Whether a function, a method or a getter of an attribute is of the package torch itself, and not of ours."""
    if sys.modules.get("torch") in (None, sys.modules["microgad"]):
        return False
    owner = getattr(func, "__self__", None)
    places = (func, owner, getattr(func, "__objclass__", None), getattr(owner, "__objclass__", None))
    modules = [module for x in places if isinstance(module := getattr(x, "__module__", None), str)]
    return any(module.partition(".")[0] == "torch" for module in modules)


def mixed(what: str, cls: Any) -> TypeError:
    """The error for a function of PyTorch's that got one of our Tensors."""
    return TypeError(
        f"{what} was given a microgad {cls.__name__}: call microgad's own functions on microgad's Tensors, or convert, "
        "as by torch.from_numpy(x.numpy()). To check a function that calls PyTorch, wrap it in "
        "microgad.testing.torch_function"
    )
