"""Read a Tape from the nodes of an autograd graph."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal
from weakref import WeakSet

from ... import backend
from ...autograd import function
from ...backend.meta import MetaArray
from ...engine.paths import producer, reachable
from ...errors import DtypeError, GraphError
from ...function import AccumulateGrad, Function, Output, Packed
from ...function.plan import argument
from ...grad_fn.torch_names import key
from ...ops.support.bare import bare
from ...parameter import Parameter
from ...pytree import tree_leaves
from ...state.derivative_path import DerivativePath
from ...tensor import Tensor
from ...type_aliases import Array
from ..flops import flops_of
from ..gc_pause import gc_paused
from ..statistics import stats_of
from ..tape import ANOTHER, Input, Kept, Op, Result, Source, Tape

_SUMS = {"Add", "Clone"}  # by which a pass sums gradients, also in a leaf's
_Role = Literal["input", "output", "intermediate", "setting"]


def read(tensors: tuple[Tensor, ...], params: Any = None) -> Tape:
    """Return the Tape of everything that led to `tensors`. `params`, a module or a mapping, gives names to its Tensors.

    Raises RuntimeError for a Tensor without a graph, and TypeError (also a RuntimeError) for anything but Tensors.

    >>> x = torch.ones(3, requires_grad=True)
    >>> [op.name for op in torch.graph.read((x.exp().sum(),))]
    ['Exp', 'Sum']
    """
    if not tensors:
        raise GraphError("graph: expected at least one Tensor")
    for i, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            raise DtypeError(f"graph: expected Tensors, but argument {i} is of type {type(tensor).__name__}")
        if tensor.node is None:
            raise GraphError(
                f"graph: Tensor {i} of shape {tuple(tensor.shape)} has no graph: nothing that led to it requires grad, "
                "or it was detached or made under no_grad. Set requires_grad on what it is computed from"
            )
    with gc_paused():
        return NodeReader(names_of(params)).tape(tensors)


def names_of(params: Any) -> dict[str, Tensor]:
    """Return the named parameters and buffers of a module, or the Tensors of a mapping, also of lists: "states[0]"."""
    if params is None:
        return {}
    if isinstance(params, Mapping):
        lists = [(name, x) for name, x in params.items() if isinstance(x, (list, tuple))]
        items: Iterable[Any] = [*params.items(), *((f"{name}[{i}]", y) for name, x in lists for i, y in enumerate(x))]
    elif hasattr(params, "named_parameters"):
        items = [*params.named_parameters(), *params.named_buffers()]
    else:
        raise DtypeError(f"graph: params must be a module or a dict of names to Tensors, got {type(params).__name__}")
    return {str(name): x for name, x in items if isinstance(x, Tensor)}


class NodeReader:
    """Translates nodes and arrays into the entries of one Tape, which hold neither."""

    def __init__(self, names: dict[str, Tensor]) -> None:
        self.known = names  # keeps the Tensors alive, so that their ids stay valid
        best = sorted(names.items(), key=lambda item: item[0].startswith("_"))  # "_": shown last, by a prompt
        self.names = {id(tensor): name for name, tensor in reversed(best)}  # the first of several
        self.array_names = {id(tensor.array): name for name, tensor in reversed(best)}
        self.sources: dict[int, Source] = {}
        self.constants: dict[Any, Source] = {}  # by id of the array, or by operation and input if it has been freed
        self.memories: dict[int, int] = {}  # id of the array that owns some memory -> number of the memory
        self.leaves: dict[int, int] = {}  # number of a memory -> number of the leaf that holds it
        self.dtypes: dict[Any, str] = {}
        self.regions: WeakSet[Any] = WeakSet()  # checkpoints' regions whose arguments are counted

    def tape(self, tensors: tuple[Tensor, ...]) -> Tape:
        nodes = ancestors([producer(tensor.node)[0] for tensor in tensors])
        for number, node in nodes.items():
            if type(node) is AccumulateGrad:
                self.sources[number] = self.leaf(node)
        ops = [self.op(node) for node in nodes.values() if type(node) is not AccumulateGrad]
        results = []
        for tensor in tensors:
            (node, index), x = producer(tensor.node), tensor.array
            result = Result(node.number, index, self.name(tensor), x.shape, self.dtype(x.dtype), scalar_value(x))
            if result.value is not None and not tensor.is_leaf and tensor._links.grad is not None:
                result.gradient = stats_of(tensor._links.grad.array)
            results.append(result)
        tape = Tape(ops, [*self.sources.values(), *self.constants.values()], results)
        tape.names += self.known
        ends = {x.source for x in results}
        tape.variables = [x for x in self.variables() if x.number not in ends and isinstance(tape.find(x.number), Op)]
        return tape

    def variables(self) -> Iterator[Source]:
        """Iterate over the known Tensors that operations computed, such as those in `locals()`.

        Several results of one operation are one entry, without values: "[0] mean, [1] std".
        """
        found: dict[int, dict[int, Source]] = {}
        for name, x in self.known.items():
            if x.node is None or x.is_leaf or name.startswith("_"):  # "_": shown last
                continue
            (node, index), grad = producer(x.node), x._links.grad
            source = Source(node.number, "leaf", name, x.array.shape, self.dtype(x.array.dtype), scalar_value(x.array))
            source.gradient = None if grad is None else stats_of(grad.array)
            source.computed = True
            if type(node.shape) is list:
                source = Source(node.number, "leaf", f"[{index}] {name}", None, None, computed=True)
            found.setdefault(node.number, {}).setdefault(index, source)  # the first name of each
        for results in found.values():
            first, *others = [results[index] for index in sorted(results)]
            first.name = ", ".join([first.name, *(x.name for x in others)])
            yield first

    def name(self, tensor: Tensor) -> str:
        return self.names.get(id(tensor)) or tensor.name or ""

    def dtype(self, dtype: Any) -> str:
        name = self.dtypes.get(dtype)
        if name is None:
            name = self.dtypes[dtype] = str(dtype)
        return name

    def leaf(self, node: AccumulateGrad) -> Source:
        tensor = node.tensor()
        if tensor is None:
            return Source(node.number, "leaf", "", node.shape, self.dtype(node.dtype))
        self.leaves[self.memory(tensor.array)] = node.number
        kind: Any = "parameter" if isinstance(tensor, Parameter) else "leaf"
        value, grad = scalar_value(tensor.array), tensor.grad
        source = Source(node.number, kind, self.name(tensor), node.shape, self.dtype(node.dtype), value)
        if value is not None and grad is not None:
            source.gradient = stats_of(grad.array)
        return source

    def op(self, node: Function) -> Op:
        cls = type(node)
        several = type(node.shape) is list
        plan = node.plan
        known = zip(plan.inputs, values(node), strict=False)
        arrays = {i: x for i, x in known if type(x) is not tuple}  # hooks may have packed one array as several
        inputs = []
        for i, edge in enumerate(node.edges):
            name = argument(cls, i)
            if edge is None:
                inputs.append(self.constant(node, name, i, arrays))
                continue
            made, index = producer(edge)
            if type(made) is AccumulateGrad:
                self.suggest(self.sources[made.number], name, node.path)
            inputs.append(Input(name, made.number, index, edge.shape, self.dtype(edge.dtype), wanted=True))
        op = Op(
            node.number,
            cls.__name__,
            cls.symbol,
            str(node.path),
            {} if isinstance(node, function.CustomNode) else {name: plain_setting(x) for name, x in vars(node).items()},
            inputs,
            list(node.shape) if several else [node.shape],
            [self.dtype(dtype) for dtype in node.dtype] if several else [self.dtype(node.dtype)],
            self.kept(node),
            node.kept is None,
            recomputed=hasattr(node.kept, "region"),
            own=not key(cls),
            layouts=["contiguous"] if getattr(node, "torch_name", "") == "UnsafeView" else [],  # a reshape that copied
        )
        op.flops = flops_of(op)
        derived_by(node.path, op)
        return op

    def constant(self, node: Function, name: str, i: int, arrays: dict[int, Any]) -> Input:
        """Describe an input without an edge, which is known only if the node keeps it, or kept it until backward.

        Numbers are known afterwards, too.
        """
        if i not in node.plan.inputs:
            return Input(name, None, 0, None, None)
        array = arrays.get(i)
        if array is None and node.kept is not None:
            return Input(name, None, 0, None, None)
        if array is not None and not backend.is_array(array):
            return Input(name, None, 0, (), None, array)
        key = (node.number, i) if array is None else id(array)
        source = self.constants.get(key)
        if source is None:
            source = Source(-1 - len(self.constants), "constant", "", None, None)
            if array is not None:
                source.name = self.array_names.get(id(array), "")
                if source.name:  # a frozen parameter or a buffer, which lives in any case
                    self.leaves[self.memory(array)] = source.number
                source.shape, source.dtype, source.value = array.shape, self.dtype(array.dtype), scalar_value(array)
            self.constants[key] = source
        self.suggest(source, name, node.path)
        return Input(name, source.number, 0, source.shape, source.dtype)

    def suggest(self, source: Source, argument: str, path: str) -> None:
        """Name a source without a name after the argument that it is used as, with the module's path if it is a leaf.

        Arguments such as "x" and "inputs[0]" aren't descriptive enough.
        """
        if source.name:
            return
        name = "" if argument.endswith("]") or len(argument) == 1 else argument
        if source.kind == "constant":
            source.name = name or ("input" if path else "")
        elif name == "input":
            source.name = "input" if source.kind == "leaf" else ""
        elif name:
            source.name = f"{path}.{name}" if path else name
        if source.name in self.known:
            source.name += ANOTHER

    def kept(self, node: Function) -> list[Kept]:
        found: list[Kept] = []
        region = getattr(node.kept, "region", None)  # of a checkpoint, which holds its arguments alone
        if region is not None:
            held, name = [] if region in self.regions else region.tensors, "checkpoint's argument"
            self.regions.add(region)
            for i, x in enumerate(held):
                self.keep(found, name if len(held) == 1 else f"{name}s[{i}]", "setting", x.array)
        elif node.kept is not None and (kept := values(node)):
            plan, cls = node.plan, type(node)
            names = [argument(cls, i) for i in plan.inputs]
            roles: list[_Role] = ["input"] * len(names)
            if plan.out:
                names.append("out")
                roles.append("output")
            names += plan.intermediates
            roles += ["intermediate"] * len(plan.intermediates)
            if isinstance(node, function.CustomNode):
                names = [f"saved[{i}]" for i in range(len(kept))]
                places = node.ctx._locations[: len(kept)]
                roles = ["output" if place and type(place[0]) is int else "intermediate" for place in places]
            for name, role, value in zip(names, roles, kept, strict=True):
                self.keep(found, name, role, value)
        for name, value in vars(node).items():
            self.keep(found, name, "setting", value)
        return found

    def keep(self, found: list[Kept], name: str, role: _Role, value: Any) -> None:
        """Add the arrays of a kept value to `found`. The value may be a tuple, as several results or an index are."""
        if type(value) is tuple:
            for i, x in enumerate(value):
                self.keep(found, f"{name}[{i}]", role, x)
            return
        if not backend.is_array(value):
            return
        size, memory = backend.owner(value).nbytes, self.memory(value)
        found.append(Kept(name, role, value.shape, self.dtype(value.dtype), size, memory, self.leaves.get(memory)))

    def memory(self, array: Array) -> int:
        """Return the number of an array's memory. Nodes keep the memory alive while they are read."""
        return self.memories.setdefault(id(backend.owner(array)), len(self.memories))


