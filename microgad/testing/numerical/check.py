"""Check: the function, inputs and options of one run of check_grads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import backend
from ...errors import ArgumentError
from ...function import Function
from ...function.plan import argument
from ...generator import default_generator
from ...ops.support.bare import bare, tensors_in
from ...tensor import Tensor
from ...type_aliases import Array
from ..adapters import unwrap
from ..calls import BACKWARD_DRAWS, GradcheckError, floating, gradients, input_names, random_signed, slices
from ..complex_as_real import ComplexAsReal
from .estimates import step_unit

SCALES = (1.0, 0.3, 0.11)  # factors of the step sizes: a derivative counts as wrong only if it is wrong with each


class Check:
    """The function and arguments under test, the options of check_grads, and random numbers for projections."""

    def __init__(
        self, name: str, call: ComplexAsReal, tensors: list[Tensor], kinks: str, full: bool, modes: Sequence[str]
    ) -> None:
        self.name, self.call, self.args, self.tensors = name, call, call.args, tensors
        self.kinks, self.full, self.modes = kinks, full, modes
        self.unwrapped = unwrap(call.function)
        self.names = input_names(self.args, tensors, self._argument_names())
        self.rng = np.random.default_rng(0)

    def _argument_names(self) -> Sequence[str]:
        """Return the names of the last arguments: a module's parameters, or all inputs of a Function."""
        target = self.unwrapped.target
        if isinstance(target, type) and issubclass(target, Function):
            bound = len(self.unwrapped.args)
            return [argument(target, bound + i) for i in range(len(self.args))]
        return getattr(self.call.function, "names", ())

    def outputs(self) -> list[Tensor]:
        """Call the function and return the outputs that have a derivative. Raise ArgumentError if there is none."""
        returned = self.call(*self.args)
        found = floating(returned)
        if not found:
            kinds = [str(y.dtype) for y in tensors_in(returned)] or [type(returned).__name__]
            raise ArgumentError(
                f"{self.name} returned {', '.join(kinds)}, which has no derivative: expected floating-point Tensors"
            )
        return found

    def call_arguments(self) -> tuple[Array, ...]:
        """Return the function's arguments at the current inputs, with arrays in place of Tensors."""
        return tuple(map(bare, self.call.complex_args(self.args)))

    def direction(self, t: Tensor) -> Array:
        """Draw a direction in which to move a Tensor, in proportion to its elements' sizes."""
        x = t.array
        return step_unit(x) * backend.like(self.weights(x.size).reshape(x.shape), x)

    def weights(self, size: int) -> Array:
        """Draw random factors, none of which is near zero."""
        return random_signed(self.rng, size)

    def vjp(self, outputs: list[Tensor], tensors: list[Tensor], u: Array) -> list[Array | None]:
        """Return the gradients of u · outputs. Set u to zero, in place, for outputs off the graph."""
        chosen = [(y, at) for y, at in zip(outputs, slices(outputs), strict=True) if y.requires_grad]
        for y, at in zip(outputs, slices(outputs), strict=True):
            if not y.requires_grad:
                u[at] = 0  # so that the numerical side skips it as well
        seeds = [backend.like(u[at].reshape(tuple(y.shape)), y.array, y.array.dtype) for y, at in chosen]
        drawn = default_generator.snapshot()
        found = gradients([y for y, _ in chosen], tensors, seeds)
        if (default_generator.snapshot() != drawn).any():
            raise GradcheckError(f"{self.name}: {BACKWARD_DRAWS}")
        return found
