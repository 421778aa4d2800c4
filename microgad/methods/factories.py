"""Factories that make Tensor's methods from Functions and functions: in-place forms `op_`, operators, aliases."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy import ndarray

from .. import backend, dtypes, errors, state
from .. import function as core
from ..errors.wording import cannot_cast
from ..function import Function
from ..function.naming import node_name, with_in_place_name, with_torch_name
from ..lazy import LazyModule, accepts_lazy
from ..updates import replace, update, with_number

if TYPE_CHECKING:
    from ..grad_fn import torch_names
    from ..ops import elementwise
    from ..ops.support import spelling
    from ..tensor import Operand, Tensor
    from ..torch_function.wrappers import retry_overridden
    from ..view_writes import histories
else:
    elementwise, spelling = LazyModule("microgad.ops.elementwise"), LazyModule("microgad.ops.support.spelling")
    histories = LazyModule("microgad.view_writes.histories")
    retry_overridden = LazyModule("microgad.torch_function.wrappers").retry_overridden
    torch_names = LazyModule("microgad.grad_fn.torch_names")

F = TypeVar("F", bound=Callable[..., Any])


# Signatures of methods, for type checkers, editors and `help`. The bodies of these functions are never called.


def unary(self: Tensor) -> Tensor:
    """Write the result of the operation without `_` into this Tensor, of any shape, and return it.

    Raises RuntimeError for a leaf that requires grad, and if the dtype can't hold the result, as int64 that of `exp`.
    """
    return self


def binary(self: Tensor, other: Operand) -> Tensor:
    """Write the result of the operation without `_` into this Tensor, and return it. `other` broadcasts to its shape.

    Raises RuntimeError for other shapes, for a leaf that requires grad, and if the dtype can't hold the result.
    """
    return self


def with_tensor(self: Tensor, other: Tensor) -> Tensor:
    """Write the result of the operation without `_` into this Tensor, and return it. `other` broadcasts to its shape.

    Raises RuntimeError for other shapes, for a leaf that requires grad, and if `other` is a number.
    """
    return self


def binary_alpha(self: Tensor, other: Operand, *, alpha: complex = 1) -> Tensor:
    """Add alpha · other to this Tensor (`sub_` subtracts it), and return it. `other` broadcasts to its shape.

    Raises RuntimeError for other shapes, for a leaf that requires grad, and if the dtype can't hold the result.
    """
    return self


@overload
def in_place(cls: type[Function]) -> Callable[[Tensor], Tensor]: ...
@overload
def in_place(cls: type[Function], like: F) -> F: ...
@accepts_lazy
def in_place(cls: type[Function], like: Any = unary) -> Any:
    """Make the in-place method `op_` of a Function. The signature of `like` names the operands after the Tensor."""
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
            # In PyTorch comparisons have nodes, "eq". logical_not_ and its like have none, and overwrite leaves, too.
            name, node, grads = torch_names.declared(cls, "operator"), self.node, state.current().grad_enabled
            with state.scope(grad_enabled=grads and (name is not None or not self.is_leaf)):
                self.copy_(cls.apply(self, *others))  # not differentiable: the gradient is 0 here
            kind = sum(isinstance(other, core.Tensor) for other in others)
            return with_in_place_name(f"{name.title()}Backward{kind}", self, node) if name else self
        return cls.apply_(self, *others)

    return _named(method, cls, like)


def _bind_operands(op: str, names: tuple[str, ...], others: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """Return positional and keyword operands in order. Raises TypeError for missing, extra or unknown ones."""
    missing = names[len(others) :]
    if "x2" in named and missing == ("other",):  # NumPy's name
        named = {"other" if name == "x2" else name: value for name, value in named.items()}
    if len(others) > len(names) or set(named) != set(missing):
        given = [*map(repr, named), f"{len(others)} by place"]
        raise TypeError(f"{op}() takes {', '.join(names) or 'no argument'}; given are {', '.join(given)}")
    return (*others, *(named[name] for name in missing))


def _on_graph(x: Any) -> bool:
    return getattr(x, "node", None) is not None


@accepts_lazy
def with_alpha(cls: type[Function], like: F, formula: Callable[..., None]) -> F:
    """Make the in-place method of a Function that has a keyword `alpha`, by which the other operand is multiplied.

    `formula` computes both in one `update`.
    """

    def unscaled(out: Any, _: float, other: Any) -> None:
        cls.numpy(out, other, out=out)

    def method(self: Tensor, other: Any, *rest: Any, alpha: float = 1) -> Tensor:
        if rest:
            other, alpha = spelling.old_order(f"{cls.__name__.lower()}_", other, rest)
        if type(alpha) is not int or alpha != 1:
            if update(method.__name__, formula, self, alpha, other):
                return self
            other = elementwise.scaled_by_alpha(f"{cls.__name__}_", self, other, alpha)
        elif type(other) in (float, int):
            if with_number(method.__name__, cls.numpy, self, other):
                return self
        elif update(method.__name__, unscaled, self, 1, other):
            return self
        return cls.apply_(self, other)

    return _named(method, cls, like)


@accepts_lazy
def augmented(method: F) -> F:
    """Make an augmented assignment, such as `a += b`, from an in-place method `op_`.

    For a NumPy array b, `a` becomes the new Tensor a + b, as in PyTorch, which raises if that has to be recorded; here
    it is recorded in place.
    """

    def operator(self: Tensor, other: Any) -> Any:
        if type(other) is ndarray and not (self.requires_grad and state.current().grad_enabled):
            return NotImplemented
        return method(self, other) if is_operand(other) else retry_overridden(operator, self, other)

    return operator  # type: ignore[return-value]


@accepts_lazy
def operator(cls: type[Function]) -> Callable[[Tensor, Operand | np.ndarray], Tensor]:
    """Make a binary operator from a Function."""

    def method(self: Tensor, other: Any) -> Any:
        try:
            if type(other) is ndarray:  # in PyTorch the array's operator does it, which is a NumPy function
                return self.__array_ufunc__(cls.numpy, "__call__", self, other)
            return cls.apply(self, other)
        except TypeError:
            if is_operand(other):
                raise
            return retry_overridden(method, self, other)  # NotImplemented lets Python try the other operand's operator

    return method


@accepts_lazy
def reflected(cls: type[Function], name: str = "") -> Callable[[Tensor, Operand | np.ndarray], Tensor]:
    """Make a reflected operator, as `__rsub__`, from a Function. `name` is PyTorch's name for its node, if special."""

    def method(self: Tensor, other: Any) -> Any:
        try:
            result = cls.apply(other, self)
        except TypeError:
            if is_operand(other):
                raise
            return retry_overridden(method, self, other)
        return with_torch_name(name, result) if name else result

    return method


