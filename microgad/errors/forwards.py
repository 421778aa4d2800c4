"""The error raised instead of one that a forward raised: it names the operation, module, rule and arguments."""

from __future__ import annotations

import math
import re
import sys
from types import FrameType
from typing import Any

import numpy as np

from . import DeviceError, DimError, DtypeError, KindError, LinAlgError, MicrogadError, NoMemoryError, ShapeError, place
from .wording import cannot_cast, in_torchs_words, kind_of, plural

# NumPy's words for a result that an output can't hold.
_CAST = re.compile(r"Cannot cast .* from dtype\('(\w+)'\) to dtype\('(\w+)'\)")
# NumPy's and CuPy's words for operands of a dtype that a ufunc doesn't take.
_NO_LOOP = re.compile(
    r"ufunc '\w+' (did not contain a loop|not supported for the input)|Wrong type .* of arguments for"
)
# What NumPy or CuPy raise inside a forward -> the class that PyTorch's users expect there.
_REWORDED = (
    (np.linalg.LinAlgError, LinAlgError),
    (MemoryError, NoMemoryError),
    (IndexError, DimError),
    (TypeError, KindError),
    (ValueError, ShapeError),
    (RuntimeError, ShapeError),
)


# Where a public operation is, and what may lie between its call and that of `apply`.
_WITHIN = (
    "microgad.ops.",
    "microgad.methods.",
    "microgad.function",
    "microgad.state",
    "microgad.errors.",
    "microgad.lazy",
    "microgad.torch_function.",
)


def no_memory(error: MemoryError) -> str:
    """The message of a NoMemoryError. It begins in PyTorch's words, by which programs decide to try a smaller batch."""
    if type(error).__name__ == "OutOfMemoryError":  # CuPy's
        return f"CUDA out of memory. {error}"
    if not hasattr(error, "shape"):
        return str(error) or "DefaultCPUAllocator: can't allocate memory"
    size = math.prod(error.shape) * error.dtype.itemsize  # type: ignore[attr-defined]
    return f"DefaultCPUAllocator: can't allocate memory: you tried to allocate {size} bytes. {error}"


def cause(error: Exception, cls: type) -> Exception | None:
    """What is shown as the cause of the error that replaces `error`: None if that says all of it.

    The traceback of an error from a program's own forward says where it was raised.
    """
    said = str(error)
    told = (
        isinstance(error, MicrogadError) or _CAST.match(said) or _NO_LOOP.match(said) or in_torchs_words(said) != said
    )
    return None if told and cls.__module__.startswith("microgad.") else error


def in_apply(error: Exception, cls: Any, path: str, inputs: Any, settings: dict[str, Any], end: str = "") -> Exception:
    """The error to raise instead of `error`, which the forward of a Function raised, in terms of what was called.

    `apply` calls this. `end` is "_" where it computes in place.
    """
    op, names = f"{cls.__name__}{end}", cls.inputs
    if isinstance(error, AttributeError) and not isinstance(error, MicrogadError):
        return no_attribute(error, cls, path)
    if type(error) is TypeError and not cls.variadic and names and len(inputs) != len(names):
        return miscounted(cls, path, len(inputs))
    call = _public_call(sys._getframe(2)) if cls.__module__.startswith("microgad.") else None
    if call is not None:
        name = call.f_code.co_name
        if _letters(name) != _letters(op) and not path.endswith(f"{name}()"):
            op = name
        own: dict[int, list[str]] = {}
        for argument, x in _arguments(call):
            name = "other" if argument == "dim" else argument  # max(input, other)
            own.setdefault(id(x), []).append(name)  # add(x, x) has two names for x
        names = tuple(
            own[id(x)].pop(0) if hasattr(x, "shape") and own.get(id(x)) else name
            for x, name in zip(inputs, _one_each(names, inputs), strict=False)
        )
    return in_forward(error, op, path, names, inputs, settings)


def no_attribute(error: AttributeError, cls: Any, path: str) -> AttributeError:
    """The error for an attribute that forward misses."""
    hint = attribute_hint(error, cls)
    said = f"{place(cls.__name__, path)}: {error}" + (f"; {hint}" if hint else "")
    return AttributeError(said, name=error.name, obj=error.obj)


def attribute_hint(error: AttributeError, cls: Any) -> str:
    """What to write for an attribute that a Function's body misses: of its node a setting, of an array a method."""
    name, obj = error.name, error.obj
    if name and type(obj) is cls:
        return f"a setting is given by name, {cls.__name__}.apply(x, {name}=...), and its default is a class attribute"
    if name and hasattr(obj, "__array_ufunc__") and not hasattr(obj, "array"):
        return "arrays lack a Tensor's methods" + (f": write np.{name}(x)" if hasattr(np, name) else "")
    return ""


def miscounted(cls: Any, path: str, count: int) -> KindError:
    """The error for a call with another number of inputs than `forward` has."""
    names = ", ".join(cls.inputs)
    return KindError(
        f"{place(cls.__name__, path)}: expected {plural(len(cls.inputs), 'input')} by position, {names}, got {count}"
    )


