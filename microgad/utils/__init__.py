"""torch.utils: data loading, checkpointing, benchmarks, and other tools around models."""

from __future__ import annotations

import weakref
from typing import Any

from ..errors import GraphError as _GraphError
from ..lazy import define_getattr_in_package as _define_getattr_in_package
from ..tensor import Tensor as _Tensor
from . import _pytree as _pytree
from . import benchmark as benchmark
from . import checkpoint as checkpoint
from . import data as data
from . import deterministic as deterministic
from . import dlpack as dlpack
from . import hooks as hooks
from . import weak as weak


def swap_tensors(t1: _Tensor, t2: _Tensor) -> None:
    """Exchange the contents of two Tensor objects: values, attributes and class. Source: torch.utils.swap_tensors.

    Raises RuntimeError if one of them isn't a leaf, or is a view or has views.

    >>> a, b = torch.zeros(1), torch.ones(1)
    >>> torch.utils.swap_tensors(a, b)
    >>> a, b
    (tensor([1.]), tensor([0.]))
    """
    for name, t in (("t1", t1), ("t2", t2)):
        if not t.is_leaf or t.views or t.base is not None:
            raise _GraphError(f"swap_tensors: {name} must be a leaf without views")
    wanted = t2.requires_grad, t1.requires_grad
    for t in (t1, t2):
        t.requires_grad_(False)
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    t1.array, t2.array = t2.array, t1.array
    first, second = dict(vars(t1)), dict(vars(t2))
    for t, own, requires_grad in ((t1, second, wanted[0]), (t2, first, wanted[1])):
        vars(t).clear()
        vars(t).update(own)
        if "idle_leaf" in own:  # the Leaf of a Tensor whose requires_grad is off
            own["idle_leaf"].tensor = weakref.ref(t)
        t._bump()
        t.requires_grad_(requires_grad)


def set_module(obj: Any, mod: str) -> None:
    """Set the module that an object says it is from, for printing. Source: torch.utils.set_module."""
    if not isinstance(mod, str):
        raise TypeError("The mod argument should be a string")
    obj.__module__ = mod


_define_getattr_in_package(__name__)
