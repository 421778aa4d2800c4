"""Parameter: a Tensor that a module registers as one to be learned; exchanging what two Tensors hold."""

from __future__ import annotations

import weakref
from typing import Any, Self

import numpy as np

from . import dtypes, torch_function
from .backend.devices import device
from .errors import GraphError
from .hypothesis_types import register as _register_hypothesis_types
from .tensor import Tensor


class MarkedMeta(type):
    """Lets `isinstance(x, Parameter)` or Buffer hold for Tensors of other classes that have the class's `_mark`."""

    def __instancecheck__(cls, instance: Any) -> bool:
        marked = isinstance(instance, Tensor) and vars(cls).get("_mark", "") in vars(instance)
        return marked or super().__instancecheck__(instance)


class Parameter(Tensor, metaclass=MarkedMeta):
    """A Tensor that is registered as a parameter when it is assigned to a module. Source: torch.nn.Parameter.

    A Parameter made of a Tensor of a subclass keeps that class, if the subclass's `detach` does.

    >>> nn.Parameter(torch.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    _keeps_class, _mark = False, "_is_param"

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Self:
        if type(data) not in (Tensor, Parameter) and isinstance(data, Tensor):
            detached: Any = data.detach()
            if type(detached) is not Tensor:
                vars(detached)["_is_param"] = True
                return detached.requires_grad_(requires_grad)
        self = cls._wrap(np.empty(0, dtypes.get_default_dtype()) if data is None else data.array)
        if data is not None:
            self._version_counter = data._counter()
        if cls is Parameter:
            return self.requires_grad_(requires_grad)
        with torch_function.disable_torch_function():  # nobody overrides functions of an unfinished object
            return self.requires_grad_(requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        """Copy the values and requires_grad, without the gradient."""
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.detach().clone(), self.requires_grad)
        return memo[id(self)]

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


def zero_grad(p: Tensor, set_to_none: bool) -> None:
    """Set a parameter's gradient to None, or detach it and fill it with zeros.

    >>> p = nn.Parameter(torch.zeros(2))
    >>> p.sum().backward()
    >>> zero_grad(p, set_to_none=False)
    >>> p.grad
    tensor([0., 0.])
    """
    if set_to_none:
        p.grad = None
    elif p.grad is not None:
        if p.grad.node is not None:
            p.grad.detach_()
        p.grad.zero_()


def swap_tensors(t1: Tensor, t2: Tensor) -> None:
    """Exchange the contents of two Tensor objects: values, attributes and class. Source: torch.utils.swap_tensors.

    Raises RuntimeError if one of them isn't a leaf, or is a view or has views.

    >>> a, b = torch.zeros(1), torch.ones(1)
    >>> torch.utils.swap_tensors(a, b)
    >>> a, b
    (tensor([1.]), tensor([0.]))
    """
    for name, t in (("t1", t1), ("t2", t2)):
        if not t.is_leaf or t._links.views or t._links.outdated or t._links.base is not None:
            raise GraphError(f"swap_tensors: {name} must be a leaf without views")
    wanted = t2.requires_grad, t1.requires_grad
    for t in (t1, t2):
        t.requires_grad_(False)
    t1.__class__, t2.__class__ = t2.__class__, t1.__class__
    t1.array, t2.array = t2.array, t1.array
    t1._links, t2._links = t2._links, t1._links
    first, second = dict(vars(t1)), dict(vars(t2))
    for t, own, requires_grad in ((t1, second, wanted[0]), (t2, first, wanted[1])):
        vars(t).clear()
        vars(t).update(own)
        if t._links.idle_leaf is not None:  # the node of a leaf whose requires_grad is off
            t._links.idle_leaf.tensor = weakref.ref(t)
        t._bump(False)
        t.requires_grad_(requires_grad)


_register_hypothesis_types(Tensor, Parameter, dtypes.dtype, device)
