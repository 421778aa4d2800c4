"""check_grads: derivatives of any order against numerical ones, with tolerances that the estimates' errors give."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import backend, engine
from ..errors import ArgumentError
from ..tensor import Tensor
from .adapters import adapt, name_of
from .calls import GradcheckError, SameDraws, flat, floating, gradients, numbered, sequence, slices, wanted
from .elsewhere import away, in_float64
from .estimates import Estimate, unit
from .finding import Finding
from .level import Level
from .projection import ROUNDING, SAFETY, project
from .report import describe, operations

KINKS = ("move", "accept", "reject", "fail")
MODES = ("rev", "fwd")
SCALES = (1.0, 0.3, 0.11)  # steps of another size for another try: a derivative is wrong if it is in all of them
MOVES = 5  # tries to get away from kinks


def check_grads(
    f: Any,
    args: Any,
    order: int = 1,
    modes: Sequence[str] = ("rev",),
    *,
    kinks: str = "move",
    full: bool = True,
    vjp: Callable[..., Any] | None = None,
) -> None:
    """Hold the derivatives of `f(*args)`, up to those of `order`, against numerical ones.

    `f` is a function on Tensors, a Function, a Module, or a NumPy function whose derivative is `vjp(grad, *args)`: see
    `adapt`. Every Tensor that requires grad is checked. Numerical derivatives come with an estimate of their error, and
    so there is no tolerance to choose. With `full` every entry is compared, else a random projection for each input,
    which takes a pass or two whatever the sizes. Modes are "rev", the backward pass, and "fwd", the derivative along a
    direction by a backward pass through the backward pass. The default generator is put back before each evaluation,
    so that random operations can be checked as they are. Of float32 inputs the gradients are held against those of
    the same call in float64, and these against numerical ones.

    `kinks` says what is done where the one-sided derivatives differ: "move" leaves those entries out and checks again
    a little further on; "accept" takes whatever lies between the two; "reject" gives the example up (hypothesis draws
    another); "fail" is an error. Values that are equal stay equal in one more check, along which there is no kink, so
    that what is wrong only at ties is found.

    Raises GradcheckError, whose `finding` has the worst input's derivatives as data, and ValueError where no input
    requires grad or an option isn't one of those named.

    >>> x = torch.tensor([0.5, -1.0, 0.0], dtype=torch.float64, requires_grad=True)
    >>> check_grads(torch.relu, [x], order=2)
    >>> check_grads(lambda x: x * x.detach(), [x])
    Traceback (most recent call last):
    microgad.testing.calls.GradcheckError: <lambda>: the derivative of output 0 (3,) with respect to input 0 (3,) is wrong in 2 of 9 entries. ...
    """  # noqa: E501
    if kinks not in KINKS:
        raise ArgumentError(f"check_grads: kinks must be one of {', '.join(KINKS)}, got {kinks!r}")
    if not modes or any(mode not in MODES for mode in modes):
        raise ArgumentError(f"check_grads: modes must be of {', '.join(MODES)}, got {modes!r}")
    if order < 1:
        raise ArgumentError(f"check_grads: order must be at least 1, got {order}")
    call, args = adapt(f, vjp), sequence(args)
    tensors = wanted("check_grads", args)
    check = Check(name_of(f), call, args, tensors, kinks, full, modes)
    with SameDraws() as draws, np.errstate(all="ignore"):
        if any(t.array.dtype != np.float64 for t in tensors):
            check.float32_agrees(draws)
        with in_float64(args):
            check.up_to(order, draws)


class Check:
    """One run of check_grads."""

    def __init__(
        self,
        name: str,
        call: Callable[..., Any],
        args: list[Any],
        tensors: list[Tensor],
        kinks: str,
        full: bool,
        modes: Sequence[str],
    ) -> None:
        self.name, self.call, self.args, self.tensors = name, call, args, tensors
        self.kinks, self.full, self.modes = kinks, full, modes
        self.rng = np.random.default_rng(0)

    def outputs(self) -> list[Tensor]:
        return floating(self.call(*self.args))

    def up_to(self, order: int, draws: SameDraws) -> None:
        """Check each order, at the inputs, and where there were kinks a little away from them."""
        before = [t.array.copy() for t in self.tensors]
        kinked = self.here(order, draws)
        for t, old, name in zip(self.tensors, before, numbered(self.args, self.tensors), strict=True):
            if not np.array_equal(backend.to_numpy(t.array), backend.to_numpy(old), equal_nan=True):
                raise GradcheckError(f"{self.name}: the call, or its backward, changed {name} in place")
        for _ in range(MOVES if kinked and self.kinks == "move" else 0):
            with away(self.tensors, self.rng):
                if not self.here(order, draws):
                    return

    def here(self, order: int, draws: SameDraws) -> bool:
        """Check each order where the inputs are; gives whether there was a kink."""
        first = self.outputs()
        draws.made()
        level: Level | None = Level(
            1, self.outputs, self.outputs, self.tensors, numbered(self.args, self.tensors), draws
        )
        assert level is not None
        if not np.allclose(level.values(), flat(first), 1e-9, 0, equal_nan=True):
            raise GradcheckError(
                f"{self.name} gives other values when it is called again, so it has no numerical derivative. Draw from "
                "the default generator, which is put back before each call, or make the draw an input"
            )
        kinked = False
        while level is not None:
            kinked |= self.level(level)
            level = level.derivative(self.tensors, self.rng) if level.order < order else None
        return kinked

    def level(self, level: Level) -> bool:
        outputs = level.recorded()
        some = any(y.requires_grad for y in outputs)
        if level.order > 1 and not some:
            return False
        values = flat(outputs)
        kinked = self.entries(level, outputs) if self.full or not some else self.projections(level, outputs, values)
        if kinked and self.kinks == "reject":
            give_up(self.name)
        if kinked and self.kinks == "fail":
            raise GradcheckError(f"{self.name} sits on a kink: there its one-sided derivatives differ")
        if some:
            self.ties(level, outputs, values)
            if "fwd" in self.modes:
                self.forward(level, outputs)
        return kinked

    def projections(self, level: Level, outputs: list[Tensor], values: Any) -> bool:
        """For random u and v, u · (J v) by differences against (Jᵀ u) · v by a backward pass, for each input."""
        kinked, suspects = False, list(range(len(level.tensors)))
        for scale in SCALES:
            directions = [self.direction(t) for t in level.tensors]
            estimates = {i: level.along(level.only(i, directions[i]), scale) for i in suspects}
            usable = np.isfinite(values)
            for found in estimates.values():
                kinked |= bool(found.kinked.any())
                usable &= ~found.kinked & np.isfinite(found.error)
            u = np.where(usable, self.weights(values.size), 0.0)
            grads = self.pulled(outputs, level.tensors, u)
            suspects = [
                i
                for i in suspects
                if not project(u, estimates[i], [directions[i]], [grads[i]], bool(usable.all())).agrees
            ]
            if not suspects:
                return kinked
        if self.entries(level, outputs, suspects):  # says more, where something is wrong
            return True
        raise GradcheckError(
            f"{self.name}: a random projection of the {_derivative(level.order)} with respect to "
            f"{level.names[suspects[0]]} is wrong, although no entry by itself is outside of its tolerance"
        )

    def entries(self, level: Level, outputs: list[Tensor], inputs: Sequence[int] | None = None) -> bool:
        """Every entry of every Jacobian; gives whether some can't be known, at a kink or out of reach.

        Outputs off the graph are left out, unless all of them are.
        """
        some, unknown, wrong = any(y.requires_grad for y in outputs), False, []
        for i in range(len(level.tensors)) if inputs is None else inputs:
            rows = self.rows(level, i, SCALES[0])
            unknown |= bool(rows.kinked.any())
            for k, at in enumerate(slices(outputs)):
                if outputs[k].requires_grad or not some:
                    finding = self.finding(level, outputs, k, i, _part(rows, at))
                    for scale in SCALES[1:]:
                        if finding.excess().any():  # wrong is what is wrong in each of the tries
                            again = self.finding(level, outputs, k, i, _part(self.rows(level, i, scale), at))
                            finding = replace(finding, error=np.where(again.excess() == 0, np.inf, finding.error))
                    if finding.excess().any():
                        if self.out_of_reach(level, outputs, at, finding):
                            unknown = True
                        else:
                            wrong.append(finding)
        if wrong:
            worst = max(wrong, key=lambda finding: float(finding.excess().max()))
            error = GradcheckError(describe(worst))
            error.finding = worst
            raise error
        return unknown

    def rows(self, level: Level, i: int, scale: float) -> Estimate:
        """(x.size, m) each: the derivatives of all results by each element of input i."""
        x = level.tensors[i].array
        sizes, rows = backend.to_numpy(unit(x)).reshape(-1), []
        for j, size in enumerate(sizes):
            direction = np.zeros_like(x, order="C")
            direction.reshape(-1)[j] = size
            value, error, below, above, kinked = level.along(level.only(i, direction), scale)
            rows.append(Estimate(value / size, error / size, below / size, above / size, kinked))
        if not rows:
            return Estimate(*(np.zeros((0, level.values().size), kind) for kind in (float, float, float, float, bool)))
        return Estimate(*(np.stack(parts) for parts in zip(*rows, strict=True)))

    def finding(self, level: Level, outputs: list[Tensor], output: int, i: int, rows: Estimate) -> Finding:
        value, error, below, above, kinked = rows
        y, x = outputs[output], level.tensors[i]
        analytical = _jacobian(y, x)
        largest = float(np.abs(value[np.isfinite(value)]).max(initial=0.0))
        error = SAFETY * error + ROUNDING * (np.abs(value) + 1e-3 * largest)
        if self.kinks == "accept":  # whatever lies between the two sides
            with np.errstate(invalid="ignore"):
                between = np.clip(analytical, np.minimum(below, above) - error, np.maximum(below, above) + error)
            value = np.where(kinked & np.isfinite(between), between, value)
        else:
            error = np.where(kinked, np.inf, error)
        unknown = ~np.isfinite(value) | ~np.isfinite(error)
        # Where one result or derivative is infinite, 0 · inf makes NaN of the others.
        infinite = ~np.isfinite(analytical).all(1, keepdims=True) & unknown.any(1, keepdims=True)
        if infinite.any() or not np.isfinite(y.array).all():
            unknown |= ~np.isfinite(analytical) & (infinite | (not np.isfinite(y.array).all()))
        return Finding(
            self.name, level.order, output, i, tuple(level.names), tuple(x.shape), tuple(y.shape),
            value, analytical, np.where(unknown, np.inf, error), tuple(map(_bare, self.args)), operations(y),
        )  # fmt: skip

    def ties(self, level: Level, outputs: list[Tensor], values: Any) -> None:
        """Once more along a direction in which equal values stay equal, and zeros zero: there are no kinks of ties."""
        inputs = self.tensors
        sizes = np.concatenate([np.abs(backend.to_numpy(t.array)).reshape(-1) for t in inputs])
        distinct, which, counts = np.unique(sizes, return_inverse=True, return_counts=True)
        if not (counts[distinct != 0] > 1).any() or not np.isfinite(distinct).all():
            return
        for scale in SCALES:
            speed = self.weights(distinct.size)[which]
            directions: list[Any] = [None] * len(level.tensors)
            start = 0
            for i, t in enumerate(inputs):
                part = speed[start : start + t.numel()].reshape(tuple(t.shape))
                directions[i] = t.array * backend.like(part, t.array)
                start += t.numel()
            found = level.along(directions, scale)
            usable = np.isfinite(values) & ~found.kinked & np.isfinite(found.error)
            u = np.where(usable, self.weights(values.size), 0.0)
            grads = self.pulled(outputs, inputs, u)
            if project(u, found, directions[: len(inputs)], grads, bool(usable.all())).agrees:
                return
        if any(self.is_wave(level, u, i, t.array) for i, t in enumerate(inputs)):
            return
        raise GradcheckError(
            f"{self.name}: the {_derivative(level.order)} is wrong where values are equal: moved together, so that "
            "they stay equal, they change the result in another way than the derivative says"
        )

    def forward(self, level: Level, outputs: list[Tensor]) -> None:
        """The derivative along a direction, by a backward pass through the backward pass, against differences."""
        recorded = np.concatenate([np.full(y.numel(), y.requires_grad) for y in outputs])
        outputs = [y for y in outputs if y.requires_grad]
        for i, t in enumerate(level.tensors):
            seeds = [Tensor._made(np.ones_like(y.array)).requires_grad_() for y in outputs]
            (pulled,) = engine.grad(outputs, [t], seeds, create_graph=True, allow_unused=True, retain_graph=True)
            if pulled is None or not pulled.requires_grad:
                continue
            for scale in SCALES:
                v = self.direction(t)
                found = engine.grad([pulled], seeds, [Tensor._made(v)], retain_graph=True, allow_unused=True)
                pushed = flat([y * 0 if g is None else g for g, y in zip(found, outputs, strict=True)])
                expected = Estimate(*(column[recorded] for column in level.along(level.only(i, v), scale)))
                if _pushed_agrees(pushed, expected):
                    break
            else:
                raise GradcheckError(
                    f"{self.name}: forward mode gives another {_derivative(level.order)} along a direction of "
                    f"{level.names[i]} than differences: {pushed} in place of {expected.value}"
                )

    def float32_agrees(self, draws: SameDraws) -> None:
        """The gradients of float32 inputs against those of the same call in float64."""
        outputs = [y for y in self.outputs() if y.requires_grad]
        draws.made()
        if (draws.after != draws.before).any() or not outputs:
            return  # other dtypes, other draws
        seeds = [self.rng.uniform(0.5, 1, tuple(y.shape)) for y in outputs]

        def pull(outputs: list[Tensor]) -> list[Any]:
            like = [backend.like(u, y.array, y.array.dtype) for u, y in zip(seeds, outputs, strict=True)]
            return [None if g is None else backend.to_numpy(g) for g in gradients(outputs, self.tensors, like)]

        single = pull(outputs)
        with in_float64(self.args):
            double = pull([y for y in self.outputs() if y.requires_grad])
            spread = [0.0] * len(double)
            for _ in range(3):  # what the rounding of the inputs does to the gradients
                with away(self.tensors, self.rng, 2.0**-23):
                    for i, g in enumerate(pull([y for y in self.outputs() if y.requires_grad])):
                        if g is not None and g.size:
                            spread[i] = max(spread[i], float(np.abs(g - double[i]).max()))
        for name, a, b, s in zip(numbered(self.args, self.tensors), single, double, spread, strict=True):
            if a is None or b is None or not a.size:
                continue
            largest = float(np.abs(b).max())
            if not 1e-25 < largest < 1e25:
                continue  # float32 may overflow on the way
            if not float(np.abs(a - b).max()) <= 16 * s + 1e-4 * largest:
                raise GradcheckError(
                    f"{self.name}: the gradient of {name} differs by {float(np.abs(a - b).max()):.3g} between float32 "
                    f"and float64, where the largest entry is {largest:.3g}"
                )

    def out_of_reach(self, level: Level, outputs: list[Tensor], at: slice, finding: Finding) -> bool:
        """Whether differences can't show what a finding says: its input has not the size at which the results change.

        Among values of 1e20 a zero may sit where the function changes over a distance of 1: steps of that size then
        agree with the derivative. Or the function is a wave much shorter than any step.
        """
        i, wrong = finding.input, finding.excess() > 0
        x = level.tensors[i].array
        if not any(y.requires_grad for y in outputs):
            return False
        direction = self.weights(x.size).reshape(x.shape) * wrong.any(1).reshape(x.shape)
        found = level.along(level.only(i, backend.like(direction, x)))
        u = np.zeros(found.value.size)
        u[at] = self.weights(finding.analytical.shape[1]) * wrong.any(0)
        if not (found.kinked | ~np.isfinite(found.error))[u != 0].any():
            seen = project(u, found, [direction], self.pulled(outputs, [level.tensors[i]], u), True)
            if seen.agrees and seen.tolerance <= 1e-2 * abs(seen.analytical):
                return True
        return self.is_wave(level, u, i, x)

    def is_wave(self, level: Level, u: Any, i: int, direction: Any) -> bool:
        """Whether the written derivative changes beyond recognition over a millionth of its input."""
        seen = []
        for _ in range(4):
            with away(self.tensors, self.rng, 1e-6):
                (g,) = self.pulled(level.recorded(), [level.tensors[i]], u)
                seen.append(0.0 if g is None else float((g * direction).sum()))
        return bool(np.ptp(seen) > 0.5 * np.abs(seen).max())

    def direction(self, t: Tensor) -> Any:
        x = t.array
        return unit(x) * backend.like(self.weights(x.size).reshape(x.shape), x)

    def weights(self, size: int) -> Any:
        """Numbers of either sign that are neither small nor large."""
        return self.rng.uniform(0.5, 1, size) * self.rng.choice((-1.0, 1.0), size)

    def pulled(self, outputs: list[Tensor], tensors: list[Tensor], u: Any) -> list[Any]:
        """The gradients of u · outputs."""
        chosen = [(y, at) for y, at in zip(outputs, slices(outputs), strict=True) if y.requires_grad]
        for y, at in zip(outputs, slices(outputs), strict=True):
            if not y.requires_grad:
                u[at] = 0  # off the graph: left out of the numerical side as well
        seeds = [backend.like(u[at].reshape(tuple(y.shape)), y.array, y.array.dtype) for y, at in chosen]
        return gradients([y for y, _ in chosen], tensors, seeds)


def _pushed_agrees(pushed: Any, expected: Estimate) -> bool:
    value, finite = expected.value, np.isfinite(expected.value)
    tolerance = SAFETY * expected.error + ROUNDING * (np.abs(value) + np.abs(value[finite]).max(initial=0.0))
    unknown = expected.kinked | ~np.isfinite(expected.error)
    if not finite.all():
        unknown |= ~np.isfinite(pushed)
    return bool(np.all((np.abs(pushed - value) <= tolerance) | unknown))


def _jacobian(y: Tensor, x: Tensor) -> Any:
    """(x.size, y.size): a backward pass for each element of y."""
    found = np.zeros((x.numel(), y.numel()))
    for j in range(y.numel() if y.requires_grad else 0):
        seed = np.zeros_like(y.array, order="C")
        seed.reshape(-1)[j] = 1
        (g,) = gradients([y], [x], [seed])
        if g is not None:
            found[:, j] = backend.to_numpy(g).reshape(-1)
    return found


def _part(rows: Estimate, at: slice) -> Estimate:
    return Estimate(*(column[:, at] for column in rows))


def _derivative(order: int) -> str:
    return {1: "derivative", 2: "second derivative"}.get(order, f"derivative of order {order}")


def _bare(x: Any) -> Any:
    return x.array if isinstance(x, Tensor) else x


def give_up(name: str) -> None:
    """Reject the example: hypothesis draws another."""
    hypothesis = sys.modules.get("hypothesis")
    if hypothesis is not None and hypothesis.currently_in_test_context():
        hypothesis.reject()
    raise GradcheckError(f"{name} sits on a kink, and kinks='reject' needs hypothesis to draw another example")
