"""Recurrent cells: single time steps of the recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import function
from ...errors import DtypeError, ShapeError
from ...function.naming import with_torch_name
from ...type_aliases import Tensor
from ..support.spelling import tensors_only
from .base import Recurrent, check_dtypes
from .gru import Gru
from .lstm import Lstm
from .rnn import Rnn


@tensors_only
def lstm_cell(
    input: Tensor, hx: Sequence[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Compute one step of `lstm`: input (B, I), states (h, c), each (B, H) -> new (h, c). Source: torch.lstm_cell.

    Raises RuntimeError if sizes do not fit.

    >>> x, w = torch.ones(1, 1), torch.ones(4, 1)
    >>> torch.lstm_cell(x, (torch.zeros(1, 1), torch.zeros(1, 1)), w, w)
    (tensor([[0.3696]]), tensor([[0.5568]]))
    """
    if isinstance(hx, function.Tensor):
        raise DtypeError("lstm_cell(): argument 'hx' must be tuple of Tensors, not Tensor")
    if len(hx) != 2:
        raise ShapeError("lstm_cell expects two hidden states")
    _, h, c = _step(Lstm, input, hx, 4, w_ih, w_hh, b_ih, b_hh, None)
    return with_torch_name("Mul", h), with_torch_name("Add", c)


@tensors_only
def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Compute one step of `gru`: input (B, I), state (B, H) -> the new state.

    Raises RuntimeError for other sizes. Source: torch.gru_cell.

    >>> x, w = torch.ones(1, 1), torch.ones(3, 1)
    >>> torch.gru_cell(x, torch.zeros(1, 1), w, w)
    tensor([[0.2048]])
    """
    new: Tensor = _step(Gru, input, (hx,), 3, w_ih, w_hh, b_ih, b_hh)[1]
    return with_torch_name("Add", new)


@tensors_only
def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Compute one step of `rnn_tanh`: input (B, I), state (B, H) -> the new state.

    Raises RuntimeError for other sizes. Source: torch.rnn_tanh_cell.

    >>> w = torch.ones(1, 1)
    >>> torch.rnn_tanh_cell(w, torch.zeros(1, 1), w, w)
    tensor([[0.7616]])
    """
    new: Tensor = _step(Rnn, input, (hx,), 1, w_ih, w_hh, b_ih, b_hh, relu=False)[1]
    return with_torch_name("Tanh", new)


@tensors_only
def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Compute one step of `rnn_relu`: input (B, I), state (B, H) -> the new state.

    Raises RuntimeError for other sizes. Source: torch.rnn_relu_cell.

    >>> w = torch.ones(1, 1)
    >>> torch.rnn_relu_cell(w, w, w, w)
    tensor([[2.]])
    """
    new: Tensor = _step(Rnn, input, (hx,), 1, w_ih, w_hh, b_ih, b_hh, relu=True)[1]
    return with_torch_name("Relu", new)


def _step(
    cls: type[Recurrent], input: Tensor, hx: Sequence[Tensor], gates: int, w_ih: Tensor, w_hh: Tensor, *rest: Any,
    **settings: Any,
) -> Any:  # fmt: skip
    """Check the arguments, and apply a layer of one time step; `gates` is the number of gates."""
    if input.ndim != 2:
        raise ShapeError(f"{cls.symbol}_cell: input must be (batch, size), but has shape {tuple(input.shape)}")
    if input.shape[1] != w_ih.shape[1]:
        raise ShapeError(f"input has inconsistent input_size: got {input.shape[1]} expected {w_ih.shape[1]}")
    for i, state in enumerate(hx):
        if state.shape[0] != input.shape[0]:
            raise ShapeError(f"Input batch size {input.shape[0]} doesn't match hidden{i} batch size {state.shape[0]}")
        if state.shape[1] != w_hh.shape[0] // gates:
            raise ShapeError(
                f"hidden{i} has inconsistent hidden_size: got {state.shape[1]}, expected {w_hh.shape[0] // gates}"
            )
    check_dtypes(f"{cls.symbol}_cell", input, *hx, w_ih, w_hh, *rest)
    return cls.apply(input, *hx, w_ih, w_hh, *rest, batch_sizes=(input.shape[0],), reverse=False, **settings)
