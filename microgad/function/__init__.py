"""Function: an operation, and a node of the tape. The signatures of its derivatives say what a node keeps."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy import ndarray

from .. import errors
from ..backend import as_array, is_array, is_gpu, owner
from ..backend.arrays import Array
from ..backend.axis_order import laid_out_as_operands
from ..backend.devices import on_one_device
from ..dtypes.conversions import plain
from ..duck_arrays import Fallback
from ..lazy import LazyModule
from ..state import State, current, inference
from ..state.links import NO_LINKS
from . import rules
from .half import HALF, by_forward, casting, in_single, widened, write_large
from .naming import node_name
from .plan import Packed as Packed
from .plan import Plan, needed, parameters, read_signatures

MANY = 1 << 13  # elements of an operand that repay the time to ask how it lies
SCALARS = frozenset((float, int, bool, complex))  # types of Python's numbers
SIMPLE = SCALARS | {str, type(None)}  # types of settings that hold no arrays
_PLAIN = SCALARS | {type(None), ndarray}  # types of inputs that need no conversion
_FLOAT32 = np.dtype("float32")  # the most common dtype: `is` is faster than asking for the kind
numbers = count()  # numbers nodes in the order of creation, which is the order that the engine walks back
_new, forwards = object.__new__, LazyModule("microgad.errors.forwards")

Tensor: Any = ()  # the class, once tensor.py has registered it; until then nothing is an instance of ()
_NUMBERS: Any = np.generic, float, int, complex  # types of settings that become Python's numbers: these and Tensor


def register_tensor(cls: type) -> None:
    """Tell this module the Tensor class, which `apply` unwraps and creates: the one link from here up to tensor.py."""
    global Tensor, _NUMBERS
    Tensor, _NUMBERS = cls, (*_NUMBERS, cls)


class Function:
    """An operation. An instance is one call of it: a node of the tape, with the settings of the call as attributes.

    A subclass defines `forward(self, x, ...)` and, for each input, `grad_x(self, grad, ...)`. The parameters after
    `grad` name what the derivative reads: inputs, the result `out`, or what forward computed on the way
    (`self.winner = ...`). A node keeps exactly that for backward. Derivatives that share work are written as one
    `backward(self, grad, ...)`, which returns for each input a gradient, or None if there is none; `self.needs` says
    which are wanted. A `forward(self, *inputs)` goes with `grad_inputs(self, grad, ...)`. All bodies are plain NumPy:
    given arrays they compute, given Tensors (under create_graph) they record new nodes. A derivative uses operators,
    indexing and NumPy's functions, as np.std(x): the method x.std() is another on Tensors, and raises there. A
    derivative by a complex input is that of calculus, grad · f'(z): the engine conjugates it. Not in PyTorch.

    >>> import microgad, numpy as np
    >>> class Cube(microgad.Function):
    ...     def forward(self, x): return x * x * x
    ...     def grad_x(self, grad, x): return grad * (3 * x * x)
    >>> x = microgad.tensor(2.0, requires_grad=True)
    >>> microgad.autograd.grad(Cube.apply(x), x)
    (tensor(12.),)
    """

    symbol: ClassVar[str] = ""  # the label in pictures; empty: the class's name
    numpy: ClassVar[Any] = None  # the NumPy function that calls this operation when it is given Tensors
    promote: ClassVar[Any] = None  # converts the operands to a common dtype
    broadcasts: ClassVar[bool] = False  # whether a gradient's shape may be other than its input's and the result's
    may_share: ClassVar[bool] = False  # whether the result may be a view of the first input; several results: see Split
    materializes: ClassVar[bool] = True  # whether an unused result has the gradient zeros (True) or None
    calls_back: ClassVar[bool] = False  # whether `backward` calls a program, also with float16 and undefined gradients
    last_first: ClassVar[bool] = False  # whether the hooks of its leaf inputs run from the last input to the first
    all_edges: ClassVar[bool] = False  # whether `next_functions` has a place also for inputs that are numbers or None
    zero_link: ClassVar[type[Function] | None] = None  # records that a derivative depends on the input with slope zero
    conjugates: ClassVar[bool] = True  # whether the engine conjugates complex gradients, as PyTorch's convention asks
    may_hold_arrays: ClassVar[bool] = False  # whether a node of this class was given settings that may hold arrays
    keeps_shape: ClassVar[bool] = False  # whether the input's shape is passed as the setting `x_shape`
    exact_scalars: ClassVar[bool] = False  # whether a Python number stays unrounded beside a float16 array
    elementwise: ClassVar[bool] = False  # whether the result's memory layout follows the operands', as in PyTorch
    native_half: ClassVar[bool | str] = False  # whether float16 isn't computed in float32; "cuda": not on a GPU
    large: ClassVar[Any] = None  # computes what `forward` does, faster, for two NumPy arrays of many elements
    on_host: ClassVar[tuple[str, ...]] = ()  # settings that are arrays on the CPU, whatever the inputs' device
    moves: ClassVar[bool] = False  # whether the result is on another device than the inputs
    constants: ClassVar[tuple[str, ...]] = ()  # intermediates of derivative 0: boolean masks, integer indices

    # What PyTorch calls the operation, of this class alone, not of its subclasses; only microgad's own say it. See
    # grad_fn/torch_names.py.
    operator: ClassVar[str | None]  # "linalg_det", where it isn't the class's name in snake case; None: there is none
    node_name: ClassVar[str]  # "NativeBatchNorm", where it isn't `operator` in camel case
    saved_names: ClassVar[dict[str, str]]  # of saved values: PyTorch's name -> the derivatives', which may be "out"

    # Derived from the methods' signatures when the class is defined, see plan.py:
    inputs: ClassVar[tuple[str, ...]] = ()
    variadic: ClassVar[bool] = False
    intermediates: ClassVar[tuple[str, ...]] = ()
    derivatives: ClassVar[tuple[Callable[..., Any] | None, ...]] = ()
    joint: ClassVar[Callable[..., Any] | None] = None
    decomposed: ClassVar[Callable[..., Any] | None] = None
    differentiable: ClassVar[bool] = False
    plans: ClassVar[dict[int, Plan]] = {}  # by one bit for each input that wants a gradient; variadic: by -their count

    __slots__ = (
        "__dict__", "__weakref__", "dtype", "edges", "hooks", "kept", "kept_numbers", "number", "path", "plan",
        "results", "shape", "tensor_bits", "torch_name", "versions",
    )  # fmt: skip
    torch_name: str  # PyTorch's name for the node, where class and settings don't determine it: see naming.py
    number: int  # the position on the tape
    edges: list[Any]  # for each input the node that made it; None where no gradient is wanted
    tensor_bits: int  # one bit for each input that was a Tensor; not set where the one or two inputs all were
    kept: Any  # the values kept for backward: a list, () where nothing is kept, None once freed
    kept_numbers: Sequence[Any]  # those among the kept values, once they are freed: for drawing the graph
    versions: Any  # for each kept Tensor its version counter, followed by the version at which it was kept
    shape: Any  # of the result; a list of shapes where there are several results
    dtype: Any  # likewise
    path: str  # of the module in whose forward the operation was called
    plan: Plan
    hooks: dict[int, Callable[[Any], Any]] | None  # called with the gradient of the result
    results: dict[int, weakref.ref[Output]]  # the live Outputs of a node with several results
    register_hook: ClassVar[Callable[..., Any]]  # this and the next are defined in grad_fn/interface.py
    register_prehook: ClassVar[Callable[..., Any]]
    needs = property(lambda _: needed.get())  # read by `backward`: which inputs want a gradient in its pass

    if TYPE_CHECKING:

        def __getattr__(self, setting: str) -> Any: ...

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.forward is Function.forward:
            return  # abstract
        read_signatures(cls)
        rules.bind_apply(cls)

    @classmethod
    def reads(cls, method: Callable[..., Any]) -> tuple[str, ...]:
        """The names of what a derivative reads besides the gradient, or of what the decomposition reads."""
        names = parameters(method)
        return names if method is cls.decomposed else names[1:]

    @classmethod
    def apply(cls, *inputs: Any, **settings: Any) -> Any:
        """Compute the operation, and record a node if an input wants a gradient. Bare arrays give bare arrays.

        Where all inputs are bare arrays nothing is recorded, which is how a derivative calls other Functions.
        """
        # This is the hot path of the whole library. Two Tensors, the most common case, are spelled out, because loops
        # and f(*arrays) cost more in Python's interpreter than the arithmetic on a small array.
        pair = False
        if len(inputs) == 2:
            x, y = inputs
            pair = isinstance(x, Tensor) and isinstance(y, Tensor)
        if pair:
            a, b = arrays = [x.array, y.array]
            try:
                m, n = edges = [x.fresh_node, y.fresh_node]
                wanting = 3 if m is not None and n is not None else (m is not None) + 2 * (n is not None)
            except AttributeError:  # of a view from before a write to its base, or made under no_grad
                _, edges, wanting, _ = cls._unwrap(inputs)
            self = cls()
        elif len(inputs) == 1 and isinstance(inputs[0], Tensor):
            (x,) = inputs
            try:
                m = x.fresh_node
                arrays, edges, wanting = [x.array], [m], 1 if m is not None else 0
            except AttributeError:
                arrays, edges, wanting, _ = cls._unwrap(inputs)
            self = cls()
        else:
            arrays, edges, wanting, given = cls._unwrap(inputs)
            if not given:
                return cls._compute(inputs, settings)
            self = cls()
            self.tensor_bits = given
        if cls.keeps_shape and "x_shape" not in settings:
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
                plain = a.dtype is _FLOAT32 is b.dtype
                if not plain and (a.dtype is not b.dtype or a.dtype.kind != "f") and cls.promote is not None:
                    a, b = arrays = cls.promote(arrays)
                half = not plain and a.dtype == HALF
                if half:
                    out = in_single(self, arrays)
                elif a.size < MANY or cls.large is None or type(a) is not ndarray:
                    out = self.forward(a, b)
                else:
                    out = cls.large(a, b)
                settled = a.flags.c_contiguous and (b.flags.c_contiguous or a.shape == b.shape)
            else:
                if cls.promote is not None:
                    arrays = cls.promote(arrays)
                half = False
                for each in arrays:
                    half |= getattr(each, "dtype", _FLOAT32) is not _FLOAT32 and each.dtype == HALF
                large = cls.large is not None and type(arrays[0]) is ndarray and arrays[0].size >= MANY
                out = in_single(self, arrays) if half else cls.large(*arrays) if large else self.forward(*arrays)
                settled = len(arrays) < 3
        except Fallback as fallback:
            out, settled = fallback.forward(self, arrays), True
        except (AttributeError, *errors.FROM_FORWARD) as error:
            if near := on_one_device(inputs, error, cls.promote is not None):
                return cls.apply(*near, **settings)
            raise forwards.in_apply(error, cls, state.path, inputs, settings) from forwards.cause(error, cls)
        if type(out) is not ndarray:
            if type(out) is tuple:
                return self._record_outputs(inputs, arrays, edges, wanting, state, out)
            out = rules.as_result(self, out, inputs)
            settled = settled and not is_gpu(out)  # results of CuPy lie in C order
        if not settled and cls.elementwise:
            out = laid_out_as_operands(out, arrays)

        result = _new(Tensor)
        result.array = out
        result._version_counter, result._links = None, NO_LINKS
        plan = None
        if wanting and state.grad_enabled:
            plan = cls.plans.get(wanting) or cls._plan(wanting, len(inputs), out, arrays)
        if plan is None:
            result.fresh_node = None
            if inference.inferences:
                result._version_counter = inference.fresh()
        else:
            result.fresh_node = self
            self.plan = plan
            self.edges = edges
            self.number = next(numbers)
            self.shape = out.shape
            self.dtype = out.dtype
            self.path = state.path
            self.hooks = None
            if pair and plan.whole:
                self.kept = arrays
                c = x._version_counter or x._counter()
                d = y._version_counter or y._counter()
                self.versions = (c, c[0], d, d[0])
            elif not plan.keeps:
                self.kept = self.versions = ()
            else:
                self._keep(plan, inputs, arrays, result)
        if cls.may_share and (out.base is not None or out is arrays[0]):
            result._view_of(inputs[0], self)
        if observer is not None:
            observer.forward(self, inputs, result)
        return result

    @classmethod
    def apply_(cls, target: Any, *others: Any, **settings: Any) -> Any:
        """Compute the operation in place, in the memory of the first input `target`, and return `target`."""
        given, inputs = (target, *others), [target, *others]
        arrays, edges, wanting, tensors = cls._unwrap(given)
        state = current()
        recorded = wanting and state.grad_enabled and target.array.dtype.kind in "fc"  # integers carry no gradient
        recorded = recorded and (state.observer is None or state.observer.records(given))
        plan = cls._plan(wanting, len(inputs), target.array) if recorded else None
        target._check_writable(f"{cls.__name__}_", plan is not None)
        self = cls()
        self.tensor_bits = tensors
        self._set(settings)
        if plan is not None:
            for i in plan.inputs:
                if arrays[i] is target.array or (is_array(arrays[i]) and np.may_share_memory(arrays[i], target.array)):
                    arrays[i] = arrays[i].copy()  # backward needs the values from before the write
                    inputs[i] = Tensor._wrap(arrays[i]) if isinstance(inputs[i], Tensor) else arrays[i]
        if state.observer is not None:
            state.observer.begin(self, given, target)
        try:
            if type(target.array) is not ndarray:
                rules.checked_device(self, target.array, given)
            write = cls.write if target.array.size < MANY else write_large
            write(self, target.array, *(arrays if cls.promote is None else cls.promote(arrays)))
        except (AttributeError, *errors.FROM_FORWARD) as error:
            if is_gpu(target.array) and (near := on_one_device(given, error, cls.promote is not None)):
                return cls.apply_(*near, **settings)
            raise forwards.in_apply(error, cls, state.path, given, settings, "_") from forwards.cause(error, cls)
        target._bump()
        if plan is not None:
            self.shape, self.dtype = target.array.shape, target.array.dtype
            self._record(plan, inputs, arrays, edges, state.path, target)
            target._rebind(self)
        if state.observer is not None:
            state.observer.forward(self, given, target)
        return target

    @classmethod
    def recorded(cls, edges: list[Any], out: Any, **settings: Any) -> Function:
        """Make a node for a result `out` that was computed elsewhere. The derivatives of `cls` must read no arrays."""
        self = cls()
        self._set(settings)
        self.shape, self.dtype = out.shape, out.dtype
        wanting = sum(1 << i for i, edge in enumerate(edges) if edge is not None)
        plan = cls._plan(wanting, len(edges), out)
        assert plan is not None
        self._record(plan, (None,) * len(edges), [], edges, current().path, None)
        return self

    def result(self, index: int) -> Output:
        """The Output node of one of several results. While it lives it is the same object, so its hooks run once."""
        found = self.results[index]() if index in self.results else None
        if found is None:
            self.results[index] = weakref.ref(found := Output(self, index))
        return found

    def name(self) -> str:
        """PyTorch's name for such a node, for example "MulBackward0". Source: torch.autograd.graph.Node.name."""
        return node_name(self)

    def __repr__(self) -> str:
        return f"<{node_name(self).rpartition('::')[2]} object at {id(self):#x}>"

    def forward(self, *inputs: Any, **none: Any) -> Any:  # a type checker then accepts any parameters in a subclass
        """The operation on bare arrays."""
        raise errors.FunctionError(f"{type(self).__name__} has no forward")

    def write(self, out: Any, *arrays: Any) -> None:
        """Compute the operation on bare arrays and write it into `out`, which is the memory of the first input."""
        if not isinstance(self.numpy, np.ufunc):
            by_forward(self, out, *arrays)
        elif out.dtype is _FLOAT32:
            self.numpy(*arrays, out=out)
        else:
            given = widened(self, arrays) if out.dtype == HALF else arrays
            self.numpy(*given, out=out, casting=casting(out, *given))

    @classmethod
    def _operand(cls, x: Any) -> Array | complex | None:
        if isinstance(x, np.generic) and x.dtype.kind in "biufc":
            return plain(x.item()) if x.dtype.kind != "b" else float(x)  # widens nothing; a bool_ is a float
        if isinstance(x, ndarray):
            return np.asarray(x)  # np.matrix and masked arrays compute by rules of their own
        if x is None or isinstance(x, (float, int, complex)) or is_array(x):
            return x
        raise forwards.no_operand(cls, x, "expected a Tensor, an array or a number, got ")

    def _set(self, settings: dict[str, Any]) -> None:
        """Make the settings attributes of the node. It takes over the dict itself, so the caller must not reuse it."""
        self.__dict__ = settings
        for name, x in settings.items():
            if name in _OWN:
                raise rules.taken(type(self), name)
            if type(x) in SIMPLE:
                continue
            if not self.may_hold_arrays:
                type(self).may_hold_arrays = True
            if type(x) is not tuple and type(x) is not ndarray and isinstance(x, _NUMBERS):
                if isinstance(x, Tensor) and (x.array.ndim or x.node is not None or x.array.dtype == bool):
                    raise rules.tensor_setting(type(self), name)
                settings[name] = plain(x.item() if hasattr(x, "item") else x)

    @classmethod
    def _plan(cls, wanting: int, count: int, out: Array, arrays: Sequence[Array | complex | None] = ()) -> Plan | None:
        """The plan for a set of inputs that want a gradient; None if there are no derivatives, as for integers."""
        key = -count if cls.variadic else wanting
        plan = cls.plans.get(key)
        if plan is None:
            if not cls.differentiable:
                if out.dtype.kind in "fc":
                    raise errors.GraphError(rules.no_derivative(cls))
                return None
            # Checked for the first call only: it costs too much to find a view that some settings alone give.
            if not cls.may_share and any(is_array(x) and owner(x) is owner(out) for x in arrays):
                raise rules.shared(cls)
            plan = cls.plans[key] = Plan(cls, [bool(wanting >> i & 1) for i in range(count)])
        return plan

    @classmethod
    def _unwrap(cls, inputs: tuple[Any, ...]) -> tuple[list[Any], list[Any], int, int]:
        """Arrays and edges of the inputs, one bit for each input that wants a gradient, one for each Tensor.

        A further bit is set where the operation is recorded for an input that requires grad and has no node.
        """
        arrays, edges, wanting, bit, given = [], [], 0, 1, 0
        for x in inputs:
            if isinstance(x, Tensor):
                given += bit
                arrays.append(x.array)
                try:
                    node = x.fresh_node
                except AttributeError:
                    node = x._derive_again()
                    # A view made under no_grad: recorded, though not connected.
                    if node is None and current().grad_enabled and x.requires_grad:
                        wanting |= 1 << len(inputs)
                edges.append(node)
                if node is not None:
                    wanting += bit
            else:
                arrays.append(x if type(x) in _PLAIN else cls._operand(x))
                edges.append(None)
            bit += bit
        return arrays, edges, wanting, given

    @classmethod
    def _compute(cls, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Any:
        """Compute on bare arrays, as a derivative does. NumPy scalars are 0-d results of NumPy's functions."""
        if not inputs:
            raise forwards.miscounted(cls, current().path, 0)
        if type(inputs[0]) is not ndarray and (inputs[0] is None or SCALARS.issuperset(map(type, inputs))):
            raise forwards.no_operand(cls, inputs[0], f"argument '{cls.inputs[0]}' must be Tensor, not ")
        self = cls()
        if cls.keeps_shape and "x_shape" not in settings:
            settings["x_shape"] = np.shape(inputs[0])
        self._set(settings)
        return self.forward(*[as_array(x) if isinstance(x, np.generic) else x for x in inputs])

    def _record(
        self, plan: Plan, inputs: Sequence[Any], arrays: list[Any], edges: list[Any], path: str, results: Any
    ) -> None:
        """Make this a node of the tape. `apply` has these lines inlined for the common case."""
        self.plan = plan
        self.edges = edges
        self.number = next(numbers)
        self.path = path
        self.hooks = None
        self._keep(plan, inputs, arrays, results)

    def _init_node(self, edges: list[Any], shape: Any, dtype: Any, path: str) -> None:
        """Make this a node that computes and keeps nothing: an AccumulateGrad or an Output."""
        self.number = next(numbers)
        self.edges, self.shape, self.dtype, self.path = edges, shape, dtype, path
        self.kept = self.versions = ()
        self.hooks = None

    def _keep(self, plan: Plan, inputs: Sequence[Any], arrays: list[Any], results: Any) -> None:
        """Keep what the derivatives will read, and the versions that it has now."""
        kept: list[Any] = []
        seen: list[Any] = []
        self.kept, self.versions = kept, seen
        for i in plan.inputs:
            kept.append(arrays[i])
            x = inputs[i]
            if isinstance(x, Tensor):
                counter = x._version_counter or x._counter()
                seen += counter, counter[0]
        if plan.out:
            several = type(results) is tuple
            kept.append(tuple(r.array for r in results) if several else results.array)
            for x in results if several else (results,):
                counter = x._version_counter or x._counter()
                seen += counter, counter[0]
        if plan.hidden:
            plan.hide(self)

    def _record_outputs(
        self, inputs: Sequence[Any], arrays: list[Any], edges: list[Any], wanting: int, state: State,
        out: tuple[Any, ...],
    ) -> tuple[Any, ...]:  # fmt: skip
        """Make Tensors of a tuple of results. The node of each is an Output, which points at this node."""
        made = [x if type(x) is ndarray else rules.as_result(self, x, inputs) for x in out]
        results = tuple([Tensor._wrap(x) for x in made])
        plan = self._plan(wanting, len(inputs), results[0].array) if wanting and state.grad_enabled else None
        if self.may_share:
            results[0]._view_of(inputs[0], self, results[1:], self.part_of(arrays[0].shape))
        if plan is not None:
            self.shape = [x.array.shape for x in results]
            self.dtype = [x.array.dtype for x in results]
            self.results, ours = {}, [self]
            self._record(plan, inputs, arrays, edges, state.path, results)
            for i, result in enumerate(results):
                if self.dtype[i].kind in "fc":
                    result.fresh_node = node = Output(self, i, ours)
                    self.results[i] = weakref.ref(node)
        if state.observer is not None:
            state.observer.forward(self, tuple(inputs), results)
        return results


_OWN = frozenset(name for name, x in vars(Function).items() if hasattr(x, "__get__"))  # slots and methods


class Output(Function):
    """The node of one of several results of a Function. The engine gathers the Outputs' gradients into a tuple."""

    __slots__ = ("index",)

    def __init__(self, node: Function, index: int, edges: list[Any] | None = None) -> None:
        self._init_node(edges or [node], node.shape[index], node.dtype[index], node.path)
        self.index = index


class AccumulateGrad(Function):
    """The node of a leaf Tensor: it accumulates gradients in the Tensor's `.grad`. It refers to the Tensor weakly."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Any) -> None:
        self._init_node([], tensor.array.shape, tensor.array.dtype, "")
        self.tensor = weakref.ref(tensor)
