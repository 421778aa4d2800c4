"""PyTorch's form of a Function: static methods, and a context that carries what backward needs."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar

from .. import errors, state
from .. import function as core
from ..duck_arrays import levels
from ..gradients import grad
from ..lazy import LazyModule
from ..lazy import define_getattr as _define_getattr
from ..state.contexts import binding
from ..tensor import Tensor

custom_function = LazyModule("microgad.batching.custom_function")
computing_jvp: ContextVar[bool] = ContextVar("pushing", default=False)  # backward passes whose derivative is a tangent


_NODE_ATTRIBUTES = ("metadata", "name", "next_functions", "register_hook", "register_prehook")


class FunctionCtx:
    """What a Function's forward hands to its backward. Source: torch.autograd.function.FunctionCtx."""

    needs_input_grad: tuple[bool, ...] = ()
    saved_tensors: tuple[Tensor | None, ...] = ()  # there while backward runs
    _node: Callable[[], Any] = staticmethod(lambda: None)

    def __init__(self) -> None:
        self.to_save: tuple[Tensor | None, ...] = ()
        self.saved_for_forward: tuple[Tensor | None, ...] = ()
        self.non_differentiable: set[int] = set()
        self.dirty: tuple[Tensor, ...] = ()
        self.materialize_grads = True
        self._places: tuple[Any, ...] = ()  # in the graph, of what is saved
        self._count = 1  # of outputs
        self._slots: list[int] = [0]  # which of them are Tensors
        self._given: list[bool] = []  # which arguments are Tensors
        self._likes: list[Tensor | None] = []  # where there is a jvp: zero tangents
        self._writes = False  # whether forward has written to arguments, and jvp to tangents
        self._saved, self._for_jvp = 0, tuple[int, ...]()  # of what is kept, how many are for backward, which for jvp

    def __getattr__(self, name: str) -> Any:
        """What the node knows, which to PyTorch's users is this."""
        node = self._node() if name in _NODE_ATTRIBUTES else None
        if node is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(node, name)

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs, outputs or intermediates for backward, where they are `saved_tensors`."""
        for i, x in enumerate(tensors):
            if not (x is None or isinstance(x, Tensor)):
                raise TypeError(f"save_for_backward can only save Tensors, but argument {i} is {type(x).__name__}")
        self.to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep them for a static `jvp`, where they are `saved_tensors`."""
        self.saved_for_forward = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which outputs carry no gradient."""
        self.non_differentiable = {id(t) for t in tensors}

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which arguments forward has written to. It has to return them."""
        self.dirty = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward is given zeros for outputs that nobody used, as it is at first, or None."""
        self.materialize_grads = value


def _backward_and_vjp(ctx: FunctionCtx, *grads: Any) -> Any:
    """The backward of a class that has two."""
    raise errors.GraphError(
        "Implementing both 'backward' and 'vjp' for a custom Function is not allowed: they are names of one"
    )


FunctionCtx: type[FunctionCtx] = FunctionCtx


class Function:
    """An operation with its own derivative: subclass it with static `forward(ctx, ...)` and `backward(ctx, *grads)`.

    `backward` receives Tensors and gives one gradient for each argument of forward, None where there is none. What it
    does is recorded under create_graph. Also the form with `setup_context(ctx, inputs, output)` and a forward without
    ctx. In `vmap` a static `vmap(info, in_dims, *args)` is called for all slices at once, if there is one; it gives the
    results and where they have the slices. Source: torch.autograd.Function.

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
        if "vjp" in vars(cls):  # its other name
            cls.backward = _backward_and_vjp if "backward" in vars(cls) else cls.vjp  # type: ignore[method-assign, attr-defined]
        cls.node_class = type(
            cls.__name__, (CustomNode,), {"function": cls, "__doc__": cls.__doc__, "__module__": cls.__module__}
        )
        cls.node_class.inputs = _input_names(cls)

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The operation."""
        raise NotImplementedError("an autograd.Function needs a static forward")

    @staticmethod
    def backward(ctx: Any, *grads: Any, **none: Any) -> Any:
        """The gradients of forward's arguments."""
        raise NotImplementedError("an autograd.Function needs a static backward to be differentiated")

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """The derivatives of forward's results along those of its arguments; where there is no backward, for it too.

        Without one forward mode takes the derivative of what backward gives by what it is given.
        """
        raise NotImplementedError("an autograd.Function needs a static jvp for forward mode")

    vmap: ClassVar[Callable[..., Any] | None] = None
    generate_vmap_rule: ClassVar[bool] = False  # without `vmap` there is one in any case

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run forward, and record it where a gradient is wanted."""
        if hasattr(cls, "setup_context"):
            bound = _signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        if cls.vmap is not None and levels.get():
            found = custom_function.apply_vmap_rule(cls.vmap, args)
            if found is not NotImplemented:
                return found
        inputs = (*args, *kwargs.values())
        ctx = FunctionCtx()
        edges = [x.node if isinstance(x, Tensor) else None for x in inputs]
        ctx.needs_input_grad = tuple(edge is not None for edge in edges)
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
    """What errors and pictures call a node's inputs: forward's arguments after the context, and "args" for others."""
    code = getattr(inspect.unwrap(cls.forward), "__code__", None)
    if code is None:
        return ("args",)
    named = code.co_argcount + code.co_kwonlyargcount
    rest = code.co_varnames[named] if code.co_flags & inspect.CO_VARARGS else "args"
    return (*code.co_varnames[not hasattr(cls, "setup_context") : code.co_argcount], rest)


def _record(
    cls: type[Function], ctx: FunctionCtx, inputs: tuple[Any, ...], edges: list[Any], every: list[Any], several: bool
) -> core.Function:
    """The node of a call, at which its results stand from now on."""
    ctx._count, ctx._slots = len(every), [i for i, x in enumerate(every) if isinstance(x, Tensor)]
    outs = [every[i] for i in ctx._slots]
    node = cls.node_class.recorded(edges, outs[0].array, ctx=ctx)
    ctx._node = weakref.ref(node)
    _save(cls, ctx, node, inputs, outs)
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
    ctx.to_save = ctx.saved_for_forward = ctx.dirty = ()  # results among them would hold themselves
    return node


def _copy_returned_inputs(cls: type[Function], ctx: FunctionCtx, inputs: tuple[Any, ...], outs: list[Any]) -> list[Any]:
    """What forward gives; in place of an input that it hasn't written to a view, so that writes into either are seen.

    Raises RuntimeError where what it has written to isn't there.
    """
    dirty = {id(t) for t in ctx.dirty}
    for t in ctx.dirty:
        t._bump()
    if not dirty <= {id(x) for x in outs}:
        raise errors.GraphError(f"{cls.__name__}: what forward marks as dirty has to be among its outputs")

    def seen(x: Any) -> Any:
        if not isinstance(x, Tensor) or id(x) in dirty or not any(x is given for given in inputs):
            return x
        return x.detach() if id(x) in ctx.non_differentiable else x.view_as(x)

    every = [seen(x) for x in outs]
    ctx.non_differentiable = {id(x) for x, out in zip(every, outs, strict=True) if id(out) in ctx.non_differentiable}
    return every


def _save(
    cls: type[Function], ctx: FunctionCtx, node: core.Function, inputs: tuple[Any, ...], outs: list[Tensor]
) -> None:
    """Let a node keep what its derivatives need."""
    ctx._given = [isinstance(x, Tensor) for x in inputs]
    saved, for_jvp = ctx.to_save, ctx.saved_for_forward or ctx.to_save
    if cls.jvp is not Function.jvp:
        floating = [isinstance(x, Tensor) and x.array.dtype.kind in "fc" for x in inputs]
        ctx._likes = [x.new_zeros(()).expand(x.shape) if has else None for x, has in zip(inputs, floating, strict=True)]
        saved += tuple(x for x in for_jvp if all(x is not y for y in saved))
        ctx._for_jvp = tuple(next(i for i, y in enumerate(saved) if x is y) for x in for_jvp)
    ctx._saved = len(ctx.to_save)
    ctx._places = tuple(_location_of(t, outs) for t in saved)
    node.kept = [None if t is None else t.array for t in saved]
    node.versions = [x for t in saved if t is not None for x in (t._counter(), t._counter()[0])]
    ctx._writes = bool(ctx.dirty)


_signature = functools.lru_cache(inspect.signature)


def _location_of(tensor: Tensor | None, outs: list[Tensor]) -> Any:
    """Where a saved Tensor is: the number of the output that it is, or its node and itself. So there is no cycle."""
    known = None if tensor is None else (tensor.node, weakref.ref(tensor))
    return next((i for i, x in enumerate(outs) if x is tensor), known)


class CustomNode(core.Function):
    """The node of an autograd.Function; each has a subclass of its own name."""

    broadcasts = True  # a gradient of the result's shape is summed to the argument's
    conjugates = False  # its users write PyTorch's gradients
    function: ClassVar[type[Function]]
    ctx: FunctionCtx

    def __getattr__(self, name: str) -> Any:
        """What forward has set on ctx: to PyTorch's users it is the node itself."""
        if name == "ctx":
            raise AttributeError(name)
        return getattr(self.ctx, name)

    def __repr__(self) -> str:
        return f"<torch.autograd.function.{core.Function.name(self)} object at {id(self):#x}>"

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What is saved for backward. Raises RuntimeError where that has freed it."""
        return self._all_saved()[: self.ctx._saved]

    def _all_saved(self) -> tuple[Tensor | None, ...]:
        """And for jvp."""
        kept = self.kept.unpack() if isinstance(self.kept, core.Packed) else self.kept
        if kept is None:
            raise errors.GraphError(f"{self.function.__name__}: saved tensors have already been freed by backward")
        return tuple(map(self._unpacked, kept, self.ctx._places))

    @property
    def materializes(self) -> bool:  # type: ignore[override]
        return self.ctx.materialize_grads

    def grad_inputs(self, grad: Any) -> tuple[Any, ...]:
        grads = tuple(
            g if g is None or isinstance(g, Tensor) else Tensor._made(g)
            for g in (grad if type(grad) is tuple else (grad,))
        )
        given: list[Any] = [None] * self.ctx._count
        for i, g in zip(self.ctx._slots, grads, strict=True):
            given[i] = g
        recording = state.current().grad_enabled
        if recording and computing_jvp.get():
            results = _ZeroWithJvp.apply(self, *given) if self.ctx._likes else self._linear(given)
        else:
            results = self._pulled(given)
        name = f"{self.function.__name__}Backward"
        if len(results) < len(self.edges) or any(g is not None for g in results[len(self.edges) :]):
            raise errors.ShapeError(
                f"function {name} returned an incorrect number of gradients (expected {len(self.edges)}, got "
                f"{len(results)})"
            )
        for i, g in enumerate(results[: len(self.edges)]):
            if not (g is None or isinstance(g, Tensor)):
                raise errors.DtypeError(f"{name}: expected Variable or None (got {type(g).__name__})")
            if g is not None and not self.ctx._given[i]:
                raise errors.GraphError(
                    f"function {name} returned a gradient different than None at position {i + 1}, but the "
                    "corresponding forward input was not a Variable"
                )
        return tuple(g if g is None or recording else g.array for g in results[: len(self.edges)])

    def _linear(self, grads: list[Any]) -> tuple[Any, ...]:
        """What backward gives, in forward mode, which takes the derivative of it."""
        with binding(computing_jvp, False):
            results = self._pulled(grads)
        pairs = zip(results, self.edges, strict=False)
        lost = any(isinstance(g, Tensor) and edge is not None and g.node is None for g, edge in pairs)
        if lost and any(g is not None and g.node is not None for g in grads):
            raise NotImplementedError(
                f"{self.function.__name__}: what its backward gives is off the graph. You must implement the jvp "
                "function for custom autograd.Function to use it with forward mode AD."
            )
        return results

    def _pulled(self, grads: list[Any]) -> tuple[Any, ...]:
        """What backward gives; where there is a jvp alone, that transposed."""
        backward = self.function.backward
        if self.ctx._likes and backward is Function.backward:
            return self._transposed(grads)
        result = self._called(backward, self.saved_tensors, grads)
        return result if isinstance(result, tuple) else (result,)

    def zeros(self, grads: Sequence[Any]) -> list[Tensor | None]:
        """Tangents of the arguments, of each slice in a mapping if one of the gradients is."""
        below = [(g != g).sum() < 0 for g in grads if g is not None]
        return [like if like is None else like + sum(below).to(like.dtype) for like in self.ctx._likes]

    def pushed(self, tangents: Sequence[Any]) -> tuple[Any, ...]:
        """What jvp gives: a tangent for each output, None where there is none."""
        if self.ctx.materialize_grads:
            tangents = [like if x is None else x for x, like in zip(tangents, self.ctx._likes, strict=True)]
        if self.ctx._writes:
            tangents = [x if x is None else x.clone() for x in tangents]
        kept = self._all_saved()
        result = self._called(self.function.jvp, tuple(kept[i] for i in self.ctx._for_jvp), tangents)
        return result if isinstance(result, tuple) else (result,)

    def _called(self, derivative: Callable[..., Any], saved: tuple[Any, ...], given: Sequence[Any]) -> Any:
        self.ctx.saved_tensors = saved
        try:
            with state.scope(deriving=False):
                return derivative(self.ctx, *given)
        finally:
            del self.ctx.saved_tensors

    def _transposed(self, grads: list[Any]) -> tuple[Any, ...]:
        """The gradients where there is a jvp alone: it is linear in the tangents, so they are its own by these."""
        create_graph = state.current().grad_enabled
        with state.scope(grad_enabled=True):
            tangents = [x if x is None else x.detach().requires_grad_() for x in self.zeros(grads)]
            pairs = zip(self.pushed(tangents), grads, strict=True)
            roots, seeds = zip(*((y, g) for y, g in pairs if y is not None and g is not None), strict=True)
            by = [x for x in tangents if x is not None]
            found = iter(grad(roots, by, seeds, create_graph=create_graph, allow_unused=True))
        return tuple(x if x is None else next(found) for x in tangents)

    def _unpacked(self, array: Any, place: Any) -> Any:
        """A saved Tensor: the very one, where it wasn't made here and is still as it was."""
        if array is None:
            return None
        if type(place) is int:
            return Tensor._made(array, self.result(place) if isinstance(self.shape, list) else self)
        node, tensor = place[0], place[1]()
        same = tensor is not None and tensor.array is array and tensor.node is node
        return tensor if same else Tensor._made(array, node)

    def forward(self, *inputs: Any) -> Any:
        raise NotImplementedError("an autograd.Function can't be replayed")


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """For a static `backward` that isn't differentiable itself: what it gives refuses to be differentiated again.

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
        with state.scope(grad_enabled=False):
            results = backward(ctx, *grads)
        saved = [t for t in ctx.saved_tensors if t is not None]
        behind = [t for t in (*grads, *saved) if t is not None and t.node is not None]
        if not (state.current().grad_enabled and behind):
            return results
        several = isinstance(results, tuple)
        made = [
            g if g is None else _NotTwiceDifferentiable.apply(g, *behind) for g in (results if several else (results,))
        ]
        return tuple(made) if several else made[0]

    return once


class _ZeroWithJvp(Function):
    """What a backward gives in forward mode, which takes the derivative of that by what it is given: the static jvp.

    It is given zeros, so it gives zeros, of each slice in a mapping: none is called.
    """

    @staticmethod
    def forward(ctx: Any, node: CustomNode, *grads: Any) -> Any:
        ctx.node = node
        ctx.set_materialize_grads(False)
        return tuple(node.zeros(grads))

    @staticmethod
    def backward(ctx: Any, *tangents: Any) -> Any:
        return (None, *ctx.node.pushed(tangents))


class InplaceFunction(Function):
    """A Function that may write into its input, which it then marks as dirty.

    Source: torch.autograd.function.InplaceFunction.
    """


class _NotTwiceDifferentiable(Function):
    """The same values, of which there is no second derivative."""

    @staticmethod
    def forward(ctx: FunctionCtx, result: Tensor, *behind: Tensor) -> Tensor:
        return result

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Any) -> Any:
        raise errors.GraphError("trying to differentiate twice a function that was marked with @once_differentiable")


_define_getattr(globals())
