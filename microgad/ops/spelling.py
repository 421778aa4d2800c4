"""What PyTorch takes beside its own spelling: NumPy's names of arguments, and the order of before version 1.5."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from .. import function as core
from ..errors.arguments import UNFIT, kinds, refuse
from ..errors.notices import once

F = TypeVar("F", bound=Callable[..., Any])

_PYTORCH = {"axis": "dim", "keepdims": "keepdim", "a": "input", "x": "input", "x1": "input", "x2": "other"}
# What PyTorch calls arguments for which its documentation has better names: by their place.
_PLACES = {
    "input": 0, "input2": 1, "input3": 2, "b": 1, "other": 1, "indices": 1, "sections": 1,
    "tensor_indices_or_sections": 1, "split_size": 1,
}  # fmt: skip
_OLD_ORDER = "numbers before the Tensors that they scale are deprecated: give them by name, as in add(x, y, alpha=2)"


def numpy_spelling(function: F) -> F:
    """Let a public function take `axis` for `dim`, `keepdims` for `keepdim`, `x` for `input`, `input` for `A`.

    Of arguments of a type that they can't be it says so, as `tensors_only`.
    """
    code = inspect.unwrap(function).__code__
    own = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    renamed = {name: own[place] for name, place in _PLACES.items() if place < code.co_argcount and name not in own}
    renamed |= {theirs: ours for theirs, ours in _PYTORCH.items() if ours in own and theirs not in own}
    return _checked(function, renamed)


def tensors_only(function: F) -> F:
    """Let a public function raise TypeError for an argument of another type than it has to be: Tensor, int, bool."""
    return _checked(function, {})


def _checked(function: F, renamed: dict[str, str]) -> F:
    check = kinds(function)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not renamed.keys().isdisjoint(kwargs):
            named = {renamed.get(name, name): value for name, value in kwargs.items()}
            if len(named) < len(kwargs):
                raise TypeError(f"{function.__name__}() got one argument by two of its names: {', '.join(kwargs)}")
            kwargs = named
        if check is not None:
            check(args, kwargs)
        try:
            return function(*args, **kwargs)
        except UNFIT as error:
            return refuse(checked, args, kwargs, error)

    return checked  # type: ignore[return-value]


def numbers_first(function: F) -> F:
    """Let a public function take its factors before the tensors that they scale, as `addcmul(input, value, a, b)`.

    Programs of before 2020 call so: `addmm(beta, input, alpha, mat1, mat2)`, where alpha may be left out.
    """
    code = inspect.unwrap(function).__code__
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]

    @functools.wraps(function)
    def ordered(*args: Any, **kwargs: Any) -> Any:
        if len(args) > 3 and isinstance(args[-1], core.Tensor):
            once(_OLD_ORDER)
            numbers = [x for x in args if not isinstance(x, core.Tensor)]
            args = tuple(x for x in args if isinstance(x, core.Tensor))
            kwargs = {**dict(zip(names, numbers, strict=False)), **kwargs}
        return function(*args, **kwargs)

    return ordered  # type: ignore[return-value]


def old_order(op: str, alpha: Any, rest: tuple[Any, ...]) -> tuple[Any, Any]:
    """other and alpha of `add(input, alpha, other)`. Raises TypeError where what comes third is no operand."""
    if len(rest) > 1 or not isinstance(rest[0], (core.Tensor, complex, float, int)):
        raise TypeError(f"{op}() takes 2 positional arguments but {2 + len(rest)} were given")
    once(_OLD_ORDER)
    return rest[0], alpha
