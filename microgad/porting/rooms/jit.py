"""torch.jit: what is scripted or traced is given as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn
from typing import Dict as Dict  # noqa: UP035 - torch.jit.annotations has them
from typing import Final as Final
from typing import List as List  # noqa: UP035
from typing import Optional as Optional
from typing import Tuple as Tuple  # noqa: UP035

from ...lazy import absent as _absent
from ...nn import Module
from ...notices import once as _once


class ScriptModule(Module):
    """A module that was scripted: there is none, but programs derive from it. Source: torch.jit.ScriptModule."""


def script(obj: Any, *args: Any, **options: Any) -> Any:
    """Give the module, or the function, as it is. Says so once. Source: torch.jit.script.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     torch.jit.script(torch.relu) is torch.relu
    True
    """
    _once("torch.jit: microgad runs programs as they are; nothing is scripted or traced")
    return obj


def trace(func: Any, example_inputs: Any = None, *args: Any, **options: Any) -> Any:
    """Give the module, or the function, as it is. Says so once. Source: torch.jit.trace."""
    return script(func)


def trace_module(mod: Any, inputs: Any, *args: Any, **options: Any) -> Any:
    """Give the module as it is. Says so once. Source: torch.jit.trace_module."""
    return script(mod)


def freeze(mod: Any, *args: Any, **options: Any) -> Any:
    """Give the module as it is. Source: torch.jit.freeze."""
    return mod


def _as_it_is(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Give the function as it is."""
    return fn


optimize_for_inference, script_method, script_if_tracing = freeze, _as_it_is, _as_it_is
export, unused, interface, _overload, _overload_method = (_as_it_is,) * 5


def ignore(drop: Any = False, **options: Any) -> Any:
    """Give the function as it is; also as a decorator. Source: torch.jit.ignore."""
    return drop if callable(drop) else _as_it_is


def annotate(the_type: Any, the_value: Any) -> Any:
    """Give the value as it is. Source: torch.jit.annotate."""
    return the_value


def Attribute(value: Any, type: Any) -> Any:
    """Give the value as it is. Source: torch.jit.Attribute."""
    return value


def is_scripting() -> bool:
    """False. Source: torch.jit.is_scripting."""
    return False


is_tracing = is_scripting


def save(*args: Any, **options: Any) -> NoReturn:
    """Refuse: there is no such program. Source: torch.jit.save."""
    raise NotImplementedError("torch.jit: microgad has no TorchScript files; torch.save(module.state_dict(), file)")


load = save

_absent(globals())
