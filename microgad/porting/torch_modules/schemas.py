"""Schemas of custom operations in PyTorch's syntax: "mine::scale(Tensor x, float by=2.0) -> Tensor"."""

from __future__ import annotations

import ast
import inspect
import re
import typing
from collections import abc
from collections.abc import Callable, Iterable
from types import NoneType, UnionType
from typing import Any, NamedTuple

from ...backend.devices import device
from ...dtypes import dtype
from ...errors import ArgumentError
from ...tensor import Tensor

_ARGUMENT = re.compile(r"(?P<type>[\w.]+(?:\([^)]*\))?[\[\]?\d]*)\s+(?P<name>\w+)\s*(?:=\s*(?P<default>.+))?")
_TYPES = {
    Tensor: "Tensor", int: "SymInt", float: "float", bool: "bool", str: "str", dtype: "ScalarType", device: "Device",
    int | float | bool: "Scalar",
}  # fmt: skip


class Argument(NamedTuple):
    """An argument of an operation."""

    name: str
    type: str
    default: Any
    kwarg_only: bool

    @property
    def is_write(self) -> bool:
        """Whether the operation writes to the argument, marked as `Tensor(a!)`."""
        return "!" in self.type

    def parameter(self) -> inspect.Parameter:
        """Return the argument as a parameter of a Python function."""
        kind = inspect.Parameter.KEYWORD_ONLY if self.kwarg_only else inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Parameter(
            self.name, kind, default=inspect.Parameter.empty if self.default is ... else self.default
        )


class Schema:
    """The arguments and results of an operation. Source: torch._C.FunctionSchema.

    >>> from microgad.porting.torch_modules.schemas import Schema
    >>> schema = Schema("mine::scale(Tensor x, float by=2.0) -> Tensor")
    >>> schema.bind((1.0,), {})
    Traceback (most recent call last):
    microgad.errors.ArgumentError: mine::scale() expected a Tensor for argument 'x', but found float. Declaration: ...
    >>> schema.bind((torch.ones(1),), {}).args
    (tensor([1.]), 2.0)
    """

    def __init__(self, text: str) -> None:
        found = re.fullmatch(r"\s*([\w:.]+)\s*\((.*)\)\s*->\s*(.+?)\s*", text, re.DOTALL)
        if found is None:
            raise ArgumentError(f"expected an operation's schema, 'name(Tensor x) -> Tensor', but got {text!r}")
        self.name, arguments, self.returns = found.groups()
        self._text = f"{self.name}({arguments}) -> {self.returns}"
        self.arguments = list(_arguments(arguments, self._text))
        self._signature = inspect.Signature([argument.parameter() for argument in self.arguments])

    def __str__(self) -> str:
        return self._text

    __repr__ = __str__

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        """Bind the arguments of a call, with defaults. Raises RuntimeError if they don't match the schema."""
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise ArgumentError(f"{self.name}() {error}. Declaration: {self}") from None
        bound.apply_defaults()
        for argument in self.arguments:
            x = bound.arguments[argument.name]
            if argument.type.partition("(")[0] == "Tensor" and "[" not in argument.type and not isinstance(x, Tensor):
                raise ArgumentError(
                    f"{self.name}() expected a Tensor for argument '{argument.name}', but found {type(x).__name__}. "
                    f"Declaration: {self}"
                )
        return bound

    def written(self, bound: inspect.BoundArguments) -> Iterable[Any]:
        """Return the arguments that the operation writes to."""
        return (bound.arguments[argument.name] for argument in self.arguments if argument.is_write)


def _arguments(text: str, whole: str) -> Iterable[Argument]:
    alone = False
    for part in filter(None, map(str.strip, re.split(r",(?![^\[(]*[\])])", text))):
        if part == "*":
            alone = True
            continue
        found = _ARGUMENT.fullmatch(part)
        if found is None:
            raise ArgumentError(f"expected an argument, 'Tensor x', but got {part!r} in {whole!r}")
        kind, name, default = found.groups()
        yield Argument(name, kind, ... if default is None else _value(default), alone)


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):  # a name from PyTorch
        return text


def infer_schema(
    prototype_function: Callable[..., Any], /, *, mutates_args: str | Iterable[str], op_name: str | None = None
) -> str:
    """Infer the schema of a function from its annotations. Source: torch.library.infer_schema.

    Raises ValueError for a missing or unsupported annotation.

    >>> def scale(x: torch.Tensor, by: float = 2.0) -> torch.Tensor: ...
    >>> torch.library.infer_schema(scale, mutates_args=())
    '(Tensor x, float by=2.0) -> Tensor'
    """
    signature, known = inspect.signature(prototype_function), typing.get_type_hints(prototype_function)
    every = mutates_args == "unknown"
    parts: list[str] = []
    for name, parameter in signature.parameters.items():
        if name not in known:
            raise ValueError(f"infer_schema(func): Parameter {name} must have a type annotation. Got {signature}")
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        kind = _type(known[name], f"Parameter {name}")
        if (every or name in mutates_args) and kind.startswith("Tensor"):
            kind = f"Tensor(a{len(parts)}!){kind[6:]}"
        default = parameter.default
        default_text = f'"{default}"' if isinstance(default, str) else str(default).removeprefix("torch.")
        parts.append(f"{kind} {name}" + ("" if default is parameter.empty else f"={default_text}"))
    if "return" not in known:
        raise ValueError("infer_schema(func): No return type annotation was provided: add one, -> Tensor")
    found = known["return"]
    many = typing.get_args(found) if typing.get_origin(found) is tuple else ()
    returns = ", ".join(_type(each, "Return") for each in many or ([] if found is NoneType else [found]))
    return f"{op_name or ''}({', '.join(parts)}) -> " + (returns if returns and not many else f"({returns})")


def _type(hint: Any, whose: str) -> str:
    """Return PyTorch's name of a type: optional types with ?, lists with []."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in _TYPES:
        return _TYPES[hint]
    if origin in (typing.Union, UnionType) and NoneType in inner:
        return f"{_type(typing.Union[tuple(kind for kind in inner if kind is not NoneType)], whose)}?"  # noqa: UP007
    if origin in (list, abc.Sequence) and len(inner) == 1:
        return f"{_type(inner[0], whose)}[]"
    raise ValueError(
        f"infer_schema(func): {whose} has unsupported type {hint}: the valid ones are Tensor, numbers, "
        "str, torch.dtype, torch.device, and lists of them or None"
    )
