"""Forms of an operation that follow from its Function: the method `op_`, written into the Tensor's own memory."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from .. import backend, dtypes, errors
from .. import function as core
from ..function import Function
from ..function.naming import called, called_in_place
from ..lazy import LazyModule, accepts_lazy

if TYPE_CHECKING:
    from ..function import torch_names
    from ..ops import elementwise, spelling
    from ..tensor import Operand, Tensor
    from ..torch_function.wrappers import retry_overridden
else:
    elementwise, spelling = LazyModule("microgad.ops.elementwise"), LazyModule("microgad.ops.spelling")
    retry_overridden = LazyModule("microgad.torch_function.wrappers").retry_overridden
    torch_names = LazyModule("microgad.function.torch_names")

F = TypeVar("F", bound=Callable[..., Any])


# How a method is called, as functions of which only the signature counts: for type checkers, editors and `help`.


def unary(self: Tensor) -> Tensor:
    """`x.op_()`."""
    return self


def binary(self: Tensor, other: Operand) -> Tensor:
    """`x.op_(other)`."""
    return self


def with_tensor(self: Tensor, other: Tensor) -> Tensor:
    """`x.op_(other)`, of which other is no number."""
    return self


def binary_with_alpha(self: Tensor, other: Operand, *, alpha: complex = 1) -> Tensor:
    """`x.op_(other, alpha=2)`."""
    return self


@overload
def in_place(cls: type[Function]) -> Callable[[Tensor], Tensor]: ...
@overload
def in_place(cls: type[Function], like: F) -> F: ...
@accepts_lazy
def in_place(cls: type[Function], like: Any = unary) -> Any:
    """The method `op_` of a Function: the result is written into the Tensor's own memory.

    `like` names the operands after the Tensor, by its signature.
    """
    names = like.__code__.co_varnames[1 : like.__code__.co_argcount]
    tensors = [(i, name) for i, name in enumerate(names) if like.__annotations__[name] == "Tensor"]

    def method(self: Tensor, *others: Any, **named: Any) -> Tensor:
        if named or len(others) != len(names):
            others = _bind_operands(method.__name__, names, others, named)
        for i, name in tensors:
            if not isinstance(others[i], core.Tensor):
                raise errors.DtypeError(
                    f"{method.__name__}(): argument '{name}' (position {i + 1}) must be Tensor, not "
                    f"{type(others[i]).__name__}"
                )
        if not cls.differentiable and any(map(_on_graph, (self, *others))):
            node, self[...] = self.node, cls.apply(self, *others)  # values from nowhere: the gradient ends here
            kind = sum(isinstance(other, core.Tensor) for other in others)
            name = torch_names.OPERATORS.get(cls.__name__)  # of comparisons, "eq"
            return called_in_place(f"{name.title()}Backward{kind}", self, node) if name else self
        result: Tensor = cls.apply_(self, *others)
        return result

    return _named(method, cls, like)


def _bind_operands(op: str, names: tuple[str, ...], others: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """Operands by place and by name, in order. Raises TypeError where they aren't just those of these names."""
    missing = names[len(others) :]
    if len(others) > len(names) or set(named) != set(missing):
        given = [*map(repr, named), f"{len(others)} by place"]
        raise TypeError(f"{op}() takes {', '.join(names) or 'no argument'}; given are {', '.join(given)}")
    return (*others, *(named[name] for name in missing))


def _on_graph(x: Any) -> bool:
    return getattr(x, "node", None) is not None


@accepts_lazy
def with_alpha(cls: type[Function], like: F) -> F:
    """The same with a keyword `alpha` that multiplies the other operand."""

    def method(self: Tensor, other: Any, *rest: Any, alpha: float = 1) -> Tensor:
        if rest:
            other, alpha = spelling.old_order(f"{cls.__name__.lower()}_", other, rest)
        if type(alpha) is not int or alpha != 1:
            other = elementwise.scaled_by_alpha(f"{cls.__name__}_", self, other, alpha)
        result: Tensor = cls.apply_(self, other)
        return result

    return _named(method, cls, like)


