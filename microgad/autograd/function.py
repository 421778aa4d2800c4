"""torch.autograd.function: Functions in PyTorch's form, with static methods and a context that saves for backward."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from .. import backend, errors, state
from .. import function as core
from ..duck_arrays import levels
from ..engine import node_hooks, versions
from ..engine.transforms import computing_jvp
from ..errors.notices import warn
from ..errors.wording import FREED, READ_ONCE
from ..function.naming import node_name
from ..grad_fn.saved_values import SavedTensor
from ..gradients import grad
from ..lazy import LazyModule
from ..lazy import define_getattr as _define_getattr
from ..state.contexts import binding
from ..tensor import Tensor
from ..type_aliases import Array
from .function_ctx import FunctionCtx, saved_by

__all__ = ["Function", "FunctionCtx", "InplaceFunction", "once_differentiable"]

custom_function = LazyModule("microgad.batching.custom_function")


def _backward_and_vjp(ctx: FunctionCtx, *grads: Any) -> Any:
    """Raise: this is the backward of a class that defines both `backward` and `vjp`."""
    raise errors.GraphError(
        "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement one of "
        "them."
    )


class Function:
    """Base class of operations with a custom derivative: define static `forward(ctx, ...)` and `backward(ctx, *grads)`.

    `backward` receives Tensors, and returns a gradient or None for each argument of forward. Under create_graph it is
    recorded. With a static `setup_context(ctx, inputs, output)`, forward takes no ctx. Inside `torch.func.vmap` a
    static `vmap(info, in_dims, *args)`, if defined, is called once for all slices, and returns the results and their
    batch dimensions. Source: torch.autograd.Function.

    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x): return x * 2
    ...     @staticmethod
    ...     def backward(ctx, grad): return grad * 2
    >>> x = torch.tensor(1.0, requires_grad=True)
    >>> Double.apply(x).backward()
    >>> x.grad
    tensor(2.)
    """

    node_class: type[CustomNode]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "vjp" in vars(cls):  # another name of backward
            cls.backward = _backward_and_vjp if "backward" in vars(cls) else cls.vjp  # type: ignore[method-assign, attr-defined]
        cls.node_class = type(
            cls.__name__, (CustomNode,), {"function": cls, "__doc__": cls.__doc__, "__module__": cls.__module__}
        )
        cls.node_class.inputs = _input_names(cls)

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the operation."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def backward(ctx: Any, *grads: Any, **none: Any) -> Any:
        """Return the gradients of forward's arguments."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with "
            "backward mode AD."
        )

    @staticmethod
    def jvp(ctx: Any, *tangents: Any, **none: Any) -> Any:
        """Return the tangents of forward's results, given those of its arguments.

        A Function without backward is differentiated by its jvp in reverse mode as well. One without jvp is
        differentiated in forward mode by differentiating its backward.
        """
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    if TYPE_CHECKING:  # a static method, so that static methods can override it

        @staticmethod
        def vmap(*args: Any, **kwargs: Any) -> Any: ...
    else:
        vmap = None
    generate_vmap_rule: ClassVar[bool] = False  # without `vmap` a rule is always generated; beside it, it is refused
    boxed_grads_call: ClassVar[bool] = False  # whether backward is given one list of gradients, which it may empty
    clear_saved_tensors_on_access: ClassVar[bool] = False  # whether `ctx.saved_tensors` lets go of what it gives

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise errors.GraphError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd "
            "function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward, and record it if an argument requires grad."""
        if hasattr(cls, "setup_context"):
            bound = _signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        if cls.vmap is not None and levels.get():
            found = custom_function.apply_vmap_rule(cls, args, kwargs)
            if found is not NotImplemented:
                return found
        inputs = (*args, *kwargs.values())
        ctx = FunctionCtx()
        edges = [x.node if isinstance(x, Tensor) else None for x in inputs]
        ctx.needs_input_grad = tuple([  # only a view, made under no_grad, can require grad without a node
            edge is not None or (isinstance(x, Tensor) and x._links.base is not None and x.requires_grad)
            for edge, x in zip(edges, inputs, strict=True)
        ])  # fmt: skip
        observer = state.current().observer
        node: core.Function = cls.node_class()
        if observer is not None:
            observer.begin(node, inputs)
        with state.scope(grad_enabled=False, observer=observer and observer.inside(node)):
            if hasattr(cls, "setup_context"):
                out = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, out)
            else:
                out = cls.forward(ctx, *args, **kwargs)
            several = isinstance(out, tuple)
            every = _copy_returned_inputs(cls, ctx, inputs, list(out) if several else [out])
        results = [x for x in every if isinstance(x, Tensor)]
        if results and any(ctx.needs_input_grad) and state.current().grad_enabled:
            node = _record(cls, ctx, inputs, edges, every, several)
        if observer is not None and results:
            observer.forward(node, inputs, tuple(results) if several else results[0])
        return tuple(every) if several else every[0]


