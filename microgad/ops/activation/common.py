"""What activations share: they require floating-point input, and may write their result into it (`inplace`)."""

from __future__ import annotations

from typing import Any

from ...errors import DtypeError, KindError
from ...function import Function
from ...function.naming import with_in_place_name, with_torch_name
from ...type_aliases import Tensor


def require_floating(arrays: list[Any]) -> list[Any]:
    """Return the operands. Raises RuntimeError unless they are floating-point and of one dtype, as in PyTorch."""
    if len(arrays) == 1 and arrays[0].dtype.kind == "f":
        return arrays
    dtypes = {x.dtype for x in arrays if hasattr(x, "dtype")}
    if wrong := next((dtype for dtype in dtypes if dtype.kind != "f"), None):
        raise KindError(f"is not implemented for {wrong}: convert the input to a floating-point dtype")
    if len(dtypes) > 1:
        raise DtypeError(f"the dtypes are {' and '.join(sorted(map(str, dtypes)))}; convert one of them")
    return arrays


def apply_activation(
    cls: type[Function], input: Tensor, *others: Any, inplace: bool = False, name: str = "", **settings: Any
) -> Tensor:
    """Apply a Function to input, or, if inplace, write its result into input.

    `name` is PyTorch's name for the node, if that isn't the Function's or differs for the in-place form.
    """
    if not inplace:
        result: Tensor = cls.apply(input, *others, **settings)
        return with_torch_name(name, result) if name else result
    before = input.node
    result = cls.apply_(input, *others, **settings)
    return with_in_place_name(f"{name}Backward1", result, before) if name else result
