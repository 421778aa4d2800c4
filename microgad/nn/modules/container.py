"""Containers of modules: Sequential, ModuleList and ModuleDict."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from itertools import count
from operator import index
from typing import Any, Self, overload

from ...tensor import Tensor
from .module import Module
from .module.members import unregister
from .module.paths import set_place
from .parameter_containers import ParameterDict as ParameterDict
from .parameter_containers import ParameterList as ParameterList


class _IndexedContainer(Module):
    """Base class of Sequential and ModuleList: children named "0", "1", ..., indexed like a list's items."""

    _modules: dict[str, Module]  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def _key(self, i: Any) -> str:
        """Return the name of child i. Raises IndexError if there is none."""
        n = index(i)
        if not -len(self) <= n < len(self):
            raise IndexError(f"index {n} is out of range")
        return list(self._modules)[n]

    @overload
    def __getitem__(self, i: int) -> Module: ...
    @overload
    def __getitem__(self, i: slice) -> Self: ...
    def __getitem__(self, i: int | slice) -> Module:
        if not isinstance(i, slice):
            return self._modules[self._key(i)]
        part = type(self)()  # its modules keep their paths
        part._modules.update(zip(self._slice_names(i), list(self)[i], strict=False))
        return part

    def _slice_names(self, part: slice) -> Iterable[str]:
        """Return the names that the modules of a slice get in the result."""
        return list(self._modules)[part]

    def __setitem__(self, i: int, module: Module) -> None:
        setattr(self, self._key(i), module)

    def __delitem__(self, i: int | slice) -> None:
        for name in list(self._modules)[i] if isinstance(i, slice) else (self._key(i),):
            del self._modules[name]
        self._renumber(list(self))

    def _renumber(self, modules: Iterable[Module], names: Iterable[str] | None = None) -> None:
        """Make `modules` the children, under `names` or "0", "1", ..."""
        before, self._modules = self._modules, {}
        for name, module in zip(names or map(str, count()), modules, strict=False):
            self._modules[name] = module  # without registration hooks, as in PyTorch
            if before.get(name) is not module:
                set_place(self, module, name)

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        if not isinstance(modules, Iterable):
            kind = type(modules).__name__
            raise TypeError(f"{self._get_name()}.extend should be called with an iterable, but got {kind}")
        self._add_all(list(modules))
        return self

    def _add_all(self, modules: list[Module]) -> None:
        for i, module in enumerate(modules, len(self)):  # numbers that don't change where names have gaps
            self.add_module(str(i), module)

    def _insert(self, index: int, module: Module) -> None:
        if not isinstance(module, Module):
            raise AssertionError(f"module should be of type: {Module}")
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Index out of range: {index}")
        modules, names, place = list(self), list(self._modules), index + len(self) if index < 0 else index
        modules.insert(place, module)
        names[place:] = map(str, range(place, len(modules)))
        self._renumber(modules, names if len(set(names)) == len(modules) else None)

    def pop(self, key: int | slice) -> Any:
        """Remove and return the module at `key`, or a container of the modules of a slice."""
        module = self[key]
        del self[key]
        return module


class Sequential(_IndexedContainer):
    """A chain of modules, each called with the result of the previous one: `Sequential(a, b)(x)` is b(a(x)).

    The arguments are modules, which get the names "0", "1", ..., or one OrderedDict of named modules. Raises TypeError
    for arguments that aren't modules, IndexError for an index out of range. Source: torch.nn.Sequential.

    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    >>> net
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
      (1): ReLU()
    )
    >>> net(torch.ones(2, 4)).shape, net[1]
    (torch.Size([2, 3]), ReLU())
    """

    @overload
    def __init__(self, *args: Module) -> None: ...
    @overload
    def __init__(self, arg: OrderedDict[str, Module], /) -> None: ...
    def __init__(self, *args: Any) -> None:
        super().__init__()
        named = len(args) == 1 and isinstance(args[0], OrderedDict)
        for name, module in args[0].items() if named else ((str(i), module) for i, module in enumerate(args)):
            self.add_module(name, module)

    def forward(self, input: Any) -> Tensor:  # or what the last module returns: a recurrent layer, a tuple
        for module in self._modules.values():
            input = module(input)
        return input

    def extend(self, sequential: Iterable[Module]) -> Self:
        """Add the modules of another Sequential, or of an iterable, at the end."""
        return super().extend(sequential)

    def _add_all(self, modules: list[Module]) -> None:
        for module in modules:
            self.append(module)

    def insert(self, index: int, module: Module) -> Self:
        """Insert a module before `index`; it and the modules after it are renumbered."""
        self._insert(index, module)
        return self

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *_sequential(other))

    def __iadd__(self, other: Sequential) -> Self:
        return self.extend(_sequential(other))

    def __mul__(self, times: int) -> Sequential:
        return Sequential(*list(self) * _positive(times))

    __rmul__ = __mul__

    def __imul__(self, times: int) -> Self:
        return self.extend(list(self) * (_positive(times) - 1))


