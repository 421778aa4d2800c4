"""What is checked: its name, as messages and pictures show it, and where it comes from."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np


def name_of(target: Any) -> str:
    """The name of a class, `module.function`, or what an object says of itself in one line.

    >>> name_of(torch.nn.Linear(2, 3)), name_of(np.sin), name_of(torch.ops.elementwise.Exp.apply), name_of(lambda x: x)
    ('Linear(in_features=2, out_features=3, bias=True)', 'numpy.sin', 'Exp', '<lambda>')
    """
    target = core(getattr(target, "__wrapped__", target))
    owner = getattr(target, "__self__", None)
    if isinstance(owner, type) and target.__name__ == "apply":
        target = owner
    if isinstance(target, type):
        return target.__name__
    name = getattr(target, "__name__", None)
    if name is None:
        said = repr(target)
        return type(target).__name__ if "\n" in said or said.startswith("<") else said
    module = "numpy" if isinstance(target, np.ufunc) else getattr(target, "__module__", None)
    if name == "<lambda>" or module in (None, "__main__", "builtins"):
        return str(name)
    return ".".join([*(part for part in module.split(".") if not part.startswith("_")), name])


def is_from(target: Any, package: str) -> bool:
    """Whether it, its class or a base of that comes from a package, which isn't imported to see it.

    >>> is_from(torch.nn.Linear(2, 3), "microgad"), is_from(np.sin, "microgad")
    (True, False)
    """
    target = core(target)
    modules = [getattr(target, "__module__", None)]
    for x in (target, getattr(target, "__self__", None), getattr(target, "__objclass__", None)):
        modules += [base.__module__ for base in (x if isinstance(x, type) else type(x)).__mro__]
    return any(isinstance(module, str) and module.partition(".")[0] == package for module in modules)


def core(target: Any) -> Any:
    """What a partial is a partial of."""
    while isinstance(target, functools.partial):
        target = target.func
    return target
