"""torch.library: custom operations, which are available under torch.ops too."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from ... import backend, ops
from ...autograd import Function
from ...autograd.graph import increment_version
from ...errors import ArgumentError, GraphError
from ...ops.support.bare import is_recorded, tensors_in
from ...pytree import tree_leaves, tree_map
from ...tensor import Tensor
from .schemas import Schema
from .schemas import infer_schema as infer_schema

PLACES = {"cpu": "CPU", "cuda": "CUDA", "default": "CompositeExplicitAutograd"}
COMPOSITE = ("CompositeExplicitAutograd", "CompositeImplicitAutograd")  # dispatch keys of kernels for any device
RECORDED = ("Autograd", "AutogradCPU", "AutogradCUDA")
_known: dict[str, OpOverload] = {}
_defining: set[str] = set()  # the namespaces that have a "DEF" Library


class OpOverload:
    """An operation of one signature, with a kernel for each device. Source: torch._ops.OpOverload."""

    namespace: str
    _opname: str

    def __init__(self, schema: Schema) -> None:
        if schema.name in _known:
            raise ArgumentError(f"Tried to register an operator ({schema}) with the same name multiple times")
        self._schema = schema
        name, _, overload = schema.name.partition(".")
        self.namespace, _, self._opname = name.partition("::")
        self._overloadname = overload or "default"
        self.kernels: dict[str, Callable[..., Any]] = {}
        self.node: type[_CustomOpFunction] | None = None
        self.backward: Callable[..., Any] = self._no_backward
        self.prepare: Callable[..., Any] | None = None
        _known[schema.name] = self
        if not hasattr(ops, self.namespace):
            setattr(ops, self.namespace, _OpNamespace(self.namespace))
        there = vars(getattr(ops, self.namespace))
        packet = there.setdefault(self._opname, OpOverloadPacket(f"{self.namespace}.{self._opname}"))
        setattr(packet, self._overloadname, self)

    def name(self) -> str:
        """Return the qualified name, as it was defined."""
        return self._schema.name

    def __str__(self) -> str:
        return f"{self.namespace}.{self._opname}.{self._overloadname}"

    def __repr__(self) -> str:
        return f"<OpOverload(op='{self.namespace}.{self._opname}', overload='{self._overloadname}')>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = self._schema.bind(args, kwargs)
        tensors = tensors_in((given.args, given.kwargs))
        if is_recorded(*tensors):
            recorded = [self.kernels[key] for key in RECORDED if key in self.kernels]
            if recorded:  # records a node, whose forward calls this again with recording off
                return recorded[-1](*given.args, **given.kwargs)
        if self.node is None:
            return self.compute(given)
        call = _Call(self, given)
        found = self.node.apply(call, *tensors)
        results = iter(found if isinstance(found, tuple) else (found,))
        return tree_map(lambda _: next(results), call.out)

    def compute(self, given: inspect.BoundArguments) -> Any:
        """Compute the results with the kernel for the device of the first Tensor."""
        first, *_ = (*tensors_in((given.args, given.kwargs)), None)
        key = PLACES["cpu" if first is None else first.device.type]
        kernel = next((self.kernels[each] for each in (key, *COMPOSITE) if each in self.kernels), None)
        if kernel is None:
            raise NotImplementedError(f"Could not run '{self.name()}' with arguments from the '{key}' backend")
        out = kernel(*given.args, **given.kwargs)
        increment_version(tensors_in([*self._schema.written(given)]))
        return out

    def differentiate(self, backward: Callable[..., Any] | None, prepare: Callable[..., Any] | None) -> None:
        """Record calls as one node from now on. Without a `backward`, the node's backward raises an error."""
        name = f"GeneratedBackwardFor_{str(self).replace('.', '_')}"
        self.node = type(name, (_CustomOpFunction,), {})
        self.backward, self.prepare = backward or self._no_backward, prepare

    def _no_backward(self, ctx: Any, *grads: Any) -> Any:
        raise GraphError(
            f"Trying to backward through {self} but no autograd formula was registered. "
            "Please use register_autograd to add one."
        )


class OpOverloadPacket:
    """An operation, with its overloads as attributes. Source: torch._ops.OpOverloadPacket."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"<OpOverloadPacket(op='{self._name}')>"

    def overloads(self) -> list[str]:
        """Return the names of the overloads."""
        return [name for name in vars(self) if name != "_name"]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the first overload that accepts the arguments."""
        *others, last = (getattr(self, name) for name in self.overloads())
        for overload in others:
            try:
                overload._schema.bind(args, kwargs)
            except ArgumentError:
                continue
            return overload(*args, **kwargs)
        return last(*args, **kwargs)


