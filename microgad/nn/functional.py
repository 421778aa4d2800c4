"""Operations under torch.nn.functional's names."""

from __future__ import annotations

from ..errors import ArgumentError, DtypeError
from ..ops import elementwise
from ..ops.creation import arange
from ..ops.dropout import dropout as dropout
from ..ops.elementwise import sigmoid as sigmoid
from ..ops.elementwise import tanh as tanh
from ..ops.loss import binary_cross_entropy as binary_cross_entropy
from ..ops.loss import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from ..ops.loss import cross_entropy as cross_entropy
from ..ops.loss import l1_loss as l1_loss
from ..ops.loss import logsigmoid as logsigmoid
from ..ops.loss import mse_loss as mse_loss
from ..ops.loss import nll_loss as nll_loss
from ..ops.matmul import linear as linear
from ..ops.movement import pad as pad
from ..ops.normalization import batch_norm as batch_norm
from ..ops.softmax import log_softmax as log_softmax
from ..ops.softmax import softmax as softmax
from ..ops.softmax import softmin as softmin
from ..ops.window import avg_pool2d as avg_pool2d
from ..ops.window import conv2d as conv2d
from ..ops.window import conv_transpose2d as conv_transpose2d
from ..ops.window import fold as fold
from ..ops.window import max_pool2d as max_pool2d
from ..ops.window import unfold as unfold
from ..tensor import Tensor


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0), of any shape; written into input if inplace. Source: torch.nn.functional.relu.

    >>> F.relu(torch.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return relu_(input) if inplace else elementwise.relu(input)


def relu_(input: Tensor) -> Tensor:
    """`relu`, written into input. Source: torch.nn.functional.relu_."""
    return input.relu_()


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Classes int64 (...) -> (..., num_classes) int64: 1 at the class, 0 elsewhere. The largest is the last by default.

    Raises RuntimeError where a class is negative or too large. Source: torch.nn.functional.one_hot.

    >>> F.one_hot(torch.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.array.dtype != "int64":
        raise DtypeError(f"one_hot is only applicable to index tensor of type LongTensor, got {tensor.dtype}")
    if num_classes < 0 and not tensor.numel():
        raise ArgumentError("one_hot: can not infer total number of classes from empty tensor; give num_classes")
    low, high = (int(tensor.min().item()), int(tensor.max().item())) if tensor.numel() else (0, -1)
    count = high + 1 if num_classes < 0 else num_classes
    if low < 0 or high >= count:
        raise ArgumentError(f"one_hot: classes must be in [0, {count}), got {low} to {high}")
    found: Tensor = tensor.unsqueeze(-1) == arange(count, device=tensor.device)
    return found.long()