def _input_names(cls: type[Function]) -> tuple[str, ...]:
    """Return names of a node's inputs for errors and drawings: forward's parameters after ctx, and one for *args."""
    code = getattr(inspect.unwrap(cls.forward), "__code__", None)
    if code is None:
        return ("args",)
    named = code.co_argcount + code.co_kwonlyargcount
    rest = code.co_varnames[named] if code.co_flags & inspect.CO_VARARGS else "args"
    return (*code.co_varnames[not hasattr(cls, "setup_context") : code.co_argcount], rest)


def _record(
    cls: type[Function], ctx: FunctionCtx, inputs: tuple[Any, ...], edges: list[Any], every: list[Any], several: bool
) -> core.Function:
    """Make the node of a call, and set it as the node of the call's results."""
    ctx._num_outputs, ctx._tensor_outputs = len(every), [i for i, x in enumerate(every) if isinstance(x, Tensor)]
    ctx._constant_outputs = [i for i in ctx._tensor_outputs if id(every[i]) in ctx.non_differentiable]
    outs = [every[i] for i in ctx._tensor_outputs]
    node: Any = cls.node_class.recorded(edges, outs[0].array, ctx=ctx)
    node_hooks.calling.add(node)
    ctx._node, ctx._example = weakref.ref(node), np.empty_like(outs[0].array, shape=(0,))
    _save(ctx, node, inputs, outs)
    if several:
        node.shape, node.dtype = [x.array.shape for x in outs], [x.array.dtype for x in outs]
        node.results = {}
    for i, x in enumerate(outs):
        if id(x) not in ctx.non_differentiable and x.array.dtype.kind in "fc":
            at = node.result(i) if several else node
            if any(x is written for written in ctx.dirty):
                x._check_writable(cls.__name__, True)
                x._rebind(at)
            else:
                x.node = at
    ctx.to_save, ctx.saved_for_forward, ctx.dirty = (), None, ()  # results among these would be reference cycles
    return node


def _copy_returned_inputs(cls: type[Function], ctx: FunctionCtx, inputs: tuple[Any, ...], outs: list[Any]) -> list[Any]:
    """Return forward's outputs; an input that it returns unmodified becomes a view, so that writes to either are seen.

    Raises RuntimeError if an argument marked as dirty isn't among the outputs.
    """
    dirty = {id(t) for t in ctx.dirty}
    for t in ctx.dirty:
        t._bump()
        if all(t is not given for given in inputs):
            warn(
                "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been mutated "
                "should be passed to ctx.mark_dirty()."
            )
    if not dirty <= {id(x) for x in outs}:
        raise errors.GraphError(
            f"{cls.__name__}: Some elements marked as dirty during the forward method were not returned as output. The "
            "inputs that are modified inplace must all be outputs of the Function."
        )

    def as_output(x: Any) -> Any:
        if not isinstance(x, Tensor) or id(x) in dirty or not any(x is given for given in inputs):
            return x
        return x.detach() if id(x) in ctx.non_differentiable else x.view_as(x)

    every = [as_output(x) for x in outs]
    ctx.non_differentiable = {id(x) for x, out in zip(every, outs, strict=True) if id(out) in ctx.non_differentiable}
    return every


