"""Loss modules of regression, classification and distributions; margin_losses.py has the others.

With reduction="none" the losses are returned, of the shape of the input (without C for classes), with "sum" their sum;
another one raises ValueError in the call. Inputs are floating-point; integers, and shapes that don't fit together,
raise RuntimeError.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ...errors import ArgumentError, ShapeError
from ...errors.notices import warn
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import functional as F
from .layer_helpers import format_settings
from .linear import Linear
from .loss_base import _Loss as _Loss
from .loss_base import _WeightedLoss as _WeightedLoss
from .margin_losses import CosineEmbeddingLoss as CosineEmbeddingLoss
from .margin_losses import HingeEmbeddingLoss as HingeEmbeddingLoss
from .margin_losses import MarginRankingLoss as MarginRankingLoss
from .margin_losses import MultiLabelMarginLoss as MultiLabelMarginLoss
from .margin_losses import MultiLabelSoftMarginLoss as MultiLabelSoftMarginLoss
from .margin_losses import MultiMarginLoss as MultiMarginLoss
from .margin_losses import SoftMarginLoss as SoftMarginLoss
from .margin_losses import TripletMarginLoss as TripletMarginLoss
from .margin_losses import TripletMarginWithDistanceLoss as TripletMarginWithDistanceLoss


class CrossEntropyLoss(_WeightedLoss):
    """The mean cross-entropy of logits (N, C, ...) and targets.

    Targets are classes, int64 (N, ...), or probabilities (N, C, ...). `weight` (C) weights the classes. Raises
    IndexError for a class out of range, RuntimeError for other shapes or dtypes. Source: torch.nn.CrossEntropyLoss.

    >>> nn.CrossEntropyLoss()(torch.tensor([[0.0, 0.0]]), torch.tensor([1]))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """The mean negative log-likelihood of classes, int64 (N, ...), given log-probabilities (N, C, ...).

    `weight` (C) weights the classes. Raises as CrossEntropyLoss does. Source: torch.nn.NLLLoss.

    >>> nn.NLLLoss()(torch.tensor([[-0.5, -1.0]]), torch.tensor([1]))
    tensor(1.)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class NLLLoss2d(NLLLoss):
    """NLLLoss under an older name, with a FutureWarning. Source: torch.nn.NLLLoss2d.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore", category=FutureWarning):
    ...     loss = nn.NLLLoss2d()
    >>> loss(torch.full((1, 2, 1, 1), 0.5).log(), torch.zeros(1, 1, 1, dtype=torch.int64))
    tensor(0.6931)
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        ignore_index: int = -100,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        warn("`NLLLoss2d` is deprecated: `NLLLoss` takes images as well", FutureWarning)
        super().__init__(weight, size_average, ignore_index, reduce, reduction)


