"""Recurrent layers (RNN, LSTM, GRU) and their cells."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from ...errors import DimError
from ...errors.notices import warn
from ...ops import recurrent
from ...ops.creation import zeros
from ...parameter import Parameter
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import init
from ..utils.rnn import PackedSequence
from .layer_helpers import add_parameters
from .module import Module
from .recurrent_weights import FlatWeights

# By name, in a table that overriding by __torch_function__ can reach:
_OPS: dict[str, Any] = {
    name: getattr(recurrent, name)
    for name in ["lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell"]
}
_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}

if TYPE_CHECKING:
    State_co = TypeVar("State_co", covariant=True)

    class _Call(Protocol[State_co]):
        @overload
        def __call__(self, input: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, State_co]: ...
        @overload
        def __call__(self, input: PackedSequence, *args: Any, **kwargs: Any) -> tuple[PackedSequence, State_co]: ...
        @overload
        def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, State_co]: ...


def apply_permutation(tensor: Tensor, permutation: Tensor, dim: int = 1) -> Tensor:
    """Return `tensor.index_select(dim, permutation)`, which replaces this: layers of programs reorder states by it."""
    said = "`apply_permutation` is deprecated, please use `tensor.index_select(dim, permutation)` instead"
    warn(said, FutureWarning)
    return tensor.index_select(dim, permutation)


class _Recurrent(Module):
    """Base class of recurrent layers and cells, all of whose parameters start uniform in ±1/√hidden_size."""

    hidden_size: int

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)


class RNNBase(FlatWeights, _Recurrent):
    """Base class of RNN, LSTM and GRU: parameters, states, and batched, unbatched or packed input.

    Each layer and direction has weight_ih_l0 (gates · H, I) and weight_hh_l0 (gates · H, H or P). It has bias_ih_l0 and
    bias_hh_l0 unless bias=False, and weight_hr_l0 (P, H) with proj_size P. The names of the backward direction end with
    "_reverse". All start uniform in ±1/√H. Raises TypeError and ValueError for settings that don't fit together.
    `forward` raises RuntimeError for other sizes of the input or the states, ValueError for other dimensions or dtypes.
    Source: torch.nn.RNNBase.

    >>> net = nn.RNNBase("GRU", input_size=2, hidden_size=3)
    >>> [(name, tuple(p.shape)) for name, p in net.named_parameters()]
    [('weight_ih_l0', (9, 2)), ('weight_hh_l0', (9, 3)), ('bias_ih_l0', (9,)), ('bias_hh_l0', (9,))]
    """

    proj_size = 0  # of modules that PyTorch has saved before version 1.8

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__()
        if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
            )
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_settings()
        state_size = proj_size or hidden_size
        self._all_weights = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: 1 + bidirectional]:
                rows = _GATES[mode] * hidden_size
                size = state_size * (1 + bidirectional) if layer else input_size
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, size), "weight_hh": (rows, state_size)}
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                if proj_size:
                    shapes["weight_hr"] = proj_size, hidden_size
                named = {f"{name}_l{layer}{suffix}": shape for name, shape in shapes.items()}
                self._all_weights.append(list(named))
                add_parameters(self, device, dtype, **named)
        self.reset_parameters()

    def _check_settings(self) -> None:
        if self.dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
                f"num_layers greater than 1, but got dropout={self.dropout} and num_layers={self.num_layers}",
                stacklevel=3,  # a line of the class's __init__, as in PyTorch: the default filter then shows it once
            )
        for name, kind in (("bias", bool), ("batch_first", bool), ("input_size", int), ("hidden_size", int)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
        for name in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.proj_size < 0:
            raise ValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in _GATES:
            raise ValueError(f"Unrecognized RNN mode: {self.mode}")

    def flatten_parameters(self) -> None:
        """Do nothing: the layout of parameters in memory doesn't matter here."""

    def _state_sizes(self) -> list[int]:
        return [self.proj_size or self.hidden_size]

    def forward(self, input: Tensor | PackedSequence, hx: Any = None) -> tuple[Any, Any]:
        """Run all layers over the sequences, from the states `hx` (layers · directions, B, H), zeros by default.

        input is (T, B, I), with batch_first (B, T, I), without a batch (T, I), or a PackedSequence. Returns the last
        layer's states at all steps, both directions side by side, and the final states of all layers.
        """
        states = None if hx is None else self._list_states(hx)
        out: Any
        if isinstance(input, PackedSequence):
            out, states = self._forward_packed(input, states)
        else:
            self._check_ndim(input, states)
            if input.ndim == 2:
                axis = 0 if self.batch_first else 1
                states = None if states is None else [s.unsqueeze(1) for s in states]
                out, states = self._forward_batch(input.unsqueeze(axis), None, states)
                out, states = out.squeeze(axis), [s.squeeze(1) for s in states]
            else:
                out, states = self._forward_batch(input, None, states)
        return out, tuple(states) if len(states) > 1 else states[0]

    def _forward_packed(
        self, packed: PackedSequence, states: list[Tensor] | None
    ) -> tuple[PackedSequence, list[Tensor]]:
        """Run all layers over a packed batch. The states given and returned are in the batch's original order."""
        data, batch_sizes, sorted_indices, unsorted_indices = packed
        if states is not None:
            states = self.permute_hidden(states, sorted_indices)
        data, states = self._forward_batch(data, batch_sizes, states)
        states = self.permute_hidden(states, unsorted_indices)
        return PackedSequence(data, batch_sizes, sorted_indices, unsorted_indices), states

    def _forward_batch(self, x: Tensor, batch_sizes: Any, states: list[Tensor] | None) -> tuple[Tensor, list[Tensor]]:
        """Run all layers over x: packed data with its batch_sizes, or else (T, B, I) (batch_first: (B, T, I))."""
        if states is None:
            states = [zeros(shape, dtype=x.dtype, device=x.device) for shape in self._state_shapes(x, batch_sizes)]
        self.check_forward_args(x, states, batch_sizes)
        out, *states = self._call_op(x, batch_sizes, states)
        return out, states

    def _state_shapes(self, x: Tensor, batch_sizes: Any) -> list[tuple[int, int, int]]:
        batch = x.shape[0 if self.batch_first else 1] if batch_sizes is None else int(batch_sizes[0])
        return [(self.num_layers * (1 + self.bidirectional), batch, size) for size in self._state_sizes()]

    def get_expected_hidden_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """Return the shape of the state h_0 for a batched or packed input."""
        return self._state_shapes(input, batch_sizes)[0]

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Return the states with their batches in the order of `permutation`."""
        if permutation is None:
            return hx
        if isinstance(hx, Tensor):
            return hx.index_select(1, permutation)
        return tuple(s.index_select(1, permutation) for s in hx)

    def _list_states(self, hx: Any) -> list[Tensor]:
        """Return the states in a list: a GRU's one, or h_0 and c_0, which may be the rows of one Tensor."""
        count = len(self._state_sizes())
        states = [hx] if count == 1 else list(hx)
        if len(states) != count:
            raise DimError(f"{type(self).__name__}: hx must be {count} states, (h_0, c_0), got {len(states)}")
        return states

    def _check_ndim(self, x: Tensor, states: list[Tensor] | None) -> None:
        if x.ndim not in (2, 3):
            raise ValueError(f"{self._get_name()}: Expected input to be 2D or 3D, got {x.ndim}D instead")
        if states is not None and any(s.ndim != x.ndim for s in states):
            kind, several = "batched" if x.ndim == 3 else "unbatched", len(states) > 1
            found = f"({', '.join(f'{s.ndim}-D' for s in states)})" if several else f"{states[0].ndim}-D"
            raise RuntimeError(
                f"For {kind} {x.ndim}-D input, {'hx and cx' if several else 'hx'} should also be {x.ndim}-D but got "
                f"{found} {'tensors' if several else 'tensor'}"
            )

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Raise if the dtype or the shape of a batched or packed input doesn't fit."""
        weight = self._first_weight()
        if input.dtype != weight.dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({weight.dtype}). "
                f"Convert input: input.to({weight.dtype}), or convert model: model.to({input.dtype})"
            )
        dimensions = 3 if batch_sizes is None else 2
        if input.ndim != dimensions:
            raise RuntimeError(f"input must have {dimensions} dimensions, got {input.ndim}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            )

    def check_hidden_size(
        self, hx: Tensor, expected_hidden_size: tuple[int, ...], msg: str = "Expected hidden size {}, got {}"
    ) -> None:
        """Raise if a state doesn't have the expected shape."""
        if tuple(hx.shape) != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Raise if a batched or packed input or the states don't fit."""
        self.check_input(input, batch_sizes)
        states, shapes = [hidden] if isinstance(hidden, Tensor) else hidden, self._state_shapes(input, batch_sizes)
        for i, (state, shape) in enumerate(zip(states, shapes, strict=True)):
            which = f"hidden[{i}]" if len(shapes) > 1 else "hidden"
            self.check_hidden_size(state, shape, f"Expected {which} size {{}}, got {{}}")

    def _call_op(self, x: Tensor, batch_sizes: Tensor | None, states: list[Tensor]) -> tuple[Tensor, ...]:
        """Call the operation of this mode, which has another signature for packed input."""
        op = _OPS[self.mode.lower()]
        hx = states[0] if len(states) == 1 else tuple(states)
        settings = (self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        if batch_sizes is None:
            return op(x, hx, self._weights(), *settings, self.batch_first)
        return op(x, batch_sizes, hx, self._weights(), *settings)

    def extra_repr(self) -> str:
        defaults = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False,
        }  # fmt: skip
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in defaults.items():
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(RNNBase):
    """Stacked Elman networks: h = tanh(w_ih x + b_ih + w_hh h + b_hh), or with relu.

    (T, B, I) -> (T, B, H) and (layers, B, H): see `RNNBase`. Elman (1990). Raises as RNNBase does, ValueError for a
    proj_size and for another nonlinearity. Source: torch.nn.RNN.

    >>> _ = torch.manual_seed(0)
    >>> out, h = nn.RNN(2, 3)(torch.ones(4, 1, 2))
    >>> out.shape, h
    (torch.Size([4, 1, 3]), tensor([[[-0.4051, -0.7316,  0.6750]]], grad_fn=<StackBackward0>))
    """

    nonlinearity: str
    __call__: _Call[Tensor]

    if TYPE_CHECKING:

        def __init__(
            self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", bias: bool = True,
            batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, device: Device = None,
            dtype: Dtype = None,
        ) -> None: ...  # fmt: skip
    else:

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            _reject_proj_size(kwargs)
            given = list(args)
            self.nonlinearity = given.pop(3) if len(given) > 3 else kwargs.pop("nonlinearity", "tanh")
            if self.nonlinearity not in ("tanh", "relu"):
                raise ValueError(f"Unknown nonlinearity '{self.nonlinearity}'. Select from 'tanh' or 'relu'.")
            super().__init__(f"RNN_{self.nonlinearity.upper()}", *given, **kwargs)


class LSTM(RNNBase):
    """Stacked long short-term memory (LSTM) layers. Source: torch.nn.LSTM.

    (T, B, I) -> (T, B, H) and (h, c), each (layers, B, H); hx is such a pair, too. With proj_size P, the outputs and h
    have size P instead of H. See `RNNBase`. Hochreiter and Schmidhuber (1997); Sak et al. (2014).

    >>> out, (h, c) = nn.LSTM(2, 3, num_layers=2, bidirectional=True)(torch.ones(4, 1, 2))
    >>> out.shape, h.shape, c.shape
    (torch.Size([4, 1, 6]), torch.Size([4, 1, 3]), torch.Size([4, 1, 3]))
    """

    __call__: _Call[tuple[Tensor, Tensor]]

    if TYPE_CHECKING:

        def __init__(
            self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
            dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0, device: Device = None,
            dtype: Dtype = None,
        ) -> None: ...  # fmt: skip
    else:

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__("LSTM", *args, **kwargs)

    def _state_sizes(self) -> list[int]:
        return [self.proj_size or self.hidden_size, self.hidden_size]

    def get_expected_cell_size(self, input: Tensor, batch_sizes: Tensor | None) -> tuple[int, int, int]:
        """Return the shape of the state c_0 for a batched or packed input."""
        return self._state_shapes(input, batch_sizes)[1]


class GRU(RNNBase):
    """Stacked layers of gated recurrent units (GRU).

    (T, B, I) -> (T, B, H) and (layers, B, H): see `RNNBase`. Cho et al. (2014). Raises as RNNBase does, ValueError for
    a proj_size. Source: torch.nn.GRU.

    >>> nn.GRU(2, 3, batch_first=True)(torch.ones(1, 4, 2))[0].shape
    torch.Size([1, 4, 3])
    """

    __call__: _Call[Tensor]

    if TYPE_CHECKING:

        def __init__(
            self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False,
            dropout: float = 0.0, bidirectional: bool = False, device: Device = None, dtype: Dtype = None,
        ) -> None: ...  # fmt: skip
    else:

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            _reject_proj_size(kwargs)
            super().__init__("GRU", *args, **kwargs)


def _reject_proj_size(kwargs: dict[str, Any]) -> None:
    if "proj_size" in kwargs:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class RNNCellBase(_Recurrent):
    """Base class of the cells, with weight_ih (gates · H, I), weight_hh (gates · H, H), bias_ih and bias_hh.

    Source: torch.nn.RNNCellBase.

    >>> cell = nn.RNNCellBase(2, 3, bias=True, num_chunks=4)
    >>> [(name, tuple(p.shape)) for name, p in cell.named_parameters()]
    [('weight_ih', (12, 2)), ('weight_hh', (12, 3)), ('bias_ih', (12,)), ('bias_hh', (12,))]
    """

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Device = None, dtype: Dtype = None
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        add_parameters(self, device, dtype, weight_ih=(rows, input_size), weight_hh=(rows, hidden_size))
        add_parameters(self, device, dtype, bias_ih=rows if bias else None, bias_hh=rows if bias else None)
        self.reset_parameters()

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}" + ("" if self.bias is True else f", bias={self.bias}")
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"

    def _step(self, op: str, input: Tensor, hx: Any, states: int = 1) -> Any:
        """Call `op` for one step, with a batch or without, from the states `hx`, zeros by default."""
        name = self._get_name()
        hidden = None if hx is None else list(hx) if states > 1 else [hx]
        if input.ndim not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.ndim}D instead")
        for i, state in enumerate(hidden or ()):
            if state.ndim not in (1, 2):
                which = f"hx[{i}]" if states > 1 else "hidden"
                raise ValueError(f"{name}: Expected {which} to be 1D or 2D, got {state.ndim}D instead")
        unbatched = input.ndim == 1
        x = input.unsqueeze(0) if unbatched else input
        if hidden is None:
            hidden = [zeros(x.shape[0], self.hidden_size, dtype=x.dtype, device=x.device)] * states
        elif unbatched:
            hidden = [s.unsqueeze(0) for s in hidden]
        elif states > 1:
            hidden = hx  # no list of its rows, so that the operation refuses a Tensor
        weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        new = _OPS[op](x, hidden[0] if states == 1 else hidden, *weights)
        if not unbatched:
            return new
        return new.squeeze(0) if states == 1 else tuple(s.squeeze(0) for s in new)


