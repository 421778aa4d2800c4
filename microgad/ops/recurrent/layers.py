"""Stacks of recurrent layers. Each layer and direction is one node of the tape."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import errors, function
from ...errors import DtypeError, ShapeError
from ...function.naming import with_torch_name
from ...state import composite
from ...type_aliases import Tensor
from ..dropout import dropout
from ..movement import cat, stack, unbind
from ..support.bare import unrecorded
from .base import Recurrent, check_dtypes
from .gru import Gru
from .lstm import Lstm
from .rnn import Rnn

_BATCH_ARGUMENTS = (
    "input", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional", "batch_first",
)  # fmt: skip
_PACKED_ARGUMENTS = ("data", "batch_sizes", *_BATCH_ARGUMENTS[1:-1])


@composite
def lstm(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Apply a stack of LSTM layers; return the output and the final states h and c.

    The arguments are (input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first). input is
    (T, B, I), or (B, T, I) with batch_first. hx is the pair of initial states (h, c), each (layers · directions, B, H).
    params holds, for each layer and direction, w_ih (4 H, I), w_hh (4 H, H), with has_biases b_ih and b_hh (4 H), and
    w_hr (P, H) if h is projected to size P: then h is (..., P) and w_hh (4 H, P). In training, dropout is applied
    between layers. Packed sequences are given as (data, batch_sizes, hx, ...) without batch_first: see
    `nn.utils.rnn.PackedSequence`.
    Raises RuntimeError if sizes or dtypes do not fit. Source: torch.lstm; Hochreiter and Schmidhuber (1997).

    >>> x, state, weights = torch.ones(2, 1, 1), torch.zeros(1, 1, 1), [torch.ones(4, 1), torch.ones(4, 1)]
    >>> torch.lstm(x, (state, state), weights, False, 1, 0.0, True, False, False)[0].flatten()
    tensor([0.3696, 0.6505])
    """
    given = _bind_arguments("lstm", args, kwargs)
    hx = given["hx"]
    if isinstance(hx, function.Tensor) or len(hx) != 2:
        raise ShapeError("lstm expects two hidden states")
    others = 2 if given["has_biases"] else 0
    projected = len(given["params"]) == (3 + others) * given["num_layers"] * (1 + given["bidirectional"])
    return _run_layers(Lstm, "lstm", given, hx, 3 if projected else 2)  # type: ignore[return-value]