@accepts_lazy
def augmented_assignment(method: F) -> F:
    """Python's operator for a method `op_`: `a += b`."""

    def operator(self: Tensor, other: Any) -> Any:
        return method(self, other) if is_operand(other) else retry_overridden(operator, self, other)

    return operator  # type: ignore[return-value]


@accepts_lazy
def operator(cls: type[Function]) -> Callable[[Tensor, Operand | np.ndarray], Tensor]:
    """Python's operator for a Function."""

    def method(self: Tensor, other: Any) -> Any:
        try:
            return cls.apply(self, other)
        except TypeError:
            if is_operand(other):
                raise
            return retry_overridden(method, self, other)  # or else the other's own operator may know what to do

    return method


@accepts_lazy
def reflected_operator(cls: type[Function], name: str = "") -> Callable[[Tensor, Operand | np.ndarray], Tensor]:
    """The operator that Python calls where the Tensor stands on the right, and what PyTorch calls its node."""

    def method(self: Tensor, other: Any) -> Any:
        try:
            result = cls.apply(other, self)
        except TypeError:
            if is_operand(other):
                raise
            return retry_overridden(method, self, other)
        return called(name, result) if name else result

    return method


def is_operand(x: Any) -> bool:
    """Whether the operators take it beside a Tensor."""
    return isinstance(x, (core.Tensor, int, float, complex, np.generic)) or backend.is_array(x)


@accepts_lazy
def in_place_by_copy(function: F) -> F:
    """The method `op_` of a composite: its result is copied into the Tensor's own memory."""

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        recorded = any(map(_on_graph, (self, *args, *options.values())))
        before = self.clone() if recorded else self  # what backward may need is not written over
        result = function(before, *args, **options)
        if not dtypes.can_cast(result.dtype, self.dtype):
            raise errors.DtypeError(
                f"{function.__name__}_: result type {result.dtype} can't be cast to the output's type {self.dtype}"
            )
        if result.shape != self.shape:
            raise errors.ShapeError(
                f"{function.__name__}_: output with shape {tuple(self.shape)} doesn't match the broadcast shape "
                f"{tuple(result.shape)}"
            )
        node, self[...] = self.node, result
        name = "" if result.node is None else core.Function.name(result.node)
        return called_in_place(name, self, node)

    return with_signature(method, f"{function.__name__}_", f"In place: see `{function.__name__}`.", function)


@functools.cache
def as_function(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method as the function `torch.op_`, of which the Tensor goes by `input`."""

    @functools.wraps(method)
    def function(input: Tensor, *args: Any, **named: Any) -> Any:
        if not isinstance(input, core.Tensor):
            kind = type(input).__name__
            raise errors.DtypeError(f"{method.__name__}(): argument 'input' (position 1) must be Tensor, not {kind}")
        return method(input, *args, **named)

    return function


def with_signature(method: Any, name: str, doc: str, like: F) -> F:
    """A method under its name, with its docstring, that says it is called as `like` is."""
    method.__name__ = method.__qualname__ = name
    method.__doc__ = doc
    method.__wrapped__ = like  # `inspect.signature` and `help` follow it
    return method


def _named(method: Any, cls: type[Function], like: F) -> F:
    return with_signature(method, f"{cls.__name__.lower()}_", f"In place: {cls.__doc__}", like)


@accepts_lazy
def with_dims(op: F) -> F:
    """The method of an operation that takes dims, also one by one."""

    def method(self: Tensor, *dims: Any, **options: Any) -> Any:
        return op(self, *(dims if len(dims) < 2 else (dims,)), **options)

    return with_signature(method, op.__name__, op.__doc__ or "", op)


def sizes_from(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """Sizes given one by one or as one sequence."""
    if len(sizes) != 1 or isinstance(sizes[0], int):
        return sizes
    return tuple(sizes[0]) if isinstance(sizes[0], (list, tuple)) or np.ndim(sizes[0]) else sizes
