"""Containers of parameters: ParameterList and ParameterDict."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, KeysView, Mapping
from operator import index
from typing import Any, Self

from ...parameter import Parameter
from ...tensor import Tensor
from .module import Module


class ParameterList(Module):
    """A list that registers its Parameters under the names "0", "1", ...; Tensors become Parameters.

    It may hold other objects, too. Raises IndexError for an index out of range. Source: torch.nn.ParameterList.

    >>> params = nn.ParameterList([torch.zeros(2), torch.zeros(2, 3)])
    >>> params
    ParameterList(
        (0): Parameter containing: [torch.float32 of size 2]
        (1): Parameter containing: [torch.float32 of size 2x3]
    )
    >>> [name for name, _ in params.append(torch.ones(1)).named_parameters()], len(params[1:])
    (['0', '1', '2'], 2)
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _name(self, i: int) -> str:
        n = index(i)
        if not -len(self) <= n < len(self):
            raise IndexError(f"index {n} is out of range")
        return str(n % len(self))

    def __getitem__(self, i: int | slice) -> Any:
        if isinstance(i, slice):
            return type(self)(self[j] for j in range(*i.indices(len(self))))
        return getattr(self, self._name(i))

    def __setitem__(self, i: int, value: Any) -> None:
        setattr(self, self._name(i), _to_parameter(value))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return iter(self[i] for i in range(len(self)))

    def __iadd__(self, values: Iterable[Any]) -> Self:
        return self.extend(values)

    def append(self, value: Any) -> Self:
        """Add a value at the end."""
        setattr(self, str(self._size), _to_parameter(value))  # first, as it may raise
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add values at the end."""
        if not isinstance(values, Iterable) or isinstance(values, Tensor):
            raise TypeError(f"ParameterList.extend should be called with an iterable, but got {type(values).__name__}")
        for value in values:
            self.append(value)
        return self

    def extra_repr(self) -> str:
        return "\n".join(f"  ({i}): {_describe(value, dtype=True)}" for i, value in enumerate(self))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("ParameterList should not be called.")


class ParameterDict(Module):
    """A dictionary that registers its Parameters under their keys, which are strings; Tensors become Parameters.

    It is in order of insertion, but a plain dict's items are inserted in sorted order, as in PyTorch. Raises TypeError
    for other keys. Source: torch.nn.ParameterDict.

    >>> params = nn.ParameterDict({"left": torch.zeros(2), "right": torch.zeros(2, 3)})
    >>> params["right"].shape, list(params), [name for name, _ in params.named_parameters()]
    (torch.Size([2, 3]), ['left', 'right'], ['left', 'right'])
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Any:
        return getattr(self, _check_key(key))

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, _check_key(key), _to_parameter(value))  # first, as it may raise
        self._keys[key] = None

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> KeysView[str]:
        """Return the keys."""
        return self._keys.keys()

    def values(self) -> Iterable[Any]:
        """Return the values."""
        return (self[key] for key in self._keys)

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return (key, value) pairs."""
        return ((key, self[key]) for key in self._keys)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or `default`."""
        return self[key] if key in self._keys else default

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, after setting it to `default` if the key is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, parameters: Any) -> None:
        """Add values from a mapping or from (key, value) pairs, replacing those of the same keys."""
        if not isinstance(parameters, Iterable):
            kind = type(parameters).__name__
            raise TypeError(
                f"ParametersDict.update should be called with an iterable of key/value pairs, but got {kind}"
            )
        pairs: list[Any] = list(parameters.items() if isinstance(parameters, Mapping | ParameterDict) else parameters)
        for i, pair in enumerate(pairs):
            if not isinstance(pair, Iterable):
                kind = type(pair).__name__
                raise TypeError(f"ParameterDict update sequence element #{i} should be Iterable; is {kind}")
            if len(pair) != 2:  # type: ignore[arg-type]
                raise ValueError(f"ParameterDict update sequence element #{i} has length {len(pair)}; 2 is required")  # type: ignore[arg-type]
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            pairs.sort()
        for key, value in pairs:
            self[key] = value

    def pop(self, key: str) -> Any:
        """Remove a key, and return its value."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Remove the last item, and return it as (key, value)."""
        if not self._keys:
            raise KeyError("popitem(): dictionary is empty")
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def clear(self) -> None:
        """Remove all items."""
        for key in list(self._keys):
            del self[key]

    def copy(self) -> ParameterDict:
        """Return a new dictionary of the same Parameters."""
        return ParameterDict(self)

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        """Return a dictionary with these keys, all with the value `default`."""
        return ParameterDict((key, default) for key in keys)

    def __or__(self, other: Any) -> ParameterDict:
        joined = self.copy()
        joined.update(other)
        return joined

    def __ror__(self, other: Any) -> Any:
        joined = other.copy()
        joined.update(self)
        return joined

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self

    def extra_repr(self) -> str:
        return "\n".join(f"  ({key}): {_describe(value, dtype=False)}" for key, value in self.items())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("ParameterDict should not be called.")


def _to_parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _check_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(
            "Index given to ParameterDict cannot be used as a key as it is not a string "
            f"(type is '{type(key).__name__}')"
        )
    return key


def _describe(value: Any, dtype: bool) -> str:
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    size = "x".join(map(str, value.shape))
    where = f" ({value.device})" if value.is_cuda else ""
    of = value.dtype if dtype else value.type()
    return f"{kind} containing: [{of} of size {size}{where}]"
