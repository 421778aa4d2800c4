"""Calling what is checked: with the same draws each time, on Tensors whose arrays the checks exchange."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import backend, state
from ..dtypes import complex128, float64
from ..engine.leaves import reached
from ..errors import ArgumentError, MicrogadError, notices
from ..function import Function, Leaf
from ..generator import default_generator
from ..gradients import grad
from ..nests import leaves
from ..ops.elementwise import view_as_real
from ..tensor import Tensor
from .findings.finding import Finding

Vector = Any  # (m,): all results of a function, flat, one after the other
Direction = Any  # an array like the Tensor that is moved along it


class GradcheckError(MicrogadError, RuntimeError):
    """A derivative that isn't the function's. Source: torch.autograd.gradcheck.GradcheckError.

    `finding` has the two derivatives as data, where it is about their entries, and `call` what was called and its
    arguments.
    """

    finding: Finding | None = None
    call: tuple[Callable[..., Any], tuple[Any, ...]] | None = None


class SameDraws:
    """Puts the default generator back before each evaluation, if the first one drew from it.

    In the end it is where one evaluation leaves it.
    """

    def __enter__(self) -> SameDraws:
        self.before = self.after = default_generator.snapshot()
        self.drew = False
        return self

    def first_done(self) -> None:
        """The first evaluation has been made."""
        self.after = default_generator.snapshot()
        self.drew = bool((self.after != self.before).any())

    def rewind(self) -> None:
        """Another evaluation is to come."""
        if self.drew:
            default_generator.set_state(self.before)

    def __exit__(self, *_: object) -> None:
        default_generator.set_state(self.after)


def sequence(x: Any) -> list[Any]:
    """What a function takes: one thing stands for a list of it."""
    return list(x) if isinstance(x, (tuple, list)) else [x]


def tensors_in(outputs: Any) -> list[Tensor]:
    """What a function gives: a Tensor, or those in lists, tuples and dicts."""
    return [y for y in leaves(outputs) if isinstance(y, Tensor)]


def floating(outputs: Any) -> list[Tensor]:
    """The outputs that can have a derivative; complex numbers as pairs of real ones, along a last axis.

    But for those of a complex step, whose imaginary parts are derivatives.
    """
    tensors = [y for y in tensors_in(outputs) if y.array.dtype.kind in "fc"]
    tensors = [y if y.node is not None else y.detach() for y in tensors]  # a view made under no_grad says otherwise
    in_pairs = not state.current().holomorphic
    return [view_as_real(y) if in_pairs and y.is_complex() else y for y in tensors]


def wanted(inputs: Sequence[Any]) -> list[Tensor]:
    """The Tensors that require grad, each once."""
    return list({id(x): x for x in inputs if isinstance(x, Tensor) and x.requires_grad}.values())


def fresh_tensors(inputs: Sequence[Any], can_be: Callable[[int], bool] = lambda place: True) -> list[Any]:
    """Fresh Tensors for arrays and Tensors, so that the caller's stay as they are; one Tensor for one Tensor.

    Those that require grad still do; where none does, all floating-point and complex ones for which `can_be(place)`.

    >>> [x.requires_grad for x in fresh_tensors([np.ones(2), torch.ones(2) + 1j, torch.arange(2)])]
    [True, True, False]
    >>> [x.requires_grad for x in fresh_tensors([np.ones(2), torch.ones(2, requires_grad=True)])]
    [False, True]
    """
    some, made = bool(wanted(inputs)), dict[int, Tensor]()
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor) or backend.is_array(x):
            array = x.array if isinstance(x, Tensor) else x
            wants = isinstance(x, Tensor) and x.requires_grad if some else can_be(i) and array.dtype.kind in "fc"
            fresh = made.setdefault(id(x), Tensor._made(array))
            if wants:
                fresh.requires_grad_()
    return [made.get(id(x), x.item() if isinstance(x, np.generic) else x) for x in inputs]


def require_wanted(check: str, inputs: Sequence[Any]) -> list[Tensor]:
    """The same. Raises ArgumentError where there is none."""
    tensors = wanted(inputs)
    if not tensors:
        said = ": to a function on Tensors arrays are constants" if any(map(backend.is_array, inputs)) else ""
        raise ArgumentError(f"{check}: at least one input Tensor must require grad, but none does{said}")
    return tensors


def warn_of_float32(check: str, inputs: list[Any]) -> None:
    """Differences of float32 values say little."""
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor) and x.requires_grad and x.dtype not in (float64, complex128):
            notices.warn(
                f"{check}: input {i} requires grad and is {x.dtype}: the check will likely fail unless all such "
                "inputs are torch.float64 or complex128"
            )


def input_names(inputs: Sequence[Any], tensors: Sequence[Tensor], last: Sequence[str] = ()) -> list[str]:
    """Names of the Tensors: "input 0", or "input 1, weight" where the last inputs have names."""
    own = [""] * (len(inputs) - len(last)) + [f", {name}" for name in last]
    places = [next(i for i, x in enumerate(inputs) if x is t) for t in tensors]
    return [f"input {i}{own[i]}" for i in places]


def gradients(outputs: Sequence[Tensor], tensors: Sequence[Tensor], seeds: Sequence[Any]) -> list[Any]:
    """Bare gradients; None where the outputs don't depend on a Tensor."""
    return grad_arrays(grad(outputs, tensors, [Tensor._made(s) for s in seeds], retain_graph=True, allow_unused=True))


