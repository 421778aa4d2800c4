"""Helpers that all checks share: which Tensors they differentiate, their gradients, and repeatable random draws.

A check replaces the arrays of the input Tensors for a while (`with_arrays`) and calls the function again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import backend, state
from ..dtypes import complex128, float64
from ..engine.paths import reachable
from ..errors import ArgumentError, MicrogadError, notices
from ..function import AccumulateGrad, Function
from ..generator import default_generator
from ..gradients import grad
from ..ops.elementwise import view_as_real
from ..ops.support.bare import bare, tensors_in
from ..ops.support.layouts import expanded_axes
from ..tensor import Tensor
from ..type_aliases import Array
from .findings.finding import Finding

BACKWARD_DRAWS = "backward makes random draws of its own: it has to keep those of forward, such as a mask"

Vector = Any  # (m,): all results of a function, flattened and concatenated
Direction = Any  # an array of the shape of the Tensor that is moved along it


class GradcheckError(MicrogadError, RuntimeError):
    """Raised where a derivative is wrong. Source: torch.autograd.gradcheck.GradcheckError.

    `finding` holds the two Jacobians if the error is about their entries, and `call` the function and its arguments.
    """

    finding: Finding | None = None
    call: tuple[Callable[..., Any], tuple[Any, ...]] | None = None


class SameDraws:
    """Context in which every evaluation makes the same random draws.

    If the first evaluation drew from the default generator, `rewind` resets it before each later one. On exit the
    generator is where a single evaluation leaves it.
    """

    def __enter__(self) -> SameDraws:
        self.before = self.after = default_generator.snapshot()
        self.drew = False
        return self

    def first_done(self) -> None:
        """Note that the first evaluation is done, and whether it drew random numbers."""
        self.after = default_generator.snapshot()
        self.drew = bool((self.after != self.before).any())

    def rewind(self) -> None:
        """Reset the generator before another evaluation."""
        if self.drew:
            default_generator.set_state(self.before)

    def __exit__(self, *_: object) -> None:
        default_generator.set_state(self.after)


def sequence(x: Any) -> list[Any]:
    """Return the arguments as a list; a single argument needs no list around it."""
    return list(x) if isinstance(x, (tuple, list)) else [x]


def max_abs(x: Array) -> float:
    """Return the largest finite magnitude in an array, 0 if there is none."""
    magnitude = np.abs(x)
    largest = float(magnitude.max()) if magnitude.size else 0.0
    if not np.isfinite(largest):
        finite = magnitude[np.isfinite(magnitude)]
        largest = float(finite.max()) if finite.size else 0.0
    return largest


def floating(outputs: Any) -> list[Tensor]:
    """Return the outputs that can have a derivative, complex ones as pairs of real numbers along a last axis.

    During a complex step complex outputs stay complex, since their imaginary parts are the derivatives.
    """
    tensors = [y for y in tensors_in(outputs) if y.array.dtype.kind in "fc"]
    tensors = [y if y.node is not None else y.detach() for y in tensors]  # views made under no_grad
    in_pairs = not state.current().holomorphic
    return [view_as_real(y) if in_pairs and y.is_complex() else y for y in tensors]


def wanted(inputs: Sequence[Any]) -> list[Tensor]:
    """Return the Tensors that require grad, each once."""
    return list({id(x): x for x in inputs if isinstance(x, Tensor) and x.requires_grad}.values())


def fresh_tensors(inputs: Sequence[Any], can_be: Callable[[int], bool] = lambda place: True) -> list[Any]:
    """Replace arrays and Tensors by fresh Tensors on the same memory, so that the caller's Tensors are not changed.

    An argument that is passed twice becomes one Tensor. Those that require grad still do. If none does, all
    floating-point and complex ones do whose position `can_be` accepts.

    >>> [x.requires_grad for x in fresh_tensors([np.ones(2), torch.ones(2) + 1j, torch.arange(2)])]
    [True, True, False]
    >>> [x.requires_grad for x in fresh_tensors([np.ones(2), torch.ones(2, requires_grad=True)])]
    [False, True]
    """
    some, made = bool(wanted(inputs)), dict[int, Tensor]()
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor) or backend.is_array(x):
            array = bare(x)
            wants = isinstance(x, Tensor) and x.requires_grad if some else can_be(i) and array.dtype.kind in "fc"
            fresh = made.setdefault(id(x), Tensor._wrap(array))
            if wants:
                fresh.requires_grad_()
    return [made.get(id(x), x.item() if isinstance(x, np.generic) else x) for x in inputs]


def require_wanted(check: str, inputs: Sequence[Any]) -> list[Tensor]:
    """Return the Tensors that require grad. Raise ArgumentError if there is none."""
    tensors = wanted(inputs)
    if not tensors:
        hint = ": arrays are constants to a function on Tensors" if any(map(backend.is_array, inputs)) else ""
        if not hint and not any(isinstance(x, Tensor) and x.array.dtype.kind in "fc" for x in inputs):
            hint = ": integers, numbers and lists are constants; pass floating-point arrays or Tensors"
        raise ArgumentError(
            f"{check} expects at least one input tensor to require gradient, but none of them have requires_grad=True"
            f"{hint}."
        )
    return tensors


def warn_of_float32(check: str, inputs: list[Any]) -> None:
    """Warn if inputs that require grad are too coarse for finite differences."""
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor) and x.requires_grad and x.dtype not in (float64, complex128):
            notices.warn(
                f"{check}: Input #{i} requires gradient and is not a double precision floating point or complex, but "
                f"{x.dtype}. This check will likely fail if all the inputs are not of double precision floating point "
                "or complex."
            )


def refuse_expanded(inputs: Sequence[Any]) -> None:
    """Raise ArgumentError for an input that requires grad and was expanded: its elements can't be moved alone."""
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor) and x.requires_grad and expanded_axes(x.array):
            raise ArgumentError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call .contiguous "
                "on the input before passing it to gradcheck."
            )


