"""NumPy's and CuPy's error messages in PyTorch's words, and other helpers for messages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# The beginning of NumPy's or CuPy's message -> PyTorch's, which programs and people know.
_WORDS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (
        r"(?:operands could not be broadcast together|shape mismatch: objects cannot be broadcast)(.*)",
        lambda m: _apart(m[1]),
    ),
    (
        r"shape mismatch: indexing arrays could not be broadcast together with shapes (.*)",
        lambda m: (
            "shape mismatch: indexing tensors could not be broadcast together with shapes "
            + ", ".join(f"[{_listed(sizes)}]" for sizes in re.findall(r"\((.*?)\)", m[1]))
        ),
    ),
    (
        r"shape mismatch: value array of shape \((.*?)\) could not be broadcast to indexing result of shape \((.*?)\)",
        lambda m: (
            f"shape mismatch: value tensor of shape [{_listed(m[1])}] cannot be broadcast to indexing result of "
            f"shape [{_listed(m[2])}]"
        ),
    ),
    (
        r"non-broadcastable output operand with shape \((.*?),?\) doesn't match the broadcast shape \((.*?),?\)",
        lambda m: f"output with shape [{_listed(m[1])}] doesn't match the broadcast shape [{_listed(m[2])}]",
    ),
    (
        r"could not broadcast input array from shape \((.*?),?\) into shape \((.*?),?\)",
        lambda m: f"output with shape [{_listed(m[2])}] doesn't match the broadcast shape [{_listed(m[1])}]",
    ),
    (r"Out shape is mismatched", lambda m: "the shape of the output doesn't match the broadcast shape"),  # CuPy's
    (
        r"[Ii]ndex (-?\d+) is out of bounds for axis (\d+) with size (\d+)",
        lambda m: f"index {m[1]} is out of bounds for dimension {m[2]} with size {m[3]}",
    ),
    (
        r"NumPy boolean array indexing assignment cannot assign (\d+) input values to the (\d+) output values.*",
        lambda m: (
            f"shape mismatch: value tensor of shape [{m[1]}] cannot be broadcast to indexing result of shape [{m[2]}]"
        ),
    ),
    (
        r"too many indices for array: array is 0-dimensional, but 1 were indexed",
        lambda m: (
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a "
            "0-dim tensor to a number"
        ),
    ),
    (
        r"Eigenvalues did not converge|Error reported by \w*(sy|he|ge)ev\w* in cuSOLVER.*",
        lambda m: (
            "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated "
            "eigenvalues"
        ),
    ),
    (
        r"SVD did not converge|Error reported by \w*gesvd\w* in cuSOLVER.*",
        lambda m: "The algorithm failed to converge because the input matrix contained non-finite values.",
    ),
    (r"Array must not contain infs or NaNs", lambda m: "input tensor should not contain infs or NaNs."),
    (r"too many indices for array: array is (\d+)-dim", lambda m: f"too many indices for tensor of dimension {m[1]}"),
)


# Said where a value that a node kept for backward is read after backward freed it.
FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)
# Said where `ctx.saved_tensors` of a class with clear_saved_tensors_on_access is read again.
READ_ONCE = (
    "saved_tensors can only be accessed once when clear_saved_tensors_on_access=True is set on the autograd.Function. "
    "Either access saved_tensors only once, or set clear_saved_tensors_on_access=False."
)


def in_torchs_words(rule: str) -> str:
    """NumPy's message in PyTorch's words, or unchanged if it isn't known."""
    return next((words(match) for pattern, words in _WORDS if (match := re.match(pattern, rule))), rule)


# The dtypes' names in PyTorch's messages and legacy classes.
TYPE_NAMES = {
    "float16": "Half", "float32": "Float", "float64": "Double", "complex64": "ComplexFloat",
    "complex128": "ComplexDouble", "uint8": "Byte", "int8": "Char", "int16": "Short", "int32": "Int", "int64": "Long",
    "bool": "Bool", "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64",
}  # fmt: skip


def cannot_cast(dtype: Any, to: Any) -> str:
    """PyTorch's message for a result whose dtype the output's cannot hold. Both are dtypes, or their names."""
    names = (str(kind).removeprefix("torch.") for kind in (dtype, to))
    result, output = (TYPE_NAMES.get(name, name) for name in names)
    return f"result type {result} can't be cast to the desired output type {output}"


def _listed(sizes: str) -> str:
    return ", ".join(re.findall(r"\d+", sizes))


def _apart(said: str) -> str:
    """PyTorch's message for shapes that don't broadcast, as NumPy lists them: "(3,4) (2,)".

    For matrix products NumPy also tells how it aligned them: "(2,3,4)->(2,newaxis) (5,4,1)->(5,newaxis)".
    """
    shapes = [[*map(int, re.findall(r"\d+", part))] for part in re.findall(r"\(([^()]*)\)(?!->)", said)]
    both = shapes[0]
    for shape in shapes[1:]:
        ndim = max(len(both), len(shape))
        a, b = ([1] * (ndim - len(sizes)) + sizes for sizes in (both, shape))
        for dim in reversed(range(ndim)):
            if a[dim] != b[dim] and 1 not in (a[dim], b[dim]):
                return mismatch(a[dim], b[dim], dim)
        both = [m if n == 1 else n for n, m in zip(a, b, strict=True)]
    return f"sizes of tensors must match at non-singleton dimensions, got{said}"


def mismatch(a: int, b: int, dim: int) -> str:
    """PyTorch's message for two sizes that don't broadcast."""
    return f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton dimension {dim}"


def kind_of(x: Any) -> str:
    """The name of an object's type; with its module where it is another framework's Tensor, which sounds like ours."""
    kind = type(x)
    foreign = kind.__name__ in ("Tensor", "Parameter") and not hasattr(x, "array")
    return f"{kind.__module__}.{kind.__name__}" if foreign else kind.__name__


def plural(count: int, noun: str) -> str:
    """A count with its noun: `1 channel`, `3 channels`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def name_module(error: Exception, kind: str, path: str) -> None:
    """Add a note to an error that a module's forward raised, which names the innermost such module.

    A message in PyTorch's words stays as it is, and one that names the path of the module needs no note.

    >>> error = ValueError("glu: Halving dimension must be even")
    >>> name_module(error, "GLU", "layers.3"), name_module(error, "Sequential", "layers")
    (None, None)
    >>> error.__notes__
    ['In module layers.3 (GLU)']
    """
    named = any(str(note).startswith("In module ") for note in getattr(error, "__notes__", ()))
    if not named and not re.match(rf"\S+ \({re.escape(path)}(\.\S+)?\): ", str(error)):
        error.add_note(f"In module {path} ({kind})")
