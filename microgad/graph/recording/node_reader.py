"""From the nodes of the autograd graph to a Tape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from ... import backend
from ...autograd import custom
from ...errors import DtypeError, GraphError
from ...function import Function, Leaf, Output
from ...function.plan import argument
from ...parameter import Parameter
from ...tensor import Tensor
from ..gc_pause import gc_paused
from ..tape import ANOTHER, Input, Kept, Op, Result, Source, Tape

_Role = Literal["input", "output", "intermediate", "setting"]


def read(tensors: tuple[Tensor, ...], params: Any = None) -> Tape:
    """The Tape of everything that led to `tensors`; `params` is a module or a mapping that names some of it.

    Raises RuntimeError for a Tensor that nothing recorded led to, and (a TypeError too) for what is no Tensor.
    """
    if not tensors:
        raise GraphError("graph: give it at least one Tensor")
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
    """Names and Tensors of a module, or of a mapping, in which anything else is passed over."""
    if params is None:
        return {}
    if isinstance(params, Mapping):
        items: Iterable[Any] = params.items()
    elif hasattr(params, "named_parameters"):
        items = [*params.named_parameters(), *params.named_buffers()]
    else:
        raise DtypeError(f"graph: params must be a module or a dict of names to Tensors, got {type(params).__name__}")
    return {str(name): x for name, x in items if isinstance(x, Tensor)}


class NodeReader:
    """One reading. It holds nodes and arrays while it runs; the Tape that it gives holds none."""

    def __init__(self, names: dict[str, Tensor]) -> None:
        self.known = names  # held, so that none of their ids is another Tensor's
        self.names = {id(tensor): name for name, tensor in names.items()}
        self.array_names = {id(tensor.array): name for name, tensor in names.items()}
        self.sources: dict[int, Source] = {}
        self.constants: dict[Any, Source] = {}  # by id of the array, or by op and input where it is gone
        self.memories: dict[int, int] = {}  # id of the owner of some memory -> its number
        self.leaves: dict[int, int] = {}  # that -> number of the leaf that holds the memory
        self.dtypes: dict[Any, str] = {}

    def tape(self, tensors: tuple[Tensor, ...]) -> Tape:
        nodes = ancestors([producer(tensor.node)[0] for tensor in tensors])
        for number, node in nodes.items():
            if type(node) is Leaf:
                self.sources[number] = self.leaf(node)
        ops = [self.op(node) for node in nodes.values() if type(node) is not Leaf]
        results = []
        for tensor in tensors:
            (node, index), x = producer(tensor.node), tensor.array
            results.append(Result(node.number, index, self.name(tensor), x.shape, self.dtype(x.dtype), scalar_value(x)))
        return Tape(ops, [*self.sources.values(), *self.constants.values()], results)

    def name(self, tensor: Tensor) -> str:
        return self.names.get(id(tensor)) or tensor.name or ""

    def dtype(self, dtype: Any) -> str:
        name = self.dtypes.get(dtype)
        if name is None:
            name = self.dtypes[dtype] = str(dtype)
        return name

    def leaf(self, node: Leaf) -> Source:
        tensor = node.tensor()
        if tensor is None:
            return Source(node.number, "leaf", "", node.shape, self.dtype(node.dtype))
        self.leaves[self.memory(tensor.array)] = node.number
        kind: Any = "parameter" if isinstance(tensor, Parameter) else "leaf"
        return Source(
            node.number, kind, self.name(tensor), node.shape, self.dtype(node.dtype), scalar_value(tensor.array)
        )

    def op(self, node: Function) -> Op:
        cls = type(node)
        several = type(node.shape) is list
        plan, kept = node.plan, self.kept(node)
        arrays = dict(zip(plan.inputs, node.kept or (), strict=False))
        inputs = []
        for i, edge in enumerate(node.edges):
            name = argument(cls, i)
            if edge is None:
                inputs.append(self.constant(node, name, i, arrays))
                continue
            made, index = producer(edge)
            if type(made) is Leaf:
                self.suggest(self.sources[made.number], name, node.path)
            inputs.append(Input(name, made.number, index, edge.shape, self.dtype(edge.dtype), wanted=True))
        return Op(
            node.number,
            cls.__name__,
            cls.symbol,
            node.path,
            {}
            if isinstance(node, custom._Custom)
            else {name: plain_setting(value) for name, value in vars(node).items()},
            inputs,
            list(node.shape) if several else [node.shape],
            [self.dtype(dtype) for dtype in node.dtype] if several else [self.dtype(node.dtype)],
            kept,
            node.kept is None,
        )

    def constant(self, node: Function, name: str, i: int, arrays: dict[int, Any]) -> Input:
        """An input without an edge: known as far as the node keeps it, or kept it until backward."""
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
                source.shape, source.dtype, source.value = array.shape, self.dtype(array.dtype), scalar_value(array)
            self.constants[key] = source
        self.suggest(source, name, node.path)
        return Input(name, source.number, 0, source.shape, source.dtype)

    def suggest(self, source: Source, argument: str, path: str) -> None:
        """A source that has no name takes its argument's, a leaf with the module's path, if that says anything."""
        if source.name:
            return
        says = "" if argument.endswith("]") or len(argument) <= 2 else argument
        if source.kind == "constant":
            source.name = says or ("input" if path else "")
        elif says == "input":
            source.name = "input" if source.kind == "leaf" else ""
        elif says:
            source.name = f"{path}.{says}" if path else says
        if source.name in self.known:
            source.name += ANOTHER

    def kept(self, node: Function) -> list[Kept]:
        found: list[Kept] = []
        if node.kept:
            plan, cls = node.plan, type(node)
            names = [argument(cls, i) for i in plan.inputs]
            roles: list[_Role] = ["input"] * len(names)
            if plan.out:
                names.append("out")
                roles.append("output")
            names += plan.computed
            roles += ["intermediate"] * len(plan.computed)
            if isinstance(node, custom._Custom):
                names = [f"saved[{i}]" for i in range(len(node.kept))]
                places = node.ctx._places[: len(node.kept)]
                roles = ["output" if type(place) is int else "intermediate" for place in places]
            for name, role, value in zip(names, roles, node.kept, strict=True):
                self.keep(found, name, role, value)
        for name, value in vars(node).items():
            self.keep(found, name, "setting", value)
        return found

    def keep(self, found: list[Kept], name: str, role: _Role, value: Any) -> None:
        """Add the arrays in a kept value, which may be a tuple of them (several results, an index)."""
        if type(value) is tuple:
            for i, x in enumerate(value):
                self.keep(found, f"{name}[{i}]", role, x)
            return
        if not backend.is_array(value):
            return
        size, memory = min(value.nbytes, backend.owner(value).nbytes), self.memory(value)
        found.append(Kept(name, role, value.shape, self.dtype(value.dtype), size, memory, self.leaves.get(memory)))

    def memory(self, array: Any) -> int:
        """The number of an array's memory, which is alive as long as the reading takes."""
        return self.memories.setdefault(id(backend.owner(array)), len(self.memories))


