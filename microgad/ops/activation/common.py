"""What activations have in common: floating-point input, and a form written into it."""

from __future__ import annotations

from typing import Any

from ...errors import DtypeError, KindError
from ...function import Function
from ...function.naming import called, called_in_place
from ...stand_ins import Tensor


def require_floating(arrays: list[Any]) -> list[Any]:
    """The operands, which have to be floating-point numbers of one dtype: nothing is converted, as in PyTorch."""
    if len(arrays) == 1 and arrays[0].dtype.kind == "f":
        return arrays
    kinds = {x.dtype for x in arrays if hasattr(x, "dtype")}
    if any(kind.kind != "f" for kind in kinds):
        wrong = next(kind for kind in kinds if kind.kind != "f")
        raise KindError(f"is not implemented for {wrong}: convert the input to a floating-point dtype")
    if len(kinds) > 1:
        raise DtypeError(f"the dtypes are {' and '.join(sorted(map(str, kinds)))}; convert one of them")
    return arrays


def apply_activation(
    cls: type[Function], input: Tensor, *others: Any, inplace: bool = False, name: str = "", **settings: Any
) -> Tensor:
    """A Function's result, written into input's memory if inplace.

    `name` is PyTorch's, of the node, where it is another than the Function's, or counts what is written as a second.
    """
    if not inplace:
        result: Tensor = cls.apply(input, *others, **settings)
        return called(name, result) if name else result
    before = input.node
    result = cls.apply_(input, *others, **settings)
    return called_in_place(f"{name}Backward1", result, before) if name else result
