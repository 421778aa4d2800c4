"""torch._jit_internal: decorators for TorchScript, which return functions unchanged; what copied functions import."""

import inspect
from collections.abc import Callable
from typing import Any

from .futures import Future as Future
from .jit import Final as Final
from .jit import _overload as _overload
from .jit import _overload_method as _overload_method
from .jit import _unchanged
from .jit import export as export
from .jit import ignore as ignore
from .jit import is_scripting as is_scripting
from .jit import unused as unused

_copy_to_script_wrapper = _unchanged


class BroadcastingList:
    """The annotation `BroadcastingList2[int]`: a number, or a list of so many."""

    def __class_getitem__(cls, item: Any) -> Any:
        return item | list[item]


BroadcastingList1 = BroadcastingList2 = BroadcastingList3 = BroadcastingList4 = BroadcastingList


def boolean_dispatch(
    arg_name: str, arg_index: int, default: bool, if_true: Callable[..., Any], if_false: Callable[..., Any],
    module_name: str | None = None, func_name: str | None = None,
) -> Callable[..., Any]:  # fmt: skip
    """Return a function that calls `if_true` or `if_false`, as its argument of that name or position says."""

    def dispatched(*args: Any, **kwargs: Any) -> Any:
        wanted = kwargs.get(arg_name, args[arg_index] if arg_index < len(args) else default)
        return (if_true if wanted else if_false)(*args, **kwargs)

    dispatched.__doc__ = inspect.getdoc(if_true) or inspect.getdoc(if_false)
    dispatched.__name__ = func_name or dispatched.__name__
    dispatched.__module__ = module_name or dispatched.__module__
    return dispatched