class _OpNamespace:
    """The operations of a namespace, as attributes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"'_OpNamespace' '{self._name}' object has no attribute '{name}'")


class _Call:
    """A call of an operation: its arguments and, later, its results."""

    out: Any

    def __init__(self, op: OpOverload, given: inspect.BoundArguments) -> None:
        self.op, self.given = op, given


class _CustomOpFunction(Function):
    """A call recorded as one node whose inputs are all Tensors in its arguments."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> Any:
        op, given = call.op, call.given
        out = call.out = op.compute(given)
        if op.prepare is not None:
            alone = [given.kwargs] if any(argument.kwarg_only for argument in op._schema.arguments) else []
            op.prepare(ctx, given.args, *alone, out)
        inputs = tree_map(lambda x: isinstance(x, Tensor), [*given.args])
        ctx._call = op, inputs, tree_map(lambda x: None, out), ctx.needs_input_grad[1:]
        found = tuple(tree_leaves(out))
        return found if len(found) > 1 else found[0]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        op, inputs, outputs, needs = ctx._call
        given, needed = iter(grads), iter(needs)
        ctx.needs_input_grad = tuple(tree_map(lambda is_tensor: is_tensor and next(needed), inputs))
        arranged = tree_map(lambda _: next(given), outputs)
        found = op.backward(ctx, *(arranged if isinstance(arranged, tuple) else (arranged,)))
        found = found if isinstance(found, tuple) else (found,)
        if len(found) != len(inputs):
            raise GraphError(f"{op}: backward gives {len(found)} gradients, but there are {len(inputs)} arguments")
        flat: list[Any] = [None]  # the gradient of `call`
        for is_tensor, grad in zip(inputs, found, strict=True):
            several = isinstance(is_tensor, (list, tuple))
            flags = is_tensor if several else [is_tensor]
            each = grad if several and grad is not None else [grad] * len(flags)
            flat += [g for g, flag in zip(each, flags, strict=True) if flag]
        return (*flat, *[None] * (len(needs) + 1 - len(flat)))  # keyword-only arguments get no gradient