def no_operand(cls: Any, x: Any, expected: str) -> DtypeError:
    """The error for an input of a Function that isn't what is expected, in terms of what was called."""
    kind = kind_of(x)
    call = _public_call(sys._getframe(1)) if cls.__module__.startswith("microgad.") else None
    if call is not None:
        arguments = _arguments(call)
        method = "self" in dict(arguments)  # whose own Tensor PyTorch doesn't count
        for i, (name, given) in enumerate(arguments, 0 if method else 1):
            if given is x:
                at = f"argument '{name}' (position {i})"
                return DtypeError(f"{call.f_code.co_name}(): {at} must be Tensor, not {kind}")
    return DtypeError(f"{cls.__name__}: {expected}{kind}")


def called(default: str) -> str:
    """The name of the public operation whose code asks, or `default`."""
    frame = _public_call(sys._getframe(1))
    return default if frame is None else frame.f_code.co_name


def _public_call(frame: FrameType | None) -> FrameType | None:
    """The outermost call of a public operation that led to a frame through microgad's own functions alone."""
    found = None
    while frame is not None and (module := frame.f_globals.get("__name__", "")).startswith(_WITHIN):
        code = frame.f_code
        doc = code.co_consts[0] if code.co_consts else None
        if module.startswith("microgad.methods."):
            public = re.fullmatch(r"[A-Z]\w*\.[a-z]\w*", code.co_qualname) is not None
        else:
            public = isinstance(doc, str) and "Source: torch." in doc
        if public:
            found = frame
        frame = frame.f_back
    return found


def _arguments(frame: FrameType) -> list[tuple[str, Any]]:
    """The arguments of a call, by name."""
    given = frame.f_locals
    return [(name, given.get(name)) for name in frame.f_code.co_varnames[: frame.f_code.co_argcount]]


def _letters(name: str) -> str:
    return name.replace("_", "").lower()


def in_forward(
    error: Exception, op: str, path: str, names: tuple[str, ...], inputs: tuple[Any, ...],
    settings: dict[str, Any] | None = None,
) -> Exception:  # fmt: skip
    """The error to raise instead of `error`, which the forward of `op` raised.

    It names the operation, the module, the broken rule, every argument, and those settings that are arrays on another
    device.
    """
    names = _one_each(names, inputs)
    for name, x in (settings or {}).items():
        for part in x if isinstance(x, tuple) else (x,):
            if _device(part) not in (None, *map(_device, inputs)):
                names, inputs = (*names, name), (*inputs, part)
    devices = list(dict.fromkeys(filter(None, map(_device, inputs))))
    kind, rule = type(error), no_memory(error) if isinstance(error, MemoryError) else str(error)
    if rule == "Out shape is mismatched":  # CuPy's words, without the shapes
        shapes = [x.shape for x in inputs if hasattr(x, "shape")]
        broadcast = list(np.broadcast_shapes(*shapes))
        rule = f"output with shape {list(shapes[0])} doesn't match the broadcast shape {broadcast}"
    if apart := len(devices) > 1:
        found = f"but found at least two devices, {' and '.join(devices)}!"
        kind, rule = DeviceError, f"Expected all tensors to be on the same device, {found}"
    elif cast := _CAST.match(rule):
        kind, rule = DtypeError, cannot_cast(cast[1], cast[2])
    elif _NO_LOOP.match(rule) and len(kinds := {str(x.dtype) for x in inputs if hasattr(x, "dtype")}) == 1:
        kind, rule = KindError, f"not implemented for {kinds.pop().removeprefix('torch.')}"
    elif not isinstance(error, MicrogadError):
        kind, rule = next(cls for base, cls in _REWORDED if isinstance(error, base)), in_torchs_words(rule)
    said = ", ".join(f"{name} {_describe(x, apart)}" for name, x in zip(names, inputs, strict=False) if x is not None)
    return kind(f"{place(op, path)}: {rule} ({said})")


def _one_each(names: tuple[str, ...], inputs: Any) -> tuple[str, ...]:
    """A name for each input, also of a forward(self, *inputs)."""
    if len(names) >= len(inputs):
        return names
    last = names[-1] if names else "input"  # there is no forward
    return tuple(f"{last}[{i}]" for i in range(len(inputs)))


def _device(x: Any) -> str | None:
    """The device's name, as Tensors spell it; None for what isn't an array."""
    if not hasattr(x, "shape"):
        return None
    where: Any = getattr(x, "device", None)
    return f"cuda:{where.id}" if hasattr(where, "id") else where and str(where)


def _describe(x: Any, where: bool) -> str:
    if not hasattr(x, "shape"):
        return repr(x)
    dtype, said = str(x.dtype).removeprefix("torch."), str(tuple(x.shape))
    said = said if dtype == "float32" else f"{said} {dtype}"
    return f"{said} on {_device(x)}" if where else said
