"""ONNX graphs in memory. They are checked when they are read, and run node by node."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from onnx import AttributeProto

from ..errors import MicrogadError, UnsupportedError
from ..ops.creation import as_tensor
from ..serialization.errors import FileError
from .tensors import array_of

MAX_DEPTH = 32  # the deepest nesting of graphs
MAIN = ("", "ai.onnx")

Kernel = Callable[..., Any]
OPERATORS: dict[tuple[str, str], Kernel] = {}


def operator(*names: str, domain: str = "") -> Callable[[Kernel], Kernel]:
    """Register the decorated function of the Node and its inputs as the kernel of operators."""

    def enter(run: Kernel) -> Kernel:
        OPERATORS.update({(domain, name): run for name in names})
        return run

    return enter


def inputs_only(function: Callable[..., Any]) -> Kernel:
    """Make the kernel of an operator that only needs its inputs, not its Node."""
    return lambda node, *inputs: function(*inputs)


ATTRIBUTE_READERS: dict[int, Callable[[Any], Any]] = {  # by type of attribute
    AttributeProto.FLOAT: lambda x: x.f,
    AttributeProto.INT: lambda x: x.i,
    AttributeProto.STRING: lambda x: x.s.decode("utf-8", "replace"),
    AttributeProto.FLOATS: lambda x: list(x.floats),
    AttributeProto.INTS: lambda x: list(x.ints),
    AttributeProto.STRINGS: lambda x: [text.decode("utf-8", "replace") for text in x.strings],
    AttributeProto.TYPE_PROTO: lambda x: x.tp,
}


def plain_domain(domain: str) -> str:
    """Return the domain of operators or an opset, with the empty name for ONNX's own, which has two."""
    return "" if domain in MAIN else domain


def function_key(proto: Any, name: str) -> tuple[str, str, str]:
    """Return what tells a model's functions apart, for a function or for a node that calls one."""
    return plain_domain(proto.domain), name, proto.overload


def opsets_of(proto: Any) -> dict[str, int]:
    """Return the version of the opset of each domain that a model or function imports."""
    return {plain_domain(x.domain): x.version for x in proto.opset_import}


class NodeError(MicrogadError, RuntimeError, ValueError):
    """A node of an ONNX graph can't be run on its inputs."""


