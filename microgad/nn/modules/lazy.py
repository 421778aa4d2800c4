"""LazyModuleMixin: modules that infer the shapes of their parameters from the first input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import GraphError
from ..parameter import is_lazy
from .module import Module


class LazyModuleMixin(Module):
    """A module whose parameters get their shapes in the first call, by `initialize_parameters(*args)`.

    That method materializes the UninitializedParameters and UninitializedBuffers. Afterwards the module's class becomes
    `cls_to_become`, unless that is None. Source: torch.nn.modules.lazy.LazyModuleMixin.

    >>> layer = nn.LazyLinear(3)
    >>> layer.weight
    <UninitializedParameter>
    >>> layer(torch.zeros(1, 2)).shape, type(layer).__name__
    (torch.Size([1, 3]), 'Linear')
    """

    cls_to_become: type[Module] | None = None

    if not TYPE_CHECKING:  # its result has the type that Module says

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            become = self.cls_to_become
            if become is not None or self.has_uninitialized_params():
                self.initialize_parameters(*args, **kwargs)
                if self.has_uninitialized_params():
                    raise GraphError(f"module {self._get_name()} has not been fully initialized")
                if become is not None:
                    self.__class__ = become
                    return self(*args, **kwargs)
            return super().__call__(*args, **kwargs)

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Materialize the parameters for the arguments that `forward` is about to get. Subclasses define this."""
        raise NotImplementedError(f"initialize_parameters is not implemented for {self._get_name()}")

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this module itself has no shape yet."""
        return any(map(is_lazy, (*self._parameters.values(), *self._buffers.values())))
