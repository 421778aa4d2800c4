"""ModuleCase: one example of a module's call, whose parameters are additional inputs."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ...nn import Module
from ...tensor import Tensor
from ..adapters import unwrap
from ..calls import floating
from .case import Case
from .functional_module import FunctionalModule


class ModuleCase(Case):
    """A float64 module in training or evaluation mode, the inputs of one call, and the properties declared of it."""

    function: FunctionalModule
    may_hold_constants = False  # parameters and buffers have the inputs' dtype
    independent: str | None = None
    causal: int | None = None
    permutation_equivariant: int | None = None

    def __init__(
        self, name: str, module: Module, inputs: Sequence[Any], training: bool, order: int, kinks: str
    ) -> None:
        self.module, self.training, self.given = module, training, tuple(inputs)
        parameters = [Tensor._wrap(p.array).requires_grad_(p.requires_grad) for p in module.parameters()]
        mode = "training" if training else "evaluation"
        function = FunctionalModule(module, training)
        super().__init__(f"{name} in {mode}", function, (*inputs, *parameters), order=order, kinks=kinks)

    def __repr__(self) -> str:
        return f"{self.name}: {self.module!r}{self.given!r}"

    def as_code(self, law: str) -> str:
        """Return code that checks a law on these inputs again, with a new module if its class takes no arguments."""
        cls, declared = type(self.module), ("independent", "causal", "permutation_equivariant")
        try:
            inspect.signature(cls).bind()
            name = cls.__name__
        except TypeError:
            name = repr(self.module)
        options = {setting: getattr(self, setting) for setting in declared if getattr(self, setting) is not None}
        return self._as_code("check_module", law, name, unwrap(cls), len(self.given), options)

    def constants(self) -> list[str]:
        """Return the names of the parameters that don't require grad: all floating-point inputs do."""
        return [name for name, p in self.module.named_parameters() if not p.requires_grad]

    def input_name(self, i: int) -> str:
        """Return the parameter's name, or the input's position, with its shape."""
        place = self.place(i) - len(self.given)
        return super().input_name(i) if place < 0 else f"{self.function.names[place]} {tuple(self.wanted[i].shape)}"

    @cached_property
    def batch_statistics(self) -> bool:
        """Whether the call changes buffers, as batch norm does in training: then rows depend on each other."""
        self.call(self.inputs)
        return self.function.changed_buffers

    def run(self, module: Module) -> list[Tensor]:
        """Call a module itself, with its own parameters, and return its floating-point outputs."""
        self.start_draws()
        return floating(module(*self.given))