@dataclass(slots=True)
class Node:
    """A node: its kernel, its attributes, and the names of its inputs and outputs."""

    op_type: str
    name: str
    run: Kernel
    attributes: dict[str, Any]
    inputs: list[str]
    outputs: list[str]
    opset: int
    gone: list[str] = field(default_factory=list)  # values that no later node reads
    scope: Any = None  # while a node with subgraphs runs, the values outside of them

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute."""
        return self.attributes.get(name, default)

    def __str__(self) -> str:
        return f"{self.op_type} {self.name!r}" if self.name else self.op_type


@dataclass(slots=True)
class Graph:
    """Nodes in order, with the names of inputs and outputs."""

    inputs: list[str]
    outputs: list[str]
    constants: dict[str, Any]
    nodes: list[Node]

    def run(self, given: Mapping[str, Any], scope: Mapping[str, Any] | None = None) -> list[Any]:
        """Compute the results for named inputs. `scope` holds the values of the enclosing graphs."""
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
    """Reads the graphs of one file."""

    folder: str | None
    opsets: dict[str, int]
    functions: dict[tuple[str, str, str], Any] = field(default_factory=dict)  # the model's own, by `function_key`
    missing: dict[str, str] = field(default_factory=dict)  # operators without kernel, and where they occur
    ready: dict[Any, Any] = field(default_factory=dict)  # the kernels of the model's functions that have been read

    def graph(self, proto: Any, known: frozenset[str] = frozenset(), depth: int = 0) -> Graph:
        """Read a GraphProto; `known` holds the names in enclosing graphs."""
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
                raise FileError(f"its output {name!r} isn't computed by any node")
        graph = Graph(inputs, outputs, constants, nodes)
        _plan_release(graph)
        return graph

    def nodes(self, protos: Any, made: set[str], known: frozenset[str], depth: int) -> list[Node]:
        """Read nodes, and check that each only reads values of earlier ones."""
        if depth > MAX_DEPTH:
            raise FileError(f"it has graphs within graphs, more than {MAX_DEPTH} deep")
        found = []
        for proto in protos:
            where = f"node {proto.name or proto.op_type!r}"
            for name in proto.input:
                if name and name not in made and name not in known:
                    raise FileError(f"{where} reads {name!r}, which no earlier node computes")
            for name in proto.output:
                if name and name in made:
                    raise FileError(f"{where} computes {name!r}, which exists already")
            within = any(x.type == AttributeProto.GRAPH for x in proto.attribute)
            found.append(self.node(proto, frozenset(made | known) if within else known, depth))
            made.update(name for name in proto.output if name)
        return found

    def node(self, proto: Any, known: frozenset[str], depth: int) -> Node:
        """Read a node and find its kernel."""
        domain = plain_domain(proto.domain)
        key = function_key(proto, proto.op_type)
        run = OPERATORS.get((domain, proto.op_type))
        if key in self.functions:
            run = self.function(key, depth)
        elif run is None:
            name = f"{domain}.{proto.op_type}" if domain else proto.op_type
            self.missing.setdefault(name, proto.name)
            run = _raise_missing
        attributes = {x.name: self.attribute(x, known, depth) for x in proto.attribute}
        opset = self.opsets.get(domain, 1)
        return Node(proto.op_type, proto.name, run, attributes, list(proto.input), list(proto.output), opset)

    def attribute(self, proto: Any, known: frozenset[str], depth: int) -> Any:
        """Read an attribute as a number, a string, a list of these, a Tensor, or a Graph."""
        if proto.ref_attr_name:
            return AttributeReference(proto.ref_attr_name)
        if proto.type in ATTRIBUTE_READERS:
            return ATTRIBUTE_READERS[proto.type](proto)
        if proto.type == AttributeProto.TENSOR:
            return as_tensor(array_of(proto.t, self.folder))
        if proto.type == AttributeProto.GRAPH:
            return self.graph(proto.g, known, depth + 1)
        raise FileError(f"it has an attribute {proto.name!r} of a kind that isn't supported")

    def function(self, key: tuple[str, str, str], depth: int) -> Kernel:
        """Make the kernel of a function defined in the model."""
        if key in self.ready:
            if self.ready[key] is None:
                raise FileError(f"its function {key[1]!r} calls itself")
            return self.ready[key]
        self.ready[key], proto = None, self.functions[key]
        inner = Reader(self.folder, opsets_of(proto) or self.opsets, self.functions, self.missing, self.ready)
        nodes = inner.nodes(proto.node, set(proto.input), frozenset(), depth + 1)
        graph = Graph(list(proto.input), list(proto.output), {}, nodes)
        defaults = {x.name: self.attribute(x, frozenset(), depth) for x in proto.attribute_proto}

        def run(node: Node, *inputs: Any) -> Any:
            call_attributes = {**defaults, **node.attributes}
            padded = [*inputs, *[None] * (len(graph.inputs) - len(inputs))]
            return tuple(_bind_attributes(graph, call_attributes).run(dict(zip(graph.inputs, padded, strict=True))))

        self.ready[key] = run
        return run


@dataclass(frozen=True, slots=True)
class AttributeReference:
    """An attribute that refers to an attribute of the enclosing function."""

    name: str


def _bind_attributes(graph: Graph, call_attributes: dict[str, Any]) -> Graph:
    """Return a function's graph with the attributes of one call filled in, also in subgraphs."""
    nodes = []
    for node in graph.nodes:
        attributes = {}
        for name, value in node.attributes.items():
            if isinstance(value, Graph):
                attributes[name] = _bind_attributes(value, call_attributes)
            elif not isinstance(value, AttributeReference):
                attributes[name] = value
            elif value.name in call_attributes:
                attributes[name] = call_attributes[value.name]
        nodes.append(replace(node, attributes=attributes))
    return replace(graph, nodes=nodes)


def _raise_missing(node: Node, *inputs: Any) -> Any:
    raise UnsupportedError(f"onnx: there is no kernel for the operator {node.op_type}")


def _values_read(node: Node) -> Iterator[str]:
    """Yield the names that a node reads, including those read in its subgraphs."""
    yield from node.inputs
    for value in node.attributes.values():
        if isinstance(value, Graph):
            yield from value.outputs
            for inner in value.nodes:
                yield from _values_read(inner)


def _plan_release(graph: Graph) -> None:
    """Set, for each node, the values that no later node needs."""
    last: dict[str, Node] = {}
    for node in graph.nodes:
        last.update(dict.fromkeys(filter(None, node.outputs), node))
        for name in _values_read(node):
            if name in last:
                last[name] = node
    for name, node in last.items():
        if name not in graph.outputs:
            node.gone.append(name)
