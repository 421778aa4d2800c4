"""Turn NumPy functions with a handwritten derivative into functions on Tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ... import backend
from ...errors import DtypeError, FunctionError, GraphError, ShapeError, place
from ...errors.wording import plural
from ...ops.support.bare import bare
from ...pytree import tree_leaves
from ...tensor import Tensor
from ..calls import max_abs
from .foreign import Arguments, arrays_of, as_tuple, is_input, named_after, node_class, packed, unpacked


def numpy_function(f: Callable[..., Any], vjp: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a function on arrays and its derivative `vjp(grad, *args)` into a function on Tensors: see `adapt`.

    >>> double = numpy_function(lambda x: 2 * x, lambda grad, x: 2 * grad)
    >>> double(torch.ones(2, requires_grad=True))
    tensor([2., 2.], grad_fn=<<lambda>Backward>)
    """
    cls = node_class(f, _OfNumPy, function=staticmethod(f), vjp=staticmethod(vjp))

    def called(*args: Any, **settings: Any) -> Any:
        return unpacked(cls.apply(*arrays_of(args, settings), arguments=Arguments(args, settings)))

    return named_after(f, called, "vjp")


class _OfNumPy:
    """Forward and derivative of the Functions that `numpy_function` makes."""

    function: ClassVar[Callable[..., Any]]
    vjp: ClassVar[Callable[..., Any]]
    arguments: Arguments
    needs: tuple[bool, ...]
    path: str

    def forward(self, *inputs: Any) -> Any:
        args, settings = self.arguments.filled(inputs)
        found = self.function(*args, **settings)
        results = tuple(backend.as_array(y).copy() for y in tree_leaves(found))  # copied, since one may be an input
        if not results or any(y.dtype.kind not in "biufc" for y in results):
            raise DtypeError(f"it returned {found!r}, expected an array or several")
        if not any(map(_is_floating, results)) and any(map(_is_floating, inputs)):
            raise DtypeError(f"it returned {results[0].dtype}, but only floating-point results have a derivative")
        return packed(results)

    def grad_inputs(self, grad: Any, *inputs: Any) -> list[Any]:
        """Call the vjp. With Tensors it also runs on their arrays, and the recorded gradients have to be the same."""
        grads = as_tuple(grad)
        plain = self._call_vjp(tuple(map(bare, grads)), tuple(map(bare, inputs)))
        if not isinstance(grads[0], Tensor):
            return plain
        try:
            recorded = self._call_vjp(grads, inputs)
        except Exception as error:  # the vjp can't run on Tensors
            raise self._only_once(f"raised {type(error).__name__} on Tensors: {error}") from error
        for i, (g, expected) in enumerate(zip(recorded, plain, strict=True)):
            if (g is None) != (expected is None) or (g is not None and not _same(bare(g), expected)):
                raise self._only_once("gives other values on Tensors, where some methods aren't NumPy's")
            if g is not None and not isinstance(g, Tensor):
                if g.any():
                    raise self._only_once(f"takes the gradient of array {i} off the graph")
                recorded[i] = Tensor._wrap(g)  # zeros need no graph
        return recorded

    def _call_vjp(self, grads: tuple[Any, ...], inputs: tuple[Any, ...]) -> list[Any]:
        """Call the vjp, and return a checked gradient for each input that needs one."""
        args, settings = self.arguments.filled(inputs)
        try:
            found = self.vjp(unpacked(grads), *args, **settings)
        except TypeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is None:  # not from inside the vjp
                called = ", ".join(["grad", *(f"args[{i}]" for i in range(len(args))), *settings])
                raise FunctionError(f"{self._name}: its vjp is called as vjp({called}), but {error}") from error
            raise
        gradients = list(found) if isinstance(found, (tuple, list)) else [found]
        if len(gradients) == len(args) != len(inputs):
            gradients = [g for g, x in zip(gradients, args, strict=True) if is_input(x)]
        if len(gradients) != len(inputs):
            counts = f"{plural(len(gradients), 'gradient')} for {plural(len(inputs), 'array')}"
            raise ShapeError(f"{self._name}: its vjp returned {counts}")
        return [self._checked(i, g, inputs[i]) if self.needs[i] else None for i, g in enumerate(gradients)]

    def _checked(self, i: int, g: Any, x: Any) -> Any:
        if g is None:
            return None
        if not isinstance(g, Tensor):
            g = backend.as_array(g)
        array = bare(g)
        if array.shape != bare(x).shape:
            raise ShapeError(
                f"{self._name}: its vjp returned a gradient of shape {array.shape} for array {i}, whose shape is "
                f"{bare(x).shape}. Sum it over the axes along which the array was broadcast"
            )
        if not _is_floating(array):
            raise DtypeError(f"{self._name}: its vjp returned {array.dtype} for array {i}, expected a float")
        return g

    def _only_once(self, why: str) -> GraphError:
        return GraphError(
            f"{self._name}: there is no second derivative, because its vjp {why}. Write it out of place, in operators "
            "and np. functions, or check the first derivative alone (order=1)"
        )

    @property
    def _name(self) -> str:
        return place(type(self).__name__, self.path)


def _is_floating(x: Any) -> bool:
    return x.dtype.kind in "fc"


def _same(x: Any, y: Any) -> bool:
    """Whether two results agree up to half of the digits of the one with fewer: in float32 only one may be float64."""
    tolerance = float(np.sqrt(max(np.finfo(x.dtype).eps, np.finfo(y.dtype).eps)))
    return bool(np.allclose(x, y, tolerance, tolerance * max_abs(y), equal_nan=True))
