"""AdaptiveLogSoftmaxWithLoss, an approximate softmax for very many classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ...errors import ArgumentError, ShapeError
from ...ops.movement import cat
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import functional as F
from .container import ModuleList, Sequential
from .layer_helpers import layer_name
from .linear import Linear
from .module import Module


class _ASMoutput(NamedTuple):
    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """(N, in_features) and classes (N) -> (output, loss): the classes' log-probabilities (N) and their negative mean.

    Classes must be sorted by frequency. The head scores the first cutoffs[0] classes, and one entry for each cluster of
    classes up to the next cutoff. The i-th cluster (from 1) has a tail of its own, whose hidden size is in_features /
    div_valueⁱ. Works without N, too. Raises ValueError unless cutoffs are sorted and positive, RuntimeError for classes
    out of range and sizes that don't fit. Source: torch.nn.AdaptiveLogSoftmaxWithLoss; Grave et al. (2016).

    >>> _ = torch.manual_seed(0)
    >>> layer = nn.AdaptiveLogSoftmaxWithLoss(16, 10, cutoffs=[2, 5])
    >>> output, loss = layer(torch.zeros(2, 16), torch.tensor([0, 7]))
    >>> output, layer.log_prob(torch.zeros(1, 16)).exp().sum()
    (tensor([-1.3863, -2.9957], grad_fn=...), tensor(1., grad_fn=...))
    """

    __call__: Callable[..., _ASMoutput]
    tail: ModuleList

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__()
        limits = list(cutoffs)
        if not limits:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        rising = all(a < b for a, b in pairwise([0, *limits, n_classes]))
        if not rising or any(int(c) != c for c in limits):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each "
                f"value is between 1 and n_classes-1; they are {limits}, n_classes is {n_classes}"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*limits, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **factory)
        self.tail = ModuleList()
        for i, (first, last) in enumerate(pairwise(self.cutoffs)):
            hidden = int(in_features // (div_value ** (i + 1)))
            projection = Linear(in_features, hidden, bias=False, **factory)
            self.tail.append(Sequential(projection, Linear(hidden, last - first, bias=False, **factory)))

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        self.head.reset_parameters()
        for layer in self.tail.modules():
            if isinstance(layer, Linear):
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        if target_.ndim > 1:
            raise ShapeError(
                f"{layer_name(self)}: 0D or 1D target tensor expected, multi-target not supported (got {target_.ndim}D)"
            )
        if input_.ndim != target_.ndim + 1:
            raise ShapeError(
                f"{layer_name(self)}: {target_.ndim}D target tensor expects {target_.ndim + 1}D input tensors, but "
                f"found inputs with size {tuple(input_.shape)}"
            )
        input, target = (input_, target_) if target_.ndim else (input_.unsqueeze(0), target_.unsqueeze(0))
        if input.shape[0] != target.shape[0]:
            raise ShapeError(
                f"{layer_name(self)}: Input and target should have the same size in the batch dimension, but have "
                f"{input.shape[0]} and {target.shape[0]}"
            )
        if ((target < 0) | (target >= self.n_classes)).any():
            raise ArgumentError(
                f"{layer_name(self)}: Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found"
            )
        output, head_classes = input.new_zeros(input.shape[0]), target.clone()
        for i, (first, last) in enumerate(pairwise(self.cutoffs)):
            rows = ((target >= first) & (target < last)).nonzero().squeeze(1)
            if rows.numel():
                head_classes[rows] = self.shortlist_size + i
                within = F.log_softmax(self.tail[i](input.index_select(0, rows)), 1)
                output = output.index_copy(0, rows, _picked(within, target[rows] - first))
        output = output + _picked(F.log_softmax(self.head(input), 1), head_classes)
        return _ASMoutput(output if target_.ndim else output.squeeze(0), (-output).mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log-probabilities of all classes: (N, in_features) -> (N, n_classes)."""
        head = F.log_softmax(self.head(input), 1)
        tails = [
            F.log_softmax(tail(input), 1) + head[:, self.shortlist_size + i].unsqueeze(1)
            for i, tail in enumerate(self.tail)
        ]
        return cat([head[:, : self.shortlist_size], *tails], 1)

    def predict(self, input: Tensor) -> Tensor:
        """Return the most likely class: (N, in_features) -> (N)."""
        head = self.head(input).argmax(1)
        beyond = head >= self.shortlist_size
        if beyond.any():
            head[beyond] = self.log_prob(input[beyond]).argmax(1)
        return head


def _picked(rows: Tensor, at: Tensor) -> Tensor:
    return rows.gather(1, at.unsqueeze(1)).squeeze(1)
