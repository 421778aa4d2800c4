"""torch.jit: what is scripted or traced is given as it is."""

import builtins
from collections.abc import Callable
from typing import Any, NoReturn, get_args, get_origin
from typing import Final as Final

from ....errors.notices import once as _once
from ....lazy import define_getattr as _define_getattr
from ....nn import Module
from . import annotations as annotations  # not __future__'s, of which the name would be
from .annotations import Dict as Dict
from .annotations import List as List
from .annotations import Optional as Optional
from .annotations import Tuple as Tuple

_isinstance = builtins.isinstance  # PyTorch has its own under that name, below


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


class TracerWarning(Warning):
    """What tracing would warn of: programs silence it. Source: torch.jit.TracerWarning."""


def trace(func: Any, example_inputs: Any = None, *args: Any, example_kwarg_inputs: Any = None, **options: Any) -> Any:
    """Give the module, or the function, as it is, after it has run on the inputs once. Says so once.

    So what it draws and counts while it is traced is drawn and counted; PyTorch's check of a trace, which runs it
    some more times, isn't made. Source: torch.jit.trace.

    >>> import warnings
    >>> seen = []
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     _ = torch.jit.trace(seen.append, torch.ones(2))
    >>> seen
    [tensor([1., 1.])]
    """
    if example_kwarg_inputs is not None:
        func(**example_kwarg_inputs)
    elif example_inputs is not None:
        func(*example_inputs if _isinstance(example_inputs, (tuple, list)) else (example_inputs,))
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


def _fits(obj: Any, kind: Any) -> bool:
    """Whether obj is of the type, and what it holds of the types in brackets."""
    kinds = get_args(kind)
    if kind in (list, List, tuple, Tuple, dict, Dict, Optional):
        raise RuntimeError(f"torch.jit.isinstance: {kind} says nothing of what it holds, expected brackets after it")
    match get_origin(kind):
        case None:
            return _isinstance(obj, kind)
        case builtins.list:
            return _isinstance(obj, list) and all(_fits(x, kinds[0]) for x in obj)
        case builtins.dict:
            return _isinstance(obj, dict) and all(_fits(k, kinds[0]) and _fits(obj[k], kinds[1]) for k in obj)
        case builtins.tuple:
            return _isinstance(obj, tuple) and len(obj) == len(kinds) and all(map(_fits, obj, kinds))
    return any(_fits(obj, one) for one in kinds)


def isinstance(obj: Any, target_type: Any) -> bool:
    """Whether obj is of the type, or of one of a tuple of types, each element of a container looked at.

    None is of a Union that names it, and containers in one are looked into: PyTorch takes None of any Union, and no
    containers in it. Raises RuntimeError of a container that doesn't say of what. Source: torch.jit.isinstance.

    >>> from typing import Dict, List
    >>> torch.jit.isinstance({"a": [1, 2]}, Dict[str, List[int]]), torch.jit.isinstance([1, "b"], List[int])
    (True, False)
    """
    return any(_fits(obj, kind) for kind in (target_type if _isinstance(target_type, tuple) else (target_type,)))


def is_scripting() -> bool:
    """False. Source: torch.jit.is_scripting."""
    return False


is_tracing = is_scripting


def save(*args: Any, **options: Any) -> NoReturn:
    """Refuse: there is no such program. Source: torch.jit.save."""
    raise NotImplementedError("torch.jit: microgad has no TorchScript files; torch.save(module.state_dict(), file)")


load = save

_define_getattr(globals())
