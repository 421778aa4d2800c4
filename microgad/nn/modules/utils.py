"""torch.nn.modules.utils: helpers for sizes per dimension and for prefixes in state dicts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from .layer_helpers import to_tuple

_single, _pair, _triple, _quadruple = (partial(to_tuple, n=n) for n in (1, 2, 3, 4))


def _ntuple(n: int, name: str = "parse") -> partial[tuple[object, ...]]:
    """Return a function that makes a tuple of n from a single number."""
    return partial(to_tuple, n=n)


def _reverse_repeat_tuple(t: Sequence[int], n: int) -> tuple[int, ...]:
    """Repeat each number n times, in reverse order: this turns paddings per dimension into the argument of `pad`.

    >>> from microgad.nn.modules.utils import _reverse_repeat_tuple
    >>> _reverse_repeat_tuple((1, 2), 2)
    (2, 2, 1, 1)
    """
    return tuple(x for x in reversed(t) for _ in range(n))


def _list_with_default(out_size: Any, defaults: Sequence[int]) -> Any:
    """Replace each None in `out_size` by the matching one of the last defaults. Return a single int unchanged.

    >>> from microgad.nn.modules.utils import _list_with_default
    >>> _list_with_default((None, 3), (1, 5, 7))
    [5, 3]
    """
    if isinstance(out_size, int):
        return out_size
    if len(defaults) <= len(out_size):
        raise ValueError(f"Input dimension should be at least {len(out_size) + 1}")
    return [d if n is None else n for n, d in zip(out_size, defaults[-len(out_size) :], strict=True)]


def consume_prefix_in_state_dict_if_present(state_dict: dict[str, Any], prefix: str) -> None:
    """Remove a prefix from the names in a state dict, in place, such as DataParallel's "module.".

    Source: torch.nn.modules.utils.consume_prefix_in_state_dict_if_present.
    """
    for names in (state_dict, getattr(state_dict, "_metadata", {})):
        for name in list(names):
            if name.startswith(prefix) or (names is not state_dict and name and f"{name}." == prefix):
                names[name[len(prefix) :]] = names.pop(name)


def factory_kwargs(kwargs: dict[str, Any] | None) -> dict[str, Any]:
    """Return the device, dtype and memory_format in a layer's keyword arguments, or in their `factory_kwargs`.

    Raises TypeError for others, and for one that is in both. Source: torch.nn.factory_kwargs.

    >>> nn.factory_kwargs({"device": "cpu", "factory_kwargs": {"dtype": torch.float64}})
    {'dtype': torch.float64, 'device': 'cpu'}
    """
    given = dict(kwargs or {})
    found = dict(given.pop("factory_kwargs", {}))
    if unexpected := given.keys() - {"device", "dtype", "memory_format"}:
        raise TypeError(f"unexpected kwargs {unexpected}")
    for name in found.keys() & given.keys():
        raise TypeError(f"{name} specified twice, in **kwargs and in factory_kwargs")
    return found | given
