"""Kernels of losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...nn import functional as F
from ...ops import softmax
from ...tensor import Tensor
from ..graphs import Node, operator

NO_CLASS = np.iinfo(np.int64).min


@operator("NegativeLogLikelihoodLoss")
def negative_log_likelihood(node: Node, x: Tensor, target: Tensor, weight: Tensor | None = None) -> Any:
    ignored = node.get("ignore_index", NO_CLASS)
    return F.nll_loss(x, target.long(), weight, ignore_index=ignored, reduction=node.get("reduction", "mean"))


@operator("SoftmaxCrossEntropyLoss")
def softmax_cross_entropy(node: Node, x: Tensor, target: Tensor, weight: Tensor | None = None) -> Any:
    logs = softmax.log_softmax(x, 1)
    return negative_log_likelihood(node, logs, target, weight), logs