def input_names(inputs: Sequence[Any], tensors: Sequence[Tensor], last: Sequence[str] = ()) -> list[str]:
    """Return names of the Tensors: "input 0", or "input 1, weight" if the last inputs have the names `last`."""
    own = [""] * (len(inputs) - len(last)) + [f", {name}" for name in last]
    places = [next(i for i, x in enumerate(inputs) if x is t) for t in tensors]
    return [f"input {i}{own[i]}" for i in places]


def gradients(outputs: Sequence[Tensor], tensors: Sequence[Tensor], seeds: Sequence[Array]) -> list[Array | None]:
    """Return the gradients as arrays, None for a Tensor that the outputs don't depend on."""
    return grad_arrays(grad(outputs, tensors, [Tensor._wrap(s) for s in seeds], retain_graph=True, allow_unused=True))


def grad_arrays(grads: Iterable[Tensor | None]) -> list[Any]:
    """Return the arrays of gradients."""
    return [None if g is None else g.array for g in grads]


def flat(tensors: list[Tensor]) -> Vector:
    """Return all values as one vector (m,), one Tensor after the other."""
    return np.concatenate([np.zeros(0), *(backend.to_numpy(t.array).reshape(-1) for t in tensors)])


def random_signed(rng: np.random.Generator, shape: Any) -> Array:
    """Draw numbers uniformly from [-1, -1/2] and [1/2, 1]: of either sign, neither small nor large."""
    x = rng.uniform(-1, 1, shape)
    return np.copysign(np.abs(x) / 2 + 0.5, x)


def equal_arrays(a: Array, b: Array) -> bool:
    """Whether two arrays have equal values and no NaN: much faster than np.allclose."""
    return a.shape == b.shape and bool((a == b).all())


def check_unchanged(tensors: Sequence[Tensor], before: Sequence[Array], names: Sequence[str], who: str) -> None:
    """Raise GradcheckError if `who` changed the arrays of the Tensors in place."""
    for t, old, name in zip(tensors, before, names, strict=True):
        now, then = backend.to_numpy(t.array), backend.to_numpy(old)
        if not equal_arrays(now, then) and not np.array_equal(now, then, equal_nan=True):
            raise GradcheckError(f"{who}, or its backward, changed {name} in place")


def jacobians(y: Tensor, tensors: Sequence[Tensor]) -> list[Array]:
    """Return the Jacobian of output y by each Tensor x, (x.size, y.size), by a backward pass for each element of y."""
    found = [np.zeros((t.numel(), y.numel())) for t in tensors]
    for j in range(y.numel() if y.requires_grad else 0):
        seed = np.zeros_like(y.array, order="C")
        seed.reshape(-1)[j] = 1
        for jacobian, g in zip(found, gradients([y], tensors, [seed]), strict=True):
            if g is not None:
                jacobian[:, j] = backend.to_numpy(g).reshape(-1)
    return found


def nodes_behind(tensors: Sequence[Tensor]) -> list[Function]:
    """Return every node in the graphs of the Tensors, leaves included."""
    return list(reachable([t.node for t in tensors], 0).values())


def slices(tensors: list[Tensor]) -> list[slice]:
    """Return the slice of `flat(tensors)` that each Tensor takes."""
    found, start = [], 0
    for t in tensors:
        found.append(slice(start, start + t.numel()))
        start += t.numel()
    return found


class with_arrays:
    """Context in which the Tensors have other arrays. A leaf whose dtype changes gets gradients of the new dtype."""

    def __init__(self, tensors: Sequence[Tensor], arrays: Sequence[Array]) -> None:
        self.tensors, self.arrays = tensors, arrays

    def __enter__(self) -> None:
        self.saved = [(t, t.array, t.node) for t in self.tensors]
        for t, array in zip(self.tensors, self.arrays, strict=True):
            before, t.array = t.array.dtype, array
            if t.node is not None and array.dtype != before:
                t.node = AccumulateGrad(t)

    def __exit__(self, *_: object) -> None:
        for t, array, node in self.saved:
            t.array, t.node = array, node


def moved(
    values: Callable[[], Vector], tensors: Sequence[Tensor], directions: Sequence[Direction | None], step: complex
) -> Vector:
    """Return the values at x + step · direction. A direction of None leaves its Tensor unchanged.

    With a complex step every Tensor becomes complex. The arrays keep the order of their axes in memory, since random
    draws follow it.
    """
    kind = np.complex128 if isinstance(step, complex) else None

    def there(x: Array, d: Direction | None) -> Array:
        if d is None and kind is None:
            return x
        return np.add(x, 0 if d is None else step * d, out=np.empty_like(x, kind))

    arrays = [there(t.array, d) for t, d in zip(tensors, directions, strict=True)]
    # A step may leave the domain: the caller sees the NaN.
    with with_arrays(tensors, arrays), np.errstate(all="ignore"):
        return values()
