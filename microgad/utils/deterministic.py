"""torch.utils.deterministic: whether `use_deterministic_algorithms(True)` also fills the memory of `empty`."""

import sys
from types import ModuleType

from ..backend import uninitialized


class _Deterministic(ModuleType):
    @property
    def fill_uninitialized_memory(self) -> bool:
        """Whether deterministic mode fills memory that nothing has been written to. Raises RuntimeError unless bool."""
        return uninitialized.fill_memory

    @fill_uninitialized_memory.setter
    def fill_uninitialized_memory(self, mode: bool) -> None:
        if type(mode) is not bool:
            raise RuntimeError(f"fill_uninitialized_memory: expected a bool, but got {type(mode).__name__}")
        uninitialized.fill_memory = mode


sys.modules[__name__].__class__ = _Deterministic