def _sequential(other: Any) -> Sequential:
    if not isinstance(other, Sequential):
        raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
    return other


def _positive(times: Any) -> int:
    if not isinstance(times, int):
        raise TypeError(f"unsupported operand type(s) for *: Sequential and {type(times)}")
    if times <= 0:
        raise ValueError(f"Non-positive multiplication factor {times} for Sequential")
    return times


class ModuleList(_IndexedContainer):
    """A list that registers its modules; it has no `forward`.

    Raises TypeError for items that aren't modules, IndexError for an index out of range. Source: torch.nn.ModuleList.

    >>> layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    >>> layers
    ModuleList(
      (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
    )
    >>> len(layers[1:])
    2
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def _slice_names(self, part: slice) -> Iterable[str]:
        return map(str, count())

    def insert(self, index: int, module: Module) -> None:
        """Insert a module before `index`; it and the modules after it are renumbered."""
        self._insert(index, module)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def __repr__(self) -> str:
        """Show equal neighbors once, with their number."""
        runs: list[tuple[int, int, str]] = []  # first, last, text
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], i, text)
            else:
                runs.append((i, i, text))
        lines = [f"({i}): {text}" if i == j else f"({i}-{j}): {j - i + 1} x {text}" for i, j, text in runs]
        inside = "".join("\n  " + line.replace("\n", "\n  ") for line in lines)
        return f"{self._get_name()}({inside}\n)" if lines else f"{self._get_name()}()"


class ModuleDict(Module):
    """A dictionary that registers its modules, in order of insertion.

    Raises TypeError for values that aren't modules and keys that aren't strings, KeyError for a key with a dot and for
    a missing one. Source: torch.nn.ModuleDict.

    >>> heads = nn.ModuleDict({"digit": nn.Linear(2, 10), "parity": nn.Linear(2, 2)})
    >>> heads["parity"](torch.ones(1, 2)).shape, list(heads)
    (torch.Size([1, 2]), ['digit', 'parity'])
    """

    _modules: dict[str, Module]  # type: ignore[assignment]

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        self.pop(key)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> KeysView[str]:
        """Return the names."""
        return self._modules.keys()

    def values(self) -> ValuesView[Module]:
        """Return the modules."""
        return self._modules.values()

    def items(self) -> ItemsView[str, Module]:
        """Return (name, module) pairs."""
        return self._modules.items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add modules from a mapping or from (name, module) pairs, replacing those of the same names."""
        if not isinstance(modules, Iterable):
            kind = type(modules).__name__
            raise TypeError(f"ModuleDict.update should be called with an iterable of key/value pairs, but got {kind}")
        pairs = modules.items() if isinstance(modules, (Mapping, ModuleDict)) else list(modules)
        for i, pair in enumerate(pairs):
            if len(pair) != 2:
                raise ValueError(f"ModuleDict update sequence element #{i} has length {len(pair)}; 2 is required")
        for name, module in pairs:
            self[name] = module

    def pop(self, key: str) -> Module:
        """Remove a module, and return it."""
        module = self._modules[key]
        unregister(self, key)
        return module

    def clear(self) -> None:
        """Remove all modules."""
        self._modules.clear()