def grad_arrays(grads: Iterable[Tensor | None]) -> list[Any]:
    """Their arrays."""
    return [None if g is None else g.array for g in grads]


def flat(tensors: list[Tensor]) -> Vector:
    """(m,): all values, one Tensor after the other."""
    return np.concatenate([np.zeros(0), *(backend.to_numpy(t.array).reshape(-1) for t in tensors)])


def random_signed(rng: np.random.Generator, shape: Any) -> Any:
    """Numbers of either sign that are neither small nor large: from -1 to -1/2, and from 1/2 to 1."""
    x = rng.uniform(-1, 1, shape)
    return np.copysign(np.abs(x) / 2 + 0.5, x)


def equal_arrays(a: Any, b: Any) -> bool:
    """Whether two arrays have the same values, of which none is NaN: far sooner than np.allclose says it."""
    return a.shape == b.shape and bool((a == b).all())


def check_unchanged(tensors: Sequence[Tensor], before: Sequence[Any], names: Sequence[str], who: str) -> None:
    """Raise GradcheckError where the arrays aren't what they were before `who` was called."""
    for t, old, name in zip(tensors, before, names, strict=True):
        now, then = backend.to_numpy(t.array), backend.to_numpy(old)
        if not equal_arrays(now, then) and not np.array_equal(now, then, equal_nan=True):
            raise GradcheckError(f"{who}, or its backward, changed {name} in place")


def jacobians(y: Tensor, tensors: Sequence[Tensor]) -> list[Any]:
    """For each Tensor the derivative of an output, (x.size, y.size): a backward pass for each of its elements."""
    found = [np.zeros((t.numel(), y.numel())) for t in tensors]
    for j in range(y.numel() if y.requires_grad else 0):
        seed = np.zeros_like(y.array, order="C")
        seed.reshape(-1)[j] = 1
        for jacobian, g in zip(found, gradients([y], tensors, [seed]), strict=True):
            if g is not None:
                jacobian[:, j] = backend.to_numpy(g).reshape(-1)
    return found


def nodes_behind(tensors: Sequence[Tensor]) -> list[Function]:
    """Every node in the graphs of some Tensors, leaves too."""
    return list(reached([t.node for t in tensors], 0).values())


def slices(tensors: list[Tensor]) -> list[slice]:
    """Where each Tensor lies in `flat`."""
    found, start = [], 0
    for t in tensors:
        found.append(slice(start, start + t.numel()))
        start += t.numel()
    return found


class with_arrays:
    """The Tensors with other arrays, while it lasts. Gradients for a leaf have the dtype that it has by then."""

    def __init__(self, tensors: Sequence[Tensor], arrays: Sequence[Any]) -> None:
        self.tensors, self.arrays = tensors, arrays

    def __enter__(self) -> None:
        self.saved = [(t, t.array, t.node) for t in self.tensors]
        for t, array in zip(self.tensors, self.arrays, strict=True):
            before, t.array = t.array.dtype, array
            if t.node is not None and array.dtype != before:
                t.node = Leaf(t)

    def __exit__(self, *_: object) -> None:
        for t, array, node in self.saved:
            t.array, t.node = array, node


def moved(
    values: Callable[[], Vector], tensors: Sequence[Tensor], directions: Sequence[Direction | None], step: complex
) -> Vector:
    """The values at x + step · direction; None leaves a Tensor where it is. A complex step makes every one complex.

    The axes keep their order in memory: random draws follow it.
    """
    kind = np.complex128 if isinstance(step, complex) else None

    def there(x: Any, d: Direction | None) -> Any:
        if d is None and kind is None:
            return x
        return np.add(x, 0 if d is None else step * d, out=np.empty_like(x, kind))

    arrays = [there(t.array, d) for t, d in zip(tensors, directions, strict=True)]
    # A step may leave the domain: the comparison sees the NaN.
    with with_arrays(tensors, arrays), np.errstate(all="ignore"):
        return values()
