"""Helpers that layers share: sizes per dimension, new parameters, `extra_repr` and checks of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ... import state
from ...errors import ShapeError, place
from ...ops.creation import empty
from ...parameter import Parameter

Size = int | Sequence[int]


def to_tuple(size: Any, n: int) -> tuple[Any, ...]:
    """Return a size for each of n dimensions; a single number is repeated.

    >>> from microgad.nn.modules.layer_helpers import to_tuple
    >>> to_tuple(3, 2), to_tuple((1, 2), 2)
    ((3, 3), (1, 2))
    """
    return tuple(size) if isinstance(size, Iterable) else (size,) * n


def add_parameters(module: Any, device: Any, dtype: Any, **shapes: Any) -> None:
    """Register uninitialized Parameters with these names and shapes; a shape of None registers None.

    >>> from microgad.nn.modules.layer_helpers import add_parameters
    >>> layer = nn.Module()
    >>> add_parameters(layer, None, torch.float64, weight=(2, 3), bias=None)
    >>> layer.weight.shape, layer.bias
    (torch.Size([2, 3]), None)
    """
    for name, shape in shapes.items():
        parameter = None if shape is None else Parameter(empty(shape, device=device, dtype=dtype))
        module.register_parameter(name, parameter)


def format_settings(module: Any, names: str) -> str:
    """Format attributes as "name=value, ..." for `extra_repr`; a false `inplace` is left out.

    >>> from microgad.nn.modules.layer_helpers import format_settings
    >>> format_settings(nn.ELU(2.0), "alpha inplace")
    'alpha=2.0'
    """
    settings = ((name, getattr(module, name)) for name in names.split())
    return ", ".join(f"{name}={value}" for name, value in settings if value or name != "inplace")


def settings_repr(names: str) -> Callable[[Any], str]:
    """Return an `extra_repr` method that shows the attributes with these names.

    >>> from microgad.nn.modules.layer_helpers import settings_repr
    >>> class Scaled(nn.Module):
    ...     by = 2
    ...     extra_repr = settings_repr("by")
    >>> Scaled()
    Scaled(by=2)
    """

    def extra_repr(self: Any) -> str:
        return format_settings(self, names)

    return extra_repr


def check_ndim(module: Any, input: Any, allowed: Sequence[int]) -> None:
    """Raise ShapeError unless the input has one of the allowed numbers of dimensions."""
    if input.ndim not in allowed:
        expected = " or ".join(f"{n}D" for n in allowed)
        raise ShapeError(f"{layer_name(module)}: expected {expected} input (got {input.ndim}D input)")


def layer_name(module: Any) -> str:
    """Return a layer's class and path, with which error messages begin: "BatchNorm1d (features.1)"."""
    return place(module._get_name(), state.current().path)
