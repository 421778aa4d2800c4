"""torch.jit: scripting and tracing return functions and modules unchanged."""

import builtins
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NoReturn, TypeVar, get_args, get_origin
from typing import Final as Final

from ....errors.notices import once as _once
from ....nn import Module
from ..futures import Future
from . import annotations as annotations  # hence no `from __future__ import annotations`, of the same name
from .annotations import Dict as Dict
from .annotations import List as List
from .annotations import Optional as Optional
from .annotations import Tuple as Tuple

T = TypeVar("T")
_isinstance = builtins.isinstance  # torch.jit has its own isinstance, below


class ScriptModule(Module):
    """A scripted module, as a base class. There are none. Source: torch.jit.ScriptModule."""


class RecursiveScriptModule(ScriptModule):
    """Another class of compiled modules, which there are none of. Source: torch.jit.RecursiveScriptModule."""


class ScriptFunction:
    """The class of scripted functions, which programs ask isinstance of. Source: torch.jit.ScriptFunction."""


def script(obj: Any, optimize: None = None, _frames_up: int = 0, _rcb: Any = None, example_inputs: Any = None) -> Any:
    """Return the module or function unchanged, after a warning, once per process. Source: torch.jit.script.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     torch.jit.script(torch.relu) is torch.relu
    True
    """
    _once("torch.jit: microgad runs programs as they are; nothing is scripted or traced")
    return obj


class Error(Exception):
    """An error of compiled code, which nothing raises. Source: torch.jit.Error."""


class TracerWarning(Warning):
    """The category of tracing's warnings, which programs silence. Source: torch.jit.TracerWarning."""


def trace(
    func: Any, example_inputs: Any = None, optimize: None = None, check_trace: bool = True, check_inputs: Any = None,
    check_tolerance: float = 1e-5, strict: bool = True, _force_outplace: bool = False, _module_class: Any = None,
    _compilation_unit: Any = None, example_kwarg_inputs: Any = None, _store_inputs: bool = True,
) -> Any:  # fmt: skip
    """Run the module or function once on the inputs and return it unchanged. Warns once per process.

    The run has its side effects, such as random draws and counters. PyTorch's check of a trace, which runs it again, is
    left out. Source: torch.jit.trace.

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


def trace_module(
    mod: Any, inputs: Any, optimize: None = None, check_trace: bool = True, check_inputs: Any = None,
    check_tolerance: float = 1e-5, strict: bool = True, _force_outplace: bool = False, _module_class: Any = None,
    _compilation_unit: Any = None, example_inputs_is_kwarg: bool = False, _store_inputs: bool = True,
) -> Any:  # fmt: skip
    """Return the module unchanged, after a warning, once per process. Source: torch.jit.trace_module."""
    return script(mod)


def freeze(mod: Any, preserved_attrs: list[str] | None = None, optimize_numerics: bool = True) -> Any:
    """Return the module unchanged. Source: torch.jit.freeze."""
    return mod


def optimize_for_inference(mod: Any, other_methods: list[str] | None = None) -> Any:
    """Return the module unchanged. Source: torch.jit.optimize_for_inference."""
    return mod


def _unchanged(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function unchanged."""
    return fn


script_method, script_if_tracing, _script_if_tracing = (_unchanged,) * 3
export, unused, interface, _overload, _overload_method = (_unchanged,) * 5


def ignore(drop: Any = False, **options: Any) -> Any:
    """Return the function unchanged; also as a decorator. Source: torch.jit.ignore."""
    return drop if callable(drop) else _unchanged


def _unwrap_optional(x: Any) -> Any:
    """Return x; raise AssertionError if it is None."""
    if x is None:
        raise AssertionError("Unwrapping null optional")
    return x


def annotate(the_type: Any, the_value: Any) -> Any:
    """Return the value unchanged. Source: torch.jit.annotate."""
    return the_value


def Attribute(value: Any, type: Any) -> Any:
    """Return the value unchanged. Source: torch.jit.Attribute."""
    return value


def _matches(obj: Any, kind: Any) -> bool:
    """Whether obj is of the type and its elements are of the types in brackets."""
    kinds = get_args(kind)
    if kind in (list, List, tuple, Tuple, dict, Dict, Optional):
        raise RuntimeError(f"torch.jit.isinstance: {kind} has no element types, expected them in brackets")
    match get_origin(kind):
        case None:
            return _isinstance(obj, kind)
        case builtins.list:
            return _isinstance(obj, list) and all(_matches(x, kinds[0]) for x in obj)
        case builtins.dict:
            return _isinstance(obj, dict) and all(_matches(k, kinds[0]) and _matches(obj[k], kinds[1]) for k in obj)
        case builtins.tuple:
            return _isinstance(obj, tuple) and len(obj) == len(kinds) and all(map(_matches, obj, kinds))
    return any(_matches(obj, one) for one in kinds)


def isinstance(obj: Any, target_type: Any) -> bool:
    """Whether obj is of a type or of one in a tuple of types, checking each element of a container.

    None matches a Union that contains None, and the elements of containers in a Union are checked. PyTorch lets None
    match any Union and rejects containers in one. Raises RuntimeError for a container type without element types.
    Source: torch.jit.isinstance.

    >>> from typing import Dict, List
    >>> torch.jit.isinstance({"a": [1, 2]}, Dict[str, List[int]]), torch.jit.isinstance([1, "b"], List[int])
    (True, False)
    """
    return any(_matches(obj, kind) for kind in (target_type if _isinstance(target_type, tuple) else (target_type,)))


def is_scripting() -> bool:
    """Return False. Source: torch.jit.is_scripting."""
    return False


is_tracing = is_scripting


def fork(func: Callable[..., T], *args: Any, **kwargs: Any) -> Future[T]:
    """Call the function now, and return a Future that has its result. Source: torch.jit.fork.

    >>> torch.jit.wait(torch.jit.fork(torch.add, torch.ones(2), 1))
    tensor([2., 2.])
    """
    done: Future[T] = Future()
    done.set_result(func(*args, **kwargs))
    return done


def wait(future: Future[T]) -> T:
    """Return the result of a call by `fork`. Source: torch.jit.wait."""
    return future.wait()


def optimized_execution(should_optimize: bool) -> AbstractContextManager[None]:
    """Return a context that has no effect. Source: torch.jit.optimized_execution."""
    return nullcontext()


def save(*args: Any, **options: Any) -> NoReturn:
    """Raise: there are no scripted programs. Source: torch.jit.save."""
    raise NotImplementedError("torch.jit: microgad has no TorchScript files; torch.save(module.state_dict(), file)")


load = save
