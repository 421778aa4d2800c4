"""The strategies of `st.from_type` for Tensors, dtypes, devices, layers and losses.

`microgad/hypothesis_types.py` registers them.
"""

from __future__ import annotations

import inspect
from typing import Any

from hypothesis import strategies as st

from ... import dtypes, nn
from ...backend.devices import device
from ...parameter import Parameter
from ...tensor import Tensor
from ..strategies import devices, modules, tensors
from ..strategies.network import seeded

Strategy = st.SearchStrategy[Any]

side = st.integers(1, 4)
sizes = st.integers(1, 3)


@st.composite
def _conv2d(draw: st.DrawFn) -> nn.Conv2d:
    groups = draw(st.integers(1, 2))
    return nn.Conv2d(
        groups * draw(st.integers(1, 2)),
        groups * draw(st.integers(1, 2)),
        kernel_size=draw(sizes),
        stride=draw(sizes),
        padding=draw(st.integers(0, 2)),
        dilation=draw(st.integers(1, 2)),
        groups=groups,
        bias=draw(st.booleans()),
    )


@st.composite
def _pool2d(draw: st.DrawFn, cls: Any) -> nn.Module:
    kernel = draw(sizes)
    return cls(
        kernel,
        stride=draw(st.none() | sizes),
        padding=draw(st.integers(0, kernel // 2)),
        ceil_mode=draw(st.booleans()),
    )


def _norm(cls: type[nn.Module]) -> Strategy:
    return st.builds(cls, side, affine=st.booleans(), track_running_stats=st.booleans())


def _loss(cls: type[nn.Module]) -> Strategy:
    return st.builds(cls, reduction=st.sampled_from(("mean", "sum", "none")))


def _along(cls: type[nn.Module]) -> Strategy:
    return st.builds(cls, dim=st.sampled_from((0, 1, -1)))


@st.composite
def _from_a_seed(draw: st.DrawFn, layer: Strategy) -> Any:
    """Draw a layer whose initial values come from a drawn seed. The default generator is left as it was."""
    with seeded(draw(st.integers(0, 2**32 - 1))):
        return draw(layer)


def _by_numbers(cls: type[nn.Module]) -> Strategy:
    """Build a layer with numbers for its required arguments and defaults for the others."""
    told = [p for p in inspect.signature(cls).parameters.values() if p.default is p.empty]
    return _from_a_seed(st.builds(cls, *[side for p in told if p.kind is p.POSITIONAL_OR_KEYWORD]))


_linear = st.builds(nn.Linear, side, side, bias=st.booleans())
_layers = st.lists(_linear, max_size=3)

LAYERS: dict[type, Strategy] = {
    nn.Linear: _from_a_seed(_linear),
    nn.Conv2d: _from_a_seed(_conv2d()),
    nn.MaxPool2d: _pool2d(nn.MaxPool2d),
    nn.AvgPool2d: _pool2d(nn.AvgPool2d),
    nn.BatchNorm1d: _norm(nn.BatchNorm1d),
    nn.BatchNorm2d: _norm(nn.BatchNorm2d),
    nn.Dropout: st.builds(nn.Dropout, st.sampled_from((0.5, 0.25))),
    nn.ReLU: st.builds(nn.ReLU),
    nn.Sigmoid: st.builds(nn.Sigmoid),
    nn.Tanh: st.builds(nn.Tanh),
    nn.Softmax: _along(nn.Softmax),
    nn.LogSoftmax: _along(nn.LogSoftmax),
    nn.PairwiseDistance: st.builds(nn.PairwiseDistance, st.sampled_from((1.0, 2.0, 3.0))),
    nn.CosineSimilarity: st.builds(nn.CosineSimilarity, st.just(-1)),
    nn.Identity: st.builds(nn.Identity),
    nn.Flatten: st.builds(nn.Flatten),
    nn.Unflatten: st.builds(nn.Unflatten, st.just(1), st.tuples(side, side)),
    nn.Sequential: modules().map(lambda drawn: drawn[0]),
    nn.ModuleList: _from_a_seed(_layers.map(nn.ModuleList)),
    nn.ModuleDict: _from_a_seed(_layers.map(lambda few: nn.ModuleDict({f"layer{i}": x for i, x in enumerate(few)}))),
    nn.MSELoss: _loss(nn.MSELoss),
    nn.NLLLoss: _loss(nn.NLLLoss),
    nn.CrossEntropyLoss: _loss(nn.CrossEntropyLoss),
    nn.BCEWithLogitsLoss: _loss(nn.BCEWithLogitsLoss),
}

_heads = st.sampled_from(((1, 1), (2, 1), (2, 2), (4, 2)))  # a width, and a number that divides it


def _with_heads(cls: Any) -> Strategy:
    return _heads.map(lambda drawn: cls(*drawn))


_block = _heads.map(lambda drawn: nn.TransformerEncoderLayer(*drawn, 3))
_OWN_WAY: dict[type, Strategy] = {
    nn.AdaptiveLogSoftmaxWithLoss: st.builds(nn.AdaptiveLogSoftmaxWithLoss, st.just(16), st.just(9), st.just([2, 5])),
    nn.FractionalMaxPool2d: st.builds(nn.FractionalMaxPool2d, sizes, output_ratio=st.just(0.5)),
    nn.FractionalMaxPool3d: st.builds(nn.FractionalMaxPool3d, sizes, output_ratio=st.just(0.5)),
    nn.GroupNorm: _heads.map(lambda drawn: nn.GroupNorm(drawn[1], drawn[0])),
    nn.RNNBase: st.builds(nn.RNNBase, st.sampled_from(("GRU", "LSTM")), side, side),
    **{cls: st.builds(cls, side, side) for cls in (nn.RNN, nn.GRU, nn.LSTM)},
    **{
        cls: _with_heads(cls) for cls in (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
    },
    nn.Transformer: sizes.map(lambda n: nn.Transformer(2 * n, 2, 1, 1, 3, batch_first=True)),
    nn.TransformerEncoder: _block.map(lambda block: nn.TransformerEncoder(block, 1, enable_nested_tensor=False)),
    nn.TransformerDecoder: _heads.map(lambda drawn: nn.TransformerDecoder(nn.TransformerDecoderLayer(*drawn, 3), 1)),
}
OTHERS = {
    cls: _from_a_seed(_OWN_WAY[cls]) if cls in _OWN_WAY else _by_numbers(cls)
    for cls in vars(nn).values()
    if isinstance(cls, type) and issubclass(cls, nn.Module) and cls not in {nn.Module, *LAYERS}
}

STRATEGIES = {
    Tensor: tensors(),
    Parameter: tensors().map(Parameter),
    dtypes.dtype: st.sampled_from(sorted(dtypes._ALL, key=lambda kind: kind != dtypes.float32)),  # the default first
    device: devices(),
    nn.Module: st.one_of(*LAYERS.values()),
    **LAYERS,
    **OTHERS,
}
