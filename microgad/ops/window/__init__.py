"""Operations on windows of a plane: im2col, convolution, pooling."""

from .conv import Conv2d, Conv2dWeight, ConvTranspose2d, conv2d, conv_transpose2d
from .pool import AvgPool2d, MaxPool2d, avg_pool2d, max_pool2d
from .unfold import Fold, Unfold, fold, unfold

__all__ = [
    "AvgPool2d", "Conv2d", "Conv2dWeight", "ConvTranspose2d", "Fold", "MaxPool2d", "Unfold",
    "avg_pool2d", "conv2d", "conv_transpose2d", "fold", "max_pool2d", "unfold",
]  # fmt: skip
