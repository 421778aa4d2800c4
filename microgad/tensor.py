"""Tensor: an array, the node that made it, its gradient, its views and its version counter."""

from __future__ import annotations

import importlib
import weakref
from typing import TYPE_CHECKING, Any, Self, TypeAlias, Unpack

import numpy as np

from . import backend, dtypes, errors, function, gradients, state
from .duck_arrays import check_write
from .engine import leaves, versions
from .errors import arguments
from .function import AccumulateGrad, Function, Output
from .lazy import LazyModule
from .methods import Methods
from .size import Size
from .state import inference
from .state.links import NO_LINKS, Links, own_links

if TYPE_CHECKING:
    from . import dispatch, view_writes
    from .graph import Graph
    from .graph.options import GraphOptions
    from .ops import creation
    from .type_aliases import Array, Device

    Operand: TypeAlias = "Tensor | complex | np.generic"  # what operations take beside a Tensor: numbers
else:
    dispatch, creation = LazyModule("microgad.dispatch"), LazyModule("microgad.ops.creation")
    view_writes = LazyModule("microgad.view_writes")

_new = object.__new__


class Tensor(Methods):
    """An array that remembers how it was computed. Source: torch.Tensor.

    `array` is a NumPy or CuPy array. `node` is the operation that made it, an AccumulateGrad for a leaf that requires
    grad, None where no gradient is wanted. Everything else follows PyTorch. `Tensor(2, 3)` is uninitialised; use
    `tensor(data)`.

    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__dict__", "__weakref__", "_links", "_version_counter", "array", "fresh_node")
    array: Any
    fresh_node: Any  # the node; not set on an outdated view: `node` then finds it
    _version_counter: list[Any] | None  # shared by all views of one memory; None until it is needed
    _links: Links  # to its base, views, gradient and hooks
    name: str | None = None  # a class attribute, so that it costs the Tensors that don't override it nothing

    def __new__(cls, *sizes: Any, device: Device = None) -> Self:
        return creation.legacy_new(*sizes, device=device)._of_class(cls)

    @classmethod
    def _wrap(cls, array: Array, node: Any = None, version: Any = None) -> Any:
        self = _new(cls)
        self.array = array
        self.fresh_node = node
        self._links = NO_LINKS
        self._version_counter = version or (inference.fresh() if inference.inferences else None)
        return self

    @property
    def shape(self) -> Size:
        """The sizes of the dimensions."""
        return tuple.__new__(Size, self.array.shape)  # Size's constructor would check the numbers

    @property
    def dtype(self) -> dtypes.dtype:
        """The dtype of the values."""
        return dtypes.known(self.array.dtype) or dtypes.of(self.array.dtype)

    @property
    def device(self) -> backend.device:
        """Where the array lives."""
        return backend.device_of(self.array)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self.array.ndim

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made this Tensor."""
        node = self.node
        return node is None or type(node) is AccumulateGrad or not self.requires_grad

    @property
    def grad_fn(self) -> Function | None:
        """The node of the operation that made this Tensor; None for leaves."""
        node = None if self.is_leaf else self.node
        return node.edges[0] if type(node) is Output and not hasattr(node, "torch_name") else node

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to this Tensor, or to the base of a view, as in PyTorch. It can be set on leaves.

        In forward mode it is False for what is recorded only because it depends on dual Tensors.
        """
        try:
            node = self.fresh_node
        except AttributeError:
            node = self._derive_again()
        if node is None and self._links.base is not None:  # a view made under no_grad
            return self._links.base.requires_grad and self.array.dtype.kind in "fc" and not self.is_inference()
        return node is not None and ((level := gradients.dual_level.get()) is None or level.requires_grad(self))

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        leaves.check_leaf(self)  # even to set what it is, unlike requires_grad_
        Tensor.requires_grad_(self, wanted)  # a subclass's own method may set this property

    def backward(
        self, gradient: Tensor | None = None, retain_graph: bool | None = None, create_graph: bool = False,
        inputs: Any = None,
    ) -> None:  # fmt: skip
        """Add the gradient of this Tensor to `.grad` of the leaves that it depends on: see `autograd.backward`.

        >>> x = torch.tensor(3.0, requires_grad=True)
        >>> (x * x).backward()
        >>> x.grad
        tensor(6.)
        """
        given = gradient if isinstance(gradient, (list, tuple)) else (gradient,)
        gradients.backward(self, given, retain_graph, create_graph, inputs=inputs)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set whether gradients flow to this leaf.

        Raises RuntimeError for a Tensor that an operation made and for an integer one, TypeError unless given a bool.
        """
        arguments.check_bool("requires_grad_", requires_grad=requires_grad)
        if requires_grad == (self.node is not None and self.requires_grad):
            return self
        leaves.check_leaf(self)
        if requires_grad and self.array.dtype.kind not in "fc":
            said = f"only Tensors of floating point and complex dtype can require gradients, got {self.dtype}"
            raise errors.DtypeError(said)
        self.node = (gradients.dual_level.get() or leaves).set_requires_grad(self, requires_grad)
        if requires_grad and self._links.views:
            view_writes.disconnect(view_writes.live_views(self))
        return self

    def detach(self) -> Tensor:
        """A Tensor on the same memory that is not on the graph. Writes into either are seen by both.

        >>> x = torch.tensor([1.0], requires_grad=True)
        >>> x.detach().requires_grad
        False
        """
        result = Tensor._wrap(self.array)
        result._version_counter = self._counter()
        view_writes.notify_detached(self, result)
        return result

    def detach_(self) -> Tensor:
        """Take this Tensor itself off the graph. Raises RuntimeError for a view."""
        if self._links.base is not None:
            raise errors.GraphError("can't detach views in-place: use detach()")
        view_writes.guard_views(self)
        self.node = leaves.set_requires_grad(self, False)
        self._own_links().retainer = None
        return self

    @property
    def data(self) -> Tensor:
        """A Tensor on the same memory that is not on the graph. Assigning to it replaces this Tensor's array.

        Writes through it that overwrite what was kept for backward make backward raise; PyTorch doesn't notice them.
        """
        self._stay_on_graph(".data")
        result = self.detach()
        result._links = links = Links()
        links.data_of = weakref.ref(self)
        return result

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise errors.DtypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        if type(self.node) is AccumulateGrad and value.array.dtype.kind not in "fc":
            said = "data set to a tensor that requires gradients must be floating point or complex dtype"
            raise errors.DtypeError(said)
        check_write(self)
        self.array = value.array
        if self._links.base is None:  # nothing was written to the memory that a view leaves
            self._bump(False)
            versions.keep_result(self.node, self._counter())
        if type(self.node) is AccumulateGrad:
            self.node = leaves.leaf_of_new_array(self)

    def graph(self, **options: Unpack[GraphOptions]) -> Graph:
        """The graph of how this Tensor was computed, to inspect and draw: see `microgad.graph.graph` for the options.

        >>> x = torch.tensor(2.0, requires_grad=True)
        >>> drawing = (x * x).graph()
        >>> "Mul" in drawing.source
        True
        """
        return importlib.import_module("microgad.graph").graph(self, **options)  # of a higher layer: imported here

    @property
    def node(self) -> Any:
        """The operation that made this Tensor, or a leaf's AccumulateGrad; None where no gradient is wanted.

        It is found anew for a view whose base was written to. The hot path reads `fresh_node`, which is faster.
        """
        try:
            return self.fresh_node
        except AttributeError:
            return self._derive_again()

    @node.setter
    def node(self, node: Any) -> None:
        self.fresh_node = node
        links = None if self._links.base is None else self._links.base._links
        if links and links.outdated and links.outdated.pop(id(self), None) is not None:
            links.views.append(weakref.ref(self))

    def _counter(self) -> list[Any]:
        if self._version_counter is None:
            self._version_counter = [0]
        return self._version_counter

    def _bump(self, written: bool = True) -> None:
        """Count a write to the memory, or where `written` is False that it was replaced."""
        counter = inference.bumped(self._counter())
        if versions.mirrors and written:
            view_writes.follow(self.array)
        if (self._links if self._links.base is None else self._links.base._links).data_of:
            versions.record_write(counter, self.array)

    _own_links = own_links
    _view_of, _rebind, _derive_again = view_writes.view_of, view_writes.rebind, view_writes.derive_again
    _check_writable, _check_history = view_writes.check_writable, view_writes.check_history

    def item(self) -> Any:
        """The value of a one-element Tensor as a Python number. Raises RuntimeError for any other size."""
        self._stay_on_graph("item()")
        if self.array.size != 1:
            raise errors.ShapeError(f"a Tensor with {self.array.size} elements cannot be converted to Scalar")
        return self.array.item()

    def tolist(self) -> list[Any]:
        """The values as nested lists of Python numbers."""
        self._stay_on_graph("tolist()")
        return self.array.tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """The values as a NumPy array on the same memory. Backward doesn't notice writes into it.

        Unless `force` is set, it raises RuntimeError for a Tensor that requires grad (except under no_grad), and
        TypeError for one on a GPU.
        """
        if force is not False:
            arguments.check_bool("numpy", force=force)
            return backend.to_numpy(self.array).view()
        self._stay_on_graph("numpy()")
        if self.requires_grad and state.current().grad_enabled:
            said = "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
            raise errors.GraphError(said)
        if not self.is_cpu:
            said = f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy it first"
            raise TypeError(said)
        return self.array.view()  # so that a program that sets its shape doesn't change this Tensor's

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        array = self.numpy()
        return array if dtype is None and copy is None else np.array(array, dtype, copy=copy)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
        return Tensor._wrap(np.asarray(array))

    def _stay_on_graph(self, what: str) -> None:
        """Raise RuntimeError if a derivative under create_graph takes values off the graph: its own would be wrong."""
        if self.node is not None and state.current().deriving:
            said = f"a derivative called {what} on a recorded Tensor: its own derivative would be lost"
            raise errors.GraphError(said)

    def __hash__(self) -> int:
        return id(self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return dispatch.ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return dispatch.function(func, args, kwargs)


function.register_tensor(Tensor)