class RNNCell(RNNCellBase):
    """One step of RNN: (B, I), state (B, H) -> the new state; also without B.

    Raises RuntimeError for other sizes or dtypes, ValueError for other dimensions. Source: torch.nn.RNNCell.

    >>> nn.RNNCell(2, 3)(torch.ones(1, 2)).shape
    torch.Size([1, 3])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Device = None,
        dtype: Dtype = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(f"rnn_{self.nonlinearity}_cell", input, hx)


class LSTMCell(RNNCellBase):
    """One step of LSTM: (B, I), (h, c) of (B, H) -> new (h, c); also without B.

    Raises RuntimeError for other sizes or dtypes, ValueError for other dimensions. Source: torch.nn.LSTMCell.

    >>> h, c = nn.LSTMCell(2, 3)(torch.ones(1, 2))
    >>> h.shape, c.shape
    (torch.Size([1, 3]), torch.Size([1, 3]))
    """

    __call__: Callable[..., tuple[Tensor, Tensor]]

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Device = None, dtype: Dtype = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        return self._step("lstm_cell", input, hx, 2)


class GRUCell(RNNCellBase):
    """One step of GRU: (B, I), state (B, H) -> the new state; also without B.

    Raises RuntimeError for other sizes or dtypes, ValueError for other dimensions. Source: torch.nn.GRUCell.

    >>> nn.GRUCell(2, 3)(torch.ones(1, 2)).shape
    torch.Size([1, 3])
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Device = None, dtype: Dtype = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("gru_cell", input, hx)
