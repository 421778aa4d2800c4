"""FunctionalModule: a module as a pure function of its inputs and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ... import backend
from ...nn import Module
from ...pytree import tree_leaves, tree_map
from ...tensor import Tensor


class FunctionalModule:
    """A function of the module's inputs, followed by its parameters. The module keeps its own parameters and buffers.

    Each call sets the module's mode, and starts from copies of the buffers in the arguments' dtype, on their device.
    """

    def __init__(self, module: Module, training: bool) -> None:
        self.module, self.training = module, training
        self.names, self.parameters = list(dict(module.named_parameters())), list(module.parameters())
        self.changed_buffers = False  # in the last call
        own = set(map(id, self.parameters))
        self.attributes = [  # that hold parameters as well, such as a list of weights
            (vars(part), name, value)
            for part in module.modules()
            for name, value in vars(part).items()
            if name not in ("_parameters", "_buffers", "_modules") and own.intersection(map(id, tree_leaves(value)))
        ]

    def __repr__(self) -> str:
        return f"{type(self.module).__name__} of its inputs and parameters"

    def __call__(self, *args: Any) -> Any:
        n = len(args) - len(self.parameters)
        replacements = {id(p): other for p, other in zip(self.parameters, args[n:], strict=True)}
        with self._replaced(replacements | self._buffers(args)):
            return self.module.train(self.training)(*args[:n])

    def _buffers(self, args: Sequence[Any]) -> dict[int, Tensor]:
        """Return copies of the buffers, by the id of the original."""
        floating = [x.array for x in args if isinstance(x, Tensor) and x.array.dtype.kind == "f"]
        kind = np.result_type(*(a.dtype for a in floating)) if floating else np.dtype(np.float64)
        where = backend.device_of(floating[0]) if floating else None
        copies = {}
        for b in self.module.buffers():
            copy = b.array.astype(kind if b.array.dtype.kind == "f" else b.array.dtype)
            copies[id(b)] = Tensor._wrap(backend.to_device(copy, where))
        return copies

    @contextmanager
    def _replaced(self, replacements: dict[int, Tensor]) -> Iterator[None]:
        """Context in which the module has other Tensors as parameters and buffers."""
        registers: list[dict[str, Any]] = []
        for module in self.module.modules():
            registers += [module._parameters, module._buffers]
        saved = [dict(register) for register in registers]
        for register in registers:
            register.update({name: replacements.get(id(x), x) for name, x in register.items()})
        for register, name, value in self.attributes:
            register[name] = tree_map(lambda x: replacements.get(id(x), x), value)
        before = self._state()
        try:
            yield
            self.changed_buffers = self._state() != before
        finally:
            for register, content in zip(registers, saved, strict=True):
                register.clear()
                register.update(content)
            for register, name, value in self.attributes:
                register[name] = value

    def _state(self) -> list[bytes]:
        return [backend.to_numpy(b.array).tobytes() for b in self.module.buffers()]
