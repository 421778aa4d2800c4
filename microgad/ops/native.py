"""PyTorch's native functions: those of torch.nn.functional with the other arguments that they have on `torch`.

Reductions are numbers there: 0 is none, 1 mean, 2 sum. The default is 0, although PyTorch documents mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..dtypes import float32, int32, int64
from ..errors import KindError, ShapeError
from ..state import composite
from ..type_aliases import Dtype, Tensor
from . import dropout as dropouts
from . import embedding as embeddings
from . import loss
from . import normalization as norms
from . import softmax as softmaxes
from .creation import arange, ones_like
from .elementwise import where
from .loss.reduction import numbered_reduction, reduce_losses
from .movement import repeat_interleave, stack
from .reduction import bucketize, searchsorted
from .support.out import into
from .support.spelling import numpy_spelling, tensors_only


def batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    training: bool, momentum: float, eps: float, cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """Normalize each channel of (N, C, ...) by the batch's mean and variance, or by the running ones unless training.

    See `nn.functional.batch_norm`, which has other defaults. Source: torch.batch_norm.

    >>> torch.batch_norm(torch.tensor([[1.0], [3.0]]), None, None, None, None, True, 0.1, 1e-5)
    tensor([[-1.0000],
            [ 1.0000]])
    """
    return norms.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    use_input_stats: bool, momentum: float, eps: float, cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """Normalize each channel of each instance of (N, C, ...): see `nn.functional.instance_norm`.

    Source: torch.instance_norm.

    >>> torch.instance_norm(torch.tensor([[[1.0, 3.0]]]), None, None, None, None, True, 0.1, 1e-5)
    tensor([[[-1.0000,  1.0000]]])
    """
    return norms.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None,
    eps: float = 1e-5, cudnn_enable: bool = True,
) -> Tensor:  # fmt: skip
    """Normalize (..., *normalized_shape) over its last dimensions: see `nn.functional.layer_norm`.

    Source: torch.layer_norm.

    >>> torch.layer_norm(torch.tensor([[1.0, 3.0]]), (2,))
    tensor([[-1.0000,  1.0000]])
    """
    return norms.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:  # fmt: skip
    """Normalize each of num_groups groups of channels of (N, C, ...): see `nn.functional.group_norm`.

    Source: torch.group_norm.

    >>> torch.group_norm(torch.tensor([[1.0, 3.0]]), num_groups=1)
    tensor([[-1.0000,  1.0000]])
    """
    return norms.group_norm(input, num_groups, weight, bias, eps)


@tensors_only
def relu_(input: Tensor) -> Tensor:
    """Write max(input, 0) into input, of any shape, and return it. Source: torch.relu_.

    >>> torch.relu_(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return input.relu_()


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """If `train`, zero each element with probability p, and divide the others by 1 - p.

    Of any shape. Source: torch.dropout.

    >>> _ = torch.manual_seed(2024)
    >>> torch.dropout(torch.ones(4), 0.5, train=True)
    tensor([2., 0., 2., 0.])
    """
    return dropouts.dropout(input, p, train)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`dropout`, of any shape, written into input. Source: torch.dropout_.

    >>> _ = torch.manual_seed(2024)
    >>> x = torch.ones(4)
    >>> _ = torch.dropout_(x, 0.5, train=True)
    >>> x
    tensor([2., 0., 2., 0.])
    """
    return dropouts.dropout(input, p, train, True)


def feature_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """Zero whole channels of (N, C, ...) at random, in input: see `feature_dropout`. Source: torch.feature_dropout_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.feature_dropout_(torch.ones(1, 2, 2), 0.5, train=True)
    tensor([[[2., 2.],
             [0., 0.]]])
    """
    return dropouts.feature_dropout(input, p, train, True)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """Return max(0, -target · (input1 - input2) + margin), for Tensors of one shape and target ±1.

    `reduction` is a number: 0 is none, 1 mean, 2 sum. See `nn.functional.margin_ranking_loss`.
    Source: torch.margin_ranking_loss.

    >>> torch.margin_ranking_loss(torch.tensor([1.0]), torch.tensor([3.0]), torch.tensor([1.0]))
    tensor([2.])
    """
    return loss.margin_ranking_loss(input1, input2, target, margin, reduction=numbered_reduction(reduction))


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 0) -> Tensor:
    """Return input where target is 1, max(0, margin - input) where it is -1, for Tensors of one shape.

    `reduction` is a number: 0 is none, 1 mean, 2 sum. See `nn.functional.hinge_embedding_loss`.
    Source: torch.hinge_embedding_loss.

    >>> torch.hinge_embedding_loss(torch.tensor([0.25]), torch.tensor([-1.0]))
    tensor([0.7500])
    """
    return loss.hinge_embedding_loss(input, target, margin, reduction=numbered_reduction(reduction))


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """Return 1 - cos for pairs (N, D) with target 1, max(0, cos - margin) for those with -1.

    `reduction` is a number: 0 is none, 1 mean, 2 sum. See `nn.functional.cosine_embedding_loss`.
    Source: torch.cosine_embedding_loss.

    >>> torch.cosine_embedding_loss(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]), torch.tensor([1]))
    tensor([1.])
    """
    return loss.cosine_embedding_loss(input1, input2, target, margin, reduction=numbered_reduction(reduction))


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, reduction: int = 0,
) -> Tensor:  # fmt: skip
    """Return max(0, d(anchor, positive) - d(anchor, negative) + margin), for (N, D) and p-norms.

    `reduction` is a number: 0 is none, 1 mean, 2 sum. See `nn.functional.triplet_margin_loss`.
    Source: torch.triplet_margin_loss.

    >>> torch.triplet_margin_loss(torch.tensor([[0.0]]), torch.tensor([[2.0]]), torch.tensor([[1.5]]))
    tensor([1.5000])
    """
    return loss.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=numbered_reduction(reduction)
    )


def kl_div(input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False) -> Tensor:
    """Return target · (log target - input), for Tensors of one shape; input holds log-probabilities.

    `reduction` is a number: 0 is none, 1 mean, 2 sum. See `nn.functional.kl_div`.
    Source: torch.kl_div.

    >>> torch.kl_div(torch.tensor([0.5]).log(), torch.tensor([0.5]))
    tensor([0.])
    """
    losses = loss.kl_div(input, target, reduction="none", log_target=log_target)  # which doesn't warn of the mean
    return reduce_losses(losses, numbered_reduction(reduction))


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    """Return exp(input) - target · input, for Tensors of one shape.

    `reduction` is a number: 0 is none, 1 mean, 2 sum. See `nn.functional.poisson_nll_loss`.
    Source: torch.poisson_nll_loss.

    >>> torch.poisson_nll_loss(torch.tensor([0.0]), torch.tensor([2.0]), True, False, 1e-8, 0)
    tensor([1.])
    """
    return loss.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=numbered_reduction(reduction))


def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Tensor | Sequence[int], target_lengths: Tensor | Sequence[int],
    blank: int = 0, reduction: int = 0, zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """Return the negative log-likelihood (N) of targets (N, S) under log_probs (T, N, C), summed over alignments.

    `reduction` is a number: 0 is none, 1 mean, 2 sum. See `nn.functional.ctc_loss`. Source: torch.ctc_loss.

    >>> log_probs = torch.full((2, 1, 2), 0.5).log()
    >>> torch.ctc_loss(log_probs, torch.tensor([[1]]), (2,), (1,)), -torch.tensor(0.75).log()
    (tensor([0.2877]), tensor(0.2877))
    """
    return loss.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, numbered_reduction(reduction), zero_infinity
    )


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: int = 0
) -> Tensor:
    """Return the binary cross-entropy of sigmoid(input) and target, Tensors of one shape.

    `reduction` is a number: 0 is none, 1 mean, 2 sum. See `nn.functional.binary_cross_entropy_with_logits`.
    Source: torch.binary_cross_entropy_with_logits.

    >>> torch.binary_cross_entropy_with_logits(torch.tensor([0.0]), torch.tensor([1.0]))
    tensor([0.6931])
    """
    return loss.binary_cross_entropy_with_logits(
        input, target, weight, reduction=numbered_reduction(reduction), pos_weight=pos_weight
    )


def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """Return the rows of weight (V, D) at indices, integers (...): (..., D). A padding_idx of no row means none.

    See `nn.functional.embedding`, whose first arguments are exchanged. Source: torch.embedding.

    >>> torch.embedding(torch.tensor([[1.0, 2.0], [3.0, 0.0]]), torch.tensor([1]))
    tensor([[3., 0.]])
    """
    padding = padding_idx if weight.ndim and 0 <= padding_idx < len(weight) else None
    return embeddings.embedding(indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq)


@composite
def embedding_bag(
    weight: Tensor, indices: Tensor, offsets: Tensor, scale_grad_by_freq: bool = False, mode: int = 0,
    sparse: bool = False, per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Reduce the rows of weight (V, D) in each bag of indices, (bags, D): mode 0 is sum, 1 mean, 2 max.

    Raises RuntimeError for another mode. See `nn.functional.embedding_bag`. Source: torch.embedding_bag.

    Returns four Tensors: the embeddings, the bag of each index (n), the number of indices of each bag that count
    (bags), and for mode max the indices of the maxima (bags, D), otherwise the numbers again. PyTorch leaves some of
    them empty.

    >>> weight = torch.tensor([[1.0, 2.0], [3.0, 0.0]])
    >>> torch.embedding_bag(weight, torch.tensor([0, 1]), torch.tensor([0]), mode=2)
    (tensor([[3., 2.]]), tensor([0, 0]), tensor([2]), tensor([[1, 0]]))
    """
    named = {0: "sum", 1: "mean", 2: "max"}.get(mode, str(mode))
    result = embeddings.embedding_bag(
        indices, weight, offsets, scale_grad_by_freq=scale_grad_by_freq, mode=named, sparse=sparse,
        per_sample_weights=per_sample_weights, include_last_offset=include_last_offset, padding_idx=padding_idx,
    )  # fmt: skip
    bag = bucketize(arange(indices.numel(), device=indices.device), offsets, right=True) - 1
    counted = ones_like(bag) if padding_idx is None else (indices != padding_idx % max(weight.shape[0], 1)).long()
    sizes = bag.new_zeros(result.shape[0]).index_add(0, bag, counted)
    if mode != 2:
        return result, bag, sizes, sizes
    won = (weight.detach()[indices] == result.detach()[bag]) & counted.bool().unsqueeze(1)
    order = where(won, arange(bag.numel(), device=bag.device).unsqueeze(1), bag.numel())
    first = order.new_full(result.shape, bag.numel()).index_reduce(0, bag, order, "amin")
    winners = where(first < bag.numel(), indices[first.clamp(max=max(bag.numel() - 1, 0))], 0)
    return result, bag, sizes, winners


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """If `train`, drop elements, of any shape, so that mean and variance stay: see `nn.functional.alpha_dropout`.

    Source: torch.alpha_dropout.

    >>> _ = torch.manual_seed(2024)
    >>> torch.alpha_dropout(torch.zeros(4), 0.5, train=True)
    tensor([ 0.7792, -0.7792,  0.7792, -0.7792])
    """
    return dropouts.alpha_dropout(input, p, train)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`alpha_dropout`, of any shape, written into input. Source: torch.alpha_dropout_.

    >>> _ = torch.manual_seed(2024)
    >>> x = torch.zeros(4)
    >>> _ = torch.alpha_dropout_(x, 0.5, train=True)
    >>> x
    tensor([ 0.7792, -0.7792,  0.7792, -0.7792])
    """
    return dropouts.alpha_dropout(input, p, train, True)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`alpha_dropout` of whole channels of (N, C, ...): see `nn.functional.feature_alpha_dropout`.

    Source: torch.feature_alpha_dropout.

    >>> _ = torch.manual_seed(2024)
    >>> torch.feature_alpha_dropout(torch.zeros(1, 2, 2), 0.5, train=True)
    tensor([[[ 0.7792,  0.7792],
             [-0.7792, -0.7792]]])
    """
    return dropouts.feature_alpha_dropout(input, p, train)


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`feature_alpha_dropout` of (N, C, ...), written into input. Source: torch.feature_alpha_dropout_.

    >>> _ = torch.manual_seed(2024)
    >>> torch.feature_alpha_dropout_(torch.zeros(1, 2, 2), 0.5, train=True)
    tensor([[[ 0.7792,  0.7792],
             [-0.7792, -0.7792]]])
    """
    return dropouts.feature_alpha_dropout(input, p, train, True)


@composite
def native_layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return `layer_norm`, the means, and the inverse standard deviations.

    Source: torch.native_layer_norm.

    >>> torch.native_layer_norm(torch.tensor([[1.0, 3.0]]), (2,), None, None, 0.0)[1:]
    (tensor([[2.]]), tensor([[1.]]))
    """
    out = norms.layer_norm(input, normalized_shape, weight, bias, eps)
    mean, inv_std = _statistics(input.detach(), tuple(range(-len(normalized_shape), 0)), eps, True)
    return out, mean, inv_std