class MSELoss(_Loss):
    """The mean of (input - target)², for Tensors of one shape.

    Raises RuntimeError if the shapes don't broadcast, and if both are integers. Source: torch.nn.MSELoss.

    >>> nn.MSELoss()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """The mean of |input - target|, for Tensors of one shape.

    Raises RuntimeError if the shapes don't broadcast, and if both are integers. Source: torch.nn.L1Loss.

    >>> nn.L1Loss()(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(1.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """The mean of |d| - beta/2, or of d² / (2 beta) where |d| < beta, with d = input - target.

    For Tensors of one shape. Raises RuntimeError for others, for two of integers, and for a negative beta.
    Source: torch.nn.SmoothL1Loss; Girshick (2015).

    >>> nn.SmoothL1Loss()(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(1.)
    """

    def __init__(
        self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean", beta: float = 1.0
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """delta times SmoothL1Loss with beta = delta.

    For Tensors of one shape. Raises RuntimeError for others, for two of integers, and unless delta > 0, TypeError for
    no number. Source: torch.nn.HuberLoss; Huber (1964).

    >>> nn.HuberLoss(delta=0.5)(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor(0.3750)
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        if not isinstance(delta, (float, int)):
            raise TypeError(f"delta must be a float or int, got: {type(delta)}")
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class KLDivLoss(_Loss):
    """The Kullback-Leibler divergence of log-probabilities (input) from probabilities (target).

    With log_target the target, too, holds log-probabilities. Only reduction="batchmean" gives the mathematical
    divergence. Both have one shape. Raises RuntimeError for others and for integers. Source: torch.nn.KLDivLoss.

    >>> nn.KLDivLoss(reduction="batchmean")(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """

    def __init__(
        self,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class PoissonNLLLoss(_Loss):
    """The mean of e^input - target · input: the negative log-likelihood of counts, given log-rates.

    With log_input=False the input holds rates, to which eps is added. With `full`, Stirling's approximation of
    log(target!) is added. Both have one shape. Raises RuntimeError for shapes that don't broadcast.
    Source: torch.nn.PoissonNLLLoss.

    >>> nn.PoissonNLLLoss()(torch.tensor([0.0]), torch.tensor([2.0]))
    tensor(1.)
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: bool | None = None,
        eps: float = 1e-8,
        reduce: bool | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(
            log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(_Loss):
    """The mean of (log var + (input - target)² / var) / 2: the negative log-likelihood of a normal distribution.

    With `full`, the constant term is added. Variances are clamped to at least eps. All have one shape, but var may lack
    the last dimension. Raises ValueError for other shapes and for negative variances. Source: torch.nn.GaussianNLLLoss;
    Nix, Weigend (1994).

    >>> nn.GaussianNLLLoss()(torch.tensor([0.0]), torch.tensor([2.0]), torch.tensor([1.0]))
    tensor(2.)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class BCELoss(_WeightedLoss):
    """The mean binary cross-entropy of probabilities and targets of one shape.

    Raises RuntimeError for inputs outside of [0, 1], for other shapes, and unless both have one floating-point dtype.
    Source: torch.nn.BCELoss.

    >>> nn.BCELoss()(torch.tensor([0.5]), torch.tensor([1.0]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """The mean binary cross-entropy of logits and targets of one shape; weight and pos_weight broadcast.

    Raises RuntimeError for other shapes and for integers. Source: torch.nn.BCEWithLogitsLoss.

    >>> nn.BCEWithLogitsLoss()(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor(0.6931)
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: bool | None = None,
        reduce: bool | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class CTCLoss(_Loss):
    """Connectionist temporal classification: -log Σ p(alignment), over the targets' alignments with repeats and blanks.

    Inputs are log-probabilities (T, N, C), targets (N, S) or concatenated, and the lengths (N) of both; also without N.
    With reduction="mean" each loss is divided by its target's length. With zero_infinity infinite losses become 0.
    Raises RuntimeError for other numbers of lengths, and for lengths of more than T or S. Source: torch.nn.CTCLoss;
    Graves et al. (2006).

    >>> log_probs = torch.tensor([[[0.5, 0.5]], [[0.5, 0.5]]]).log()
    >>> nn.CTCLoss()(log_probs, torch.tensor([[1]]), (2,), (1,))
    tensor(0.2877)
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any) -> Tensor:
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )


@dataclass(frozen=True)
class LinearCrossEntropyOptions:
    """Options by which PyTorch saves memory in `F.linear_cross_entropy`. They have no effect here.

    Source: torch.nn.LinearCrossEntropyOptions.

    >>> nn.LinearCrossEntropyOptions().chunking_method
    'auto'
    """

    allow_retain_graph: bool = False
    batch_chunk_size: int | None = None
    chunking_method: str | None = "auto"
    acc_policy: str = "auto"
    acc_dtype: Any = None


class LinearCrossEntropyLoss(_WeightedLoss):
    """CrossEntropyLoss of the logits of a Linear layer: (N, in_features) and classes -> the loss.

    With out_features (D...) the logits are (N, num_classes, D...). Raises as CrossEntropyLoss does.
    Source: torch.nn.LinearCrossEntropyLoss.

    >>> nn.LinearCrossEntropyLoss(4, 3)(torch.zeros(2, 4), torch.tensor([0, 2]))
    tensor(1.0986, grad_fn=...)
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Device = None,
        dtype: Dtype = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: Any = None,
    ) -> None:
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise ShapeError(f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}")
        if not 0 <= label_smoothing <= 1:
            raise ArgumentError(f"expected label_smoothing to be in range [0, 1], got {label_smoothing}")
        super().__init__(weight, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        size = math.prod(out_features, start=num_classes)
        self.linear = Linear(in_features, size, bias=bias, device=device, dtype=dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        shape, bias = (self.num_classes, *self.out_features), self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape(*shape, self.linear.in_features),
            target,
            linear_bias=None if bias is None else bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        sizes = f"in_features={self.linear.in_features}, {format_settings(self, 'num_classes out_features')}"
        rest = format_settings(self, "reduction ignore_index label_smoothing options")
        return f"{sizes}, bias={self.linear.bias is not None}, {rest}"
