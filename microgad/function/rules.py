"""The rules that a Function's methods follow, and the errors that say which one is broken."""

from __future__ import annotations

import dis  # NumPy has loaded it already
import inspect
from collections.abc import Callable, Sequence
from types import CodeType, MethodType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backend import device_of, is_array, is_gpu, to_device
from ..backend.arrays import Array
from ..errors import DeviceError, DtypeError, FunctionError, ShapeError, place
from ..errors.wording import plural
from ..state import current

if TYPE_CHECKING:
    from . import Function

VARARGS, VARKEYWORDS = 0x04, 0x08  # a code object's flags for *inputs and **settings
_BODIES = ("forward", "backward", "decomposition")
_STORE_ATTR = dis.opmap["STORE_ATTR"]


def bind_apply(cls: type[Function]) -> None:
    """Bind a class's `apply` once, instead of anew at each call.

    But where that of a subclass calls `super().apply`, it would compute the base's forward.
    """
    own = cls.apply.__func__  # type: ignore[attr-defined]
    for base in cls.__mro__[1:] if "__class__" in own.__code__.co_freevars else ():  # it contains `super()`
        bound = vars(base).get("apply")
        if type(bound) is MethodType and bound.__func__ is not own:
            base.apply = classmethod(bound.__func__)  # type: ignore[attr-defined]
    cls.apply = MethodType(own, cls)  # type: ignore[method-assign]


def undeclared(cls: type[Function]) -> list[str]:
    """The names of the node's attributes that forward assigns and no derivative names in its signature.

    They are found in the bytecode of forward, of functions inside it and of methods that it calls.
    """
    forward = inspect.unwrap(cls.forward).__code__
    found, bodies = [], [(forward, forward.co_varnames[0])]  # each with its name for the node
    for body, node in bodies:
        code, names = body.co_code, body.co_names
        stored = {names[code[i + 1]] for i in range(0, len(code), 2) if code[i] == _STORE_ATTR}
        if not stored.issubset(cls.intermediates):  # perhaps attributes of another object, which takes longer to see
            found += [name for name in _assigned(body, node) if name not in cls.intermediates]
        methods = [method for name in names if inspect.isfunction(method := getattr(cls, name, None))]
        inner = [(x, node) for x in body.co_consts if isinstance(x, CodeType) and node in x.co_freevars]
        called = [(m.__code__, m.__code__.co_varnames[0]) for m in methods if m.__code__.co_argcount]
        bodies += [x for x in (*inner, *called) if x not in bodies]
    return found


def _assigned(body: CodeType, node: str) -> list[str]:
    """The names of the attributes of the variable `node` that a body assigns: of no other object, and of no part."""
    found, steps = [], [step for step in dis.get_instructions(body) if step.opcode != dis.EXTENDED_ARG]
    for i, step in enumerate(steps):
        if step.opcode == _STORE_ATTR:
            at = i - 1  # loads the object
            if steps[at].opname == "SWAP":  # `node.n += 1`, which has copied the object to read the old value
                copies = [k for k in range(i) if steps[k].opname == "COPY" and steps[k + 1].argval == step.argval]
                at = copies[-1] - 1
            loaded = steps[at].argval  # of an instruction that loads two: their names
            if (loaded[-1] if type(loaded) is tuple else loaded) == node and steps[at].opname[-4:] != "ATTR":
                found.append(step.argval)
    return found


def check_forward(cls: type[Function]) -> None:
    """Raise TypeError unless forward is a method whose parameters are inputs, all without defaults."""
    for name in vars(cls):
        method = getattr(cls, name) if name in _BODIES or name[:5] == "grad_" else None
        if callable(method) and not hasattr(method, "__code__"):
            raise FunctionError(
                f"{cls.__name__}.{name} is a {type(method).__name__}, whose parameters can't be read: write a method, "
                f"def {name}(self, ...)"
            )
    if isinstance(vars(cls).get("forward"), (staticmethod, classmethod)):
        raise FunctionError(
            f"{cls.__name__}: forward is a method, forward(self, x, ...), not a static one; PyTorch's form, with ctx, "
            "is autograd.Function"
        )
    code = cls.forward.__code__
    names, count = code.co_varnames, code.co_argcount
    variadic, keywords = bool(code.co_flags & VARARGS), bool(code.co_flags & VARKEYWORDS)
    if count + variadic < 2:
        raise FunctionError(
            f"{cls.__name__}: forward({', '.join(names[:count])}) has no input: its parameters are self, and after it "
            "the inputs"
        )
    end = count + code.co_kwonlyargcount  # in names, the name of *inputs comes after those that are keyword-only
    settings = names[count - len(cls.forward.__defaults__ or ()) : end] + names[end + variadic :][:keywords]
    if settings:
        name = settings[0]
        raise FunctionError(
            f"{cls.__name__}: forward's parameters are inputs, which apply is given by position, None where there is "
            f"none, but {name} has a default or is keyword-only. A setting, as in apply(x, {name}=...), is read as "
            f"self.{name}; a class attribute is its default"
        )


