"""`load`, which reads an ONNX file as a module."""

from __future__ import annotations

import os
from typing import IO, Any

from onnx import ModelProto

from ..errors import ArgumentError, UnsupportedError
from ..nn import Module
from ..ops.creation import as_tensor
from ..parameter import Parameter
from ..serialization.errors import FileError
from ..tensor import Tensor
from . import operators as operators
from .graphs import Graph, Reader, function_key, opsets_of

OPSETS = range(7, 29)
MAX_BYTES = 2**31  # the limit of protobuf
MAX_DEPTH = 32  # the most parts of a name with dots
BUFFERS = {  # inputs that have no derivative: running statistics, and the weights of classes
    "BatchNormalization": slice(3, 5), "NegativeLogLikelihoodLoss": slice(2, 3), "SoftmaxCrossEntropyLoss": slice(2, 3),
}  # fmt: skip


class OnnxModule(Module):
    """An ONNX graph as a module. It takes the inputs in order or by name and returns the results, several as a tuple.

    Floating-point tensors in the file are parameters, except constants (names that begin with "/"), the running
    statistics of batch normalization, the class weights of losses and single numbers, which are buffers like all other
    tensors. The tensor "layer.weight" of the file is the attribute `layer.weight`. See `onnx.load`.
    """

    def __init__(self, graph: Graph, name: str) -> None:
        super().__init__()
        self.input_names, self.output_names = tuple(graph.inputs), tuple(graph.outputs)
        self._graph, self._file = graph, name
        buffers = {x for node in graph.nodes for x in node.inputs[BUFFERS.get(node.op_type, slice(0))]}
        self._places: dict[str, tuple[Module, str]] = {}
        for key, array in graph.constants.items():
            owner, last = self._place(key)
            x = as_tensor(array)
            constant = key.startswith("/") or key in buffers or not x.ndim
            if x.dtype.is_floating_point and not constant:
                owner.register_parameter(last, Parameter(x))
            else:
                owner.register_buffer(last, x, persistent=not key.startswith("/"))
            self._places[key] = owner, last
        graph.constants = {}

    def _place(self, key: str) -> tuple[Module, str]:
        """Return the module that holds the tensor `key`, which is created if needed, and the tensor's name in it."""
        owner: Module = self
        parts = key.split(".")
        if len(parts) > MAX_DEPTH or not all(parts) or not self._free(parts):
            parts = [key.replace(".", "_")]
        for part in parts[:-1]:
            if part not in owner._modules:
                owner.add_module(part, Module())
            owner = owner._modules[part]  # type: ignore[assignment]
        last = parts[-1]
        while hasattr(owner, last):
            last += "_"
        return owner, last

    def _free(self, parts: list[str]) -> bool:
        owner: Any = self
        for part in parts[:-1]:
            if part not in owner._modules and hasattr(owner, part):
                return False
            owner = owner._modules.get(part, _NOTHING)
        return not hasattr(owner, parts[-1])

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the results of the graph."""
        names = self.input_names
        if len(args) > len(names):
            raise ArgumentError(f"{self._file} takes {len(names)} inputs ({', '.join(names)}), got {len(args)}")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        if given.keys() != set(names):
            wrong = sorted(given.keys() ^ set(names))
            raise ArgumentError(
                f"{self._file} takes the inputs {', '.join(names)}: {', '.join(wrong)} is missing or unknown"
            )
        values = {name: x if x is None or isinstance(x, (Tensor, list)) else as_tensor(x) for name, x in given.items()}
        values.update((name, getattr(owner, last)) for name, (owner, last) in self._places.items())
        results = self._graph.run(values)
        return results[0] if len(results) == 1 else tuple(results)

    def extra_repr(self) -> str:
        return f"{os.path.basename(self._file)}: ({', '.join(self.input_names)}) -> ({', '.join(self.output_names)})"


_NOTHING = Module()


def load(f: str | os.PathLike[str] | IO[bytes] | bytes | ModelProto) -> OnnxModule:
    """Load an ONNX file as a module that runs its graph by microgad's operations, with gradients.

    f is a path, a file open for reading, its bytes, or an onnx.ModelProto, with an opset from 7 to 28. External data is
    read from the file's folder only. Sizes claimed by the file are checked before memory is allocated. Running the
    module allocates what its graph asks for, so don't run files that you don't trust.

    Raises microgad.onnx.FileError (a RuntimeError), which names the file, if it is damaged or refers to missing data,
    and NotImplementedError for operators without a kernel in microgad/onnx/operators.

    >>> data = torch.onnx.export(nn.Linear(2, 1), torch.ones(1, 2)).SerializeToString()
    >>> model = torch.onnx.load(data)
    >>> model
    OnnxModule(the file: (input) -> (output))
    >>> [name for name, _ in model.named_parameters()], model(torch.ones(4, 2)).shape
    (['weight', 'bias'], torch.Size([4, 1]))
    """
    folder, name = None, "the file"
    if isinstance(f, ModelProto):
        data: Any = f
    elif isinstance(f, (bytes, bytearray, memoryview)):
        data = bytes(f)
    elif hasattr(f, "read"):
        data, name = f.read(), str(getattr(f, "name", name))
    else:
        name = os.fspath(f)
        folder = os.path.dirname(os.path.abspath(name))
        if os.path.getsize(name) >= MAX_BYTES:
            raise FileError(f"{name} is over 2 GB, which no ONNX file can be")
        with open(name, "rb") as file:
            data = file.read()
    try:
        return OnnxModule(_read(data, folder), name)
    except FileError as error:
        raise FileError(f"{name} can't be loaded: {error}") from None
    except (KeyError, ValueError, OverflowError, RecursionError) as error:
        raise FileError(f"{name} can't be loaded: {error}") from error


def _read(data: Any, folder: str | None) -> Graph:
    model = data
    if not isinstance(data, ModelProto):
        from google.protobuf.message import DecodeError  # comes with onnx: without it, onnx is what the error names

        model = ModelProto()
        try:
            model.ParseFromString(data)
        except (DecodeError, RuntimeError) as error:
            raise FileError(f"it is not an ONNX file, or it is damaged ({error})") from None
    if not model.HasField("graph") or not model.graph.output:
        raise FileError("it is not an ONNX file: it has no graph with outputs")
    opsets = opsets_of(model)
    if opsets.get("", OPSETS[0]) not in OPSETS:
        raise UnsupportedError(
            f"onnx.load: opsets {OPSETS[0]} to {OPSETS[-1]} are supported, the file has {opsets['']}"
        )
    reader = Reader(folder, opsets, {function_key(x, x.name): x for x in model.functions})
    graph = reader.graph(model.graph)
    if reader.missing:
        raise UnsupportedError(
            "onnx.load: there is no kernel for the operator "
            + ", ".join(f"{kind} (node {node!r})" if node else kind for kind, node in reader.missing.items())
        )
    return graph
