"""The list of a recurrent layer's weights, which programs also read, write into and assign."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from ...parameter import Parameter
from ...tensor import Tensor
from .module import Module


class FlatWeights(Module):
    """Base class of layers with weights in PyTorch's list `_flat_weights`. `_all_weights` has their names."""

    _all_weights: list[list[str]]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters, a list for each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights_names(self) -> list[str]:
        return [name for names in self._all_weights for name in names]

    @property
    def _flat_weights(self) -> list[Any]:
        """The weights in a list that programs write into, until a parameter is another object: see `_weights`."""
        self._flat_weights = weights = self._weights()
        return weights

    @_flat_weights.setter
    def _flat_weights(self, weights: list[Any]) -> None:
        if "parametrizations" not in self._modules:  # where they are new objects at each call
            known = self.__dict__["_kept_weights"][1] if "_kept_weights" in self.__dict__ else self._present_weights()
            self.__dict__["_kept_weights"] = weights, known

    def _weights(self) -> list[Any]:
        """Return the weights of this call: the list that a program has, unless a parameter was replaced since."""
        if "parametrizations" in self._modules:
            return self._evaluated_weights()
        if "_kept_weights" in self.__dict__:
            weights, known = self.__dict__["_kept_weights"]
            pairs = zip(self._present_weights(), known, strict=True)
            if all(new is old or new is None or old is None for new, old in pairs):
                return weights
            del self.__dict__["_kept_weights"]
        return [getattr(self, name) for name in self._flat_weights_names]

    def _present_weights(self) -> list[Any]:
        return [getattr(self, name, None) for name in self._flat_weights_names]

    def _evaluated_weights(self) -> list[Any]:
        """Read weights as often as PyTorch does: at each read, a parametrization may draw, or do a power iteration."""
        any(self._read(name) and name in self.parametrizations for name in self._flat_weights_names)
        return [self._read(name)[1] for name in self._flat_weights_names]  # of which it now knows that one has changed

    def _read(self, name: str) -> tuple[Any, Any]:
        return getattr(self, name), getattr(self, name)  # in PyTorch: hasattr and getattr

    def _first_weight(self) -> Any:
        """A Tensor with the dtype of the weights, which doesn't evaluate a parametrization."""
        weight = self._parameters.get(name := self._all_weights[0][0])
        if weight is None and "parametrizations" in self._modules and name in self.parametrizations:
            return self.parametrizations[name].originals[0]
        return self._flat_weights[0] if weight is None else weight

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        self.__dict__.pop("_kept_weights", None)
        if "parametrizations" in self._modules:
            list(map(self._read, self._flat_weights_names))
        return self

    def __delattr__(self, name: str) -> None:
        if name in self._flat_weights_names and "parametrizations" not in self._modules:
            self._flat_weights  # noqa: B018  # which keeps the weight in use
        super().__delattr__(name)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_kept_weights"}