@composite
def native_group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return `group_norm`, the means (N, group), and the inverse standard deviations (N, group).

    Source: torch.native_group_norm.

    >>> torch.native_group_norm(torch.tensor([[1.0, 3.0]]), None, None, 1, 2, 1, 1, 0.0)[1:]
    (tensor([[2.]]), tensor([[1.]]))
    """
    out = norms.group_norm(input, group, weight, bias, eps)
    mean, inv_std = _statistics(input.reshape(N, group, C // group * HxW), -1, eps, False)
    return out, mean, inv_std


@composite
def native_batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None, running_var: Tensor | None,
    training: bool, momentum: float, eps: float, *, out: tuple[Tensor, Tensor, Tensor] | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Return `batch_norm`, the batch's means (C), and its inverse standard deviations (C).

    The last two are empty in evaluation. Source: torch.native_batch_norm.

    >>> torch.native_batch_norm(torch.tensor([[1.0], [3.0]]), None, None, None, None, True, 0.1, 1e-9)[1:]
    (tensor([2.]), tensor([1.]))
    """
    x = input.detach()
    axes = (0, *range(2, x.ndim))
    mean, inv_std = _statistics(x, axes, eps, False) if training else (x.new_zeros(0), x.new_zeros(0))
    result = norms.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    return into(out, (result, mean, inv_std), exact="native_batch_norm")


