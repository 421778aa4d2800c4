"""What activations have in common: floating-point input, and a form written into it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DtypeError
from ...function import Function

if TYPE_CHECKING:
    from ...tensor import Tensor


def floating(arrays: list[Any]) -> list[Any]:
    """The operands, which have to be floating-point numbers of one dtype: nothing is converted, as in PyTorch."""
    kinds = {x.dtype for x in arrays if hasattr(x, "dtype")}
    if any(kind.kind != "f" for kind in kinds):
        wrong = next(kind for kind in kinds if kind.kind != "f")
        raise DtypeError(f"is not implemented for {wrong}: convert the input to a floating-point dtype")
    if len(kinds) > 1:
        raise DtypeError(f"the dtypes are {' and '.join(sorted(map(str, kinds)))}; convert one of them")
    return arrays


BLOCK = 65536


def by_blocks(formula: Callable[..., Any], *inputs: Any) -> Any:
    """formula(*inputs), elementwise; of large arrays block by block, so that its many passes stay in the cache."""
    first = inputs[0]
    if (
        type(first) is not np.ndarray
        or first.size <= BLOCK
        or not all(x.shape == first.shape and x.flags.c_contiguous for x in inputs)
    ):
        return formula(*inputs)
    out = np.empty_like(first)
    flat, parts = out.reshape(-1), [x.reshape(-1) for x in inputs]
    for i in range(0, flat.size, BLOCK):
        flat[i : i + BLOCK] = formula(*[x[i : i + BLOCK] for x in parts])
    return out


def applied(cls: type[Function], input: Tensor, *others: Any, inplace: bool = False, **settings: Any) -> Tensor:
    """A Function's result, written into input's memory if inplace."""
    result: Tensor = (cls.apply_ if inplace else cls.apply)(input, *others, **settings)
    return result


def put(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    """A composite's result, copied into input's memory if inplace."""
    if not inplace:
        return result
    input[...] = result
    return input
