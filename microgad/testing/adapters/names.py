"""Inspect the object under test: its name, the package that it comes from, and what partials and adapters wrap."""

from __future__ import annotations

import functools
import sys
from typing import Any, NamedTuple

import numpy as np

PUBLIC = ("microgad", "microgad.nn.functional", "microgad.linalg", "microgad.special", "microgad.fft")


def name_of(target: Any) -> str:
    """Return the name of a class, `module.function`, or the repr of another object if it is one line.

    >>> name_of(torch.nn.Linear(2, 3)), name_of(np.sin), name_of(torch.ops.elementwise.Exp.apply), name_of(lambda x: x)
    ('Linear(in_features=2, out_features=3, bias=True)', 'numpy.sin', 'Exp', '<lambda>')
    >>> name_of(torch.softmax)
    'microgad.softmax'
    """
    target = unwrap(target).target
    if isinstance(target, type):
        return target.__name__
    name = getattr(target, "__name__", None)
    if name is None:
        text = repr(target)
        return type(target).__name__ if "\n" in text or text.startswith("<") else text
    module = "numpy" if isinstance(target, np.ufunc) else getattr(target, "__module__", None)
    if name == "<lambda>" or module in (None, "__main__", "builtins"):
        return str(name)
    if module.startswith("microgad."):
        # Without getattr: microgad's __getattr__ may install the wrappers of __torch_function__ in the target's place.
        module = next((m for m in PUBLIC if vars(sys.modules.get(m, object)).get(name) is target), module)
    return ".".join([*(part for part in module.split(".") if not part.startswith("_")), name])


class Unwrapped(NamedTuple):
    """The object under test, without the wrappers of adapters and functools.partial."""

    target: Any  # a class, if the object was its `apply`
    adapter: str  # which adapter made it: see Finding
    args: tuple[Any, ...]
    keywords: dict[str, Any]

    @property
    def module(self) -> str:
        """The module that a class can be imported from, or an empty string."""
        module = getattr(self.target, "__module__", "")
        name = self.target.__name__ if isinstance(self.target, type) else ""
        found = getattr(sys.modules.get(module), name, None) is self.target
        return module if found and module != "__main__" else ""


def unwrap(target: Any) -> Unwrapped:
    """Remove the wrappers around a callable.

    >>> unwrap(functools.partial(np.sum, axis=0))[1:]
    ('', (), {'axis': 0})
    """
    adapter, args = "", ()
    keywords: dict[str, Any] = {}
    while True:
        if isinstance(target, functools.partial):
            args, keywords, target = target.args + args, target.keywords | keywords, target.func
        elif hasattr(target, "adapter") and hasattr(target, "__wrapped__"):
            adapter, target = target.adapter, target.__wrapped__
        else:
            break
    owner = getattr(target, "__self__", None)
    of_class = isinstance(owner, type) and target.__name__ == "apply"
    return Unwrapped(owner if of_class else target, adapter, args, keywords)


def is_from(target: Any, package: str) -> bool:
    """Whether an object, its class or a base class comes from a package, which is not imported for that.

    >>> is_from(torch.nn.Linear(2, 3), "microgad"), is_from(np.sin, "microgad")
    (True, False)
    """
    target = without_partials(target)
    modules = [getattr(target, "__module__", None)]
    for x in (target, getattr(target, "__self__", None), getattr(target, "__objclass__", None)):
        modules += [base.__module__ for base in (x if isinstance(x, type) else type(x)).__mro__]
    return any(isinstance(module, str) and module.partition(".")[0] == package for module in modules)


def without_partials(target: Any) -> Any:
    """Return the function inside of partials."""
    while isinstance(target, functools.partial):
        target = target.func
    return target
