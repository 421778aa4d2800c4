"""Case: one example of a call, with its results and gradients, each evaluated once for all laws."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from ... import backend, state
from ...autograd.function import CustomNode
from ...function import AccumulateGrad, Function, Output
from ...function.plan import argument
from ...generator import default_generator
from ...gradients import grad
from ...ops.support.bare import tensors_in
from ...tensor import Tensor
from ...type_aliases import Array
from ..adapters import name_of, unwrap
from ..adapters.names import Unwrapped, is_from
from ..calls import floating, gradients, max_abs, nodes_behind, random_signed, wanted
from ..findings.finding import Finding
from ..findings.reproducer import as_code
from .assertions import ROUNDINGS, assert_agree

NEARBY = 2.0**-20  # relative: perturbation of the inputs that shows what rounding errors do to the results
ADJACENT = 16  # rounding errors: a smaller perturbation, which shows more near a singular matrix
JUMP = 1e-3  # relative: results that change by more over so little have jumped


class NothingReturnedError(AssertionError):
    """Raised if a function returned no Tensor."""


class Evaluation(NamedTuple):
    """Arrays of the floating-point outputs, and of the gradient of each differentiated input, None if it has none."""

    outs: list[Any]
    gradients: list[Any]


class Case:
    """A function and the inputs of one call. Inputs that require grad are differentiated.

    Before each evaluation the default generator gets the same seed, which depends only on the inputs' values.
    """

    reference: Callable[..., Any] | None = None  # the same operation on arrays
    linear = False  # whether the operation is jointly linear in the differentiated inputs
    inferred = False  # whether check_op chose the inputs
    may_hold_constants = True  # whether the function may compute with Tensors that aren't inputs
    thorough = True  # whether laws run their expensive parts on this example whatever its turn

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        inputs: Sequence[Any],
        *,
        order: int = 2,
        kinks: str = "move",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.name, self.function, self.inputs = name, function, tuple(inputs)
        self.order, self.kinks, self.settings = order, kinks, settings or {}
        self.before = [x.array.copy() if isinstance(x, Tensor) else x for x in inputs]
        self.seed = zlib.crc32(b"".join(backend.to_numpy(x).tobytes() for x in self.before if backend.is_array(x)))
        self.stream: Any = self.seed
        self.not_checked: dict[str, str] = {}  # laws that can't be checked on it, with the reason

    def __repr__(self) -> str:
        layouts = [f"strides {x.array.strides}" for x in self.inputs if isinstance(x, Tensor)]
        settings = [f"{name} {value!r}" for name, value in self.settings.items()]
        return f"{self.name}{self.inputs!r} with {', '.join(settings + layouts)}"

    @cached_property
    def rng(self) -> np.random.Generator:
        """Random numbers for this example and the current law, created on first use."""
        return np.random.default_rng(self.stream)

    def begin(self, law: str) -> None:
        """Start a law: its random numbers do not depend on the laws checked before."""
        self.stream = self._stream(law)
        vars(self).pop("rng", None)

    def _stream(self, what: str) -> tuple[int, int]:
        """Return the seed of the random numbers of this example for a law, or for a value that several laws share."""
        return self.seed, zlib.crc32(what.encode())

    def as_code(self, law: str) -> str:
        """Return code that checks a law on this example again."""
        called = unwrap(self.function)
        options: dict[str, Any] = {"linear": True} if self.linear else {}
        options |= {"reference": self.reference} if law == "reference" else {}
        return self._as_code("check_op", law, name_of(called.target), called, len(self.inputs), options)

    def _as_code(
        self, check: str, law: str, name: str, called: Unwrapped, count: int, options: Mapping[str, Any]
    ) -> str:
        """Return the code of a check, whose arguments are the first `count` inputs, as they were before the call."""
        given = list(zip(self.inputs, self.before, strict=True))[:count]
        names = tuple(f"input {i}" for i, (x, _) in enumerate(given) if isinstance(x, Tensor) and x.requires_grad)
        call = Finding(
            name, self.order, 0, 0, names, (), (), None, None, None, tuple(_original(*pair) for pair in given),
            module=called.module, partial=(called.args, called.keywords), adapter=called.adapter,
            kinks=self.kinks,
        )  # fmt: skip
        return as_code(call, check, **options, laws=[law])

    def start_draws(self) -> None:
        """Seed the default generator, before each evaluation."""
        default_generator.manual_seed(self.seed)

    def call(self, inputs: Sequence[Any]) -> list[Tensor]:
        """Call the function and return all Tensors among its results."""
        self.start_draws()
        returned = self.function(*inputs)
        found = tensors_in(returned)
        if not found:
            what = f"returned a {type(returned).__name__}, expected Tensors"
            if is_from(returned, "torch"):
                what += " of microgad: this one is PyTorch's. Wrap the function in microgad.testing.torch_function"
            raise NothingReturnedError(f"{self.name} {what}")
        return found

    def outputs(self, inputs: Sequence[Any]) -> list[Tensor]:
        """Call the function and return the results that can have a derivative."""
        return floating(self.call(inputs))

    def evaluate(self, inputs: Sequence[Any], grad_outputs: Sequence[Array] | None = None) -> Evaluation:
        """Evaluate the function at other inputs, and its gradients for the incoming gradients `grad_outputs`."""
        outs = self.outputs(inputs)
        found = vjp(outs, wanted(inputs), self.grad_outputs if grad_outputs is None else grad_outputs)
        return Evaluation([y.array for y in outs], found)

    def map_arrays(self, change: Callable[[Any], Any]) -> list[Any]:
        """Return the inputs with other arrays, as fresh leaves. An input that is passed twice stays one Tensor."""
        made: dict[int, Tensor] = {}
        for x in self.inputs:
            if isinstance(x, Tensor) and id(x) not in made:
                made[id(x)] = Tensor._wrap(change(x.array)).requires_grad_(x.requires_grad)
        return [made.get(id(x), x) for x in self.inputs]

    def with_inputs(self, inputs: Sequence[Any]) -> Case:
        """Return the case of the same call with other inputs."""
        case = Case(self.name, self.function, inputs, order=self.order, kinks=self.kinks, settings=self.settings)
        case.seed, case.linear, case.reference = self.seed, self.linear, self.reference
        case.thorough, case.may_hold_constants = self.thorough, self.may_hold_constants
        return case

    def one_in(self, n: int, turn: int = 0) -> bool:
        """Whether to run an expensive part on this example: on every n-th, and on all that are checked thoroughly."""
        return self.thorough or (self.seed + turn) % n == 0

    @cached_property
    def wanted(self) -> list[Tensor]:
        return wanted(self.inputs)

    @cached_property
    def operations(self) -> Operations:
        """Those that the first evaluation calls."""
        return Operations()

    @cached_property
    def results(self) -> list[Tensor]:
        """All results of the first evaluation."""
        with state.scope(observer=self.operations):
            return self.call(self.inputs)

    @cached_property
    def outs(self) -> list[Tensor]:
        return floating(self.results)

    @cached_property
    def draws(self) -> bool:
        """Whether the function draws from the default generator."""
        self.start_draws()
        fresh = default_generator.snapshot()
        self.call(self.inputs)
        return bool((default_generator.snapshot() != fresh).any())

    @cached_property
    def grad_outputs(self) -> list[Array]:
        """A random incoming gradient for each output."""
        rng = np.random.default_rng(self._stream("seeds"))
        grad_outputs = [self.random_like(y.array, rng) for y in self.outs]
        self.grad_outputs_before = [s.copy() for s in grad_outputs]
        return grad_outputs

    @cached_property
    def gradients(self) -> list[Any]:
        """The gradients of the first evaluation."""
        self.outs_before = [y.array.copy() for y in self.outs]
        return vjp(self.outs, self.wanted, self.grad_outputs)

    @cached_property
    def recorded(self) -> tuple[list[Tensor], list[Tensor | None]]:
        """Incoming gradients that require grad, and the gradients computed from them under create_graph."""
        outs, grad_outputs = that_require_grad(self.outputs(self.inputs), self.grad_outputs)
        incoming = [Tensor._wrap(s).requires_grad_() for s in grad_outputs]
        if not outs:
            return [], [None] * len(self.wanted)
        return incoming, list(grad(outs, self.wanted, incoming, create_graph=True, allow_unused=True))

    def not_compared(self) -> str:
        """Why no derivative is compared on this example, or nothing if one is: finite, of an input with elements."""
        if not self.wanted:
            return "no input is a floating-point Tensor that has a derivative"
        if not self.outs:
            kinds = dict.fromkeys(f"a result is {y.dtype}" for y in self.results)
            return f"{', '.join(kinds)}, which has no derivative"
        if not any(x.array.size for x in self.wanted):
            return "the inputs have no elements"
        known = [g for g in self.gradients if g is not None]
        finite = any(np.isfinite(y.array).any() or not y.array.size for y in self.outs) and (
            len(known) < len(self.gradients) or any(np.isfinite(g).any() for g in known)
        )
        return "" if finite else "the results or their derivatives aren't finite"

    def constants(self) -> list[str]:
        """Return the names of the floating-point inputs that are not differentiated."""
        target, found = unwrap(self.function).target, []
        for i, x in enumerate(self.inputs):
            if isinstance(x, Tensor) and x.array.dtype.kind in "fc" and not x.requires_grad:
                named = isinstance(target, type) and issubclass(target, Function)
                found.append(argument(target, i) if named else f"input {i}")
        return found

    def evaluate_all(self) -> None:
        """Run forward, backward, and, for second derivatives, backward under create_graph, each once."""
        _ = self.gradients
        if self.order > 1:
            _ = self.recorded

    @cached_property
    def classes(self) -> set[type[Function]]:
        """The classes of the operations in the graphs of the results and of their first and second derivatives."""
        tensors = list(self.outs)
        if self.order > 1:
            incoming, gradients = self.recorded
            once = [g for g in gradients if g is not None and g.requires_grad]
            ones = [Tensor._wrap(np.ones_like(g.array)).requires_grad_() for g in once]
            if once:
                twice = grad(once, [*self.wanted, *incoming], ones, create_graph=True, allow_unused=True)
                tensors += [*once, *(g for g in twice if g is not None)]
        return classes_behind(tensors)

    def random_like(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        """Draw an array like `x` of numbers of either sign, neither small nor large."""
        return backend.like(random_signed(rng or self.rng, x.shape), x, x.dtype)

    @cached_property
    def eps(self) -> float:
        """The rounding error of the coarsest dtype among inputs and outputs."""
        kinds = [x.array.dtype for x in (*self.inputs, *self.outs) if isinstance(x, Tensor)]
        return max((float(np.finfo(kind).eps) for kind in kinds if kind.kind in "fc"), default=0.0)

    @cached_property
    def scales(self) -> tuple[list[float], list[float]]:
        """The size of the terms that each output and each gradient sums: times eps, it is the sum's rounding error.

        The terms are not seen, so this is an estimate. It includes how fast the result changes with the inputs, found
        by a small relative perturbation. It also allows for terms that always cancel: in a gradient (softmax) they are
        about as large as the incoming gradient, in a value (1 + tanh(x)) up to 1.
        """
        step = max(NEARBY, 16 * self.eps)
        rng = np.random.default_rng(self._stream("scales"))
        moved = self.evaluate(self.map_arrays(lambda a: _nearby(a, step, rng) if a.dtype.kind in "fc" else a))
        least = min(1.0, self.largest or 1.0)
        values = zip(self.outs, moved.outs, strict=True)
        outs = [least + max_abs(y.array) + max_abs(z - y.array) / step for y, z in values]
        incoming = max(map(max_abs, self.grad_outputs), default=0.0)
        result = max(outs, default=0.0)
        gradients = []
        for x, g, h in zip(self.wanted, self.gradients, moved.gradients, strict=True):
            change = max_abs(h - g) / step if g is not None and h is not None else 0.0
            largest = max_abs(x.array)
            through = incoming * max(1.0, result / largest if largest else 0.0)
            gradients.append((0.0 if g is None else max_abs(g)) + change + through)
        return outs, gradients

    @cached_property
    def unsteady(self) -> list[list[float]]:
        """By how much each output and each gradient changes if the inputs change by a few roundings; 0 if it jumps."""
        here, step = ([y.array for y in self.outs], self.gradients), ADJACENT * self.eps
        rng = np.random.default_rng(self._stream("unsteady"))
        found = [[0.0] * len(part) for part in here]
        for _ in range(8):
            there = self.evaluate(self.map_arrays(lambda a: _nearby(a, step, rng) if a.dtype.kind in "fc" else a))
            for part, ys, zs in zip(found, here, there, strict=True):
                pairs = zip(part, ys, zs, strict=True)
                part[:] = [size if y is None or z is None else max(size, max_abs(z - y)) for size, y, z in pairs]
        return [
            [size if size and size <= JUMP * max_abs(y) else 0.0 for size, y in zip(part, ys, strict=True)]
            for part, ys in zip(found, here, strict=True)
        ]

    @cached_property
    def largest(self) -> float:
        """The largest magnitude in a floating-point input."""
        return max((max_abs(x) for x in self.before if backend.is_array(x) and x.dtype.kind in "fc"), default=0.0)

    def agrees(self, found: Evaluation, how: str, eps: float | None = None) -> None:
        """Raise AssertionError unless an evaluation agrees with this case's, up to rounding."""
        unit = ROUNDINGS * (self.eps if eps is None else eps)
        for k, (y, z) in enumerate(zip(self.outs, found.outs, strict=True)):
            self._agree(z, y.array, partial(self.output_tolerance, k, unit), f"{how}: output {k}", (0, k), unit)
        self.same_gradients(found.gradients, self.gradients, f"{how}: the gradient of", unit)

    def same_gradients(
        self, found: Sequence[Array | None], expected: Sequence[Array | None], what: str, unit: float | None = None
    ) -> None:
        """Raise AssertionError unless the gradients of all inputs agree, up to rounding."""
        for i, (g, h) in enumerate(zip(found, expected, strict=True)):
            self.same_gradient(i, g, h, what, unit)

    def same_gradient(
        self, i: int, found: Array | None, expected: Array | None, what: str, unit: float | None = None
    ) -> None:
        """Raise AssertionError, beginning with `what`, unless two gradients of input i agree up to rounding."""
        if found is None and expected is None:
            return
        what = f"{what} {self.input_name(i)}"
        if found is None or expected is None:
            raise AssertionError(f"{what} is {'missing' if found is None else 'there, but was not before'}")
        self._agree(found, expected, partial(self.gradient_tolerance, i, unit), what, (1, i), unit)

    def _agree(
        self, a: Array, b: Array, tolerance: Callable[[], float], what: str, at: tuple[int, int], unit: float | None
    ) -> None:
        """Raise AssertionError unless a and b agree, with a tolerance also for what changes with a few roundings."""
        try:
            assert_agree(a, b, tolerance, what)
        except AssertionError:
            more = 4 * self.unsteady[at[0]][at[1]] * (1 if unit is None else unit / (ROUNDINGS * self.eps))
            if not more:
                raise
            assert_agree(a, b, tolerance() + more, what)

    def output_tolerance(self, k: int, unit: float | None = None) -> float:
        return (ROUNDINGS * self.eps if unit is None else unit) * self.scales[0][k]

    def gradient_tolerance(self, i: int, unit: float | None = None) -> float:
        return (ROUNDINGS * self.eps if unit is None else unit) * self.scales[1][i]

    def place(self, i: int) -> int:
        """Return the position of the i-th differentiated input among the arguments."""
        return next(j for j, y in enumerate(self.inputs) if y is self.wanted[i])

    def input_name(self, i: int) -> str:
        """Return the name of the i-th differentiated input for messages: its position and shape."""
        return f"input {self.place(i)} {tuple(self.wanted[i].shape)}"


