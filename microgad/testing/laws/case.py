"""Case: one example of a call, and what came of it. What several laws look at is evaluated once."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from ... import backend, state
from ...autograd.function import CustomNode
from ...function import Function, Leaf, Output
from ...generator import default_generator
from ...gradients import grad
from ...tensor import Tensor
from ..calls import floating, gradients, nodes_behind, random_signed, tensors_in, wanted
from .assertions import ROUNDINGS, assert_agree, max_abs

NEARBY = 2.0**-20  # relative: how far the inputs are moved to see what a rounding error does to the results


class NothingReturnedError(AssertionError):
    """There is no Tensor among what a function returned."""


class Evaluation(NamedTuple):
    """Bare arrays: floating-point outputs, and a gradient for each wanted input, None where there is none."""

    outs: list[Any]
    gradients: list[Any]


class Case:
    """What is called, and the inputs of one call. Those that require grad are differentiated.

    Each evaluation begins with the default generator at the same seed, which depends on the inputs' values alone.
    """

    reference: Callable[..., Any] | None = None  # the same operation on bare arrays
    linear = False  # whether it is jointly linear in what is differentiated
    thorough = True  # whether laws leave nothing to other examples

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

    def __repr__(self) -> str:
        layouts = [f"strides {x.array.strides}" for x in self.inputs if isinstance(x, Tensor)]
        settings = [f"{name} {value!r}" for name, value in self.settings.items()]
        return f"{self.name}{self.inputs!r} with {', '.join(settings + layouts)}"

    @cached_property
    def rng(self) -> np.random.Generator:
        """Random numbers of this example and the law that is held against it, made when one first asks for some."""
        return np.random.default_rng(self.stream)

    def begin(self, law: str) -> None:
        """Whatever laws were held before, this one has the same random numbers."""
        self.stream = self._stream(law)
        vars(self).pop("rng", None)

    def _stream(self, what: str) -> tuple[int, int]:
        """Where random numbers begin that this example has of its own for a law, or for what several laws share."""
        return self.seed, zlib.crc32(what.encode())

    # Evaluations

    def start_draws(self) -> None:
        """Put the default generator where every evaluation begins."""
        default_generator.manual_seed(self.seed)

    def call(self, inputs: Sequence[Any]) -> list[Tensor]:
        """Every Tensor that the function gives."""
        self.start_draws()
        returned = self.function(*inputs)
        found = tensors_in(returned)
        if not found:
            raise NothingReturnedError(f"it returned a {type(returned).__name__}, expected Tensors")
        return found

    def outputs(self, inputs: Sequence[Any]) -> list[Tensor]:
        """Those that can have a derivative."""
        return floating(self.call(inputs))

    def evaluate(self, inputs: Sequence[Any], seeds: Sequence[Any] | None = None) -> Evaluation:
        """The function at other inputs, with its gradients for the incoming gradients `seeds`."""
        outs = self.outputs(inputs)
        found = pull(outs, wanted(inputs), self.seeds if seeds is None else seeds)
        return Evaluation([y.array for y in outs], found)

    def mapped(self, change: Callable[[Any], Any]) -> list[Any]:
        """The inputs with other arrays: fresh leaves, one Tensor for one Tensor."""
        made: dict[int, Tensor] = {}
        for x in self.inputs:
            if isinstance(x, Tensor) and id(x) not in made:
                made[id(x)] = Tensor._made(change(x.array)).requires_grad_(x.requires_grad)
        return [made.get(id(x), x) for x in self.inputs]

    def at(self, inputs: Sequence[Any]) -> Case:
        """The same call with other inputs."""
        case = Case(self.name, self.function, inputs, order=self.order, kinks=self.kinks, settings=self.settings)
        case.seed, case.linear, case.reference = self.seed, self.linear, self.reference
        case.thorough = self.thorough
        return case

    def one_in(self, n: int, turn: int = 0) -> bool:
        """Whether this example is one of those that what costs much is held against: each n-th, in schedule."""
        return self.thorough or (self.seed + turn) % n == 0

    @cached_property
    def wanted(self) -> list[Tensor]:
        return wanted(self.inputs)

    @cached_property
    def calls(self) -> CallRecorder:
        """The operations of the first evaluation."""
        return CallRecorder()

    @cached_property
    def results(self) -> list[Tensor]:
        """Of the first evaluation, everything."""
        with state.scope(observer=self.calls):
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
    def seeds(self) -> list[Any]:
        """A random incoming gradient for each output."""
        rng = np.random.default_rng(self._stream("seeds"))
        seeds = [self.random_like(y.array, rng) for y in self.outs]
        self.seeds_before = [s.copy() for s in seeds]
        return seeds

    @cached_property
    def gradients(self) -> list[Any]:
        """Of the first evaluation."""
        return pull(self.outs, self.wanted, self.seeds)

    @cached_property
    def recorded(self) -> tuple[list[Tensor], list[Tensor | None]]:
        """Incoming gradients that require grad, and the gradients with their graphs."""
        outs, seeds = that_require_grad(self.outputs(self.inputs), self.seeds)
        incoming = [Tensor._made(s).requires_grad_() for s in seeds]
        if not outs:
            return [], [None] * len(self.wanted)
        return incoming, list(grad(outs, self.wanted, incoming, create_graph=True, allow_unused=True))

    def evaluate_all(self) -> None:
        """Forward, backward, and, if second derivatives are asked for, backward with a graph: each once."""
        _ = self.gradients
        if self.order > 1:
            _ = self.recorded

    @cached_property
    def classes(self) -> set[type[Function]]:
        """Of the operations in the graphs of the results, of their gradients, and of the gradients of those."""
        tensors = list(self.outs)
        if self.order > 1:
            incoming, gradients = self.recorded
            once = [g for g in gradients if g is not None and g.requires_grad]
            ones = [Tensor._made(np.ones_like(g.array)).requires_grad_() for g in once]
            if once:
                twice = grad(once, [*self.wanted, *incoming], ones, create_graph=True, allow_unused=True)
                tensors += [*once, *(g for g in twice if g is not None)]
        return classes_behind(tensors)

    def random_like(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """Numbers of either sign, neither small nor large."""
        return backend.like(random_signed(rng or self.rng, x.shape), x, x.dtype)

    # Comparisons

    @cached_property
    def eps(self) -> float:
        """The rounding error of the coarsest dtype at hand."""
        kinds = [x.array.dtype for x in (*self.inputs, *self.outs) if isinstance(x, Tensor)]
        return max((float(np.finfo(kind).eps) for kind in kinds if kind.kind in "fc"), default=0.0)

    @cached_property
    def scales(self) -> tuple[list[float], list[float]]:
        """For outputs and gradients: how large what was added up is, so that times eps it is a rounding error.

        Where a small relative change of the inputs changes a result by more than its own size, that counts. What
        cancels in any case, as the gradients of a softmax do, is about as large as the incoming gradient; in values, as
        1 + tanh(x) does, up to 1.
        """
        step = max(NEARBY, 16 * self.eps)
        rng = np.random.default_rng(self._stream("scales"))
        moved = self.evaluate(self.mapped(lambda a: _nearby(a, step, rng) if a.dtype.kind in "fc" else a))
        least = min(1.0, self.largest)
        values = zip(self.outs, moved.outs, strict=True)
        outs = [least + max_abs(y.array) + max_abs(z - y.array) / step for y, z in values]
        incoming = max(map(max_abs, self.seeds), default=0.0)
        result = max(outs, default=0.0)
        gradients = []
        for x, g, h in zip(self.wanted, self.gradients, moved.gradients, strict=True):
            change = max_abs(h - g) / step if g is not None and h is not None else 0.0
            largest = max_abs(x.array)
            through = incoming * max(1.0, result / largest if largest else 0.0)
            gradients.append((0.0 if g is None else max_abs(g)) + change + through)
        return outs, gradients

    @cached_property
    def largest(self) -> float:
        """The largest magnitude in a floating-point input."""
        return max((max_abs(x) for x in self.before if backend.is_array(x) and x.dtype.kind in "fc"), default=0.0)

    def agrees(self, found: Evaluation, how: str, eps: float | None = None) -> None:
        """Raise AssertionError unless an evaluation is that of this case, up to rounding."""
        unit = ROUNDINGS * (self.eps if eps is None else eps)
        for k, (y, z) in enumerate(zip(self.outs, found.outs, strict=True)):
            assert_agree(z, y.array, partial(self.output_tolerance, k, unit), f"{how}: output {k}")
        self.same_gradients(found.gradients, self.gradients, f"{how}: the gradient of", unit)

    def same_gradients(
        self, found: Sequence[Any], expected: Sequence[Any], what: str, unit: float | None = None
    ) -> None:
        """The same of all inputs."""
        for i, (g, h) in enumerate(zip(found, expected, strict=True)):
            self.same_gradient(i, g, h, what, unit)

    def same_gradient(self, i: int, found: Any, expected: Any, what: str, unit: float | None = None) -> None:
        """Raise AssertionError unless two gradients of input i are the same, up to rounding; said after `what`."""
        if found is None and expected is None:
            return
        what = f"{what} {self.input_name(i)}"
        if found is None or expected is None:
            raise AssertionError(f"{what} is {'missing' if found is None else 'there, but was not before'}")
        assert_agree(found, expected, partial(self.gradient_tolerance, i, unit), what)

    def output_tolerance(self, k: int, unit: float | None = None) -> float:
        return (ROUNDINGS * self.eps if unit is None else unit) * self.scales[0][k]

    def gradient_tolerance(self, i: int, unit: float | None = None) -> float:
        return (ROUNDINGS * self.eps if unit is None else unit) * self.scales[1][i]

    def place(self, i: int) -> int:
        """Where a wanted input stands among the arguments."""
        return next(j for j, y in enumerate(self.inputs) if y is self.wanted[i])

    def input_name(self, i: int) -> str:
        """Of a wanted input: where it stands among the arguments, and its shape."""
        return f"input {self.place(i)} {tuple(self.wanted[i].shape)}"


class CallRecorder(state.Observer):
    """Observes which operations are called: each with its inputs and its result."""

    def __init__(self) -> None:
        self.seen: list[tuple[Function, tuple[Any, ...], Any]] = []

    def forward(self, node: Function, inputs: tuple[Any, ...], out: Any) -> None:
        self.seen.append((node, inputs, out))

    def constants(self, dtype: Any) -> bool:
        """Whether an operation was called with an array or a Tensor of a dtype that no operation made."""
        made = {id(y) for _, _, out in self.seen for y in (out if isinstance(out, tuple) else (out,))}
        return any(
            hasattr(x, "dtype") and getattr(x, "array", x).dtype == dtype and id(x) not in made  # None == float64, too
            for _, inputs, _ in self.seen
            for x in inputs
        )


def _nearby(a: Any, step: float, rng: np.random.Generator) -> Any:
    """Each element moved by a share of itself. The axes keep their order in memory, which random draws follow."""
    factors = backend.like(1 + step * random_signed(rng, a.shape), a)
    return np.multiply(a, factors, out=np.empty_like(a), casting="same_kind")


def pull(outs: Sequence[Tensor], inputs: Sequence[Tensor], seeds: Sequence[Any]) -> list[Any]:
    """Bare gradients by a backward pass, after which the graph is still there."""
    outs, seeds = that_require_grad(outs, seeds)
    return gradients(outs, inputs, seeds) if outs and inputs else [None] * len(inputs)


def that_require_grad(outs: Sequence[Tensor], seeds: Sequence[Any]) -> tuple[list[Tensor], list[Any]]:
    """Outputs on the graph, with their incoming gradients."""
    chosen = [(y, s) for y, s in zip(outs, seeds, strict=True) if y.requires_grad]
    return [y for y, _ in chosen], [s for _, s in chosen]


def classes_behind(tensors: Sequence[Tensor]) -> set[type[Function]]:
    """The classes of the operations in the graphs of some Tensors. Every autograd.Function counts as one class."""
    classes = {CustomNode if isinstance(node, CustomNode) else type(node) for node in nodes_behind(tensors)}
    return classes - {Leaf, Output}
