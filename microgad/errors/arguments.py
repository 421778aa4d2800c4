"""Checks of the types of arguments, against annotations or one by one."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import DtypeError

# Annotation -> types that are accepted at once; `_fits` decides about all others.
_TAKEN = {
    "bool": frozenset([bool]),
    "int": frozenset([int]),
    "float": frozenset([float, int]),
    "complex": frozenset([complex, float, int, bool]),
    "str": frozenset([str]),
    "Dtype": frozenset([type(None)]),
    "GivenDim": frozenset([int]),
    "GivenDims": frozenset([int, tuple, list]),
    "GivenNumber": frozenset([int, float]),
}
_TORCH_NAMES = {"Dtype": "torch.dtype", "GivenDim": "int", "GivenDims": "int or tuple of ints", "GivenNumber": "Number"}
_REAL = float, np.floating, bool, np.bool_  # bools are numbers, as in PyTorch
_NUMERIC = *_REAL, complex, np.inexact
# Not checked: what PyTorch only tests for truth in Python code, and requires_grad, which is checked later.
_ANY = frozenset(
    ("antialias", "center", "full", "inplace", "recompute_scale_factor", "reduce", "requires_grad", "return_indices",
     "size_average", "swap")
)  # fmt: skip


def type_check(function: Callable[..., Any]) -> Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, ...]] | None:
    """Make a check of a call's argument types against the annotations of `function`: numbers, bools and strings.

    The check raises TypeError where PyTorch's bindings do: for "a", 1.5 or True where an int is expected, for 1 where a
    bool is. It returns the positional arguments, with Python's numbers for NumPy's and Tensors, whose arithmetic would
    round or overflow; in the keyword arguments it replaces them. Returns None if there is nothing to check.
    """
    if function is not inspect.unwrap(function):
        return None  # the wrapped function has a check of its own
    wanted = {}
    for name, said in function.__annotations__.items():
        kind = said.removesuffix(" | None") if isinstance(said, str) else ""
        given, kind = kind == said, "int" if kind == "GivenInt" else kind
        if kind in _TAKEN and name not in _ANY and (name, kind) != ("reduction", "str"):  # losses refuse its values
            wanted[name] = kind, _TAKEN[kind] if given else _TAKEN[kind] | {type(None)}
    wanted.pop("return", None)
    if not wanted:
        return None
    code = function.__code__
    placed = [(i, *wanted[name]) for i, name in enumerate(code.co_varnames[: code.co_argcount]) if name in wanted]

    def check(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        for i, kind, taken in placed:
            if i >= len(args):
                break
            if type(args[i]) not in taken:
                if not _fits(args[i], kind):
                    raise _mistyped(function, args, f"'{code.co_varnames[i]}' (position {i + 1})", kind, args[i])
                args = *args[:i], _as_python(args[i], kind), *args[i + 1 :]
        for name, value in kwargs.items():
            if name in wanted and type(value) not in wanted[name][1]:
                kind = wanted[name][0]
                if not _fits(value, kind):
                    raise _mistyped(function, args, f"'{name}'", kind, value)
                kwargs[name] = _as_python(value, kind)
        return args

    return check


def _fits(value: Any, kind: str) -> bool:
    """Whether a value is accepted for an annotation: also NumPy's numbers, and 0-d Tensors off the graph."""
    if kind.startswith("Given"):
        return value is not None
    if kind == "str":
        return isinstance(value, str)
    if kind == "Dtype":
        return isinstance(value, (type, np.dtype)) or hasattr(type(value), "to_complex")  # microgad's dtypes have it
    if kind in ("float", "complex") and hasattr(value, "array"):
        return not value.array.ndim and value.node is None
    if isinstance(value, _REAL if kind == "float" else _NUMERIC if kind == "complex" else ()):
        return True
    if kind == "bool" or isinstance(value, (bool, np.bool_)):
        return False
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def _as_python(value: Any, kind: str) -> Any:
    """A value that fits, as Python's number if it is NumPy's or a Tensor on the CPU outside of vmap."""
    if kind.startswith("Given"):
        return value
    if kind == "int":  # whether a Tensor (1) is one, its reader decides: as a dim it isn't
        return value if getattr(value, "ndim", 0) else operator.index(value)
    if type(getattr(value, "array", value)) is np.ndarray or isinstance(value, np.generic):
        value = value.item()
    if kind == "float" and isinstance(value, complex) and not value.imag:
        value = value.real
    return float(value) if kind == "float" and isinstance(value, (bool, np.floating)) else value


def _mistyped(function: Callable[..., Any], args: tuple[Any, ...], where: str, kind: str, value: Any) -> Exception:
    """The error for an argument; in cat(a, b) it is the first one, of which the second's type follows."""
    first = function.__code__.co_varnames[0]
    if args and function.__annotations__.get(first) == "Sequence[Tensor]" and hasattr(args[0], "array"):
        where, kind, value = f"'{first}' (position 1)", "tuple of Tensors", args[0]
    kind = _TORCH_NAMES.get(kind, kind)
    return DtypeError(f"{function.__name__}(): argument {where} must be {kind}, not {type(value).__name__}")


def check_bool(op: str, **given: Any) -> None:
    """Raise TypeError for an argument that isn't a bool. PyTorch's bindings refuse 1, None and NumPy's bools."""
    for name, value in given.items():
        if type(value) is not bool:
            raise DtypeError(f"{op}(): argument '{name}' must be bool, not {type(value).__name__}")


def as_sizes(op: str, name: str, given: Any) -> tuple[int, ...]:
    """Return sizes as ints. Raises TypeError, which names the argument, also for a bool, but only as the first size."""
    try:
        sizes = tuple(map(operator.index, given))
        if not sizes or type(given[0]) is not bool:
            return sizes
    except (LookupError, TypeError):
        pass
    raise DtypeError(f"{op}(): argument '{name}' must be tuple of ints, got {given!r:.60}")


def is_sequence(x: Any) -> bool:
    """Whether PyTorch takes x for a sequence (PySequence_Check): any class with __getitem__, but no dict or scalar."""
    if isinstance(x, (list, tuple)):
        return True
    if not hasattr(type(x), "__getitem__") or isinstance(x, (dict, np.generic)):
        return False
    return any("__getitem__" in cls.__dict__ for cls in type(x).__mro__)  # only its metaclass has one: x is an Enum