class Operations(state.Observer):
    """The operations that are called, each with its inputs and its result."""

    def __init__(self) -> None:
        self.seen: list[tuple[Function, tuple[Any, ...], Any]] = []

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        self.seen.append((node, inputs, out))

    def constants(self, dtype: Any) -> bool:
        """Whether an operation got an array or a Tensor of a dtype that no operation made, such as a constant."""
        made = {id(y) for _, _, out in self.seen for y in (out if isinstance(out, tuple) else (out,))}
        return any(
            hasattr(x, "dtype") and getattr(x, "array", x).dtype == dtype and id(x) not in made
            for _, inputs, _ in self.seen
            for x in inputs
        )


def _original(x: Any, before: Any) -> Any:
    """Return the array of an input in its own layout, or the copy from before if it was changed in place."""
    if not isinstance(x, Tensor):
        return x
    same = backend.to_numpy(x.array).tobytes() == backend.to_numpy(before).tobytes()
    return x.array if same else before


def _nearby(a: Array, step: float, rng: np.random.Generator) -> Array:
    """Change each element by a small share of itself, keeping the order of axes in memory, which draws follow."""
    factors = backend.like(1 + step * random_signed(rng, a.shape), a)
    return np.multiply(a, factors, out=np.empty_like(a), casting="same_kind")


def vjp(outs: Sequence[Tensor], inputs: Sequence[Tensor], grad_outputs: Sequence[Array]) -> list[Any]:
    """Return the gradients as arrays, by a backward pass that keeps the graph."""
    outs, grad_outputs = that_require_grad(outs, grad_outputs)
    return gradients(outs, inputs, grad_outputs) if outs and inputs else [None] * len(inputs)


def that_require_grad(outs: Sequence[Tensor], grad_outputs: Sequence[Array]) -> tuple[list[Tensor], list[Any]]:
    """Return the outputs that require grad, and their incoming gradients."""
    chosen = [(y, s) for y, s in zip(outs, grad_outputs, strict=True) if y.requires_grad]
    return [y for y, _ in chosen], [s for _, s in chosen]


def classes_behind(tensors: Sequence[Tensor]) -> set[type[Function]]:
    """Return the classes of the operations in the Tensors' graphs. All autograd.Functions count as one class."""
    classes = {CustomNode if isinstance(node, CustomNode) else type(node) for node in nodes_behind(tensors)}
    return classes - {AccumulateGrad, Output}