def _save(ctx: FunctionCtx, node: CustomNode, inputs: tuple[Any, ...], outs: list[Tensor]) -> None:
    """Keep in the node the Tensors that were saved for backward and jvp. Raises TypeError for anything else.

    Nothing is checked where nothing is recorded: a Function that saves other objects computes under no_grad, as in
    PyTorch.
    """
    for i, x in enumerate(ctx.to_save):
        if not (x is None or isinstance(x, Tensor)):
            name = type(x).__name__
            raise TypeError(f"save_for_backward can only save variables, but argument {i} is of type {name}")
    ctx._devices = [x.device if isinstance(x, Tensor) else None for x in inputs]
    saved, for_jvp = ctx.to_save, ctx.saved_for_forward or ()
    if node.function.jvp is not Function.jvp:
        floating = [isinstance(x, Tensor) and x.array.dtype.kind in "fc" for x in inputs]
        ctx._zero_tangents = [
            x.new_zeros(()).expand(x.shape) if f else None for x, f in zip(inputs, floating, strict=True)
        ]
        saved += tuple(x for x in for_jvp if all(x is not y for y in saved))
        ctx._jvp_indices = tuple(next(i for i, y in enumerate(saved) if x is y) for x in for_jvp)
    ctx._num_saved = len(ctx.to_save)
    ctx._locations = tuple(_location_of(t, outs) for t in saved)
    node.kept = [None if t is None else t.array for t in saved]
    node.versions = [x for t in saved if t is not None for x in (t._counter(), t._counter()[0])]
    ctx._modifies_inputs = bool(ctx.dirty)


_signature = functools.lru_cache(inspect.signature)


def _location_of(tensor: Tensor | None, outs: list[Tensor]) -> Any:
    """Return what `_unpack` needs to give a saved Tensor: its number among the outputs or its node, and its counter.

    Its object is referred to weakly: no cycles.
    """
    if tensor is None:
        return None
    number = next((i for i, x in enumerate(outs) if x is tensor), None)
    return tensor.node if number is None else number, weakref.ref(tensor), tensor._counter()