def producer(node: Function) -> tuple[Function, int]:
    """A node and the index of its result: an Output is producer into the node that it belongs to."""
    return (node.edges[0], node.index) if type(node) is Output else (node, 0)


def ancestors(roots: list[Function]) -> dict[int, Function]:
    """All nodes that lead to the roots by number, oldest first."""
    reached: dict[int, Function] = {}
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node.number not in reached:
            reached[node.number] = node
            stack += [edge.edges[0] if type(edge) is Output else edge for edge in node.edges if edge is not None]
    return dict(sorted(reached.items()))


def scalar_value(array: Any) -> Any:
    """The number that a 0-d array is; None of others."""
    return None if array.ndim else backend.to_numpy(array).item()


def plain_setting(value: Any) -> Any:
    """A setting as plain data: what is neither number, string, tuple nor dict is put in words."""
    if value is None or isinstance(value, (bool, int, float, complex, str)):
        return value
    if backend.is_array(value):
        return f"{value.dtype} {value.shape}"
    if hasattr(value, "_asdict"):
        return {name: plain_setting(x) for name, x in value._asdict().items()}
    if isinstance(value, (tuple, list)):
        return tuple(map(plain_setting, value))
    if isinstance(value, dict):
        return {str(name): plain_setting(x) for name, x in value.items()}
    if isinstance(value, slice):
        ends = ["" if x is None else str(x) for x in (value.start, value.stop)]
        return ":".join(ends if value.step is None else [*ends, str(value.step)])
    if value is Ellipsis:
        return "..."
    return value.__name__ if isinstance(value, type) else str(value)
