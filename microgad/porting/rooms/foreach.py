"""torch._foreach_*: an operation over lists of Tensors, as a loop over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...errors import ShapeError
from ...ops.linalg import vector_norm
from ...tensor import Tensor

_ALIKE = {
    "abs", "acos", "add", "asin", "atan", "ceil", "clone", "cos", "cosh", "div", "erf", "erfc", "exp", "expm1", "floor",
    "frac", "lerp", "lgamma", "log", "log10", "log1p", "log2", "mm", "mul", "neg", "pow", "reciprocal", "round",
    "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "sub", "tan", "tanh", "trunc",
}  # fmt: skip
_OTHERWISE: dict[str, Callable[..., Any]] = {
    "addcdiv": lambda x, a, b, value=1: x.addcdiv(a, b, value=value),
    "addcmul": lambda x, a, b, value=1: x.addcmul(a, b, value=value),
    "clamp_max": lambda x, high: x.clamp(max=high),
    "clamp_min": lambda x, low: x.clamp(min=low),
    "copy": lambda x, src, non_blocking=False: src,
    "max": lambda x: x.max(),
    "norm": lambda x, ord=2, dtype=None: vector_norm(x, ord, dtype=dtype),
    "zero": lambda x: x.new_zeros(()),
}
_OTHERWISE["maximum"], _OTHERWISE["minimum"] = _OTHERWISE["clamp_min"], _OTHERWISE["clamp_max"]
_NAMES = (  # of arguments that may be lists, in the order in which they come
    "self", "tensors1", "tensor1", "tensor2", "tensor", "other", "scalar", "scalars", "weight", "weights", "exponent",
    "src", "ord",
)  # fmt: skip


def of(name: str) -> Callable[..., Any] | None:
    """`torch._foreach_add` for "add", `torch._foreach_add_` for "add_"; None where there is none.

    An argument that is a list goes along with the Tensors, any other one is the same for all of them; they go by
    PyTorch's names, too.

    >>> xs = [torch.ones(1), torch.ones(2)]
    >>> torch._foreach_add(xs, [1.0, 2.0])
    (tensor([2.]), tensor([3., 3.]))
    >>> torch._foreach_mul_(xs, 3)
    [tensor([3.]), tensor([3., 3.])]
    """
    plain = name.removesuffix("_")
    one = _OTHERWISE.get(plain)
    if one is None and plain in _ALIKE:
        one = getattr(Tensor, plain)
    if one is None:
        return None

    def each(*args: Any, **options: Any) -> Iterator[Any]:
        args = (*args, *(options.pop(name) for name in _NAMES if name in options))
        if plain == "pow" and not isinstance(args[0], (list, tuple)):  # a number to the power of each
            return (args[0] ** x for x in args[1])
        if plain.startswith("addc") and len(args) == 4 and isinstance(args[3], Tensor):  # a value for each
            args = (*args[:3], args[3].tolist())
        count = len(args[0])
        columns = [x if isinstance(x, (list, tuple)) else [x] * count for x in args]
        if wrong := [len(x) for x in columns if len(x) != count]:
            raise ShapeError(f"_foreach_{name}: lists must be of one length, but are of {count} and {wrong[0]}")
        return (one(*row, **options) for row in zip(*columns, strict=True))

    def foreach(*args: Any, **options: Any) -> tuple[Any, ...]:
        return tuple(each(*args, **options))

    def foreach_(self: Sequence[Tensor], *args: Any, **options: Any) -> Sequence[Tensor]:
        for x, value in zip(self, each(self, *args, **options), strict=True):  # which reads what was written before
            x.copy_(value)
        return self

    made = foreach_ if name.endswith("_") else foreach
    made.__name__ = made.__qualname__ = f"_foreach_{name}"
    return made
