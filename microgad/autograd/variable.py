"""torch.autograd.Variable: the name of a Tensor with a gradient before PyTorch 0.4, which programs still use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ..engine import backward_pass
from ..errors import DtypeError, GraphError
from ..errors.notices import warn
from ..tensor import Tensor


class _AnyTensor(type):
    def __instancecheck__(cls, x: Any) -> bool:
        return isinstance(x, Tensor)


class _Engine:
    """The part of PyTorch's execution engine that programs use."""

    def queue_callback(self, callback: Callable[[], Any]) -> None:
        """Call `callback` at the end of the current backward pass. Raises RuntimeError outside of one.

        >>> x = torch.ones(2, requires_grad=True)
        >>> queue = torch.autograd.Variable._execution_engine.queue_callback
        >>> handle = x.register_hook(lambda grad: queue(lambda: print("done", x.grad)))
        >>> (x * 2).sum().backward()
        done tensor([2., 2.])
        """
        running = backward_pass.current_pass()
        if running is None:
            raise GraphError("Final callbacks can only be installed during backward pass.")
        running.callbacks.append(callback)


class Variable(metaclass=_AnyTensor):
    """Return a Tensor on the memory of `data`, without its history. Every Tensor is an instance of this class.

    Raises TypeError if `data` isn't a Tensor, RuntimeError if integers are to require a gradient.
    Source: torch.autograd.Variable.

    >>> x = torch.autograd.Variable(torch.ones(2), requires_grad=True)
    >>> x, isinstance(x, torch.Tensor), isinstance(torch.ones(1), torch.autograd.Variable)
    (tensor([1., 1.], requires_grad=True), True, True)
    """

    _execution_engine: ClassVar[_Engine] = _Engine()

    def __new__(cls, data: Any = None, requires_grad: bool = False, volatile: bool | None = None) -> Any:
        if volatile:
            warn("volatile was removed and now has no effect. Use `with torch.no_grad():` instead.")
        if data is None:
            return Tensor()
        if not isinstance(data, Tensor):
            raise DtypeError(f"Variable: data has to be a tensor, but got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad)
