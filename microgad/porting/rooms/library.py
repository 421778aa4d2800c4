"""torch.library: operations of a program's own, which are found under torch.ops as well."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ... import ops
from ...autograd import Function
from ...lazy import absent as _absent

_known: dict[str, CustomOpDef] = {}


class CustomOpDef:
    """A function under a name, with a derivative of its own if one is registered. Source: torch.library.CustomOpDef."""

    def __init__(self, name: str, fn: Callable[..., Any]) -> None:
        self._name, self._fn, self._run = name, fn, fn

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(*args, **kwargs)

    @property
    def default(self) -> CustomOpDef:
        """The one overload."""
        return self

    def register_autograd(self, backward: Callable[..., Any], /, *, setup_context: Any = None) -> None:
        """Give the operation a derivative: backward(ctx, *grads), and what keeps values for it on ctx."""
        prepare = setup_context

        class Made(Function):
            forward = staticmethod(self._fn)  # by whose signature it is called

            @staticmethod
            def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
                if prepare is not None:
                    prepare(ctx, inputs, output)

        Made.backward = staticmethod(backward)  # type: ignore[method-assign]
        Made.__name__ = Made.node_class.__name__ = self._name.partition("::")[2]
        self._run = Made.apply

    def register_fake(self, fn: Callable[..., Any], /) -> Callable[..., Any]:
        """Give the function as it is: nothing is computed without values."""
        return fn

    def register_kernel(self, device_types: Any, fn: Any = None, /) -> Any:
        """Give the function as it is: the operation's own is run on every device."""
        return fn if fn is not None else self.register_fake


def custom_op(
    name: str, fn: Callable[..., Any] | None = None, /, *, mutates_args: Any = (), device_types: Any = None,
    schema: str | None = None, tags: Any = None,
) -> Any:  # fmt: skip
    """An operation of the function, named "namespace::name"; also as a decorator. Source: torch.library.custom_op.

    >>> @torch.library.custom_op("mine::twice", mutates_args=())
    ... def twice(x: torch.Tensor) -> torch.Tensor:
    ...     return 2 * x
    >>> torch.ops.mine.twice(torch.ones(2))
    tensor([2., 2.])
    """
    if fn is None:
        return lambda fn: custom_op(name, fn)
    made = _known[name] = CustomOpDef(name, fn)
    namespace, _, own = name.partition("::")
    if not hasattr(ops, namespace):
        setattr(ops, namespace, SimpleNamespace())
    setattr(getattr(ops, namespace), own, made)
    return made


def register_autograd(
    op: str | CustomOpDef, backward: Callable[..., Any], /, *, setup_context: Any = None, lib: Any = None
) -> None:
    """Give an operation a derivative. Source: torch.library.register_autograd."""
    (_known[op] if isinstance(op, str) else op).register_autograd(backward, setup_context=setup_context)


def register_fake(op: Any, func: Any = None, /, *, lib: Any = None, **options: Any) -> Any:
    """Give the function as it is; also as a decorator. Source: torch.library.register_fake."""
    return (lambda func: func) if func is None else func


def register_kernel(op: Any, device_types: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """Give the function as it is; also as a decorator. Source: torch.library.register_kernel."""
    return register_fake(op, func)


_absent(globals())