def derived_by(path: str, op: Op) -> None:
    """Note on an Op, by its path, whose derivative it is part of: of its own if it sums gradients.

    What a program's hook calls is the program's own, as is all that belongs to no pass.
    """
    if not isinstance(path, DerivativePath):
        return
    if path.of:
        op.derives, (around, name) = path.of, path.node
        op.derived = f"{around}.{name}" if around else name
        while isinstance(around, DerivativePath) and around.of:
            op.derived, (around, _) = f"∂{op.derived}", around.node
    elif op.name in _SUMS:
        op.derives = op.number


def values(node: Function) -> list[Any]:
    """Return what a node keeps, also where hooks have packed it. None are values in other forms than arrays.

    Of what a checkpoint computes again, and after backward, only numbers are there.
    """
    if node.kept is None:
        return getattr(node, "kept_numbers", [])
    if not isinstance(node.kept, Packed):
        return list(node.kept)
    found, packed = [], getattr(node.kept, "hooks", ())
    for i, value in enumerate(getattr(node.kept, "values", ())):
        arrays = tuple(x for x in map(bare, tree_leaves(value)) if backend.is_array(x))
        number = i not in packed and isinstance(value, int | float | complex)
        found.append(value if number else arrays[0] if len(arrays) == 1 else arrays)
    return found


