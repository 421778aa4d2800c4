"""Write the Python code that reproduces a finding, or the example that broke a law."""

from __future__ import annotations

import base64
import keyword
import math
import sys
from typing import Any

import numpy as np

from ... import backend, dtypes
from ...backend.axis_order import inverse, outermost_first
from ...tensor import Tensor
from ...type_aliases import Array
from .finding import Finding
from .jacobian_pair import argument_positions

SHORT = 50  # arrays of up to so many elements are written out, larger ones in base64
CHECKS = {"check_grads", "check_op", "check_module"}
TAKEN = {"np", "torch", "base64", "partial", "torch_function", "vjp", *CHECKS, *keyword.kwlist}
INFERRED = (np.float64, np.int64, np.bool_)  # dtypes that np.array infers from Python's numbers


def as_code(finding: Finding, check: str = "check_grads", **options: Any) -> str:
    """Return code that repeats the check of a finding: the arrays, bit for bit and with their layout, and the call.

    `check` is the name of the check, and `options` are further arguments of it. The finding's Jacobians are not read.

    Arrays have any shape and dtype; those that the finding names as inputs require grad. A PLACEHOLDER stands for a
    function that can't be imported by its name, such as a lambda, and for arguments that have no source code. Raises
    nothing.

    >>> from microgad.testing.findings.finding import Finding
    >>> from microgad.testing.findings.reproducer import as_code
    >>> x, derivative = np.array([0.5, -1.0], np.float32), np.eye(2)
    >>> print(as_code(Finding("<lambda>", 1, 0, 0, ("x",), (2,), (2,), derivative, -derivative, derivative, (x, 2))))
    import numpy as np
    import microgad as torch
    from microgad.testing import check_grads
    <BLANKLINE>
    f = ...  # PLACEHOLDER: put the checked function here: <lambda>
    x = torch.from_numpy(np.array([0.5, -1.0], dtype=np.float32)).requires_grad_()
    check_grads(f, (x, 2), order=1)
    """
    kit = f"{check}, torch_function" if finding.adapter == "torch" else check
    imports = ["import numpy as np", "import microgad as torch", f"from microgad.testing import {kit}"]
    lines: list[str] = []
    module, _, op = f"{finding.module}.{finding.op}".strip(".").rpartition(".")
    if callable(getattr(sys.modules.get(module), op, None)):
        imports.append(f"from {module} import {op}")
    else:
        op = "f"
        lines.append(_placeholder(op, f"put the checked function here: {_one_line(finding.op)}"))
    inputs = dict(zip(argument_positions(finding.names), finding.names, strict=True))
    arguments: list[str] = []
    written: dict[int, str] = {}  # an array that is passed twice is one Tensor
    for i, value in enumerate(finding.arguments):
        given = inputs.get(i, "").rpartition(", ")[2]  # "weight" of "input 1, weight"
        name = given if given.isidentifier() and given not in TAKEN | {op, *arguments} else f"x{i}"
        if not backend.is_array(value):
            arguments.append(_argument(lines, name, value, i in inputs))
        elif id(value) not in written:
            arguments.append(written.setdefault(id(value), _argument(lines, name, value, i in inputs)))
        else:
            arguments.append(written[id(value)])
    bound: list[str] = []
    for i, (name, value) in enumerate([*(("", x) for x in finding.partial[0]), *finding.partial[1].items()]):
        source = _argument(lines, f"bound{i}", value)
        bound.append(f"{name}={source}" if name else source)
    called = _partial(op, bound)
    options = {"order": finding.order, **({"kinks": finding.kinks} if finding.kinks != "move" else {}), **options}
    settings = [f"{name}={_argument(lines, name, value)}" for name, value in options.items()]
    if finding.adapter == "vjp":
        lines.append(_placeholder("vjp", "put its derivative here, as it was checked"))
        settings.append(f"vjp={_partial('vjp', bound)}")
    called = f"torch_function({called})" if finding.adapter == "torch" else called
    lines.append(f"{check}({', '.join([called, _tuple_source(arguments), *settings])})")
    if bound:
        imports.insert(0, "from functools import partial")
    if any("base64." in line for line in lines):
        imports.insert(0, "import base64")
    return "\n".join([*imports, "", *lines])


def _argument(lines: list[str], name: str, value: Any, requires_grad: bool | None = None) -> str:
    """Return the source of an argument: an expression, or a name that a line added to `lines` defines."""
    written = _expression(value)
    if written is None:
        lines.append(_placeholder(name, _one_line(repr(value))))
    elif requires_grad is not None and backend.is_array(value):
        lines.append(f"{name} = {_tensor(written, requires_grad)}")
    else:
        return written
    return name


def _placeholder(name: str, comment: str) -> str:
    return f"{name} = ...  # PLACEHOLDER: {comment}"


def _partial(name: str, arguments: list[str]) -> str:
    """Return the source of a function, or of its partial with some arguments."""
    return f"partial({', '.join([name, *arguments])})" if arguments else name


