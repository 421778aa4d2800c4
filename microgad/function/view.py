"""View: a linear map whose result shares memory with its input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from numpy import ndarray

from .. import function
from ..errors import FROM_FORWARD
from ..state import current, inference
from ..state.links import NO_LINKS
from . import numbers, rules
from .linear_map import LinearMap

_new = object.__new__


class View(LinearMap):
    """A LinearMap whose result is a view of x where it can be one. Its settings are Python's numbers, or tuples.

    Programs make views by the thousands, of single rows and elements, and NumPy makes one in a tenth of a microsecond.
    """

    may_share = may_hold_arrays = True
    joined: ClassVar[Callable[..., Any]]  # (of a class alone) the settings of one step for two in a row, or None

    @classmethod
    def apply(cls, x: Any, **settings: Any) -> Any:
        """As Function's, without what a view of a NumPy array doesn't need: x[3] takes two thirds of the time."""
        array, node, state = getattr(x, "array", None), getattr(x, "fresh_node", x), current()
        if type(array) is not ndarray or node is x or state.observer is not None or state.fine is not None:
            return super().apply(x, **settings)  # `fresh_node` is not set on a view from before a write to its base
        self = cls()
        settings["x_shape"] = array.shape
        self.__dict__ = settings
        try:
            out = self.forward(array)
        except FROM_FORWARD:
            return super().apply(x, **settings)  # which says what is wrong
        if type(out) is not ndarray:
            out = rules.as_result(self, out, (x,))
        result = _new(function.Tensor)
        result.array, result.fresh_node, result._version_counter, result._links = out, None, None, NO_LINKS
        if node is not None and state.grad_enabled:
            self.plan = cls.plans.get(1) or cls._plan(1, 1, out, (array,))  # type: ignore[assignment]
            result.fresh_node, self.edges, self.number = self, [node], next(numbers)
            self.shape, self.dtype, self.path, self.hooks = out.shape, out.dtype, state.path, None
            self.kept = self.versions = ()
        elif inference.inferences:
            result._version_counter = inference.fresh()
        if out.base is not None or out is array:
            result._view_of(x, self)
        return result