def is_operand(x: Any) -> bool:
    """Whether operators accept an object as the operand beside a Tensor."""
    if isinstance(x, (core.Tensor, int, float, complex, np.number, np.bool_)):
        return True
    return backend.is_array(x) and x.dtype.kind in "biufcV"


@accepts_lazy
def by_copy(function: F, formula: Callable[..., None] | None = None) -> F:
    """Make the in-place method `op_` of a composite: the result is copied into the Tensor's memory.

    `formula` computes one with as many operands as it has, and with operands a factor `value`, in one `update`.
    """
    count = -1 if formula is None else formula.__code__.co_argcount - 2
    known = {"value"} if count > 0 else set()

    def method(self: Tensor, *args: Any, **options: Any) -> Tensor:
        plain = len(args) == count and options.keys() <= known
        if plain and formula is not None and update(method.__name__, formula, self, options.get("value", 1), *args):
            return self
        if (dtype := options.get("dtype")) is not None and dtype != self.dtype:
            raise errors.DtypeError(
                f"{function.__name__}_: Bad in-place call: input tensor dtype {self.dtype} and output tensor dtype "
                f"{dtype} should match"
            )
        recorded = any(map(_on_graph, (self, *args, *options.values())))
        before = self.clone() if recorded else self  # backward may need the values that are about to be overwritten
        if self._links.base is not None and before.node is not None and before is not self:
            histories.read_from_base(self, before.node)
        result = function(before, *args, **options)
        if not dtypes.can_cast(result.dtype, self.dtype):
            raise errors.DtypeError(f"{function.__name__}_: {cannot_cast(result.dtype, self.dtype)}")
        if result.shape != self.shape:
            raise errors.ShapeError(
                f"{function.__name__}_: output with shape {list(self.shape)} doesn't match the broadcast shape "
                f"{list(result.shape)}"
            )
        node = self.node
        if not update(method.__name__, replace, self, 1, result):
            self[...] = result
        name = "" if result.node is None else node_name(result.node)
        return with_in_place_name(name, self, node)

    return with_signature(method, f"{function.__name__}_", f"In place: see `{function.__name__}`.", function)


@functools.cache
def as_function(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make the function `torch.op_` from a method; its first parameter is named `input`."""

    @functools.wraps(method)
    def function(input: Tensor, *args: Any, **named: Any) -> Any:
        if not isinstance(input, core.Tensor):
            kind = type(input).__name__
            raise errors.DtypeError(f"{method.__name__}(): argument 'input' (position 1) must be Tensor, not {kind}")
        return method(input, *args, **named)

    return function


def with_signature(method: Any, name: str, doc: str, like: F) -> F:
    """Give a method its name and docstring, and the signature of `like`."""
    method.__name__ = method.__qualname__ = name
    method.__doc__ = doc
    method.__wrapped__ = like  # `inspect.signature` and `help` follow it
    return method


def _named(method: Any, cls: type[Function], like: F) -> F:
    name = torch_names.operator_name(cls).removeprefix("aten::")
    return with_signature(method, f"{name}_", f"In place: {cls.__doc__}", like)


@accepts_lazy
def with_dims(op: F) -> F:
    """Make the method of an operation with a parameter dims, which may also be given as separate arguments."""

    def method(self: Tensor, *dims: Any, **options: Any) -> Any:
        return op(self, *(dims if len(dims) < 2 else (dims,)), **options)

    return with_signature(method, op.__name__, op.__doc__ or "", op)


@accepts_lazy
def unlike_numpy(method: F, same: str = "") -> F:
    """Make a method that refuses while a Function's derivative, plain NumPy, runs on Tensors: NumPy's is another.

    `same="()"`: they are the same without arguments.
    """
    plain = getattr(method, "__wrapped__", method)  # which doesn't check arguments

    def checked(self: Tensor, *args: Any, **options: Any) -> Any:
        if same and not args and not options and isinstance(self, core.Tensor):
            return plain(self)
        if state.current().deriving:
            name = method.__name__
            raise errors.FunctionError(
                f"a derivative called the method {name}() of a Tensor, which is PyTorch's and not NumPy's: write "
                f"np.{name}(x, ...)"
            )
        return method(self, *args, **options)

    return with_signature(checked, method.__name__, method.__doc__ or "", method)


def sizes_from(sizes: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return sizes that were given as separate arguments or as one sequence."""
    if len(sizes) != 1 or isinstance(sizes[0], int):
        return sizes
    return tuple(sizes[0]) if isinstance(sizes[0], (list, tuple)) or np.ndim(sizes[0]) else sizes
