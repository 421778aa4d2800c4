"""Function: one node of the tape. What a derivative reads, and so what a node keeps, is its signature."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from itertools import count
from types import MethodType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy import ndarray

from .. import errors
from ..backend import as_array, is_array, is_gpu, owner
from ..backend.placement import as_operands, together
from ..dtypes.number_kinds import HALF, casting, in_single, widened
from ..slices import Apart
from ..state import State, current, inference
from .plan import Plan, parameters, read_signatures

_SCALARS = frozenset((float, int, bool, complex))
_PLAIN = _SCALARS | {type(None), ndarray}  # inputs that stay what they are
_FLOAT32 = np.dtype("float32")  # the most common one, known without asking for its kind
numbers = count()  # nodes are numbered as the tape grows: the engine's order
_new = object.__new__


Tensor: Any = ()  # the class of that name, once tensor.py has registered it; nothing is an instance of ()
_OF_ONE: Any = np.generic  # what settings are numbers of: this or a Tensor


def register_tensor(cls: type) -> None:
    """Name the class that `apply` unwraps and makes: the one link from here up to tensor.py."""
    global Tensor, _OF_ONE
    Tensor, _OF_ONE = cls, (np.generic, cls)


class Function:
    """An operation, and a node of the tape when it is recorded: its settings are its attributes.

    A subclass has `forward(self, x, ...)` and for each input a `grad_x(self, grad, ...)` whose further parameters name
    what it reads: inputs, `out`, or what forward computed on the way (`self.winner = ...`). That, and nothing else, is
    kept. Derivatives that share work are one `backward(self, grad, ...)` returning a gradient an input; `self.needs`
    says which are wanted. `forward(self, *inputs)` goes with `grad_inputs(self, grad, ...)`. Bodies are plain NumPy:
    on arrays they compute, on Tensors (under create_graph) they record.

    >>> import microgad, numpy as np
    >>> class Cube(microgad.Function):
    ...     def forward(self, x): return x * x * x
    ...     def grad_x(self, grad, x): return grad * (3 * x * x)
    >>> x = microgad.tensor(2.0, requires_grad=True)
    >>> microgad.autograd.grad(Cube.apply(x), x)
    (tensor(12.),)
    """

    symbol: ClassVar[str] = ""  # how pictures show it; the class's name where empty
    numpy: ClassVar[Any] = None  # the NumPy function that it answers for on Tensors
    promote: ClassVar[Any] = None  # brings operands to a common dtype
    broadcasts: ClassVar[bool] = False  # whether a gradient may have more than the input's shape (matmul's batch axes)
    may_share: ClassVar[bool] = False  # whether the result may be a view of the first input; of several see `Split`
    materializes: ClassVar[bool] = True  # whether gradients of results that nobody used are zeros, or None
    last_first: ClassVar[bool] = False  # whether leaves with hooks get their gradients from the last input to the first
    flat: ClassVar[type[Function] | None] = None  # joins a derivative to the input, by which it changes not at all
    conjugates: ClassVar[bool] = True  # whether the engine makes PyTorch's complex gradients of its derivatives
    has_settings: ClassVar[bool] = False  # whether a node of it has been given any
    shaped: ClassVar[bool] = False  # whether the input's shape is one of them: `x_shape`
    exact: ClassVar[bool] = False  # whether a number beside float16 is not rounded to it first
    elementwise: ClassVar[bool] = False  # whether the result lies in memory as PyTorch's of several operands does
    narrow: ClassVar[bool] = False  # whether float16 is computed as such, and not in float32
    constants: ClassVar[tuple[str, ...]] = ()  # intermediates that don't depend on the inputs' values: masks, indices

    # Worked out when the class is defined:
    inputs: ClassVar[tuple[str, ...]] = ()
    variadic: ClassVar[bool] = False
    computed: ClassVar[tuple[str, ...]] = ()
    derivatives: ClassVar[tuple[Callable[..., Any] | None, ...]] = ()
    joint: ClassVar[Callable[..., Any] | None] = None
    decomposed: ClassVar[Callable[..., Any] | None] = None
    differentiable: ClassVar[bool] = False
    plans: ClassVar[dict[Any, Plan]] = {}  # by a bit for each input that wants a gradient

    __slots__ = (
        "__dict__", "__weakref__", "called", "dtype", "edges", "given", "hooks", "kept", "needs", "number", "path",
        "plan", "results", "seen", "shape",
    )  # fmt: skip
    called: str  # PyTorch's name of it, where that follows from neither class nor settings: see naming.py
    number: int  # its place on the tape
    edges: list[Any]  # for each input the node that made it, None where no gradient is wanted
    given: int  # a bit for each input that was a Tensor, where not all are known to have been
    kept: Any  # a list of what the plan keeps, () where that is nothing, None once freed
    seen: Any  # version counters of what is kept, each followed by the version that was kept
    shape: Any  # of the result; a list of them where there are several
    dtype: Any
    path: str  # of the module that called it
    plan: Plan
    hooks: dict[int, Callable[[Any], Any]] | None  # called with the gradient of the result
    results: dict[int, weakref.ref[Output]]  # of a node of several: those that somebody holds
    register_hook: ClassVar[Callable[..., Any]]  # these two stand on a floor above, in methods/node_hooks.py
    register_prehook: ClassVar[Callable[..., Any]]
    needs: tuple[bool, ...]  # for `backward`: which inputs want a gradient

    if TYPE_CHECKING:

        def __getattr__(self, setting: str) -> Any: ...

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.forward is Function.forward:
            return  # abstract
        read_signatures(cls)
        # Bound once, here, and not anew at each call.
        cls.apply = MethodType(cls.apply.__func__, cls)  # type: ignore[method-assign, attr-defined]

    @classmethod
    def reads(cls, method: Callable[..., Any]) -> tuple[str, ...]:
        """What a derivative reads besides the gradient, or what the decomposition reads."""
        names = parameters(method)
        return names if method is cls.decomposed else names[1:]

    @classmethod
    def apply(cls, *inputs: Any, **settings: Any) -> Any:
        """Compute, and record where a gradient is wanted. On bare arrays it just computes, and gives bare arrays."""
        # The hot path of the whole library, written for Python's interpreter: two Tensors, the most common case, are
        # spelled out, since loops and f(*arrays) cost more than the arithmetic on a small array.
        pair = False
        if len(inputs) == 2:
            x, y = inputs
            pair = isinstance(x, Tensor) and isinstance(y, Tensor)
        if pair:
            a, b = arrays = [x.array, y.array]
            m, n = edges = [x.node, y.node]
            wanting = 3 if m is not None and n is not None else (m is not None) + 2 * (n is not None)
            self = cls()
        elif len(inputs) == 1 and isinstance(inputs[0], Tensor):
            (x,) = inputs
            arrays, edges = [x.array], [x.node]
            wanting = 1 if x.node is not None else 0
            self = cls()
        else:
            arrays, edges, wanting, given = cls._unwrap(inputs)
            if not given:
                return cls._computed(inputs, settings)
            self = cls()
            self.given = given
        if cls.shaped and "x_shape" not in settings:
            settings["x_shape"] = arrays[0].shape
        if settings:
            self._set(settings)
        state = current()
        if state.fine is not None and cls.decomposed is not None:
            return state.fine(cls, inputs, settings)
        observer = state.observer
        if observer is not None:
            observer.begin(self, inputs)
        try:
            if pair:
                dtype = a.dtype
                if (dtype is not b.dtype or (dtype is not _FLOAT32 and dtype.kind != "f")) and cls.promote is not None:
                    a, b = arrays = cls.promote(arrays)
                half = a.dtype is not _FLOAT32 and a.dtype == HALF
                out = in_single(self, arrays) if half else self.forward(a, b)
                settled = a.flags.c_contiguous
            else:
                if cls.promote is not None:
                    arrays = cls.promote(arrays)
                half = False
                for each in arrays:
                    half |= type(each) is ndarray and each.dtype is not _FLOAT32 and each.dtype == HALF
                out = in_single(self, arrays) if half else self.forward(*arrays)
                settled = len(arrays) < 3
        except Apart as apart:
            out, settled = apart.forward(self, arrays), True
        except errors.FROM_FORWARD as error:
            if cls.promote is not None and (near := together(inputs)):
                return cls.apply(*near, **settings)
            raise errors.in_forward(error, cls.__name__, state.path, cls.inputs, inputs, settings) from error
        if type(out) is not ndarray:
            if type(out) is tuple:
                return self._several(inputs, arrays, edges, wanting, state, out)
            out = as_array(out)
        if not settled and cls.elementwise:
            out = as_operands(out, arrays)

        result = _new(Tensor)
        result.array = out
        result.version = None
        plan = None
        if wanting and state.grad_enabled:
            plan = cls.plans.get(wanting) or cls._plan(wanting, len(inputs), out, arrays)
        if plan is None:
            result.node = None
            if inference.inferences:
                result.version = inference.fresh()
        else:
            result.node = self
            self.plan = plan
            self.edges = edges
            self.number = next(numbers)
            self.shape = out.shape
            self.dtype = out.dtype
            self.path = state.path
            self.hooks = None
            if pair and plan.whole:
                self.kept = arrays
                c = x.version or x._counter()
                d = y.version or y._counter()
                self.seen = (c, c[0], d, d[0])
            elif not plan.keeps:
                self.kept = self.seen = ()
            else:
                self._keep(plan, inputs, arrays, result)
        if cls.may_share and (out.base is not None or out is arrays[0]):
            result._view_of(inputs[0], self)
        if observer is not None:
            observer.forward(self, inputs, result)
        return result

    @classmethod
    def apply_(cls, target: Any, *others: Any, **settings: Any) -> Any:
        """The same operation, written into the memory of its first input; gives that Tensor."""
        given = (target, *others)
        inputs = list(given)
        arrays, edges, wanting, tensors = cls._unwrap(given)
        state = current()
        recorded = wanting and state.grad_enabled and target.array.dtype.kind in "fc"  # integers carry no gradient
        plan = cls._plan(wanting, len(inputs), target.array) if recorded else None
        target._check_writable(f"{cls.__name__}_", plan is not None)
        self = cls()
        self.given = tensors
        self._set(settings)
        if plan is not None:
            for i in plan.inputs:
                if arrays[i] is target.array or (is_array(arrays[i]) and np.may_share_memory(arrays[i], target.array)):
                    arrays[i] = inputs[i] = arrays[i].copy()  # what is kept for backward is the value before
        if state.observer is not None:
            state.observer.begin(self, given, target)
        try:
            self.write(target.array, *(arrays if cls.promote is None else cls.promote(arrays)))
        except errors.FROM_FORWARD as error:
            if cls.promote is not None and is_gpu(target.array) and (near := together(given)):
                return cls.apply_(*near, **settings)
            raise errors.in_forward(error, f"{cls.__name__}_", state.path, cls.inputs, given, settings) from error
        target._bump()
        if plan is not None:
            self.shape = target.array.shape
            self.dtype = target.array.dtype
            self._record(plan, inputs, arrays, edges, state.path, target)
            target._rebind(self)
        if state.observer is not None:
            state.observer.forward(self, given, target)
        return target

    @classmethod
    def noted(cls, edges: list[Any], out: Any, **settings: Any) -> Function:
        """A node for what has been computed in another way, by a Function whose derivatives read no arrays."""
        self = cls()
        self._set(settings)
        self.shape, self.dtype = out.shape, out.dtype
        wanting = sum(1 << i for i, edge in enumerate(edges) if edge is not None)
        plan = cls._plan(wanting, len(edges), out)
        assert plan is not None
        self._record(plan, (None,) * len(edges), [], edges, current().path, None)
        return self

    def result(self, index: int) -> Output:
        """What stands for one of several results: always the same node, so that its hooks see all of its gradient."""
        found = self.results[index]() if index in self.results else None
        if found is None:
            self.results[index] = weakref.ref(found := Output(self, index))
        return found

    def name(self) -> str:
        """What PyTorch calls such a node: "MulBackward0". Source: torch.autograd.graph.Node.name."""
        from .torch_names import backward_name

        name = backward_name(self)
        return name if "Backward" in name else f"torch::autograd::{name}"

    def __repr__(self) -> str:
        return f"<{Function.name(self).rpartition('::')[2]} object at {id(self):#x}>"

    def forward(self, *inputs: Any, **none: Any) -> Any:  # so a type checker takes any number in a subclass
        """The operation on bare arrays."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def write(self, out: Any, *arrays: Any) -> None:
        """The operation on bare arrays, written into `out`, which is also the memory of the first input."""
        given = widened(self, arrays) if out.dtype == HALF else arrays
        if isinstance(self.numpy, np.ufunc):
            self.numpy(*given, out=out, casting=casting(out, *given))
            return
        result = self.forward(*given)
        if np.shape(result) != out.shape:
            raise errors.ShapeError(
                f"the result's shape {np.shape(result)} is not the shape {out.shape} that it is written to"
            )
        np.copyto(out, result, casting=casting(out, result))

    @classmethod
    def _operand(cls, x: Any) -> Any:
        if isinstance(x, np.generic) and x.dtype.kind in "biufc":
            return x.item()  # a NumPy scalar is as weak as Python's: float32 stays float32
        if x is None or isinstance(x, (float, int, complex)) or is_array(x):
            return x
        raise errors.DtypeError(f"{cls.__name__}: expected a Tensor, an array or a number, got {type(x).__name__}")

    def _set(self, settings: dict[str, Any]) -> None:
        """Make settings the node's attributes: the dict itself, which nobody else may use from then on."""
        if not self.has_settings:
            type(self).has_settings = True
        self.__dict__ = settings
        for name, x in settings.items():
            if isinstance(x, _OF_ONE):
                if isinstance(x, Tensor) and (x.array.ndim or x.node is not None or x.array.dtype == bool):
                    said = f"{type(self).__name__}: the setting {name} is a Tensor; hand Tensors in as inputs"
                    raise errors.DtypeError(said)
                settings[name] = x.item()

    @classmethod
    def _plan(cls, wanting: int, count: int, out: Any, arrays: Sequence[Any] = ()) -> Plan | None:
        """The plan for a set of inputs that want a gradient; None where the result can have none, being no float."""
        key = (wanting, count) if cls.variadic else wanting
        plan = cls.plans.get(key)
        if plan is None:
            if not cls.differentiable:
                if out.dtype.kind in "fc":
                    raise errors.GraphError(
                        f"{errors.place(cls.__name__, current().path)} has no derivative; detach its inputs"
                    )
                return None
            if not cls.may_share and any(is_array(x) and owner(x) is owner(out) for x in arrays):
                raise errors.GraphError(
                    f"{cls.__name__}: forward returned memory of an input: say may_share = True, or copy it; a write "
                    "into one would go unnoticed by the other"
                )
            plan = cls.plans[key] = Plan(cls, [bool(wanting >> i & 1) for i in range(count)])
        return plan

    @classmethod
    def _unwrap(cls, inputs: tuple[Any, ...]) -> tuple[list[Any], list[Any], int, int]:
        """Arrays, edges, a bit for each input that wants a gradient, and one for each that is a Tensor."""
        arrays, edges, wanting, bit, given = [], [], 0, 1, 0
        for x in inputs:
            if isinstance(x, Tensor):
                given += bit
                arrays.append(x.array)
                node = x.node
                edges.append(node)
                if node is not None:
                    wanting += bit
            else:
                arrays.append(x if type(x) in _PLAIN else cls._operand(x))
                edges.append(None)
            bit += bit
        return arrays, edges, wanting, given

    @classmethod
    def _computed(cls, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        """On bare arrays, as in a derivative; a NumPy scalar there is what became of a 0-d array."""
        if inputs[0] is None or _SCALARS.issuperset(map(type, inputs)):
            name, kind = cls.inputs[0], type(inputs[0]).__name__
            raise errors.DtypeError(f"{cls.__name__}: argument '{name}' must be Tensor, not {kind}")
        self = cls()
        if cls.shaped and "x_shape" not in settings:
            settings["x_shape"] = np.shape(inputs[0])
        self._set(settings)
        return self.forward(*[as_array(x) if isinstance(x, np.generic) else x for x in inputs])

    def _record(
        self, plan: Plan, inputs: Sequence[Any], arrays: list[Any], edges: list[Any], path: str, results: Any
    ) -> None:
        """Become a node of the tape, beside `apply`'s own lines for the common case."""
        self.plan = plan
        self.edges = edges
        self.number = next(numbers)
        self.path = path
        self.hooks = None
        self._keep(plan, inputs, arrays, results)

    def _stand(self, edges: list[Any], shape: Any, dtype: Any, path: str) -> None:
        """Become a node that computes nothing, and keeps nothing."""
        self.number = next(numbers)
        self.edges, self.shape, self.dtype, self.path = edges, shape, dtype, path
        self.kept = self.seen = ()
        self.hooks = None

    def _keep(self, plan: Plan, inputs: Sequence[Any], arrays: list[Any], results: Any) -> None:
        """Keep what the derivatives will read, and at which versions."""
        kept: list[Any] = []
        seen: list[Any] = []
        self.kept, self.seen = kept, seen
        for i in plan.inputs:
            kept.append(arrays[i])
            x = inputs[i]
            if isinstance(x, Tensor):
                counter = x.version or x._counter()
                seen += counter, counter[0]
        if plan.out:
            several = type(results) is tuple
            kept.append(tuple(r.array for r in results) if several else results.array)
            for x in results if several else (results,):
                counter = x.version or x._counter()
                seen += counter, counter[0]
        if plan.hidden:
            plan.hide(self)

    def _several(
        self, inputs: Sequence[Any], arrays: list[Any], edges: list[Any], wanting: int, state: State,
        out: tuple[Any, ...],
    ) -> tuple[Any, ...]:  # fmt: skip
        """Results of a forward that gives a tuple: each Tensor's node is an Output, which points at this one."""
        results = tuple([Tensor._made(x if type(x) is ndarray else as_array(x)) for x in out])
        plan = self._plan(wanting, len(inputs), results[0].array) if wanting and state.grad_enabled else None
        if self.may_share:
            (first, step), *others = zip(results, self.parts(arrays[0]), strict=True)
            first._view_of(inputs[0], self, step, others)
        if plan is not None:
            self.shape = [x.array.shape for x in results]
            self.dtype = [x.array.dtype for x in results]
            self.results = {}
            self._record(plan, inputs, arrays, edges, state.path, results)
            for i, result in enumerate(results):
                if self.dtype[i].kind in "fc":
                    result.node = node = Output(self, i)
                    self.results[i] = weakref.ref(node)
        if state.observer is not None:
            state.observer.forward(self, tuple(inputs), results)
        return results


class Packed(list[Any]):
    """Stands in `kept` for values that are elsewhere until a derivative reads them; to all others it is empty."""

    def unpack(self) -> list[Any]:
        """What was kept."""
        raise NotImplementedError


class Output(Function):
    """One of several results of a Function: the engine gathers their gradients into a tuple."""

    __slots__ = ("index",)

    def __init__(self, node: Function, index: int) -> None:
        self._stand([node], node.shape[index], node.dtype[index], node.path)
        self.index = index


class Leaf(Function):
    """Where gradients end: adds them up in `.grad` of a Tensor, to which it refers weakly."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Any) -> None:
        self._stand([], tensor.array.shape, tensor.array.dtype, "")
        self.tensor = weakref.ref(tensor)

    @property
    def variable(self) -> Any:
        """The Tensor; None where it is gone."""
        return self.tensor()
