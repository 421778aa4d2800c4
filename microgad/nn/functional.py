"""torch.nn.functional: operations under PyTorch's names, most of them defined in ../ops."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..lazy import define_getattr as _define_getattr
from ..ops.activation import acon_a as acon_a
from ..ops.activation import acon_b as acon_b
from ..ops.activation import acon_c as acon_c
from ..ops.activation import bent_identity as bent_identity
from ..ops.activation import celu as celu
from ..ops.activation import celu_ as celu_
from ..ops.activation import elu as elu
from ..ops.activation import elu_ as elu_
from ..ops.activation import gelu as gelu
from ..ops.activation import glu as glu
from ..ops.activation import hardshrink as hardshrink
from ..ops.activation import hardsigmoid as hardsigmoid
from ..ops.activation import hardswish as hardswish
from ..ops.activation import hardtanh as hardtanh
from ..ops.activation import hardtanh_ as hardtanh_
from ..ops.activation import leaky_relu as leaky_relu
from ..ops.activation import leaky_relu_ as leaky_relu_
from ..ops.activation import logsigmoid as logsigmoid
from ..ops.activation import mish as mish
from ..ops.activation import prelu as prelu
from ..ops.activation import relu6 as relu6
from ..ops.activation import rrelu as rrelu
from ..ops.activation import rrelu_ as rrelu_
from ..ops.activation import selu as selu
from ..ops.activation import selu_ as selu_
from ..ops.activation import silu as silu
from ..ops.activation import softplus as softplus
from ..ops.activation import softshrink as softshrink
from ..ops.activation import softsign as softsign
from ..ops.activation import swish as swish
from ..ops.activation import tanhexp as tanhexp
from ..ops.activation import tanhshrink as tanhshrink
from ..ops.activation import threshold as threshold
from ..ops.activation import threshold_ as threshold_
from ..ops.attention import scaled_dot_product_attention as scaled_dot_product_attention
from ..ops.bilinear import bilinear as bilinear
from ..ops.distance import cosine_similarity as cosine_similarity
from ..ops.distance import normalize as normalize
from ..ops.distance import pairwise_distance as pairwise_distance
from ..ops.distance import pdist as pdist
from ..ops.dropout import alpha_dropout as alpha_dropout
from ..ops.dropout import dropout as dropout
from ..ops.dropout import dropout1d as dropout1d
from ..ops.dropout import dropout2d as dropout2d
from ..ops.dropout import dropout3d as dropout3d
from ..ops.dropout import feature_alpha_dropout as feature_alpha_dropout
from ..ops.elementwise import relu as _relu
from ..ops.elementwise import sigmoid as sigmoid
from ..ops.elementwise import tanh as tanh
from ..ops.embedding import embedding as embedding
from ..ops.embedding import embedding_bag as embedding_bag
from ..ops.embedding import one_hot as one_hot
from ..ops.linalg import linear as linear
from ..ops.loss import binary_cross_entropy as binary_cross_entropy
from ..ops.loss import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from ..ops.loss import cosine_embedding_loss as cosine_embedding_loss
from ..ops.loss import cross_entropy as cross_entropy
from ..ops.loss import ctc_loss as ctc_loss
from ..ops.loss import gaussian_nll_loss as gaussian_nll_loss
from ..ops.loss import hinge_embedding_loss as hinge_embedding_loss
from ..ops.loss import huber_loss as huber_loss
from ..ops.loss import kl_div as kl_div
from ..ops.loss import l1_loss as l1_loss
from ..ops.loss import linear_cross_entropy as linear_cross_entropy
from ..ops.loss import margin_ranking_loss as margin_ranking_loss
from ..ops.loss import mse_loss as mse_loss
from ..ops.loss import multi_margin_loss as multi_margin_loss
from ..ops.loss import multilabel_margin_loss as multilabel_margin_loss
from ..ops.loss import multilabel_soft_margin_loss as multilabel_soft_margin_loss
from ..ops.loss import nll_loss as nll_loss
from ..ops.loss import poisson_nll_loss as poisson_nll_loss
from ..ops.loss import smooth_l1_loss as smooth_l1_loss
from ..ops.loss import soft_margin_loss as soft_margin_loss
from ..ops.loss import triplet_margin_loss as triplet_margin_loss
from ..ops.loss import triplet_margin_with_distance_loss as triplet_margin_with_distance_loss
from ..ops.movement import pad as pad
from ..ops.normalization import batch_norm as batch_norm
from ..ops.normalization import group_norm as group_norm
from ..ops.normalization import instance_norm as instance_norm
from ..ops.normalization import layer_norm as layer_norm
from ..ops.normalization import local_response_norm as local_response_norm
from ..ops.normalization import rms_norm as rms_norm
from ..ops.shuffle import channel_shuffle as channel_shuffle
from ..ops.shuffle import pixel_shuffle as pixel_shuffle
from ..ops.shuffle import pixel_unshuffle as pixel_unshuffle
from ..ops.softmax import _get_softmax_dim as _get_softmax_dim
from ..ops.softmax import gumbel_softmax as gumbel_softmax
from ..ops.softmax import log_softmax as log_softmax
from ..ops.softmax import softmax as softmax
from ..ops.softmax import softmin as softmin
from ..ops.support.spelling import tensors_only as _tensors_only
from ..ops.window import adaptive_avg_pool1d as adaptive_avg_pool1d
from ..ops.window import adaptive_avg_pool2d as adaptive_avg_pool2d
from ..ops.window import adaptive_avg_pool3d as adaptive_avg_pool3d
from ..ops.window import adaptive_max_pool1d as adaptive_max_pool1d
from ..ops.window import adaptive_max_pool1d_with_indices as adaptive_max_pool1d_with_indices
from ..ops.window import adaptive_max_pool2d as adaptive_max_pool2d
from ..ops.window import adaptive_max_pool2d_with_indices as adaptive_max_pool2d_with_indices
from ..ops.window import adaptive_max_pool3d as adaptive_max_pool3d
from ..ops.window import adaptive_max_pool3d_with_indices as adaptive_max_pool3d_with_indices
from ..ops.window import affine_grid as affine_grid
from ..ops.window import avg_pool1d as avg_pool1d
from ..ops.window import avg_pool2d as avg_pool2d
from ..ops.window import avg_pool3d as avg_pool3d
from ..ops.window import conv1d as conv1d
from ..ops.window import conv2d as conv2d
from ..ops.window import conv3d as conv3d
from ..ops.window import conv_tbc as conv_tbc
from ..ops.window import conv_transpose1d as conv_transpose1d
from ..ops.window import conv_transpose2d as conv_transpose2d
from ..ops.window import conv_transpose3d as conv_transpose3d
from ..ops.window import fold as fold
from ..ops.window import fractional_max_pool2d as fractional_max_pool2d
from ..ops.window import fractional_max_pool2d_with_indices as fractional_max_pool2d_with_indices
from ..ops.window import fractional_max_pool3d as fractional_max_pool3d
from ..ops.window import fractional_max_pool3d_with_indices as fractional_max_pool3d_with_indices
from ..ops.window import grid_sample as grid_sample
from ..ops.window import interpolate as interpolate
from ..ops.window import lp_pool1d as lp_pool1d
from ..ops.window import lp_pool2d as lp_pool2d
from ..ops.window import lp_pool3d as lp_pool3d
from ..ops.window import max_pool1d as max_pool1d
from ..ops.window import max_pool1d_with_indices as max_pool1d_with_indices
from ..ops.window import max_pool2d as max_pool2d
from ..ops.window import max_pool2d_with_indices as max_pool2d_with_indices
from ..ops.window import max_pool3d as max_pool3d
from ..ops.window import max_pool3d_with_indices as max_pool3d_with_indices
from ..ops.window import max_unpool1d as max_unpool1d
from ..ops.window import max_unpool2d as max_unpool2d
from ..ops.window import max_unpool3d as max_unpool3d
from ..ops.window import unfold as unfold
from ..ops.window import upsample as upsample
from ..ops.window import upsample_bilinear as upsample_bilinear
from ..ops.window import upsample_nearest as upsample_nearest
from ..tensor import Tensor
from . import _reduction
from . import grad as grad
from .multi_head import _canonical_mask as _canonical_mask
from .multi_head import _in_projection as _in_projection
from .multi_head import _in_projection_packed as _in_projection_packed
from .multi_head import _mha_shape_check as _mha_shape_check
from .multi_head import _none_or_dtype as _none_or_dtype
from .multi_head import multi_head_attention_forward as multi_head_attention_forward

_threshold = threshold  # PyTorch's second name for it


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0), of any shape; overwrites input if `inplace`. Source: torch.nn.functional.relu.

    >>> F.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return relu_(input) if inplace else _relu(input)


@_tensors_only
def relu_(input: Tensor) -> Tensor:
    """Write max(input, 0) into input, of any shape, and return it. Source: torch.nn.functional.relu_.

    >>> F.relu_(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return input.relu_()


def _verify_batch_size(size: Sequence[int]) -> None:
    """Raise ValueError for a size (N, C, ...) with one value per channel, as copies of batch_norm do by this name."""
    if math.prod(size[:1]) * math.prod(size[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {size}")


native_channel_shuffle = channel_shuffle

# Names that copies of PyTorch's functions look up here.
_Reduction = _reduction
_OVERRIDES = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic", "handle_torch_function")
_define_getattr(globals(), dict.fromkeys(_OVERRIDES, "microgad.porting.torch_modules.overrides"))
