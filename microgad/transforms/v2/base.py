"""Transform, the base of the transforms of version 2, and `to_v2`, which derives them from version 1."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from enum import Enum
from numbers import Number
from typing import Any

from ...errors import ArgumentError, DtypeError
from ...nn import Module
from ...ops.random import rand
from ...tensor import Tensor
from ...utils._pytree import tree_flatten, tree_unflatten
from .. import base as v1_base
from ..images import is_pil
from .images import check_type, is_image, is_pure_tensor

_PRINTED = (bool, int, float, str, tuple, list, Enum)


class Transform(Module):
    """Base of the transforms of version 2. A subclass defines `transform`, and `make_params` for its random draws.

    A sample is an image or a structure of lists, tuples and dicts. Its PIL images, and the Tensors that ToImage made,
    are transformed with the same draws; without any, its first Tensor is. `_transformed_types` has the types, or
    predicates, of the objects that are considered. Source: torchvision.transforms.v2.Transform.

    >>> class Negative(torch.transforms.v2.Transform):
    ...     def transform(self, inpt, params):
    ...         return -inpt
    >>> Negative()(torch.ones(2), {"label": 3})
    (tensor([-1., -1.]), {'label': 3})
    """

    repr_names: str | None = None
    _transformed_types: tuple[type | Callable[[Any], bool], ...] = (Tensor, is_pil)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise an error for a sample that isn't supported."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the random parameters for the objects of a sample that are transformed."""
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Transform an image with the drawn parameters."""
        raise NotImplementedError(f"{type(self).__name__} must define transform")

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat, spec = tree_flatten(sample)
        self.check_inputs(flat)
        if self._is_skipped():
            return sample
        chosen = self._needs_transform_list(flat)
        params = self.make_params([x for x, needed in zip(flat, chosen, strict=True) if needed])
        changed = [self.transform(x, params) if needed else x for x, needed in zip(flat, chosen, strict=True)]
        return tree_unflatten(changed, spec)

    def _is_skipped(self) -> bool:
        return False

    def _call_kernel(self, functional: Callable[..., Any], inpt: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a function with an image; anything else is returned unchanged."""
        return functional(inpt, *args, **kwargs) if check_type(inpt, (Tensor, is_pil)) else inpt

    def _needs_transform_list(self, flat_inputs: list[Any]) -> list[bool]:
        """Return which objects of a sample are transformed: of plain Tensors the first, unless there are images."""
        found, plain_wanted = [], not any(map(is_image, flat_inputs))
        for x in flat_inputs:
            needed = check_type(x, self._transformed_types)
            if needed and is_pure_tensor(x):
                needed, plain_wanted = plain_wanted, False
            found.append(needed)
        return found

    def extra_repr(self) -> str:
        """Show the attributes in `repr_names`, or all, whose values are numbers, strings or sequences."""
        names = vars(self) if self.repr_names is None else self.repr_names.split()
        said = {name: getattr(self, name) for name in names if not name.startswith("_") and name != "training"}
        return ", ".join(f"{name}={value}" for name, value in said.items() if isinstance(value, _PRINTED))

    __repr__ = Module.__repr__


class RandomApplyTransform(Transform):
    """Base of the transforms that return a sample unchanged with probability 1 - p."""

    p: float

    def _is_skipped(self) -> bool:
        return bool((rand(1) >= self.p).item())


class FunctionTransform(Transform):
    """Base of the transforms that call `function` with an image, what was drawn, and the attributes in `arguments`."""

    function: Callable[..., Any]
    arguments = ""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self.function(inpt, **params, **{name: getattr(self, name) for name in self.arguments.split()})


def require_fill(op: str, fill: Any) -> None:
    """Raise TypeError unless fill is a number, numbers for the channels, or None."""
    if fill is not None and not isinstance(fill, (Number, tuple, list)):
        raise DtypeError(f"{op}: fill is {fill!r}, expected a number, or a number for each channel")


def require_p(op: str, p: float, name: str = "p") -> None:
    """Raise ValueError unless p is a probability or a fraction."""
    if not 0.0 <= p <= 1.0:
        raise ArgumentError(f"{op}: {name} is {p}, expected a number from 0 to 1")


def parse_two(x: Any, name: str) -> list[float]:
    """Return two floats for a number or for one or two in a sequence. Raises TypeError or ValueError for others."""
    numbers = [x] if isinstance(x, (int, float)) else x
    v1_base.require_sequence(numbers, name, (1, 2))
    if not all(isinstance(n, (int, float)) for n in numbers):
        raise ArgumentError(f"{name} should be a number or a sequence of numbers, not {x!r}")
    return [float(numbers[0]), float(numbers[-1])]


def to_v2(
    v1: Any,
    repr_names: str,
    function: Any = None,
    arguments: str | None = None,
    base: type[Transform] = FunctionTransform,
    lists: str = "",
    body: dict[str, Any] | None = None,
    **defaults: Any,
) -> Any:
    """Derive a transform of version 2 from one of version 1. `interpolation` and `fill` stay as they were given.

    It is a FunctionTransform; its `arguments` are those in `repr_names` by default. `base` and `body` hold what it
    overrides. `lists` names the attributes that become lists; `defaults` are new default arguments.
    """
    signature = inspect.signature(v1.__init__)
    changed = [p.replace(default=defaults.get(p.name, p.default)) for p in signature.parameters.values()]
    signature = signature.replace(parameters=changed)

    def __init__(self: Any, *args: Any, **options: Any) -> None:
        given = signature.bind(self, *args, **options)
        given.apply_defaults()
        del given.arguments["self"]
        require_fill(v1.__name__, given.arguments.get("fill"))
        for name in given.arguments.keys() & {"p", "distortion_scale"}:
            require_p(v1.__name__, given.arguments[name], name)
        v1.__init__(self, **given.arguments)
        for name in given.arguments.keys() & {"interpolation", "fill"}:
            setattr(self, name, given.arguments[name])
        for name in lists.split():
            value = getattr(self, name)
            setattr(self, name, [value] if isinstance(value, int) else list(value))

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    arguments = " ".join(x for x in repr_names.split() if x != "p") if arguments is None else arguments
    own: dict[str, Any] = {"__init__": __init__, "repr_names": repr_names, "arguments": arguments, **(body or {})}
    own |= {"__doc__": v1.__doc__, "__module__": sys._getframe(1).f_globals["__name__"]}  # for pickle
    if function is not None:
        own["function"] = staticmethod(function)
    skipped = (RandomApplyTransform,) if issubclass(v1, v1_base.RandomApplyTransform) else ()
    return type(v1.__name__, (*skipped, base, v1), own)
