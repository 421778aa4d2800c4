"""torch._foreach_*: operations over lists of Tensors, as loops over the lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...errors import ArgumentError, DtypeError, ShapeError
from ...ops.elementwise.selection import Maximum, Minimum
from ...ops.linalg import VectorNorm, vector_norm
from ...tensor import Tensor

_METHODS = {
    "abs", "acos", "add", "addcdiv", "addcmul", "asin", "atan", "ceil", "clamp_max", "clamp_min", "clone", "cos",
    "cosh", "div", "erf", "erfc", "exp", "expm1", "floor", "frac", "lerp", "lgamma", "log", "log10", "log1p", "log2",
    "max", "mm", "mul", "neg", "pow", "reciprocal", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "sub",
    "tan", "tanh", "trunc",
}  # fmt: skip


def _norm(x: Tensor, ord: Any = 2, dtype: Any = None) -> Tensor:
    if x.array.dtype.kind == "f" and x.array.size and dtype is None and type(ord) in (int, float):  # nothing to check
        return VectorNorm.apply(x, p=float(ord), axis=tuple(range(x.array.ndim)), keepdims=False)
    return vector_norm(x, ord, dtype=dtype)


_SPECIAL_CASES: dict[str, Callable[..., Any]] = {
    "copy_": Tensor.copy_,
    "norm": _norm,
    "powsum": lambda x, ord=2, dtype=None: x.to(dtype or x.dtype).abs().pow(ord).sum(),
    "zero_": Tensor.zero_,
    # Unlike torch.maximum and minimum they take numbers; unlike clamp, ties share the gradient.
    "maximum": Maximum.apply,
    "maximum_": Maximum.apply_,
    "minimum": Minimum.apply,
    "minimum_": Minimum.apply_,
}
_NAMES = (  # the arguments that may be lists, in their order
    "self", "tensors1", "tensor1", "tensor2", "tensor", "other", "scalar", "scalars", "weight", "weights", "exponent",
    "src", "ord",
)  # fmt: skip


def of(name: str) -> Callable[..., Any] | None:
    """Return `torch._foreach_add` for "add", `torch._foreach_add_` for "add_" and so on, or None for an unknown name.

    An argument that is a list has one value for each Tensor; any other argument is the same for all. Arguments may be
    passed by PyTorch's names.

    >>> xs = [torch.ones(1), torch.ones(2)]
    >>> torch._foreach_add(xs, [1.0, 2.0])
    (tensor([2.]), tensor([3., 3.]))
    >>> torch._foreach_mul_(xs, 3)
    [tensor([3.]), tensor([3., 3.])]
    """
    one = _SPECIAL_CASES.get(name) or (getattr(Tensor, name, None) if name.removesuffix("_") in _METHODS else None)
    if one is None:
        return None

    def each(*args: Any, **options: Any) -> Iterator[Any]:
        args = (*args, *(options.pop(name) for name in _NAMES if name in options))
        if name == "pow" and not isinstance(args[0], (list, tuple)):  # a number raised to each Tensor
            return (args[0] ** x for x in _checked(name, args[1]))
        columns = _columns(name, args)
        if name.startswith("addc") and len(columns) == 4:
            return (one(*row, value=value) for *row, value in zip(*columns, strict=True))
        return (one(*row, **options) for row in zip(*columns, strict=True))

    def foreach(*args: Any, **options: Any) -> tuple[Any, ...]:
        return tuple(each(*args, **options))

    def foreach_(self: Sequence[Tensor], *args: Any, **options: Any) -> Sequence[Tensor]:
        for _ in each(self, *args, **options):  # later Tensors may read what was written to earlier ones
            pass
        return self

    made = foreach_ if name.endswith("_") else foreach
    made.__name__ = made.__qualname__ = f"_foreach_{name}"
    return made


def _columns(name: str, args: Sequence[Any]) -> list[Any]:
    """Return a list of equal length for each argument; a single value is repeated."""
    columns = [_checked(name, args[0])]
    for x in args[1:]:
        if name == "copy_":
            _checked(name, x, "src")
        if isinstance(x, Tensor) and name.startswith("addc"):  # it holds a value for each Tensor
            if x.ndim != 1:
                raise ArgumentError(f"Expected packed scalar Tensor to be of dimension 1. Got {x.ndim} instead.")
            x = x.tolist()
        elif isinstance(x, Tensor) and x.ndim:
            raise DtypeError(f"_foreach_{name}: a tensor for all must be of 0 dimensions, but has {x.ndim}")
        elif isinstance(x, Tensor) and not x.requires_grad and name.removesuffix("_") not in ("mul", "div"):
            x = x.item()  # as in PyTorch, where it then doesn't widen the result's dtype
        columns.append(x if isinstance(x, (list, tuple)) else [x] * len(columns[0]))
    count = len(columns[0])
    for x in columns:
        if len(x) != count and x and isinstance(x[0], Tensor):
            raise ShapeError(
                f"_foreach_{name}: Tensor lists must have the same number of tensors, got {count} and {len(x)}"
            )
        if len(x) != count:
            raise ShapeError(f"_foreach_{name}: Tensor list must have same number of elements as scalar list.")
    return columns


def _checked(name: str, tensors: Any, argument: str = "self") -> Sequence[Tensor]:
    """Return the list of Tensors; raise an error for anything else."""
    if not isinstance(tensors, (list, tuple)) or not all(isinstance(x, Tensor) for x in tensors):
        raise DtypeError(f"_foreach_{name}: argument '{argument}' must be a list of Tensors, got {tensors!r}")
    if not tensors:
        raise ArgumentError(f"_foreach_{name}: Tensor list must have at least one tensor.")
    return tensors