class CustomOpDef:
    """A custom operation defined by a function, optionally with a derivative. Source: torch.library.CustomOpDef.

    A call raises RuntimeError if a result shares memory with an argument.
    """

    def __init__(self, name: str, schema: str, fn: Callable[..., Any], device_types: Any) -> None:
        _known.pop(name, None)  # an operation may be defined again
        self._opoverload = OpOverload(Schema(f"{name}{schema}"))
        self._opoverload.differentiate(None, None)
        self.register_kernel(device_types or "default", fn)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._opoverload(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<CustomOpDef({self._opoverload.name()})>"

    def register_autograd(self, backward: Callable[..., Any], /, *, setup_context: Any = None) -> None:
        """Register a derivative: backward(ctx, *grads), and setup_context, which saves values for it on ctx."""
        self._opoverload.differentiate(backward, setup_context)

    def register_kernel(self, device_types: str | Iterable[str] | None, fn: Any = None, /) -> Any:
        """Register the kernel for these devices; also usable as a decorator."""
        if fn is None:
            return lambda fn: self.register_kernel(device_types, fn)
        impl(self, device_types or "default", self._without_aliasing(fn))
        return fn

    def _without_aliasing(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            out = fn(*args, **kwargs)
            given, made = ({id(backend.owner(x.array)) for x in tensors_in(nest)} for nest in ([args, kwargs], out))
            if given & made:
                raise ArgumentError(
                    f"{self._opoverload.name()}: The output of this custom operator must not also be an input to it, "
                    "nor a view of one: return a clone, x.clone()"
                )
            return out

        return run

    def register_fake(self, fn: Callable[..., Any], /) -> Callable[..., Any]:
        """Return the function unchanged: kernels always run on values."""
        return fn

    def register_vmap(self, func: Any = None, /) -> Any:
        """Return the function unchanged: `vmap` maps over the operations in the kernel."""
        return func or self.register_vmap


def custom_op(
    name: str, fn: Callable[..., Any] | None = None, /, *, mutates_args: str | Iterable[str], device_types: Any = None,
    schema: str | None = None, tags: Any = None,
) -> Any:  # fmt: skip
    """Define an operation "namespace::name" by a function; also usable as a decorator. Source: torch.library.custom_op.

    Its signature is the schema or comes from the annotations. Raises ValueError for an argument without annotation.

    >>> @torch.library.custom_op("mine::twice", mutates_args=())
    ... def twice(x: torch.Tensor) -> torch.Tensor:
    ...     return 2 * x
    >>> torch.ops.mine.twice(torch.ones(2))
    tensor([2., 2.])
    """
    if fn is None:
        return lambda fn: custom_op(name, fn, mutates_args=mutates_args, device_types=device_types, schema=schema)
    schema_text = infer_schema(fn, mutates_args=mutates_args) if schema is None else schema
    return CustomOpDef(_qualified(name), schema_text, fn, device_types)


def triton_op(
    name: str, fn: Callable[..., Any] | None = None, /, *, mutates_args: str | Iterable[str], schema: str | None = None
) -> Any:
    """Define an operation as `custom_op` does: Triton kernels can't run here. Source: torch.library.triton_op.

    >>> @torch.library.triton_op("mine::thrice", mutates_args=())
    ... def thrice(x: torch.Tensor) -> torch.Tensor:
    ...     return 3 * x
    >>> torch.ops.mine.thrice(torch.ones(2))
    tensor([3., 3.])
    """
    return custom_op(name, fn, mutates_args=mutates_args, schema=schema)


def wrap_triton(triton_kernel: Any, /) -> Any:
    """Return the kernel itself: nothing here traces its launches. Source: torch.library.wrap_triton.

    >>> torch.library.wrap_triton(len) is len
    True
    """
    return triton_kernel


class Library:
    """Operations of a namespace: one library has the kind "DEF", others are "FRAGMENT" or, for kernels only, "IMPL".

    Source: torch.library.Library.

    >>> library = torch.library.Library("ours", "DEF")
    >>> library.define("scale(Tensor x, float by=2.0) -> Tensor")
    'scale'
    >>> library.impl("scale", lambda x, by: x * by, "CPU")
    >>> torch.ops.ours.scale(torch.ones(2))
    tensor([2., 2.])
    """

    def __init__(self, ns: str, kind: str, dispatch_key: str = "") -> None:
        if kind not in ("DEF", "IMPL", "FRAGMENT"):
            raise ValueError(f"Unsupported kind: {kind}")
        if kind == "DEF":
            if ns in _defining:
                raise ArgumentError(f"Only a single Library may define the namespace {ns}: others are its FRAGMENTs")
            _defining.add(ns)
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key

    def __repr__(self) -> str:
        return f"Library(kind={self.kind}, ns={self.ns}, dispatch_key={self.dispatch_key})>"

    def define(self, schema: str, alias_analysis: str = "", *, tags: Any = ()) -> str:
        """Declare an operation without kernel and return its name. Raises RuntimeError if it already exists."""
        return OpOverload(Schema(f"{self.ns}::{schema.strip()}"))._opname

    def impl(
        self, op_name: Any, fn: Callable[..., Any], dispatch_key: str = "", *, with_keyset: bool = False,
        allow_override: bool = False,
    ) -> None:  # fmt: skip
        """Register a kernel for "CPU", "CUDA", or any device ("CompositeExplicitAutograd" and similar keys)."""
        key = dispatch_key or self.dispatch_key or "CompositeImplicitAutograd"
        if key not in (*PLACES.values(), *COMPOSITE, *RECORDED, "Meta"):
            raise ArgumentError(f"could not parse dispatch key: {key}")
        name = f"{self.ns}::{op_name}" if isinstance(op_name, str) and "::" not in op_name else op_name
        _lookup(name).kernels[key] = fn


def define(qualname: str, schema: str, *, lib: Any = None, tags: Any = ()) -> None:
    """Declare an operation "namespace::name" with a schema "(Tensor x) -> Tensor". Source: torch.library.define."""
    OpOverload(Schema(f"{_qualified(qualname)}{schema}"))


def impl(qualname: Any, types: str | Iterable[str], func: Any = None, *, lib: Any = None) -> Any:
    """Register the kernel of an operation for "cpu", "cuda" or "default"; also usable as a decorator.

    impl(library, name, dispatch_key) is `Library.impl` as a decorator. Source: torch.library.impl.
    """
    if func is None or isinstance(qualname, Library):
        key = func or ""

        def decorate(func: Any) -> Any:
            if isinstance(qualname, Library):
                qualname.impl(types, func, key)
            else:
                impl(qualname, types, func)
            return func

        return decorate
    for kind in (types,) if isinstance(types, str) else types:
        if kind not in PLACES:
            raise ArgumentError(f"the device is 'cpu', 'cuda' or 'default', got {kind!r}")
        _lookup(qualname).kernels[PLACES[kind]] = func
    return None


def register_autograd(op: Any, backward: Callable[..., Any], /, *, setup_context: Any = None, lib: Any = None) -> None:
    """Register a derivative: backward(ctx, *grads) returns a gradient for each argument; setup_context fills ctx.

    Source: torch.library.register_autograd.
    """
    _lookup(op).differentiate(backward, setup_context)


def register_fake(op: Any, func: Any = None, /, *, lib: Any = None, **options: Any) -> Any:
    """Return the function unchanged; also usable as a decorator. Source: torch.library.register_fake."""
    return (lambda func: func) if func is None else func


impl_abstract = register_vmap = register_fake


def register_kernel(op: Any, device_types: Any, func: Any = None, /, *, lib: Any = None) -> Any:
    """Register the kernel of an operation for devices; also a decorator. Source: torch.library.register_kernel."""
    if func is None:
        return lambda func: register_kernel(op, device_types, func)
    impl(op, device_types or "default", func)
    return func


def _lookup(op: Any) -> OpOverload:
    """Return the operation for a name or for an object that represents it."""
    if isinstance(op, str):
        if op not in _known:
            raise ArgumentError(f"there is no operation {_qualified(op)}: define it by Library.define or custom_op")
        return _known[op]
    return getattr(op, "_opoverload", op)


def _qualified(name: str) -> str:
    if name.count("::") != 1:
        raise ValueError(f"expected an operation's name to be of the form 'namespace::name', but got {name}")
    return name
