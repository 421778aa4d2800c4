"""ModuleCase: one example of a module's call. Its parameters are inputs like the others, and come after them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ...nn import Module
from ...tensor import Tensor
from ..calls import floating
from .case import Case
from .functional_module import FunctionalModule


class ModuleCase(Case):
    """A module, in float64, in one of its modes, with inputs of one call, and what is declared of it."""

    function: FunctionalModule
    independent: str | None = None
    causal: int | None = None
    permutation_equivariant: int | None = None

    def __init__(
        self, name: str, module: Module, inputs: Sequence[Any], training: bool, order: int, kinks: str
    ) -> None:
        self.module, self.training, self.given = module, training, tuple(inputs)
        parameters = [Tensor._made(p.array).requires_grad_(p.requires_grad) for p in module.parameters()]
        mode = "training" if training else "evaluation"
        function = FunctionalModule(module, training)
        super().__init__(f"{name} in {mode}", function, (*inputs, *parameters), order=order, kinks=kinks)

    def __repr__(self) -> str:
        return f"{self.name}: {self.module!r}{self.given!r}"

    def input_name(self, i: int) -> str:
        """Of what is wanted: the parameter's name, or where the input stands; and its shape."""
        place = self.place(i) - len(self.given)
        return super().input_name(i) if place < 0 else f"{self.function.names[place]} {tuple(self.wanted[i].shape)}"

    @cached_property
    def batch_statistics(self) -> bool:
        """Whether the call moves buffers, as batch norm does in training: then rows depend on each other."""
        self.call(self.inputs)
        return self.function.moved

    def run(self, module: Module) -> list[Tensor]:
        """A call of a module itself, which is as it is: floating-point outputs."""
        self.start_draws()
        return floating(module(*self.given))