def kept_by_name(node: Function) -> dict[str, Any]:
    """Return what a node keeps under the names of its arguments, "out" and its intermediates; {} if hooks packed it."""
    if node.kept is None or isinstance(node.kept, Packed) or isinstance(node, function.CustomNode):
        return {}
    names = [argument(type(node), i) for i in node.plan.inputs] + ["out"] * node.plan.out
    return dict(zip([*names, *node.plan.intermediates], node.kept, strict=False))


def ancestors(roots: list[Function]) -> dict[int, Function]:
    """Return the roots and all nodes that lead to them, by number, oldest first."""
    return {number: node for number, node in sorted(reachable(roots, 0).items()) if type(node) is not Output}


def scalar_value(array: Array) -> Any:
    """Return the value of a 0-d array as a Python number, None for other arrays and on the meta device."""
    return None if array.ndim or isinstance(array, MetaArray) else backend.to_numpy(array).item()


def plain_setting(value: Any) -> Any:
    """Convert a setting to plain data: None, numbers, strings, and tuples and dicts of these; others become strings.

    The strings are the same in every run: no address, and of an array the dtype and shape.
    """
    if value is None or isinstance(value, (bool, int, float, complex, str)):
        return value
    if backend.is_array(value):
        return f"{value.dtype} {value.shape}"
    if hasattr(value, "_asdict"):
        return {name: plain_setting(x) for name, x in value._asdict().items()}
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=repr)
    if isinstance(value, (tuple, list)):
        return tuple(map(plain_setting, value))
    if isinstance(value, dict):
        return {str(name): plain_setting(x) for name, x in value.items()}
    if isinstance(value, slice):
        ends = ["" if x is None else str(x) for x in (value.start, value.stop)]
        return ":".join(ends if value.step is None else [*ends, str(value.step)])
    if value is Ellipsis:
        return "..."
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain_setting(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "__name__"):  # a class or a function
        return value.__name__
    words = str(value)
    return type(value).__name__ if words == object.__repr__(value) else re.sub(" at 0x[0-9a-f]+", "", words)
