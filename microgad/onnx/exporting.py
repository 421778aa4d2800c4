"""`export`, which records the steps of a model and writes them as an ONNX graph."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from onnx import checker, helper

from ..errors import ArgumentError, DeviceError, UnsupportedError
from ..nn import Module
from ..nn.modules.module.training_mode import training_mode
from ..ops.support.bare import tensors_in
from ..pytree import tree_map
from ..state.contexts import binding
from ..tensor import Tensor
from . import TrainingMode
from . import export_rules as export_rules
from .dynamic_axes import Dim, GeneratedArray, Varying, flatten_setting, merge, merge_recordings
from .recording import Constant, Recording, Step, Value, record
from .state import exporting
from .writer import COMPOSITES, RULES, Symbol, Writer

OPSETS = range(17, 24)
# Options of torch.onnx.export that don't affect a graph written from recorded steps.
WITHOUT_EFFECT = frozenset((
    "artifacts_dir", "autograd_inlining", "custom_opsets", "custom_translation_table", "do_constant_folding",
    "dump_exported_program", "dynamo", "export_modules_as_functions", "external_data", "fallback",
    "keep_initializers_as_inputs", "operator_export_type", "optimize", "profile", "report", "verbose", "verify",
))  # fmt: skip


def export(
    model: Module | Callable[..., Any], args: Any = (), f: str | os.PathLike[str] | BinaryIO | None = None, *,
    kwargs: Mapping[str, Any] | None = None, export_params: bool = True, input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None, opset_version: int | None = None,
    dynamic_axes: Mapping[str, Any] | None = None, dynamic_shapes: Any = None, training: int = TrainingMode.EVAL,
    **options: Any,
) -> Any:  # fmt: skip
    """Write the computation of model(*args, **kwargs), in evaluation mode, as an ONNX file. Source: torch.onnx.export.

    args is a Tensor or a tuple of arguments; a dict at its end holds keyword arguments. Tensors in the arguments, also
    in nested tuples, lists and dicts, are the inputs of the graph, named by `input_names` or the names of arguments.
    dynamic_axes lists the sizes that stay open: `{"x": {0: "batch"}}` or `{"x": [0]}`; axes of one name have equal
    sizes. The model is run a few times with other sizes and values. Numbers that differ are computed from the inputs'
    shapes in the graph, or rejected. f is a path or a file open for writing; without it an onnx.ModelProto is returned.
    opset_version is 17 to 23, by default 18. With `training` PRESERVE, modules keep their mode.

    Parameters and buffers keep their names, and the names of nodes contain their modules. Files over 2 GB are rejected.
    Raises NotImplementedError, which names the operation and its module, for an operation without a rule and for
    dependencies on values or sizes that can't be expressed, ValueError for arguments that don't match, TypeError for
    unknown ones, and RuntimeError for Tensors on a GPU.

    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    >>> proto = torch.onnx.export(model, torch.ones(1, 3), dynamic_axes={"input": {0: "batch"}})
    >>> [node.op_type for node in proto.graph.node], proto.graph.initializer[0].name
    (['Gemm', 'Relu'], '0.weight')
    """
    unknown = options.keys() - WITHOUT_EFFECT
    if unknown:
        raise TypeError(f"export() got an unexpected keyword argument '{min(unknown)}'")
    if not export_params:
        raise ArgumentError("onnx.export: export_params=False isn't supported: the file would lack the parameters")
    opset = 18 if opset_version is None else opset_version
    if opset not in OPSETS:
        raise ArgumentError(f"onnx.export: opset_version must be {OPSETS[0]} to {OPSETS[-1]}, got {opset_version}")
    given = args if isinstance(args, tuple) else (args,)
    named = dict(kwargs or {})
    if given and isinstance(given[-1], Mapping) and kwargs is None:
        given, named = given[:-1], dict(given[-1])
    tensors = tensors_in((given, named))
    names = _input_names(model, given, named, input_names, len(tensors))
    axes = _axes(dynamic_axes if dynamic_shapes is None else dynamic_shapes, names, tensors, output_names or ())
    known = [*model.parameters(), *model.buffers()] if isinstance(model, Module) else []
    if any(x.is_cuda for x in (*tensors, *known)):
        raise DeviceError("onnx.export: the model and its arguments must be on the CPU: call .cpu() on them")
    mode = None if training == TrainingMode.PRESERVE else training == TrainingMode.TRAINING
    with binding(exporting, True), training_mode(model, mode):
        steps, recording, result, points = _record_runs(model, given, named, tensors, axes)
    proto = _Exporter(opset, steps, recording, names, axes, points).written(result, output_names, dynamic_axes or {})
    if f is None:
        return proto
    data = proto.SerializeToString()
    if hasattr(f, "write"):
        f.write(data)
    else:
        with open(f, "wb") as file:
            file.write(data)
    return None


def _input_names(
    model: Any, args: tuple[Any, ...], kwargs: dict[str, Any], wanted: Sequence[str] | None, count: int
) -> list[str]:
    """Return a name for each Tensor in the arguments: that of the argument, with a number if this is a container."""
    try:
        bound = inspect.signature(getattr(model, "forward", model)).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        bound = {f"input_{i}": x for i, x in enumerate(args)} | kwargs
    names: list[str] = []
    for name, value in bound.items():
        several = isinstance(value, (tuple, list, Mapping))
        names += [f"{name}_{i}" if several else name for i in range(len(tensors_in(value)))]
    if len(names) != count:
        names = [f"input_{i}" for i in range(count)]
    if wanted is not None and len(wanted) > count:
        raise ArgumentError(f"onnx.export: there are {len(wanted)} input_names, but {count} inputs")
    if wanted is not None:
        names[: len(wanted)] = wanted
    return names


def _axes(axes: Any, names: list[str], tensors: list[Tensor], outputs: Sequence[str]) -> dict[tuple[int, int], str]:
    """Return the name of the size for each dynamic (input, axis)."""
    if isinstance(axes, (tuple, list)):
        axes = dict(zip(names, axes, strict=False))
    found = {}
    for name, axes_of_name in (axes or {}).items():
        if name not in names:
            if name in outputs:
                continue
            raise ArgumentError(
                f"onnx.export: dynamic_axes names {name!r}, but the inputs are {', '.join(names)} and the outputs "
                f"{', '.join(outputs) or 'have no names'}"
            )
        i = names.index(name)
        for axis, label in _axis_labels(name, axes_of_name).items():
            if not -tensors[i].ndim <= axis < tensors[i].ndim:
                raise ArgumentError(f"onnx.export: {name!r} has {tensors[i].ndim} dimensions: it has no axis {axis}")
            found[i, axis % tensors[i].ndim] = str(getattr(label, "__name__", label))
    return found


def _axis_labels(name: str, axes: Any) -> Mapping[int, Any]:
    """Return the names of sizes by axis."""
    return axes if isinstance(axes, Mapping) else {axis: f"{name}_dim_{axis}" for axis in axes or ()}


def _record_runs(
    model: Any, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor], axes: dict[tuple[int, int], str]
) -> tuple[list[Step], Recording, Any, list[dict[str, int]]]:
    """Run the model several times. Return merged steps, the first recording, its result, and the sizes of the runs."""
    held = [*model.named_parameters(), *model.named_buffers()] if isinstance(model, Module) else []
    known = {id(x.array): name for name, x in held}

    def run(sizes: dict[str, int], change: Callable[[Any], Any] = np.ndarray.copy) -> tuple[Recording, Any]:
        """Run the model on arguments of given sizes with changed values."""
        others = (Tensor._wrap(np.asarray(change(x))) for x in _resize_arguments(tensors, axes, sizes))
        given, named = tree_map(lambda x: next(others) if isinstance(x, Tensor) else x, (args, kwargs))
        return record(model, given, named, known, COMPOSITES)

    first: dict[str, int] = {}
    for (i, axis), name in axes.items():
        first.setdefault(name, max(tensors[i].shape[axis], 2))  # size 1 would broadcast and hide the dependence
    recording, result = run(first)
    points, runs = _run_at_other_sizes(run, first, recording) if axes else ([first], [recording])
    steps = merge_recordings(runs, points)
    shapes = [merge([r.arguments[i].shape for r in runs], points) for i in range(len(tensors))]
    recording.results = merge([r.results for r in runs], points)
    for change in (_perturb, _negate):
        try:
            other, _ = run(first, change)
        except Exception:  # the model may not accept such values
            continue
        _mark_value_dependent(steps, recording, other)
    recording.arguments = shapes
    return steps, recording, result, points


def _resize_arguments(tensors: list[Tensor], axes: dict[tuple[int, int], str], sizes: dict[str, int]) -> list[Any]:
    """Repeat or truncate the arrays of the arguments along dynamic axes to given sizes."""
    arrays = [x.array for x in tensors]
    for (i, axis), name in axes.items():
        n = arrays[i].shape[axis]
        if not n:
            raise ArgumentError(f"onnx.export: the dynamic axis {name!r} is empty: give it at least one element")
        arrays[i] = np.take(arrays[i], np.arange(sizes[name]) % n, axis)
    return arrays


def _run_at_other_sizes(run: Any, first: dict[str, int], recording: Recording) -> Any:
    """Run with each dynamic axis changed and with all changed: a bit longer or, if that fails, by integer factors."""

    def run_at(one: Callable[[int, int], int], every: Callable[[int, int], int]) -> Any:
        points = [first]
        points += [{**first, name: one(n, i)} for i, (name, n) in enumerate(first.items())]
        points.append({name: every(n, i) for i, (name, n) in enumerate(first.items())})
        runs = [recording, *(run(point)[0] for point in points[1:])]
        merge_recordings(runs, points)
        return points, runs

    try:
        return run_at(lambda n, i: n + 1 + i, lambda n, i: n + 2 * (1 + i))
    except Exception:  # the model may need a size that is divisible by something
        pass
    return run_at(lambda n, i: 2 * n, lambda n, i: (3 + i) * n)


def _perturb(x: Any) -> Any:
    x = np.flip(x).copy()
    return x * x.dtype.type(0.75) + x.dtype.type(0.1) if x.dtype.kind == "f" else x


def _negate(x: Any) -> Any:
    if x.dtype.kind == "f":
        return -x
    if not x.size:
        return x
    least = x.min()  # all integers become one that is likely to be as good an index, also if they were all the same
    return np.full_like(x, least if (x != least).any() else least == 0)


def _mark_value_dependent(steps: list[Step], recording: Recording, other: Recording) -> None:
    """Mark inputs and settings that differ between runs with equal sizes and different values."""
    merge_recordings([recording, other], [])
    for step, a, b in zip(steps, recording.steps, other.steps, strict=True):
        for i, (x, y) in enumerate(zip(a.inputs, b.inputs, strict=True)):
            found = merge([x, y], [])
            if isinstance(found, (Varying, GeneratedArray)):
                step.inputs[i] = found
        for name in a.settings:
            found = merge([a.settings[name], b.settings[name]], [])
            if any(isinstance(part, (Varying, GeneratedArray)) for part in flatten_setting(found)):
                step.settings[name] = found


class _Exporter:
    """The export of one graph."""

    def __init__(
        self, opset: int, steps: list[Step], recording: Recording, names: list[str],
        axes: dict[tuple[int, int], str], points: list[dict[str, int]],
    ) -> None:  # fmt: skip
        self.writer = writer = Writer(opset)
        self.steps, self.recording, self.axes, self.points = steps, recording, axes, points
        self.inputs = []
        self.fixed: set[int] = set()  # the numbers of values that depend on no input
        for i, (name, shape) in enumerate(zip(names, recording.arguments, strict=True)):
            array = recording.arrays[i]
            called = writer.named(name)
            if called != name:
                raise ArgumentError(f"onnx.export: two inputs are named {name!r}")
            writer.values[i], writer.shapes[i] = Symbol(writer, name, array.dtype), shape
            sizes = [axes.get((i, axis), n) for axis, n in enumerate(array.shape)]
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            self.inputs.append(helper.make_tensor_value_info(name, kind, sizes))
            for axis in range(array.ndim):
                if (i, axis) in axes:
                    writer.sizes.setdefault(axes[i, axis], (writer.values[i], axis))

    def written(self, result: Any, names: Sequence[str] | None, labels: Mapping[str, Any]) -> Any:
        """Write all steps and return the ONNX model of the result."""
        for step in self.steps:
            self.write(step)
        writer, outputs = self.writer, []
        writer.step = None
        tensors, symbols = tensors_in(result), []
        names = list(names or ())
        if not tensors:
            raise ArgumentError("onnx.export: the model gives no Tensor")
        if len(names) > len(tensors):
            raise ArgumentError(f"onnx.export: there are {len(names)} output_names, but {len(tensors)} outputs")
        for i, (x, operand) in enumerate(zip(tensors, self.recording.results, strict=True)):
            name = writer.named(names[i] if i < len(names) else "output" if len(tensors) == 1 else f"output_{i}")
            if isinstance(operand, (Varying, Dim)):
                raise UnsupportedError(
                    "onnx.export: a result isn't made of recorded steps, but depends on a dynamic axis or the inputs"
                )
            made = writer.of(operand)
            symbols.append(made)
            shape = operand.shape if getattr(operand, "shape", None) is not None else writer.shape_of(operand)
            given = _axis_labels(name, labels.get(name))
            sizes = [given.get(axis, _size_label(n)) for axis, n in enumerate(shape)]
            kind = helper.np_dtype_to_tensor_dtype(x.array.dtype)
            outputs.append(helper.make_tensor_value_info(name, kind, sizes))
        return self.model(symbols, outputs)

    def model(self, symbols: list[Symbol], outputs: list[Any]) -> Any:
        """Make the ONNX model with `outputs` and the nodes that lead to them."""
        writer, nodes = self.writer, self.used(symbols)
        nodes += [
            helper.make_node("Identity", [made.name], [info.name], writer.named(f"/{info.name}"))
            for made, info in zip(symbols, outputs, strict=True)
        ]
        _name_outputs(nodes, len(outputs))
        needed = {name for node in nodes for name in node.input}
        held = [x for x in writer.initializers if x.name in needed]
        graph = helper.make_graph(nodes, "main_graph", self.inputs, outputs, held)
        opsets = [helper.make_opsetid("", writer.opset)]
        proto = helper.make_model(
            graph, producer_name="microgad", opset_imports=opsets,
            ir_version=helper.find_min_ir_version_for(opsets),
        )  # fmt: skip
        if proto.ByteSize() >= 2**31:
            raise UnsupportedError("onnx.export: the model is over 2 GB, more than one ONNX file can hold")
        checker.check_model(proto, full_check=True)
        return proto

    def write(self, step: Step) -> None:
        """Write a step by its rule, or its result as a constant if it depends on no input."""
        writer = self.writer
        writer.step = step
        writer.shapes.update(zip(step.outputs, step.shapes, strict=True))
        if not self.depends(step):
            self.fixed.update(step.outputs)
            for number in step.outputs:
                writer.values[number] = writer.constant(self.recording.arrays[number])
            return
        write = next((RULES[key] for key in _rule_keys(step.function) if key in RULES), None)
        if write is None:
            raise writer.unsupported("there is no rule for it in microgad/onnx/export_rules")
        made = write(writer, step)
        results = made if isinstance(made, (tuple, list)) else [made]
        for number, symbol, dtype in zip(step.outputs, results, step.kinds, strict=True):
            writer.values[number] = writer.cast(symbol, dtype)

    def depends(self, step: Step) -> bool:
        """Whether a step reads an input, a parameter or a dynamic size."""
        return any(map(self.open, flatten_setting((step.inputs, step.settings, step.shapes))))

    def open(self, x: Any) -> bool:
        """Whether an operand or a part of a setting isn't a constant."""
        if isinstance(x, Value):
            return x.number not in self.fixed
        return bool(x.name) if isinstance(x, Constant) else isinstance(x, (Dim, GeneratedArray, Varying))

    def used(self, results: list[Symbol]) -> list[Any]:
        """Return the nodes that lead to the results."""
        wanted, kept = {x.name for x in results}, []
        for node in reversed(self.writer.nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                kept.append(node)
        return kept[::-1]


def _rule_keys(function: Any) -> list[Any]:
    """Return the keys of a function's rule: a Function with its bases of the same forward; for others, the name."""
    if not isinstance(function, type):
        return [function.__name__]
    forward = getattr(function, "forward", None)
    return [cls for cls in function.__mro__ if getattr(cls, "forward", None) is forward]


def _size_label(n: Any) -> Any:
    """Return a size for the file: a number, the name of an axis, or None."""
    if isinstance(n, Dim) and len(n.terms) == 1:
        ((name, factor),) = n.terms
        plain = n.offset == 1 if n.product else n.offset == 0 and factor == 1
        return name if plain else None
    return n if isinstance(n, int) else None


def _name_outputs(nodes: list[Any], count: int) -> None:
    """Give results their names in the nodes that compute them, and remove those of the last `count`, Identity nodes."""
    first = len(nodes) - count
    made = {name: node for node in nodes[:first] for name in node.output}
    for last in nodes[first:]:
        (before,), (name,) = last.input, last.output
        if before not in made:  # an input or a constant, or a result that is returned twice
            continue
        node = made.pop(before)
        node.output[list(node.output).index(before)] = name
        nodes.remove(last)
        for other in nodes:
            for i, given in enumerate(other.input):
                if given == before:
                    other.input[i] = name