@composite
def gru(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Apply a stack of GRU layers; return the output and the final states.

    The arguments are those of lstm, but hx is one Tensor, there is no w_hr, and the weights and biases have
    3 H rows. Source: torch.gru; Cho et al. (2014).

    >>> x, state, weights = torch.ones(2, 1, 1), torch.zeros(1, 1, 1), [torch.ones(3, 1), torch.ones(3, 1)]
    >>> torch.gru(x, state, weights, False, 1, 0.0, True, False, False)[0].flatten()
    tensor([0.2048, 0.3468])
    """
    return _run_single_state(Gru, "gru", args, kwargs)


@composite
def rnn_tanh(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Apply a stack of Elman layers with tanh; return the output and the final states.

    The arguments are those of lstm, but hx is one Tensor, there is no w_hr, and the weights and biases have
    H rows. Source: torch.rnn_tanh; Elman (1990).

    >>> x, state, weights = torch.ones(2, 1, 1), torch.zeros(1, 1, 1), [torch.ones(1, 1), torch.ones(1, 1)]
    >>> torch.rnn_tanh(x, state, weights, False, 1, 0.0, True, False, False)[0].flatten()
    tensor([0.7616, 0.9427])
    """
    return _run_single_state(Rnn, "rnn_tanh", args, kwargs, relu=False)


@composite
def rnn_relu(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """Apply rnn_tanh with relu in place of tanh. Source: torch.rnn_relu.

    >>> x, state, weights = torch.ones(2, 1, 1), torch.zeros(1, 1, 1), [torch.ones(1, 1), torch.ones(1, 1)]
    >>> torch.rnn_relu(x, state, weights, False, 1, 0.0, True, False, False)[0].flatten()
    tensor([1., 2.])
    """
    return _run_single_state(Rnn, "rnn_relu", args, kwargs, relu=True)


def _bind_arguments(op: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments by name. If the second one has integers, the batch sizes, the sequence is packed."""
    packed = kwargs.keys() & {"data", "batch_sizes"} or (
        len(args) > 1 and isinstance(args[1], function.Tensor) and args[1].array.dtype.kind in "iu"
    )
    names = _PACKED_ARGUMENTS if packed else _BATCH_ARGUMENTS
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    if len(args) > len(names) or given.keys() != set(names):
        raise DtypeError(f"{op}() takes the arguments ({', '.join(names)})")
    return given


def _run_single_state(cls: type[Recurrent], op: str, args: Any, kwargs: Any, **settings: Any) -> tuple[Tensor, Tensor]:
    given = _bind_arguments(op, args, kwargs)
    return _run_layers(cls, op, given, (given["hx"],), 2, **settings)  # type: ignore[return-value]


def _run_layers(
    cls: type[Recurrent], op: str, given: dict[str, Any], hx: Sequence[Tensor], weights: int, **settings: Any
) -> tuple[Tensor, ...]:
    """Run all layers and return the output and the final states; a layer and direction has `weights` matrices."""
    x = given["data"] if "data" in given else given["input"]
    batch_first = given.get("batch_first", False)
    if batch_first:
        x = x.transpose(0, 1)
    if not x.shape[0]:
        raise ShapeError("Expected sequence length to be larger than 0 in RNN")
    sizes = tuple(given["batch_sizes"].tolist()) if "data" in given else (x.shape[1],) * x.shape[0]
    layers, directions = given["num_layers"], 1 + given["bidirectional"]
    params, biases = list(given["params"]), 2 if given["has_biases"] else 0
    each = weights + biases
    if len(params) != each * layers * directions:
        raise ShapeError(f"{op}: got an incorrect number of RNN parameters, {len(params)}")
    for state in hx:
        if tuple(state.shape[:2]) != (layers * directions, sizes[0]):
            raise ShapeError(
                f"{op}: hx must be (layers · directions, batch, size), ({layers * directions}, {sizes[0]}, ...), but "
                f"is {tuple(state.shape)}"
            )
    check_dtypes(op, x, *hx, *params)
    drops = given["dropout"] if given["train"] and layers > 1 else 0.0
    run = functools.partial(_each_layer, cls, batch_sizes=sizes, settings=settings)
    found: Sequence[Any] | None = None
    wide = x.array.dtype.char in "fd"  # operations compute float16 in float32
    if wide and not drops and (arrays := unrecorded(x, *hx, *params)) is not None:
        with contextlib.suppress(*errors.FROM_FORWARD):  # the operations say what is wrong
            parts = arrays[0], arrays[1 : 1 + len(hx)], arrays[1 + len(hx) :]
            found = [*map(function.Tensor._wrap, run(*parts, each, biases, layers, directions))]
    x, *last = found or run(x, hx, params, each, biases, layers, directions, drops)
    if batch_first:
        x = with_torch_name(f"TransposeBackward{int(cls is not Lstm)}", x.transpose(0, 1))
    return x, *last


def _each_layer(
    cls: type[Recurrent], x: Any, hx: Sequence[Any], params: Sequence[Any], each: int, biases: int, layers: int,
    directions: int, drops: float = 0.0, *, batch_sizes: tuple[int, ...], settings: dict[str, Any],
) -> tuple[Any, ...]:  # fmt: skip
    """Apply all layers to Tensors or to bare arrays; return the output and the final states."""
    bare = not isinstance(x, function.Tensor)
    split, join, joined_anew = (list, np.concatenate, np.stack) if bare else (unbind, cat, stack)
    states = list(zip(*map(split, hx), strict=True))
    after = []
    for layer in range(layers):
        results = []
        for direction in range(directions):
            place = layer * directions + direction
            mine = [*params[place * each : (place + 1) * each]]
            if not biases:
                mine[2:2] = None, None
            operands = (x, *states[place], *mine)
            operands += (None,) * (len(cls.inputs) - len(operands))  # for w_hr, if there is none
            out, *last = cls.apply(*operands, batch_sizes=batch_sizes, reverse=direction == 1, **settings)
            results.append(out)
            after.append(last)
        x = results[0] if directions == 1 else join(results, -1)
        if drops and layer < layers - 1:
            x = dropout(x, drops)
    return x, *map(joined_anew, zip(*after, strict=True))