class CustomNode(core.Function):
    """The node of an autograd.Function, for which a subclass of the same name is made."""

    broadcasts = True  # a gradient of any shape that the argument's broadcasts to is summed to it
    conjugates = False  # backward returns gradients of complex arguments in PyTorch's convention
    materializes, calls_back = False, True  # ctx says whether undefined gradients become zeros
    function: ClassVar[type[Function]]
    ctx: FunctionCtx

    def __getattr__(self, name: str) -> Any:
        """Look up what forward has set on ctx: in PyTorch ctx is the node itself."""
        if name == "ctx":
            raise AttributeError(name)
        return getattr(self.ctx, name)

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{node_name(self)} object at {id(self):#x}>"

    @property
    def saved_tensors(self) -> tuple[Tensor, ...]:
        """The Tensors saved for backward. Raises RuntimeError if backward has freed them."""
        saved = saved_by(self.ctx)
        self.kept = None if self.function.clear_saved_tensors_on_access else self.kept
        return saved

    @property
    def _raw_saved_tensors(self) -> tuple[SavedTensor, ...]:
        """The objects by which hooks are put on saved Tensors. Raises RuntimeError if backward has freed them."""
        return tuple(SavedTensor(self, i) for i, _ in enumerate(saved_by(self.ctx)))

    @property
    def output_places(self) -> tuple[list[int], int]:
        """Which of the outputs are Tensors, and the number of outputs. Hooks on the node see None for the others."""
        return self.ctx._tensor_outputs, self.ctx._num_outputs

    def _all_saved_tensors(self) -> tuple[Any, ...]:
        """Return the Tensors saved for backward, and after them those for jvp.

        Raises RuntimeError if backward has freed them, or if one was written to since.
        """
        versions.check_all(self)
        kept = self.kept.unpack() if isinstance(self.kept, core.Packed) else self.kept
        if kept is None:
            why = READ_ONCE if self.function.clear_saved_tensors_on_access else FREED
            raise errors.GraphError(f"{self.function.__name__}: {why}")
        return tuple(map(self._unpack, kept, self.ctx._locations))

    def grad_inputs(self, grad: Any) -> tuple[Array | None, ...]:
        given = self._given(grad)
        recording = state.current().grad_enabled
        if recording and computing_jvp.get():
            results = _ZeroWithJvp.apply(self, *given) if self.ctx._zero_tangents else self._recorded_vjp(given)
        else:
            results = self._vjp(given)
        self._check(results)
        return tuple(g if g is None or recording else g.array for g in results[: len(self.edges)])

    def _given(self, grad: Any) -> list[Any]:
        """Return what `backward` gets: a Tensor or None for each result of forward."""
        shapes, dtypes = (self.shape, self.dtype) if type(self.shape) is list else ([self.shape], [self.dtype])
        grads = grad if type(grad) is tuple else (grad,) * len(shapes)
        given: list[Any] = [None] * self.ctx._num_outputs
        for i, g, shape, dtype in zip(self.ctx._tensor_outputs, grads, shapes, dtypes, strict=True):
            constant = i in self.ctx._constant_outputs and not self.ctx._materialize_non_diff_grads
            if g is None and self.ctx.materialize_grads and not constant:
                g = backend.make_like(np.zeros_like, self.ctx._example, shape=shape, dtype=dtype)
            given[i] = g if g is None or isinstance(g, Tensor) else Tensor._wrap(g)
        return given

    def _check(self, results: tuple[Any, ...]) -> None:
        """Raise unless `backward` returned a fitting gradient or None for each input."""
        name, count = f"{self.function.__name__}Backward", len(self.edges)
        if len(results) < count or any(g is not None for g in results[count:]):
            raise errors.ShapeError(
                f"function {name} returned an incorrect number of gradients (expected {count}, got {len(results)})"
            )
        for i, (g, edge, device) in enumerate(zip(results, self.edges, self.ctx._devices, strict=False)):
            if g is None:
                continue
            if not isinstance(g, Tensor):
                raise errors.DtypeError(f"{name}: expected Variable or None (got {type(g).__name__})")
            if edge is not None and g.array.dtype.kind == "c" != edge.dtype.kind:
                raise errors.DtypeError(
                    f"{name}: the gradient at position {i + 1} is {g.dtype}, but the input is real: Expected "
                    "isFloatingType(grad.scalar_type()) || (input_is_complex == grad_is_complex) to be true, but got "
                    "false."
                )
            if device is None:
                raise errors.GraphError(
                    f"function {name} returned a gradient different than None at position {i + 1}, but the "
                    "corresponding forward input was not a Variable"
                )
            if edge is not None and g.device != device:
                raise errors.DeviceError(
                    f"Function {name} returned an invalid gradient at index {i} - expected device {device} but got "
                    f"{g.device}"
                )

    def _recorded_vjp(self, grads: list[Any]) -> tuple[Any, ...]:
        """Call backward in forward mode. Raises NotImplementedError if its results can't be differentiated."""
        with binding(computing_jvp, False):
            results = self._vjp([*grads])
        pairs = zip(results, self.edges, strict=False)
        lost = any(isinstance(g, Tensor) and edge is not None and g.node is None for g, edge in pairs)
        if lost and any(g is not None and g.node is not None for g in grads):
            raise NotImplementedError(
                f"{self.function.__name__}: what its backward gives is off the graph. You must implement the jvp "
                "function for custom autograd.Function to use it with forward mode AD."
            )
        return results

    def _vjp(self, grads: list[Any]) -> tuple[Any, ...]:
        """Call backward, or if there is only a jvp compute its transpose."""
        backward = self.function.backward
        if self.ctx._zero_tangents and backward is Function.backward:
            return self._transposed_jvp(grads)
        with state.scope(deriving=False):
            result = backward(self.ctx, grads) if self.function.boxed_grads_call else backward(self.ctx, *grads)
        return result if isinstance(result, tuple) else (result,)

    def zero_tangents(self, grads: Sequence[Any]) -> list[Tensor | None]:
        """Return zero tangents of the arguments, batched inside `vmap` if one of the gradients is."""
        zeros = [(g != g).sum() < 0 for g in grads if g is not None]  # a count is never negative
        return [like if like is None else like + sum(zeros).to(like.dtype) for like in self.ctx._zero_tangents]

    def jvp_of(self, tangents: Sequence[Any]) -> tuple[Any, ...]:
        """Call the static jvp: a tangent for each output, None where there is none."""
        if self.ctx.materialize_grads:
            tangents = [like if x is None else x for x, like in zip(tangents, self.ctx._zero_tangents, strict=True)]
        if self.ctx._modifies_inputs:
            tangents = [x if x is None else x.clone() for x in tangents]
        kept = self._all_saved_tensors()
        self.ctx.saved_for_forward = self.ctx.saved_tensors = tuple(kept[i] for i in self.ctx._jvp_indices)
        try:
            with state.scope(deriving=False):
                result = self.function.jvp(self.ctx, *tangents)
        finally:
            del self.ctx.saved_tensors, self.ctx.saved_for_forward
        return result if isinstance(result, tuple) else (result,)

    def _transposed_jvp(self, grads: list[Any]) -> tuple[Any, ...]:
        """Compute gradients from the jvp: it is linear in the tangents, so its vjp by these is its transpose."""
        create_graph = state.current().grad_enabled
        with state.scope(grad_enabled=True):
            tangents = [x if x is None else x.detach().requires_grad_() for x in self.zero_tangents(grads)]
            pairs = zip(self.jvp_of(tangents), grads, strict=True)
            roots, seeds = zip(*((y, g) for y, g in pairs if y is not None and g is not None), strict=True)
            by = [x for x in tangents if x is not None]
            found = iter(grad(roots, by, seeds, create_graph=create_graph, allow_unused=True))
        return tuple(x if x is None else next(found) for x in tangents)

    def _unpack(self, array: Array, place: Any) -> Any:
        """Return a saved Tensor: the same object if it is alive, no output of this node, and unchanged."""
        if array is None:
            return None
        node, reference, counter = place
        if is_output := type(node) is int:
            node = self.result(node) if isinstance(self.shape, list) else self
        tensor = reference()
        if is_output or tensor is None or tensor.array is not array or tensor.node is not node:
            tensor = Tensor._wrap(array, node)
            tensor._version_counter = counter  # a write to it before another backward is found out
        return tensor

    def forward(self, *inputs: Any) -> Any:
        raise NotImplementedError("an autograd.Function can't be replayed")


Function.node_class = CustomNode  # apply raises what forward does


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a static `backward` that isn't differentiable: differentiating its results raises RuntimeError.

    Source: torch.autograd.function.once_differentiable.

    >>> class Exp(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x.exp()
    ...     @staticmethod
    ...     @torch.autograd.function.once_differentiable
    ...     def backward(ctx, grad): return grad * torch.exp(ctx.saved_tensors[0])
    >>> x = torch.tensor(0.0, requires_grad=True)
    >>> (g,) = torch.autograd.grad(Exp.apply(x), x, create_graph=True)
    >>> g.backward()
    Traceback (most recent call last):
    microgad.errors.GraphError: trying to differentiate twice a function that was marked with @once_differentiable
    """

    @functools.wraps(backward)
    def once(ctx: FunctionCtx, *grads: Any) -> Any:
        given = grads[0] if grads and isinstance(grads[0], list) else grads
        read = (*given, *saved_by(ctx)) if state.current().grad_enabled else ()
        sources = [t for t in read if t is not None and t.node is not None]
        with state.scope(grad_enabled=False):
            results = backward(ctx, *grads)
        if not sources:
            return results
        several = isinstance(results, tuple)
        made = [g if g is None else _NotDifferentiable.apply(g, *sources) for g in (results if several else (results,))]
        return tuple(made) if several else made[0]

    return once


class _ZeroWithJvp(Function):
    """Stands for a node's backward in forward mode: its values are zeros, and its derivative is the static jvp.

    Forward mode differentiates backward with respect to its gradients, which are zeros. So backward needn't be called.
    """

    @staticmethod
    def forward(ctx: Any, node: CustomNode, *grads: Any) -> Any:
        ctx.node = node
        ctx.set_materialize_grads(False)
        return tuple(node.zero_tangents(grads))

    @staticmethod
    def backward(ctx: Any, *tangents: Any) -> Any:
        return (None, *ctx.node.jvp_of(tangents))


class InplaceFunction(Function):
    """A Function that may write to its input, which it then marks as dirty.

    Source: torch.autograd.function.InplaceFunction.
    """


class _NotDifferentiable(Function):
    """Return gradients unchanged, but raise when they are differentiated."""

    @staticmethod
    def forward(ctx: FunctionCtx, result: Tensor, *sources: Tensor) -> Tensor:
        return result

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        raise errors.GraphError("trying to differentiate twice a function that was marked with @once_differentiable")


_define_getattr(globals())
