"""ONNX graphs in memory: checked when they are read, run node by node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from onnx import AttributeProto

from ..errors import MicrogadError, UnsupportedError
from ..ops.creation import as_tensor
from ..serialization.errors import FileError
from .tensors import array_of

DEEPEST = 32  # graphs within graphs
MAIN = ("", "ai.onnx")

Kernel = Callable[..., Any]
OPERATORS: dict[tuple[str, str], Kernel] = {}


def operator(*names: str, domain: str = "") -> Callable[[Kernel], Kernel]:
    """Enter what runs the operators of these names in the table: a function of the Node and its inputs."""

    def enter(run: Kernel) -> Kernel:
        OPERATORS.update({(domain, name): run for name in names})
        return run

    return enter


def plainly(function: Callable[..., Any]) -> Kernel:
    """What runs an operator that goes by its inputs alone."""
    return lambda node, *inputs: function(*inputs)


PLAIN: dict[int, Callable[[Any], Any]] = {  # attributes that are read by themselves
    AttributeProto.FLOAT: lambda x: x.f,
    AttributeProto.INT: lambda x: x.i,
    AttributeProto.STRING: lambda x: x.s.decode("utf-8", "replace"),
    AttributeProto.FLOATS: lambda x: list(x.floats),
    AttributeProto.INTS: lambda x: list(x.ints),
    AttributeProto.STRINGS: lambda x: [text.decode("utf-8", "replace") for text in x.strings],
    AttributeProto.TYPE_PROTO: lambda x: x.tp,
}


class NodeError(MicrogadError, RuntimeError, ValueError):
    """A node of an ONNX graph that can't be run on what comes in."""


@dataclass(slots=True)
class Node:
    """One node: what runs it, its attributes, and the names of what goes in and comes out."""

    kind: str
    name: str
    run: Kernel
    attributes: dict[str, Any]
    inputs: list[str]
    outputs: list[str]
    opset: int
    gone: list[str] = field(default_factory=list)  # values that no later node reads
    scope: Any = None  # the values around, of a node with graphs that runs: each thread's are its own

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def __str__(self) -> str:
        return f"{self.kind} {self.name!r}" if self.name else self.kind


@dataclass(slots=True)
class Graph:
    """Nodes in order, what goes in and what comes out."""

    inputs: list[str]
    outputs: list[str]
    constants: dict[str, Any]
    nodes: list[Node]

    def run(self, given: Mapping[str, Any], scope: Mapping[str, Any] | None = None) -> list[Any]:
        """The results for inputs by name. Values around it, and constants of a graph around it, are in `scope`."""
        values = {**(scope or {}), **self.constants, **given}
        for node in self.nodes:
            inputs = [values[name] if name else None for name in node.inputs]
            inner = any(isinstance(x, Graph) for x in node.attributes.values())
            try:
                made = node.run(replace(node, scope=values) if inner else node, *inputs)
            except (MicrogadError, TypeError, ValueError, IndexError, ArithmeticError) as error:
                if isinstance(error, NodeError):
                    raise
                raise NodeError(f"onnx: {node}: {error}") from error
            results = made if isinstance(made, tuple) else (made,)
            values.update((name, x) for name, x in zip(node.outputs, results, strict=False) if name)
            for name in node.gone:
                values.pop(name, None)
        return [values[name] for name in self.outputs]


