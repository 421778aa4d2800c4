"""Operations on windows of 1-D, 2-D and 3-D inputs: im2col, convolution, pooling, resizing and grid sampling."""

# isort: skip_file
from .conv import (
    Conv1d, Conv1dWeight, Conv2d, Conv2dWeight, Conv3d, Conv3dWeight, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d,
    conv1d, conv2d, conv3d, conv_tbc, conv_transpose1d, conv_transpose2d, conv_transpose3d, convolution,
)  # fmt: skip
from .pool import (
    AvgPool1d, AvgPool2d, AvgPool3d, MaxPool1d, MaxPool2d, MaxPool3d, avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d,
    max_pool1d_with_indices, max_pool2d, max_pool2d_with_indices, max_pool3d, max_pool3d_with_indices,
)  # fmt: skip
from .fractional_pool import (
    BoxMax, BoxArgmax, fractional_max_pool2d, fractional_max_pool2d_with_indices, fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
)  # fmt: skip
from .adaptive import (
    AdaptiveAvg, adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d, adaptive_max_pool1d,
    adaptive_max_pool1d_with_indices, adaptive_max_pool2d, adaptive_max_pool2d_with_indices, adaptive_max_pool3d,
    adaptive_max_pool3d_with_indices,
)  # fmt: skip
from .grid import GatherCells, GridSourceIndex, GridSample, affine_grid, grid_sample, grid_sampler
from .interpolation import interpolate, upsample, upsample_bilinear, upsample_nearest
from .lp_pool import lp_pool1d, lp_pool2d, lp_pool3d
from .resample import Resample
from .unfold import Fold, Unfold, fold, unfold
from .unpool import MaxUnpool, max_unpool1d, max_unpool2d, max_unpool3d
