"""Formats Tensors as text, exactly as PyTorch prints them.

There are four steps, each a function below: keep the entries that will be printed (`_edges`) and copy only those to the
host, format them in one common format (`_texts`), nest them in brackets (`_nested`), and append what is not a default:
size, dtype, device, grad_fn (`format_tensor`).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..type_aliases import Array

__all__ = ["format_array", "format_tensor", "get_printoptions", "set_printoptions"]


class _PrintOptions(NamedTuple):
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": _PrintOptions(),
    "short": _PrintOptions(precision=2, edgeitems=2),
    "full": _PrintOptions(threshold=math.inf),
}

_options = _PROFILES["default"]


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how Tensors print, for the whole process. Source: torch.set_printoptions.

    `precision` is the number of digits after the point. Tensors of at most `threshold` entries are printed whole,
    others with `edgeitems` entries at either end of each axis. `linewidth` is the length of lines. `profile` is
    "default", "short" or "full", which the other arguments then change. `sci_mode` is scientific notation always
    (True), never (False), or as the values require (None); as in PyTorch, a call without it sets it to None.

    Raises ValueError, and changes nothing, for an unknown profile, a negative number or a fractional count. (PyTorch
    ignores the first, and fails on the others when it prints next.)

    >>> torch.set_printoptions(precision=2)
    >>> torch.tensor([1 / 3])
    tensor([0.33])
    >>> torch.set_printoptions(profile="default")
    """
    global _options
    counts = {"precision": precision, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, value in counts.items():
        if value is not None and not (value >= 0 and value % 1 == 0):
            raise ValueError(f"set_printoptions: {name} must be a whole number of at least 0, but is {value!r}")
    if threshold is not None and not threshold >= 0:
        raise ValueError(f"set_printoptions: threshold must be a number of at least 0, but is {threshold!r}")
    if profile is not None and profile not in _PROFILES:
        known = ", ".join(map(repr, _PROFILES))
        raise ValueError(f"set_printoptions: profile must be one of {known}, but is {profile!r}")

    base = _options if profile is None else _PROFILES[profile]
    given = {name: int(value) for name, value in counts.items() if value is not None}
    limit = base.threshold if threshold is None else threshold
    _options = base._replace(threshold=limit, sci_mode=sci_mode, **given)


def get_printoptions() -> dict[str, Any]:
    """Return a dict of the current options, under the names that `set_printoptions` takes.

    Source: torch._tensor_str.get_printoptions.

    >>> torch.get_printoptions()["linewidth"]
    80
    """
    return _options._asdict()


def format_tensor(
    array: Array,
    *,
    kind: type = object,
    default_dtype: str = "torch.float32",
    device: str | None = None,
    requires_grad: bool = False,
    grad_fn: str | None = None,
    tangent: Any = None,
    contents: str | None = None,
) -> str:
    """Format the repr of a Tensor with this NumPy or CuPy array.

    The dtype is omitted if it follows from what is printed: `default_dtype`, the complex dtype that goes with it, int64
    and bool. `device` is the name of the device to print, or None. `grad_fn` is the name of the Tensor's node, as
    "MulBackward0"; if there is one, `requires_grad` isn't printed. `tangent` is the tangent of a dual Tensor. `kind` is
    the Tensor's class: a program's subclass is printed by its name, inside of "Parameter(...)" if it is one.
    `contents` are printed instead of the entries.

    >>> print(format_tensor(np.float32([[1, 2], [3, -4.5]]), grad_fn="MulBackward0"))
    tensor([[ 1.0000,  2.0000],
            [ 3.0000, -4.5000]], grad_fn=<MulBackward0>)
    >>> format_tensor(np.zeros((0, 3)))
    'tensor([], size=(0, 3), dtype=torch.float64)'
    """
    # A dtype that NumPy lacks is named by its field: see unsupported.py.
    dtype = f"torch.{array.dtype.names[0] if array.dtype.names else array.dtype}"
    understood = {default_dtype}
    valueless = device == "meta"
    if array.size and not valueless:
        default_complex = "torch.complex128" if default_dtype == "torch.float64" else "torch.complex64"
        understood |= {default_complex, "torch.int64", "torch.bool"}

    suffixes = []
    if device is not None:
        suffixes.append(f"device='{device}'")
    if valueless or (array.ndim != 1 if array.size == 0 else _options.edgeitems == 0):  # entries don't show it
        suffixes.append(f"size={tuple(array.shape)}")
    if dtype not in understood:
        suffixes.append(f"dtype={dtype}")
    if grad_fn is not None:
        suffixes.append(f"grad_fn=<{grad_fn}>")
    elif requires_grad:
        suffixes.append("requires_grad=True")
    if tangent is not None:
        suffixes.append(f"tangent={tangent}")

    own = kind.__module__.partition(".")[0] not in ("microgad", "torch", "builtins") or "_prints_name" in vars(kind)
    prefix = f"{kind.__name__}(" if own else "tensor("
    indent = len(prefix)
    if contents is None:
        contents = "..." if valueless else format_array(array, indent)
    text = add_suffixes(prefix + contents, suffixes, indent)
    learnt = own and any(cls.__module__ in ("microgad.parameter", "torch.nn.parameter") for cls in kind.__mro__)
    return f"Parameter({text})" if learnt else text


def add_suffixes(text: str, suffixes: Sequence[str], indent: int, force_newline: bool = False) -> str:
    """Append suffixes and a bracket to what is printed of a Tensor, on a new line where one is full."""
    column = len(text) - (text.rfind("\n") + 1) + len(", ")  # PyTorch counts the first comma twice
    for suffix in suffixes:
        if force_newline or column + len(", ") + len(suffix) > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            column, force_newline = indent + len(suffix), False
        else:
            text += ", " + suffix
            column += len(", ") + len(suffix)
    return text + ")"


def format_array(array: Array, indent: int = 0) -> str:
    """Format the entries of a NumPy or CuPy array in brackets; lines after the first are indented by `indent`.

    >>> print(format_array(np.arange(2000).reshape(2, 1000)))
    [[   0,    1,    2,  ...,  997,  998,  999],
     [1000, 1001, 1002,  ..., 1997, 1998, 1999]]
    """
    if array.size == 0:
        return "[]"
    edge = _options.edgeitems
    summarised = array.size > _options.threshold
    if summarised and edge == 0 and array.ndim > 0:
        return "[...]"

    shown = _edges(array, edge) if summarised else array
    texts, width = _texts(shown.get() if hasattr(shown, "get") else shown)  # the one transfer from a GPU
    room = _options.linewidth - indent - max(0, array.ndim - 1)  # a line starts after the outer brackets
    per_line = max(1, room // (width + len(", ")))
    cut = tuple(kept < size for kept, size in zip(shown.shape, array.shape, strict=True))
    return _nested(iter(texts), shown.shape, cut, indent, per_line)


def _edges(array: Array, edge: int, axis: int = 0) -> Array:
    """Keep the first and last `edge` entries along every axis longer than both: copies only what will be printed."""
    if axis == array.ndim:
        return array
    size = array.shape[axis]
    if size <= 2 * edge:
        return _edges(array, edge, axis + 1)
    before = (slice(None),) * axis
    head, tail = array[*before, :edge], array[*before, -edge:]
    return np.concatenate([_edges(head, edge, axis + 1), _edges(tail, edge, axis + 1)], axis)


def _texts(values: Array) -> tuple[list[str], int]:
    """Format each entry of a host array as padded text; return the texts in order, and the width that lines assume.

    The width is that of the finite, nonzero entries, as PyTorch has it: a NaN, an infinity or a -0. may be wider.
    """
    kind = values.dtype.kind
    if kind == "c":
        real, real_width = _texts(values.real)
        imag, imag_width = _texts(values.imag)
        signed = (text if text[0] == "-" else "+" + text for text in map(str.lstrip, imag))
        return [f"{re}{im}j" for re, im in zip(real, signed, strict=True)], real_width + imag_width + len("j")
    if kind == "f":
        texts, width = _float_texts(values.astype(np.float64, copy=False).ravel())
    else:
        texts = [str(value) for value in values.ravel().tolist()]
        width = max(map(len, texts))
    return [text.rjust(width) for text in texts], width


def _float_texts(values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[list[str], int]:
    """Format (N,) float64 numbers in one common format; return N texts, and the width of the finite, nonzero ones."""
    finite = np.isfinite(values)
    counted = finite & (values != 0)
    spec, point = ".0f", "."  # whole numbers keep the point: `1.`
    if counted.any():
        magnitudes = np.abs(values[counted])
        whole = bool((magnitudes == np.ceil(magnitudes)).all())
        low, high = float(magnitudes.min()), float(magnitudes.max())
        sci_mode = _options.sci_mode
        if sci_mode is None:
            sci_mode = high / low > 1000 or high > 1e8 or low < 1e-4
        if sci_mode or not whole:
            spec, point = f".{_options.precision}{'e' if sci_mode else 'f'}", ""

    texts = [
        format(value, spec) + (point if is_finite else "")
        for value, is_finite in zip(values.tolist(), finite.tolist(), strict=True)
    ]
    widths = (len(text) for text, is_counted in zip(texts, counted.tolist(), strict=True) if is_counted)
    return texts, max(widths, default=1)


def _nested(texts: Iterator[str], shape: tuple[int, ...], cut: tuple[bool, ...], indent: int, per_line: int) -> str:
    """Put brackets around texts: the innermost axis has `per_line` to a line, and blocks are separated by blank lines.

    `shape` is that of the entries kept, and `cut` says along which axes some were left out: `...` stands for them.
    """
    if not shape:
        return next(texts)
    inner = shape[1:]
    parts = [_nested(texts, inner, cut[1:], indent + 1, per_line) for _ in range(shape[0])]
    if cut[0]:
        parts.insert(shape[0] // 2, "..." if inner else " ...")
    if not inner:
        parts = [", ".join(parts[start : start + per_line]) for start in range(0, len(parts), per_line)]
    separator = "," + "\n" * max(1, len(inner)) + " " * (indent + 1)
    return "[" + separator.join(parts) + "]"
