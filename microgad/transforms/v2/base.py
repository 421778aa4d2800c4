"""Transform, the base of the transforms of version 2, and `to_v2`, which derives them from version 1."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from enum import Enum
from numbers import Number
from typing import Any

import numpy as np

from ...errors import ArgumentError, DtypeError
from ...nn import Module
from ...ops.random import get_rng_state, set_rng_state
from ...tensor import Tensor
from ...utils._pytree import tree_flatten, tree_unflatten
from ..images import is_pil

_PRINTED = (bool, int, float, str, tuple, list, Enum)


def is_tensor(x: Any) -> bool:
    """Whether it is a Tensor."""
    return isinstance(x, Tensor)


def is_array(x: Any) -> bool:
    """Whether it is a NumPy array."""
    return isinstance(x, np.ndarray)


class Transform(Module):
    """Base of the transforms of version 2. A subclass defines `transform`, and `make_params` for its random draws.

    A sample is an image or a structure of lists, tuples and dicts. The PIL images in it are transformed, or, without
    any, its first Tensor, all with the same draws. Source: torchvision.transforms.v2.Transform.

    >>> class Negative(torch.transforms.v2.Transform):
    ...     def transform(self, inpt, params):
    ...         return -inpt
    >>> Negative()(torch.ones(2), {"label": 3})
    (tensor([-1., -1.]), {'label': 3})
    """

    repr_names: str | None = None
    handled_types: tuple[Callable[[Any], bool], ...] = (is_pil, is_tensor)  # predicates of the objects to transform

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the random parameters for a sample."""
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Transform an image with the drawn parameters."""
        raise NotImplementedError(f"{type(self).__name__} must define transform")

    def transform_image(self, image: Any, /) -> Any:
        """Draw parameters and transform an image."""
        return self.transform(image, self.make_params([image]))

    def forward(self, *inputs: Any) -> Any:
        flat, spec = tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        chosen = [i for i, x in enumerate(flat) if any(kind(x) for kind in self.handled_types)]
        tensors = [i for i in chosen if isinstance(flat[i], Tensor)]
        others = set(tensors[0 if any(map(is_pil, flat)) else 1 :])
        state = None
        for i in chosen:
            if i not in others:
                if state is not None:
                    set_rng_state(state)  # the same draws for each image
                elif len(chosen) - len(others) > 1:
                    state = get_rng_state()
                flat[i] = self.transform_image(flat[i])
        return tree_unflatten(flat, spec)

    def extra_repr(self) -> str:
        """Show the attributes in `repr_names`, or all, whose values are numbers, strings or sequences."""
        names = vars(self) if self.repr_names is None else self.repr_names.split()
        said = {name: getattr(self, name) for name in names if not name.startswith("_") and name != "training"}
        return ", ".join(f"{name}={value}" for name, value in said.items() if isinstance(value, _PRINTED))

    __repr__ = Module.__repr__


def require_fill(op: str, fill: Any) -> None:
    """Raise TypeError unless fill is a number, numbers for the channels, or None."""
    if fill is not None and not isinstance(fill, (Number, tuple, list)):
        raise DtypeError(f"{op}: fill is {fill!r}, expected a number, or a number for each channel")


def require_p(op: str, p: float) -> None:
    """Raise ValueError unless p is a probability."""
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"{op}: p is {p}, expected a probability from 0 to 1")


def to_v2(v1: Any, repr_names: str, base: type[Transform] = Transform, lists: str = "", **defaults: Any) -> Any:
    """Derive a transform of version 2 from one of version 1. `interpolation` and `fill` stay as they were given.

    Random draws come from `base` if it defines them. `lists` names the attributes that become lists; `defaults` are new
    default arguments.
    """
    signature = inspect.signature(v1.__init__)
    changed = [p.replace(default=defaults.get(p.name, p.default)) for p in signature.parameters.values()]
    signature = signature.replace(parameters=changed)

    def __init__(self: Any, *args: Any, **options: Any) -> None:
        given = signature.bind(self, *args, **options)
        given.apply_defaults()
        del given.arguments["self"]
        require_fill(v1.__name__, given.arguments.get("fill"))
        require_p(v1.__name__, given.arguments.get("p", 0.5))
        v1.__init__(self, **given.arguments)
        for name in given.arguments.keys() & {"interpolation", "fill"}:
            setattr(self, name, given.arguments[name])
        for name in lists.split():
            value = getattr(self, name)
            setattr(self, name, [value] if isinstance(value, int) else list(value))

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    body: dict[str, Any] = {"__init__": __init__, "transform_image": v1.forward, "repr_names": repr_names}
    body |= {"__doc__": v1.__doc__, "__module__": sys._getframe(1).f_globals["__name__"]}  # for pickle
    return type(v1.__name__, (base, v1), body)
