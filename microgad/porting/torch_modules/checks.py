"""torch._check and similar assertions, which tell PyTorch's compiler facts that it can't infer."""

from __future__ import annotations

from collections.abc import Callable

from ...tensor import Tensor

Message = Callable[[], str] | None


def _check_with(error_type: type[Exception], cond: bool, message: Message) -> None:
    """Raise an error of this class unless cond, a bool, is True. Source: torch._check_with.

    Raises TypeError if cond is not a bool or the message not a function.

    >>> torch._check_with(KeyError, 1 < 0, lambda: "said when it is needed")
    Traceback (most recent call last):
    KeyError: 'said when it is needed'
    """
    if not isinstance(cond, bool):
        kind = "a Tensor: see torch._check_tensor_all()" if isinstance(cond, Tensor) else type(cond)
        raise TypeError(f"cond must be a bool, but got {kind}")
    if message is not None and not callable(message):
        raise TypeError("message must be a callable")
    if not cond:
        raise error_type("Expected cond to be True, but got False." if message is None else str(message()))


def _check(cond: bool, message: Message = None) -> None:
    """Raise RuntimeError unless cond. Source: torch._check."""
    _check_with(RuntimeError, cond, message)


def _check_index(cond: bool, message: Message = None) -> None:
    """Raise IndexError unless cond. Source: torch._check_index."""
    _check_with(IndexError, cond, message)


def _check_value(cond: bool, message: Message = None) -> None:
    """Raise ValueError unless cond. Source: torch._check_value."""
    _check_with(ValueError, cond, message)


def _check_type(cond: bool, message: Message = None) -> None:
    """Raise TypeError unless cond. Source: torch._check_type."""
    _check_with(TypeError, cond, message)


def _check_not_implemented(cond: bool, message: Message = None) -> None:
    """Raise NotImplementedError unless cond. Source: torch._check_not_implemented."""
    _check_with(NotImplementedError, cond, message)


def _check_is_size(i: int, message: Message = None, *, max: int | None = None) -> None:
    """Raise RuntimeError unless 0 <= i, and i <= max, if there is one. Source: torch._check_is_size."""
    _check(i >= 0, message)
    if max is not None:
        _check(i <= max, message)


def _check_tensor_all_with(error_type: type[Exception], cond: Tensor, message: Message = None) -> None:
    """Raise an error of this class unless all elements of cond are True. Source: torch._check_tensor_all_with."""
    if not isinstance(cond, Tensor):
        raise TypeError(f"cond must be a tensor, but got {type(cond)}")
    if cond.array.dtype != bool:
        raise TypeError(f"cond tensor must have dtype torch.bool, but got {cond.dtype}")
    _check_with(error_type, bool(cond.all()), message)


def _check_tensor_all(cond: Tensor, message: Message = None) -> None:
    """Raise RuntimeError unless all elements of cond are True. Source: torch._check_tensor_all."""
    _check_tensor_all_with(RuntimeError, cond, message)
