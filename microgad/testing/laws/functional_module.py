"""A module as a function of its inputs and its parameters, which changes nothing of the module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ... import backend
from ...nn import Module
from ...tensor import Tensor


class FunctionalModule:
    """Called with inputs and then parameters, it gives the module's results for these.

    Each call is in the same mode and begins with the same buffers: copies, where the parameters are and of their dtype.
    """

    def __init__(self, module: Module, training: bool) -> None:
        self.module, self.training = module, training
        self.names, self.parameters = list(dict(module.named_parameters())), list(module.parameters())
        self.moved = False  # whether the last call changed a buffer

    def __repr__(self) -> str:  # how messages show it
        return f"{type(self.module).__name__} of its inputs and parameters"

    def __call__(self, *args: Any) -> Any:
        n = len(args) - len(self.parameters)
        instead = {id(p): other for p, other in zip(self.parameters, args[n:], strict=True)}
        with self._standing_in(instead | self._buffers(args)):
            return self.module.train(self.training)(*args[:n])

    def _buffers(self, args: Sequence[Any]) -> dict[int, Tensor]:
        """Copies of the buffers, by the id of the one that each stands in for."""
        floating = [x.array for x in args if isinstance(x, Tensor) and x.array.dtype.kind == "f"]
        kind = np.result_type(*(a.dtype for a in floating)) if floating else np.dtype(np.float64)
        where = backend.device_of(floating[0]) if floating else None
        copies = {}
        for b in self.module.buffers():
            copy = b.array.astype(kind if b.array.dtype.kind == "f" else b.array.dtype)
            copies[id(b)] = Tensor._made(backend.to_device(copy, where))
        return copies

    @contextmanager
    def _standing_in(self, instead: dict[int, Tensor]) -> Iterator[None]:
        """Other Tensors in the module's registers, while it lasts."""
        registers: list[dict[str, Any]] = []
        for module in self.module.modules():
            registers += [module._parameters, module._buffers]
        saved = [dict(register) for register in registers]
        for register in registers:
            register.update({name: instead.get(id(x), x) for name, x in register.items()})
        before = self._state()
        try:
            yield
            self.moved = self._state() != before
        finally:
            for register, content in zip(registers, saved, strict=True):
                register.clear()
                register.update(content)

    def _state(self) -> list[bytes]:
        return [backend.to_numpy(b.array).tobytes() for b in self.module.buffers()]