def check_derivatives(cls: type[Function]) -> None:
    """Raise TypeError for derivatives that can't be called, or that would be ignored or silently wrong."""
    op, given = cls.__name__, ", ".join(cls.inputs)
    first = cls.forward.__code__.co_varnames[0]
    for name in (name for name in vars(cls) if name.startswith("grad_") or _nearly_derivative(name, cls)):
        if name[:5] != "grad_" or name[5:] not in cls.inputs:
            hint = f"; {first}, its first parameter, is the node, named self" if name[5:] == first else ""
            hint = hint or f", and the derivative by {cls.inputs[0]} is called grad_{cls.inputs[0]}"
            raise FunctionError(f"{op}.{name} is no derivative: forward's inputs are {given}{hint}")
        if hasattr(cls, "backward"):
            raise FunctionError(f"{op} has both backward, which computes all gradients, and {name}: leave out one")
    for method in filter(None, (*cls.derivatives, cls.joint)):
        code = method.__code__
        if code.co_argcount < 2 or code.co_varnames[1] in {*cls.inputs, "out"} - {"grad"}:
            raise FunctionError(
                f"{op}.{method.__name__}: the parameters are self, then the gradient, grad, then what it reads of "
                f"{given}, out"
            )
        _check_passed(cls, method, code)
    if cls.decomposed is not None:
        _check_passed(cls, cls.decomposed, cls.decomposed.__code__)
    if cls.variadic and len(cls.inputs) > 1 and cls.joint is None and any(cls.derivatives):
        raise FunctionError(
            f"{op}: beside *{cls.inputs[-1]} there are other inputs ({given}), so all gradients come from one "
            "backward(self, grad, ...)"
        )
    for name in undeclared(cls):
        raise FunctionError(
            f"{op}: forward sets self.{name}, but no derivative names {name} in its signature, which is the only way "
            "to read it"
        )
    dependent = [name for name in cls.intermediates if name not in cls.constants]
    if dependent and cls.decomposed is None:
        raise FunctionError(
            f"{op}: a derivative reads {', '.join(dependent)}, which is neither an input ({given}) nor out. If forward "
            "computes it and it is boolean or integer, name it in `constants`; if it depends on the inputs, write a "
            "`decomposition`, or second derivatives would be silently wrong"
        )


def _check_passed(cls: type[Function], method: Callable[..., Any], code: CodeType) -> None:
    """Raise TypeError for parameters of a derivative that can't be given by position, one array each."""
    op, names, count = cls.__name__, code.co_varnames, code.co_argcount
    if code.co_kwonlyargcount or code.co_flags & VARKEYWORDS:
        raise FunctionError(f"{op}.{method.__name__}: what a derivative reads is given by position, not by keyword")
    rest = names[count] if code.co_flags & VARARGS else ""
    if cls.variadic and cls.inputs[-1] in names[:count]:
        raise FunctionError(f"{op}.{method.__name__} reads {cls.inputs[-1]}: write *{cls.inputs[-1]}, as in forward")
    if rest and not (cls.variadic and rest == cls.inputs[-1]):
        raise FunctionError(
            f"{op}.{method.__name__}: *{rest} is none of forward's inputs, {', '.join(cls.inputs)}: name what it reads"
        )


def _nearly_derivative(name: str, cls: type[Function]) -> bool:
    """Whether a method is called almost as a derivative that the class lacks, as gradx or gradient_x."""
    if name[:4].lower() != "grad" or cls.joint is not None or not inspect.isfunction(vars(cls)[name]):
        return False
    of = name.lower()[4:].removeprefix("ient").removeprefix("s").replace("_", "")
    lacking = [x.replace("_", "").lower() for x, f in zip(cls.inputs, cls.derivatives, strict=True) if f is None]
    return of in lacking or (not of and not any(cls.derivatives))


# What is found out only when a Function is applied:


def no_derivative(cls: type[Function], name: str = "") -> str:
    """The message for an input that wants a gradient and has no derivative; without `name`, no input has one."""
    op, what = place(cls.__name__, current().path), f" for its input {name}" if name else ""
    own = "" if cls.__module__.startswith("microgad.") else f"write grad_{name or cls.inputs[0]}, or "
    return f"{op} has no derivative{what}; {own}detach {'it' if name else 'its inputs'}"


def miscounted(node: Function, gradients: Any) -> ShapeError:
    """The error for a derivative by all inputs that didn't return a tuple with one gradient for each."""
    from .plan import argument

    cls, several = type(node), isinstance(gradients, (tuple, list))
    name = "backward" if hasattr(cls, "backward") else f"grad_{cls.inputs[0]}"
    said = plural(len(gradients), "gradient") if several else f"one {type(gradients).__name__}"
    inputs = ", ".join(argument(node, i) for i in range(len(node.edges)))
    op = place(cls.__name__, node.path)
    return ShapeError(f"{op}: {name} returned {said}, not a tuple with one gradient for each input: {inputs}")


def tensor_setting(cls: type[Function], name: str) -> DtypeError:
    """The error for a Tensor given by keyword."""
    if name in cls.inputs:
        return DtypeError(f"{cls.__name__}: {name} is an input, and inputs are given by position")
    return DtypeError(f"{cls.__name__}: the setting {name} is a Tensor; hand Tensors in as inputs")


