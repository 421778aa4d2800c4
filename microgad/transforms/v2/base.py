"""What the transforms of version 2 share: samples of any structure, one draw for all images in one, how they print."""

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
    """Whether it is an array of NumPy's."""
    return isinstance(x, np.ndarray)


class Transform(Module):
    """The base of the transforms of version 2. A subclass defines `transform`, and `make_params` for what it draws.

    A sample is an image or a structure of lists, tuples and dicts. PIL images in it are transformed, or, where there is
    none, its first Tensor; all by the same draws. Source: torchvision.transforms.v2.Transform.

    >>> class Negative(torch.transforms.v2.Transform):
    ...     def transform(self, inpt, params):
    ...         return -inpt
    >>> Negative()(torch.ones(2), {"label": 3})
    (tensor([-1., -1.]), {'label': 3})
    """

    shown: str | None = None
    kinds: tuple[Callable[[Any], bool], ...] = (is_pil, is_tensor)  # of things that are transformed

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """What is drawn for a sample."""
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """What becomes of an image."""
        raise NotImplementedError(f"{type(self).__name__} must define transform")

    def one(self, image: Any, /) -> Any:
        """What becomes of an image, whatever that takes from the generator."""
        return self.transform(image, self.make_params([image]))

    def forward(self, *inputs: Any) -> Any:
        flat, spec = tree_flatten(inputs if len(inputs) > 1 else inputs[0])
        chosen = [i for i, x in enumerate(flat) if any(kind(x) for kind in self.kinds)]
        tensors = [i for i in chosen if isinstance(flat[i], Tensor)]
        others = set(tensors[0 if any(map(is_pil, flat)) else 1 :])
        state = None
        for i in chosen:
            if i not in others:
                if state is not None:
                    set_rng_state(state)  # the same draws for each image
                elif len(chosen) - len(others) > 1:
                    state = get_rng_state()
                flat[i] = self.one(flat[i])
        return tree_unflatten(flat, spec)

    def extra_repr(self) -> str:
        """The attributes that `shown` names, or all, that are numbers, text or lists of such."""
        names = vars(self) if self.shown is None else self.shown.split()
        said = {name: getattr(self, name) for name in names if not name.startswith("_") and name != "training"}
        return ", ".join(f"{name}={value}" for name, value in said.items() if isinstance(value, _PRINTED))

    __repr__ = Module.__repr__


def require_fill(op: str, fill: Any) -> None:
    """Raise TypeError of what is no colour."""
    if fill is not None and not isinstance(fill, (Number, tuple, list)):
        raise DtypeError(f"{op}: fill is {fill!r}, expected a number, or a number for each channel")


def require_p(op: str, p: float) -> None:
    """Raise ValueError of what is no probability."""
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"{op}: p is {p}, expected a probability from 0 to 1")


def second(first: Any, shown: str, base: type[Transform] = Transform, lists: str = "", **defaults: Any) -> Any:
    """A transform of version 1 as one of version 2: the same images, its attributes as they are given.

    The draws are the same, or as `base` says. `lists` names the attributes that become lists, `defaults` the arguments
    that have others.
    """
    signature = inspect.signature(first.__init__)
    changed = [p.replace(default=defaults.get(p.name, p.default)) for p in signature.parameters.values()]
    signature = signature.replace(parameters=changed)

    def __init__(self: Any, *args: Any, **options: Any) -> None:
        given = signature.bind(self, *args, **options)
        given.apply_defaults()
        del given.arguments["self"]
        require_fill(first.__name__, given.arguments.get("fill"))
        require_p(first.__name__, given.arguments.get("p", 0.5))
        first.__init__(self, **given.arguments)
        for name in given.arguments.keys() & {"interpolation", "fill"}:
            setattr(self, name, given.arguments[name])
        for name in lists.split():
            value = getattr(self, name)
            setattr(self, name, [value] if isinstance(value, int) else list(value))

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    body: dict[str, Any] = {"__init__": __init__, "one": first.forward, "shown": shown, "__doc__": first.__doc__}
    body["__module__"] = sys._getframe(1).f_globals["__name__"]  # where it gets its name: pickle looks there
    return type(first.__name__, (base, first), body)