@dataclass(slots=True)
class Reader:
    """What reading graphs of one file needs."""

    folder: str | None
    opsets: dict[str, int]
    functions: dict[tuple[str, str], Any] = field(default_factory=dict)  # of the model's own
    missing: dict[str, str] = field(default_factory=dict)  # operators that nothing runs, and where
    ready: dict[Any, Any] = field(default_factory=dict)  # the model's own functions as far as they are read

    def graph(self, proto: Any, known: frozenset[str] = frozenset(), depth: int = 0) -> Graph:
        """A GraphProto; `known` are the names of the graphs around it."""
        constants: dict[str, Any] = {}
        if proto.sparse_initializer:
            raise FileError("it has sparse tensors, which aren't supported")
        for tensor in proto.initializer:
            if not tensor.name or tensor.name in constants:
                raise FileError(f"it has two tensors of the name {tensor.name!r}, or one without a name")
            constants[tensor.name] = array_of(tensor, self.folder)
        inputs = [x.name for x in proto.input if x.name not in constants]
        nodes = self.nodes(proto.node, {*inputs, *constants}, known, depth)
        made = {*inputs, *constants, *known, *(name for node in nodes for name in node.outputs)}
        outputs = [x.name for x in proto.output]
        for name in outputs:
            if name not in made:
                raise FileError(f"its result {name!r} is made by no node")
        graph = Graph(inputs, outputs, constants, nodes)
        _forgetting(graph)
        return graph

    def nodes(self, protos: Any, made: set[str], known: frozenset[str], depth: int) -> list[Node]:
        """Nodes, each of which reads what stands before it."""
        if depth > DEEPEST:
            raise FileError(f"it has graphs within graphs, more than {DEEPEST} deep")
        found = []
        for proto in protos:
            where = f"node {proto.name or proto.op_type!r}"
            for name in proto.input:
                if name and name not in made and name not in known:
                    raise FileError(f"{where} reads {name!r}, which nothing before it makes")
            for name in proto.output:
                if name and name in made:
                    raise FileError(f"{where} makes {name!r}, which is there already")
            within = any(x.type == AttributeProto.GRAPH for x in proto.attribute)
            found.append(self.node(proto, frozenset(made | known) if within else known, depth))
            made.update(name for name in proto.output if name)
        return found

    def node(self, proto: Any, known: frozenset[str], depth: int) -> Node:
        """One node, with what runs it."""
        domain = "" if proto.domain in MAIN else proto.domain
        key = domain, proto.op_type
        run = OPERATORS.get(key)
        if key in self.functions:
            run = self.function(key, depth)
        elif run is None:
            name = f"{domain}.{proto.op_type}" if domain else proto.op_type
            self.missing.setdefault(name, proto.name)
            run = _nothing
        attributes = {x.name: self.attribute(x, known, depth) for x in proto.attribute}
        opset = self.opsets.get(domain, 1)
        return Node(proto.op_type, proto.name, run, attributes, list(proto.input), list(proto.output), opset)

    def attribute(self, proto: Any, known: frozenset[str], depth: int) -> Any:
        """An attribute as Python's numbers, text, an array, or a Graph."""
        if proto.ref_attr_name:
            return Reference(proto.ref_attr_name)
        if proto.type in PLAIN:
            return PLAIN[proto.type](proto)
        if proto.type == AttributeProto.TENSOR:
            return as_tensor(array_of(proto.t, self.folder))
        if proto.type == AttributeProto.GRAPH:
            return self.graph(proto.g, known, depth + 1)
        raise FileError(f"it has an attribute {proto.name!r} of a kind that isn't supported")

    def function(self, key: tuple[str, str], depth: int) -> Kernel:
        """What runs a function of the model's own."""
        if key in self.ready:
            if self.ready[key] is None:
                raise FileError(f"its function {key[1]!r} calls itself")
            return self.ready[key]
        self.ready[key], proto = None, self.functions[key]
        opsets = {"" if x.domain in MAIN else x.domain: x.version for x in proto.opset_import}
        inner = Reader(self.folder, opsets or self.opsets, self.functions, self.missing, self.ready)
        nodes = inner.nodes(proto.node, set(proto.input), frozenset(), depth + 1)
        graph = Graph(list(proto.input), list(proto.output), {}, nodes)
        defaults = {x.name: self.attribute(x, frozenset(), depth) for x in proto.attribute_proto}

        def run(node: Node, *inputs: Any) -> Any:
            said = {**defaults, **node.attributes}
            padded = [*inputs, *[None] * (len(graph.inputs) - len(inputs))]
            return tuple(_resolved(graph, said).run(dict(zip(graph.inputs, padded, strict=True))))

        self.ready[key] = run
        return run


@dataclass(frozen=True, slots=True)
class Reference:
    """An attribute that is the function's."""

    name: str


def _resolved(graph: Graph, said: dict[str, Any]) -> Graph:
    """A function's graph with the attributes of one call of it, also in the graphs that its nodes have."""
    nodes = []
    for node in graph.nodes:
        attributes = {}
        for name, value in node.attributes.items():
            if isinstance(value, Graph):
                attributes[name] = _resolved(value, said)
            elif not isinstance(value, Reference):
                attributes[name] = value
            elif value.name in said:
                attributes[name] = said[value.name]
        nodes.append(replace(node, attributes=attributes))
    return replace(graph, nodes=nodes)


def _nothing(node: Node, *inputs: Any) -> Any:
    raise UnsupportedError(f"onnx: nothing runs {node.kind}")


def _reads(node: Node) -> Iterator[str]:
    """What a node reads, graphs in it included."""
    yield from node.inputs
    for value in node.attributes.values():
        if isinstance(value, Graph):
            yield from value.outputs
            for inner in value.nodes:
                yield from _reads(inner)


def _forgetting(graph: Graph) -> None:
    """Work out after which node each value is no longer needed."""
    last: dict[str, Node] = {}
    for node in graph.nodes:
        last.update(dict.fromkeys(filter(None, node.outputs), node))
        for name in _reads(node):
            if name in last:
                last[name] = node
    for name, node in last.items():
        if name not in graph.outputs:
            node.gone.append(name)