def _tensor(array: str, requires_grad: bool) -> str:
    """Return the source of a Tensor on an array. For a broadcast array, not writable, from_numpy would warn."""
    made = "as_tensor" if "np.broadcast_to" in array else "from_numpy"
    return f"torch.{made}({array}){'.requires_grad_()' if requires_grad else ''}"


def _one_line(text: str) -> str:
    """Shorten a text to one line for a comment."""
    line = " ".join(text.split())
    return line if len(line) < 80 else f"{line[:77]}..."


def _tuple_source(words: list[str]) -> str:
    return f"({words[0]},)" if len(words) == 1 else f"({', '.join(words)})"


def _expression(value: Any) -> str | None:
    """Return an expression that evaluates to an equal value, None if there is none."""
    if isinstance(value, Tensor):
        array = _expression(value.array)
        return array and _tensor(array, value.requires_grad)
    if backend.is_array(value):
        array = backend.to_numpy(value)
        return None if array.dtype.hasobject else _array_in_layout(array)
    if isinstance(value, np.generic):
        array = _expression(np.asarray(value))
        return array and f"{array}[()]"
    if type(value) in (list, tuple):
        words = [_expression(v) for v in value]
        if None in words:
            return None
        return _tuple_source(words) if type(value) is tuple else f"[{', '.join(words)}]"  # type: ignore[arg-type]
    if type(value) is dict:
        words = [_expression(v) for pair in value.items() for v in pair]
        if None in words:
            return None
        return "{" + ", ".join(f"{k}: {v}" for k, v in zip(words[::2], words[1::2], strict=True)) + "}"
    if type(value) is slice:
        parts = _expression((value.start, value.stop, value.step))
        return parts and f"slice{parts}"
    if type(value) is float:
        return _float(value)
    if type(value) is complex:
        return f"complex({_float(value.real)}, {_float(value.imag)})"
    exact = value is None or value is ... or type(value) in (bool, int, str, bytes, range, dtypes.dtype)
    return repr(value) if exact else None


def _float(value: Any) -> str:
    """Return a float, or NumPy's, in the shortest digits that identify it."""
    if np.isnan(value):
        return "-np.nan" if np.signbit(value) else "np.nan"
    return f"{'-' if value < 0 else ''}np.inf" if np.isinf(value) else str(value)


def _array_in_layout(x: Array) -> str:
    """Return an expression for an array of the same memory layout: order of axes, direction, gaps, stride 0."""
    if x.flags.c_contiguous:
        return _array(x)
    if x.flags.f_contiguous:
        return f"np.asfortranarray({_array(x)})"
    long = [axis for axis in range(x.ndim) if x.shape[axis] > 1]
    shared = [axis for axis in long if x.strides[axis] == 0]
    if shared:
        one = x[tuple(slice(1) if axis in shared else slice(None) for axis in range(x.ndim))]
        return f"np.broadcast_to({_array_in_layout(one)}, {x.shape})"
    backwards = tuple(axis for axis in long if x.strides[axis] < 0)
    if backwards:
        return f"np.flip({_array_in_layout(np.flip(x, backwards))}, {backwards})"
    order = outermost_first(x.strides)
    if order != sorted(order):
        return f"np.transpose({_array_in_layout(x.transpose(order))}, {tuple(inverse(order))})"
    # There are gaps: along the last axis whose step isn't as long as all that it steps over.
    gap = max(axis for axis in long if x.strides[axis] != x.itemsize * math.prod(x.shape[axis + 1 :]))
    return f"np.repeat({_array(x)}, 2, {gap})[{':, ' * gap}::2]"


def _array(x: Array) -> str:
    """Return an expression for the array in row-major order, bit for bit."""
    dtype = f"np.{x.dtype.name}" if x.dtype.isnative and hasattr(np, x.dtype.name) else repr(x.dtype.str)
    if x.size == 0:
        return f"np.zeros({x.shape}, dtype={dtype})"
    if x.size <= SHORT and x.dtype.kind in "biuf":
        words = [_float(v) if x.dtype.kind == "f" else str(v) for v in x.reshape(-1)]
        if x.dtype.kind != "f" or _parsed_bytes(words, x.dtype) == x.tobytes():
            return f"np.array({_nested(words, x.shape)}{'' if x.dtype in INFERRED else f', dtype={dtype}'})"
    data = base64.b64encode(x.tobytes()).decode()
    return f'np.frombuffer(base64.b64decode("{data}"), dtype={dtype}).reshape({x.shape}).copy()'


def _parsed_bytes(words: list[str], dtype: Any) -> bytes:
    """Return the bytes of the array that the words evaluate to: a NaN loses its payload."""
    return np.array([float(word.replace("np.", "")) for word in words], dtype).tobytes()


def _nested(words: list[str], shape: tuple[int, ...]) -> str:
    if not shape:
        return words[0]
    size = len(words) // shape[0]
    rows = [_nested(words[i : i + size], shape[1:]) for i in range(0, len(words), size)]
    return f"[{', '.join(rows)}]"