def taken(cls: type[Function], setting: str) -> FunctionError:
    """The error for a setting that would be hidden by a slot of the node, or would hide a method."""
    return FunctionError(f"{cls.__name__}: a setting can't be called {setting}: every node has its own {setting}")


def as_result(node: Function, out: Array, inputs: Sequence[Any]) -> Array:
    """Return what forward returned, or one of several results, as an array. Raises TypeError if it isn't one."""
    if isinstance(out, (np.number, np.bool_, np.ndarray, int, float, complex)):
        return np.asarray(out)
    if is_array(out):
        return checked_device(node, out, inputs)
    if isinstance(array := getattr(out, "array", None), np.ndarray):
        return array  # of a Tensor
    what = None if out is None else f"a {type(out).__name__}"
    raise FunctionError(f"{type(node).__name__}: forward returned {what}, not an array or a tuple of arrays")


def checked_device(node: Function, out: Array, inputs: Sequence[Any]) -> Array:
    """Return a result on the inputs' device. Raises RuntimeError if Tensors, or arrays among settings, are on several.

    CuPy would copy indices and masks from the CPU at each call, and "meta" would hide that values are missing. It is
    enough to look where the result isn't NumPy's. With several GPUs the first operation of a row may have computed on
    another one: the result is moved, and the next operations compute on the right one.
    """
    given: list[Any] = [getattr(x, "array", None) for x in inputs]
    if is_gpu(out):
        for name, x in vars(node).items():
            given += () if name in node.on_host else x if type(x) is tuple else (x,)
    places = {getattr(x.device, "id", x.device): x for x in given if is_array(x) and (x.ndim or is_gpu(x))}
    if len(places) > 1:
        from ..errors.forwards import in_forward

        raise in_forward(DeviceError(""), type(node).__name__, current().path, node.inputs, tuple(inputs), vars(node))
    apart = places and not node.moves and getattr(out.device, "id", out.device) not in places
    return to_device(out, device_of(*places.values())) if apart else out


def shared(cls: type[Function]) -> FunctionError:
    """The error for an undeclared view."""
    return FunctionError(
        f"{cls.__name__}: forward returned memory of an input: say may_share = True, or copy it; a write into one "
        "would go unnoticed by the other"
    )


def never_set(cls: type[Function], name: str) -> FunctionError:
    """The error for an intermediate that forward didn't compute."""
    return FunctionError(f"{cls.__name__}: a derivative reads {name}, but forward sets no array self.{name}")


def not_constant(cls: type[Function], name: str, dtype: Any) -> FunctionError:
    """The error for a declared constant that isn't boolean or integer."""
    return FunctionError(
        f"{cls.__name__}: {name} is {dtype}, but constants are boolean or integer; what depends on the inputs' values "
        "needs a decomposition"
    )


def no_array(node: Function, name: str, gradient: Any) -> FunctionError:
    """The error for a derivative that returned a Python number or another object that isn't an array."""
    op, hint = place(type(node).__name__, node.path), "; a `return` may be missing" if gradient is None else ""
    return FunctionError(
        f"{op}: its derivative for {name} returned {gradient!r:.60}, a {type(gradient).__name__}, instead of an array "
        f"of the input's shape{hint}"
    )


def not_applied(cls: type[Function]) -> FunctionError:
    """The error for a call of an instance that isn't a node of the tape."""
    return FunctionError(f"{cls.__name__}: an operation is called by {cls.__name__}.apply(x, ...), not by its instance")


def explain(error: Exception, node: Function, create_graph: bool) -> None:
    """Add to an error that a derivative raised how derivatives are written, which run on Tensors under create_graph."""
    cls, frames, step = type(node), [], error.__traceback__
    while step is not None:
        frames.append(step.tb_frame)
        step = step.tb_next
    own = {f.__code__ for f in (*cls.derivatives, cls.joint, cls.decomposed) if f is not None}
    in_hook = "microgad.grad_fn.saved_values" in [frame.f_globals.get("__name__") for frame in frames]
    by_derivative = not own.isdisjoint(frame.f_code for frame in frames) and not in_hook
    usual = isinstance(error, (AttributeError, IndexError, TypeError, ValueError)) and by_derivative
    if usual and not isinstance(error, (FunctionError, ShapeError)) and not getattr(error, "__notes__", ()):
        op, hint = place(cls.__name__, node.path), ""
        if isinstance(error, AttributeError):
            from ..errors.forwards import attribute_hint

            hint = attribute_hint(error, cls)
        if hint:
            error.add_note(f"In the derivative of {op}: {hint}")
        elif create_graph:
            error.add_note(
                f"Under create_graph the derivative of {op} runs on Tensors, whose methods and dtypes are PyTorch's. "
                "Write it with operators, indexing and NumPy's functions, such as np.size(x), np.copy(x), "
                "np.astype(x, float), np.max(x, 1), np.transpose(x): these run on arrays as well"
            )