def _statistics(x: Tensor, axes: int | tuple[int, ...], eps: float, keepdim: bool) -> tuple[Tensor, Tensor]:
    return x.mean(axes, keepdim), 1 / (x.var(axes, correction=0, keepdim=keepdim) + eps).sqrt()


@numpy_spelling
def softmax(input: Tensor, dim: int, dtype: Dtype = None, *, out: Tensor | None = None) -> Tensor:
    """Return exp(input) / Σ exp(input) along dim, in the shape of input, as `dtype` if given.

    Raises RuntimeError for integers without it. Source: torch.softmax.

    >>> torch.softmax(torch.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
    """
    return into(out, softmaxes.softmax(input, dim, dtype=dtype), exact="softmax")


@numpy_spelling
def log_softmax(input: Tensor, dim: int, dtype: Dtype = None, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithm of `softmax` along dim, in the shape of input, as `dtype` if given.

    Source: torch.log_softmax.

    >>> torch.log_softmax(torch.tensor([0.0, 0.0]), 0)
    tensor([-0.6931, -0.6931])
    """
    return into(out, softmaxes.log_softmax(input, dim, dtype=dtype), exact="log_softmax")


def _softmax(input: Tensor, dim: int, half_to_float: bool) -> Tensor:
    """Return the softmax along dim, as float32 if half_to_float. Source: torch._softmax.

    >>> torch._softmax(torch.zeros(2), 0, False)
    tensor([0.5000, 0.5000])
    """
    return softmaxes.softmax(input, dim, dtype=float32 if half_to_float else None)


def _log_softmax(input: Tensor, dim: int, half_to_float: bool) -> Tensor:
    """Return the logarithm of `_softmax`. Source: torch._log_softmax."""
    return softmaxes.log_softmax(input, dim, dtype=float32 if half_to_float else None)


@composite
def _softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: Dtype) -> Tensor:
    """Return the gradient of a softmax along dim from its result, for custom autograd Functions.

    Source: torch._softmax_backward_data.

    >>> torch._softmax_backward_data(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5]), 0, torch.float32)
    tensor([ 0.2500, -0.2500])
    """
    product = grad_output * output
    return (product - output * product.sum(dim, keepdim=True)).to(input_dtype)


@composite
def _log_softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: Dtype) -> Tensor:
    """Return the gradient of a log_softmax along dim from its result. Source: torch._log_softmax_backward_data.

    >>> torch._log_softmax_backward_data(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5]).log(), 0, torch.float32)
    tensor([ 0.5000, -0.5000])
    """
    return (grad_output - output.exp() * grad_output.sum(dim, keepdim=True)).to(input_dtype)


def _convert_indices_from_coo_to_csr(input: Tensor, size: int, *, out_int32: bool = False) -> Tensor:
    """Return where each of `size` rows begins among sorted row indices, and where the last one ends; int64 or int32.

    Source: torch._convert_indices_from_coo_to_csr.

    >>> torch._convert_indices_from_coo_to_csr(torch.tensor([0, 0, 2]), 3)
    tensor([0, 2, 2, 3])
    """
    if input.ndim != 1:
        raise ShapeError(f"Input is supposed to be a vector, but got {input.ndim} dimensional tensor")
    if input.array.dtype.kind not in "iu":
        raise KindError(f"_convert_indices_from_coo_to_csr: input must be of integers, got {input.dtype}")
    return searchsorted(input, arange(size + 1, dtype=input.dtype, device=input.device), out_int32=out_int32)


def _convert_indices_from_csr_to_coo(
    crow_indices: Tensor, col_indices: Tensor, *, out_int32: bool = False, transpose: bool = False
) -> Tensor:
    """Return the row and the column of each entry, (2, n); the other order with transpose; int64 or int32.

    crow_indices say where each row's entries begin. Source: torch._convert_indices_from_csr_to_coo.

    >>> torch._convert_indices_from_csr_to_coo(torch.tensor([0, 2, 2, 3]), torch.tensor([1, 3, 0]))
    tensor([[0, 0, 2],
            [1, 3, 0]])
    """
    if crow_indices.ndim != 1 or col_indices.ndim != 1:
        raise ShapeError(f"indices are vectors, but got {tuple(crow_indices.shape)} and {tuple(col_indices.shape)}")
    rows = repeat_interleave(crow_indices[1:] - crow_indices[:-1])
    pair = [col_indices, rows] if transpose else [rows, col_indices]
    return stack(pair).to(int32 if out_int32 else int64)
