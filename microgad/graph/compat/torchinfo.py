"""The function `summary` and the classes of torchinfo. Under `as_torch()`, this is the module torchinfo."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np

from ... import backend, dtypes, state
from ...errors import ArgumentError, GraphError
from ...errors.own_arguments import checked
from ...nn.modules.module import Module
from ...nn.modules.module.training_mode import training_mode
from ...pytree import tree_leaves, tree_map
from ...tensor import Tensor
from .layer_info import LayerInfo as LayerInfo
from .layer_info import collect_layers


class Mode(StrEnum):
    """The mode in which the model runs. Source: torchinfo.Mode."""

    TRAIN, EVAL = "train", "eval"


class RowSettings(StrEnum):
    """What the first column of a row shows. Source: torchinfo.RowSettings."""

    DEPTH, VAR_NAMES, ASCII_ONLY = "depth", "var_names", "ascii_only"
    HIDE_RECURSIVE_LAYERS = "hide_recursive_layers"


class ColumnSettings(StrEnum):
    """The columns for each layer. Source: torchinfo.ColumnSettings."""

    KERNEL_SIZE, INPUT_SIZE, OUTPUT_SIZE = "kernel_size", "input_size", "output_size"
    NUM_PARAMS, PARAMS_PERCENT, MULT_ADDS, TRAINABLE = "num_params", "params_percent", "mult_adds", "trainable"


class Verbosity(IntEnum):
    """Whether to print nothing, the layers, or the layers with their parameters. Source: torchinfo.Verbosity."""

    QUIET, DEFAULT, VERBOSE = 0, 1, 2


TITLES = {
    "kernel_size": "Kernel Shape", "input_size": "Input Shape", "output_size": "Output Shape", "num_params": "Param #",
    "params_percent": "Param %", "mult_adds": "Mult-Adds", "trainable": "Trainable",
}  # fmt: skip
_COLUMNS_OF_A_RUN = {"input_size", "output_size", "mult_adds"}
_INDENT = 5


class ModelStatistics:
    """The result of `summary`, which prints as torchinfo's table. Source: torchinfo.ModelStatistics."""

    def __init__(
        self, layers: list[LayerInfo], input_size: Any, total_input: int, columns: Sequence[str], rows: set[str],
        col_width: int, depth: int, verbose: int,
    ) -> None:  # fmt: skip
        self.summary_list, self.input_size, self.total_input = layers, input_size, total_input
        self._columns, self._rows, self._width = columns, rows, col_width
        self._depth, self._verbose = depth, verbose
        once = [x for x in layers if not x.is_recursive]
        self.total_params = sum(max(x.num("num_params"), 0) for x in once)
        self.trainable_params = sum(max(x.num("trainable_params"), 0) for x in once)
        leaves = [x for x in layers if x.is_leaf_layer]
        self.total_mult_adds = sum(x.macs for x in leaves)
        self.total_param_bytes = sum(x.param_bytes for x in leaves if not x.is_recursive)
        self.total_output_bytes = sum(2 * x.output_bytes for x in leaves if x.num_params)  # twice, for the gradients

    def __repr__(self) -> str:
        longest = max(len(x.title(self._rows)) + x.depth * _INDENT + 1 for x in self.summary_list)
        self._name = 40 if longest < 40 else -(-longest // _INDENT) * _INDENT
        rule = "=" * (len(self._columns) * self._width + self._name)
        named = " (var_name)" if "var_names" in self._rows else ""
        header = f"Layer (type{named}{':depth-idx' if 'depth' in self._rows else ''})"
        lines = [rule, self._row(header, TITLES), rule]
        for layer in self.summary_list:
            if layer.depth <= self._depth and not (layer.is_recursive and "hide_recursive_layers" in self._rows):
                lines += self._lines(layer)
        total, trainable = self.total_params, self.trainable_params
        lines += [
            rule, f"Total params: {total:,}", f"Trainable params: {trainable:,}",
            f"Non-trainable params: {total - trainable:,}",
        ]  # fmt: skip
        if self.input_size:
            sizes = {
                "Input size": self.total_input, "Forward/backward pass size": self.total_output_bytes,
                "Params size": self.total_param_bytes,
            }  # fmt: skip
            sizes["Estimated Total Size"] = sum(sizes.values())
            lines += [f"Total mult-adds {_readable(self.total_mult_adds)}", rule]
            lines += [f"{what} (MB): {count / 1e6:.2f}" for what, count in sizes.items()]
        return "\n".join([*lines, rule])

    def _lines(self, layer: LayerInfo) -> list[str]:
        cells = layer.cells(layer.depth == self._depth, self.total_params)
        lines = [self._row(self._start(layer.depth) + layer.title(self._rows), cells)]
        if self._verbose < Verbosity.VERBOSE:
            return lines
        shown = {name: p for name, p in layer.parameters.items() if layer.depth or "." not in name}
        for i, (name, p) in enumerate(shown.items()):
            shape = list(p.shape)
            if name == "weight" and len(shape) > 1:
                shape[:2] = shape[1::-1]
            line = "└─" if i == len(shown) - 1 else "├─"
            cells = {"kernel_size": str(shape), "num_params": f"{line}{p.numel():,}"}
            lines.append(self._row(self._start(layer.depth + 1) + name, cells))
        return lines

    def _start(self, depth: int) -> str:
        plain = "ascii_only" in self._rows
        if depth <= 1:
            return ("+ " if plain else "├─") * depth
        return ("|    " if plain else "│    ") * (depth - 1) + ("+ " if plain else "└─")

    def _row(self, name: str, cells: Mapping[str, str]) -> str:
        shown = [f"{cells.get(column, ''):<{self._width}}" for column in self._columns]
        return " ".join([f"{name:<{self._name}}", *shown]).rstrip()


@checked
def summary(
    model: Module, input_size: Any = None, input_data: Any = None, batch_dim: int | None = None,
    cache_forward_pass: bool | None = None, col_names: Iterable[str] | None = None, col_width: int = 25, depth: int = 3,
    device: Any = None, dtypes: Sequence[Any] | None = None, mode: str | None = None,
    row_settings: Iterable[str] | None = None, verbose: int | None = None, **kwargs: Any,
) -> ModelStatistics:  # fmt: skip
    """Print and return a model's layers with shapes, parameters and multiply-adds. Source: torchinfo.summary.

    The model runs once, without gradients, and in eval mode unless `mode` is "train". Its input is `input_data`, a
    Tensor, a sequence of arguments or a dict of keyword arguments, or random numbers of `input_size`, a size or a list
    of sizes. Sizes include the batch, unless it is inserted at `batch_dim`. `kwargs` are further arguments. Without an
    input the model doesn't run.

    `col_names` are among "input_size", "output_size", "num_params", "params_percent", "kernel_size", "mult_adds" and
    "trainable", and `row_settings` among "depth", "var_names", "ascii_only" and "hide_recursive_layers". Layers deeper
    than `depth` aren't shown. `verbose` is 0 to print nothing (the default in an interactive session), 1 to print
    layers, or 2 to print parameters too. `cache_forward_pass` is ignored. Raises ValueError or TypeError for other
    names and sizes, and RuntimeError for both kinds of input or a model that fails.

    >>> _ = torch.summary(nn.Sequential(nn.Linear(4, 2), nn.ReLU()), (8, 4))
    ==========================================================================================
    Layer (type:depth-idx)                   Output Shape              Param #
    ==========================================================================================
    Sequential                               [8, 2]                    --
    ├─Linear: 1-1                            [8, 2]                    10
    ├─ReLU: 1-2                              [8, 2]                    --
    ==========================================================================================
    Total params: 10
    Trainable params: 10
    Non-trainable params: 0
    Total mult-adds (M): 0.00
    ==========================================================================================
    Input size (MB): 0.00
    Forward/backward pass size (MB): 0.00
    Params size (MB): 0.00
    Estimated Total Size (MB): 0.00
    ==========================================================================================
    """
    runs = input_data is not None or input_size is not None
    default = ("output_size", "num_params") if runs else ("num_params",)
    columns = tuple(ColumnSettings(name).value for name in (default if col_names is None else col_names))
    rows = {RowSettings(name).value for name in (("depth",) if row_settings is None else row_settings)}
    training = Mode("eval" if mode is None else mode) is Mode.TRAIN
    if verbose is None:
        verbose = 0 if getattr(sys, "ps1", "") else 1
    if verbose not in (0, 1, 2):
        raise ArgumentError(f"summary: verbose must be 0 (quiet), 1 (default) or 2 (verbose), got {verbose!r}")
    if col_width <= 0:
        raise ArgumentError(f"summary: col_width must be greater than 0, got {col_width}")
    if input_data is not None and input_size is not None:
        raise GraphError("summary: give input_size or input_data, not both")
    if not runs and _COLUMNS_OF_A_RUN & set(columns):
        raise ArgumentError(
            f"summary: the columns {', '.join(sorted(_COLUMNS_OF_A_RUN & set(columns)))} need input_size or input_data"
        )
    args = [input_data] if isinstance(input_data, (Tensor, np.ndarray)) else input_data
    if input_size is not None:
        sizes = _sizes(input_size)
        args = [_random(size, dtype, batch_dim) for size, dtype in zip(sizes, dtypes or [None] * len(sizes))]  # noqa: B905
    if device is None:
        device = next((p.device for p in model.parameters()), None)
    args, kwargs = _moved(args, device), {name: _moved(x, device) for name, x in kwargs.items()}

    def call() -> None:
        if device is not None:
            model.to(device)
        with training_mode(model, training), state.scope(grad_enabled=False):
            model(**args, **kwargs) if isinstance(args, Mapping) else model(*args, **kwargs)

    layers = collect_layers(model, call if args is not None else None, batch_dim)
    shapes = tree_map(lambda x: tuple(x.shape) if _is_array(x) else x, args) if runs else None
    total = sum(x.nbytes for x in tree_leaves(args) if _is_array(x))
    found = ModelStatistics(layers, shapes, total, columns, rows, col_width, depth, verbose)
    if verbose:
        print(found)
    return found


def _is_array(x: Any) -> bool:
    return isinstance(x, Tensor) or backend.is_array(x)


def _sizes(input_size: Any) -> list[tuple[int, ...]]:
    """Return one or several sizes as a list of tuples."""
    if not isinstance(input_size, (list, tuple)):
        raise TypeError(f"summary: input_size must be a size or a list of them, got {type(input_size).__name__}")
    sizes = [input_size] if input_size and isinstance(input_size[0], int) else list(input_size)
    if not sizes or any(not isinstance(n, int) or n <= 0 for size in sizes for n in size):
        raise ArgumentError(f"summary: input_size must have positive numbers, got {input_size!r}")
    return [tuple(size) for size in sizes]


def _random(size: tuple[int, ...], dtype: Any, batch_dim: int | None) -> Tensor:
    from ...ops.random import rand

    if batch_dim is not None:
        size = (*size[:batch_dim], 1, *size[batch_dim:])
    return rand(size).to(dtype or dtypes.float32)


def _moved(x: Any, device: Any) -> Any:
    return x if device is None else tree_map(lambda y: y.to(device) if isinstance(y, Tensor) else y, x)


def _readable(count: int) -> str:
    unit, scale = next(((u, s) for u, s in (("T", 1e12), ("G", 1e9)) if count >= s), ("M", 1e6))
    amount = count / scale
    return f"({unit}): {amount:,.0f}" if amount.is_integer() else f"({unit}): {amount:,.2f}"
