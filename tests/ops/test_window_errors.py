"""Errors of windows, convolutions, pooling and resampling, and their messages."""

import pytest

import microgad as torch
import microgad.nn.functional as F
from microgad.ops.window import avg_pool2d, conv2d, conv_transpose2d, fold, max_pool2d, unfold
from microgad.state import scope

x, w = torch.zeros(8, 1, 28, 28), torch.zeros(10, 3, 3, 3)
WRONG_CALLS = {
    "channels": (
        lambda: conv2d(x, w),
        RuntimeError,
        (
            "Conv2d (features.0): Given groups=1, weight of size [10, 3, 3, 3], expected input[8, 1, 28, 28] to have 3 "
            "channels, but got 1 channels instead (input (8, 1, 28, 28), weight (10, 3, 3, 3))"
        ),
    ),
    "channels, groups": (
        lambda: conv2d(x, w, groups=5),
        RuntimeError,
        "Given groups=5, weight of size [10, 3, 3, 3], expected input[8, 1, 28, 28] to have 15 channels, but got 1",
    ),
    "filters, groups": (
        lambda: conv2d(torch.zeros(1, 9, 5, 5), w, groups=3),
        RuntimeError,
        "Given groups=3, expected weight to be divisible by 3 at dimension 0",
    ),
    "no filters": (
        lambda: conv2d(x, w[:0, :1]),
        RuntimeError,
        "Conv2d (features.0): weight must have at least 1 filter, but has shape (0, 1, 3, 3)",
    ),
    "groups 0": (lambda: conv2d(x, w, groups=0), RuntimeError, "Conv2d (features.0): groups must be at least 1, got 0"),
    "dtype": (
        lambda: conv2d(x, w.double()[:, :1]),
        RuntimeError,
        (
            "Input type (float32) and weight type (float64) should be the same "
            "(input (8, 1, 28, 28), weight (10, 1, 3, 3) float64)"
        ),
    ),
    "bias dtype": (
        lambda: conv2d(x, w[:, :1], torch.zeros(10).double()),
        RuntimeError,
        "Input type (float32) and bias type (float64) should be the same",
    ),
    "bias shape": (
        lambda: conv2d(x, w[:, :1], torch.zeros(3)),
        RuntimeError,
        "expected bias to be 1-dimensional with 10 elements, but got bias of size [3] instead",
    ),
    "bool": (lambda: conv2d(x > 0, w[:, :1] > 0), RuntimeError, "input must be of numbers, got bool"),
    "dimensions of input": (
        lambda: conv2d(torch.zeros(5, 5), w),
        RuntimeError,
        "input to conv2d, but got input of size: [5, 5]",
    ),
    "dimensions of input of the transpose": (
        lambda: torch.nn.functional.conv_transpose2d(torch.zeros(5, 5), w),
        RuntimeError,
        "input to conv_transpose2d, but got input of size: [5, 5]",
    ),
    "dimensions of weight": (lambda: conv2d(x, w[0], padding="same"), RuntimeError, "got weight of size: [3, 3, 3]"),
    "kernel": (
        lambda: conv2d(x[:, :, :3], w[:, :1], dilation=(3, 1), padding=(1, 0)),
        RuntimeError,
        (
            "the kernel's height is 7 but the padded input's is 5: kernel_size (3, 3), dilation (3, 1), "
            "padding ((1, 1), (0, 0))"
        ),
    ),
    "empty kernel": (lambda: conv2d(x, w[:, :1, :0]), RuntimeError, "the kernel's height must be at least 1, got 0"),
    "stride": (
        lambda: conv2d(x, w, stride=(0, 1)),
        RuntimeError,
        "Conv2d (features.0): stride must be greater than zero, non-positive stride is not supported, got (0, 1)",
    ),
    "stride's length": (
        lambda: conv2d(x, w, stride=(1, 1, 1)),
        RuntimeError,
        "stride must either be omitted, a single int, or a tuple of two ints, got (1, 1, 1)",
    ),
    "stride's type": (
        lambda: conv2d(x, w, stride=1.0),
        TypeError,
        "stride must either be omitted, a single int, or a tuple of two ints, got 1.0",
    ),
    "dilation": (lambda: conv2d(x, w, dilation=0), RuntimeError, "dilation should be greater than zero, got 0"),
    "padding": (lambda: conv2d(x, w, padding=-1), RuntimeError, "negative padding is not supported, got -1"),
    "padding's name": (
        lambda: conv2d(x, w, padding="full"),
        RuntimeError,
        "Invalid padding string: 'full', it is 'same' or 'valid'",
    ),
    "same, stride": (
        lambda: conv2d(x, w, stride=2, padding="same"),
        RuntimeError,
        "padding='same' is not supported for strided convolutions, got stride (2, 2)",
    ),
    "transposed, channels": (
        lambda: conv_transpose2d(x, w),
        RuntimeError,
        "ConvTranspose2d (features.0): Given transposed=1, weight of size [10, 3, 3, 3], expected input[8, 1, 28, 28]",
    ),
    "transposed, groups": (
        lambda: conv_transpose2d(torch.zeros(1, 10, 5, 5), w, groups=3),
        RuntimeError,
        "in_channels = 10 is not divisible by groups = 3",
    ),
    "transposed, bias": (
        lambda: conv_transpose2d(torch.zeros(1, 10, 5, 5), w, torch.zeros(10)),
        RuntimeError,
        "expected bias to be 1-dimensional with 3 elements, but got bias of size [10] instead",
    ),
    "transposed, size": (
        lambda: conv_transpose2d(torch.zeros(1, 10, 1, 1), w, padding=2),
        RuntimeError,
        "the output's size would be (-1, -1)",
    ),
    "output_padding": (
        lambda: conv_transpose2d(x, w, output_padding=(0, 2), stride=2),
        RuntimeError,
        "output_padding must be smaller than stride or dilation, but it is 2, they are 2 and 1",
    ),
    "unfold, dimensions": (
        lambda: unfold(torch.zeros(3, 3), 2),
        RuntimeError,
        "Unfold (features.0): Expected 3D or 4D (batch mode) tensor with possibly 0 batch size",
    ),
    "unfold, kernel": (lambda: unfold(x, 29), RuntimeError, "the kernel's height is 29 but the padded input's is 28"),
    "fold, rows": (
        lambda: fold(torch.zeros(1, 13, 12), (4, 5), 2),
        RuntimeError,
        "input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)=13",
    ),
    "fold, columns": (
        lambda: fold(torch.zeros(1, 12, 10), (4, 5), 2),
        RuntimeError,
        "match the calculated number of sliding blocks 3 * 4 = 12, but got input.size(2)=10",
    ),
    "fold, size": (lambda: fold(torch.zeros(1, 12, 1), 1, 2), RuntimeError, "sliding blocks as (0, 0), which is too"),
    "fold, empty": (lambda: fold(torch.zeros(1, 12, 0), 1, 1), RuntimeError, "other non-zero dimensions for input"),
    "unfold, empty": (
        lambda: unfold(x[:, :0], 2),
        RuntimeError,
        "non-zero dimensions for input, but got: [8, 0,",
    ),
    "pool, dimensions": (
        lambda: max_pool2d(torch.zeros(4, 4), 2),
        RuntimeError,
        "MaxPool2d (features.0): Expected 3D or 4D (batch mode) tensor",
    ),
    "pool, empty plane": (
        lambda: max_pool2d(x[:, :, :0], 2),
        RuntimeError,
        "optional 0 dim batch size for input, but got:[8, 1, 0,",
    ),
    "pool, kernel": (lambda: avg_pool2d(x, 29), RuntimeError, "the kernel's height is 29 but the padded input's is 28"),
    "pool, kernel's length": (
        lambda: max_pool2d(x, ()),
        RuntimeError,
        "kernel_size must either be a single int, or a tuple of two ints",
    ),
    "pool, padding": (
        lambda: max_pool2d(x, 2, padding=2),
        RuntimeError,
        "pad should be at most half of effective kernel size, but got pad=2, kernel_size=2 and dilation=1",
    ),
    "pool, padding of a dilated kernel": (
        lambda: max_pool2d(x, 3, padding=2, dilation=2),
        RuntimeError,
        "pad should be smaller than or equal to half of kernel size, but got pad=2, kernel_size=3 and dilation=2",
    ),
    "pool, nothing but padding": (
        lambda: max_pool2d(x[:, :, :2], 2, 1, (1, 0), (3, 1)),
        RuntimeError,
        "with kernel_size (2, 2), dilation (3, 1) and padding (1, 0) a window has no cell of the input",
    ),
    "pool, stride": (lambda: avg_pool2d(x, 2, 0), RuntimeError, "stride must be greater than zero"),
    "pool, bool": (
        lambda: max_pool2d(x > 0, 2),
        RuntimeError,
        "not implemented for bool: input must be of real numbers",
    ),
    "mean of integers": (
        lambda: avg_pool2d(x.int(), 2),
        RuntimeError,
        "not implemented for int32: input must be floating",
    ),
    "divisor": (lambda: avg_pool2d(x, 2, divisor_override=0), RuntimeError, "divisor must be not zero"),
    "lines, dimensions": (
        lambda: F.conv1d(x, w),
        RuntimeError,
        "Conv1d (features.0): Expected 2D (unbatched) or 3D (batched) input",
    ),
    "volumes, dimensions": (
        lambda: F.conv3d(x, w),
        RuntimeError,
        "Expected 5D weight to conv3d, but got weight of size: [10, 3, 3, 3]",
    ),
    "stride of a volume": (
        lambda: F.conv3d(x[None], w[None], stride=(1, 2)),
        RuntimeError,
        "Conv3d (features.0): stride must either be omitted, a single int, or a tuple of three ints, got (1, 2)",
    ),
    "convolution": (
        lambda: torch.convolution(x, w[0, 0], None, 1, 0, 1, False, 0, 1),
        RuntimeError,
        "weight must have 3 to 5 dimensions, got 2",
    ),
    "conv_tbc": (lambda: F.conv_tbc(x, w, w), RuntimeError, "input and weight must have 3 dimensions, got 4 and 4"),
    "max_pool1d": (lambda: F.max_pool1d(x, 2), RuntimeError, "Expected 2D or 3D (batch mode) tensor"),
    "pool, output": (
        lambda: F.max_pool2d(torch.zeros(2, 3, 1, 3), 2),
        RuntimeError,
        "Given input size: (3x1x3). Calculated output size: (3x0x1). Output size is too small",
    ),
    "max_pool3d": (lambda: F.max_pool3d(x, 29), RuntimeError, "the kernel's depth is 29 but the padded input's is 1"),
    "avg_pool3d": (
        lambda: F.avg_pool3d(x, 2, padding=1),
        RuntimeError,
        "input of size (1, 28, 28) is smaller than kernel_size (2, 2, 2)",
    ),
    "adaptive, dimensions": (lambda: F.adaptive_avg_pool1d(x, 2), RuntimeError, "input must have 2 or 3 dimensions"),
    "adaptive, sizes": (
        lambda: F.adaptive_max_pool2d(x, (1, 2, 3)),
        RuntimeError,
        "output_size must be an int or 2 ints, got (1, 2, 3)",
    ),
    "adaptive, negative": (lambda: F.adaptive_avg_pool2d(x, -1), RuntimeError, "output_size must be at least 0"),
    "adaptive, empty": (
        lambda: F.adaptive_max_pool2d(x[:, :0], 1),
        RuntimeError,
        "have non-zero size for non-batch dim",
    ),
    "adaptive, integers": (lambda: F.adaptive_max_pool2d(x.long(), 1), RuntimeError, "must be floating-point"),
    "fractional, no size": (lambda: F.fractional_max_pool2d(x, 2), ValueError, "output_size or output_ratio must be"),
    "fractional, ratios": (
        lambda: F.fractional_max_pool2d(x, 2, output_ratio=(0.5,)),
        ValueError,
        "requires output_ratio to either be a single Int or tuple of Ints. It takes 2 numbers, got (0.5,)",
    ),
    "fractional, too large": (
        lambda: F.fractional_max_pool2d(x, 5, output_size=25),
        RuntimeError,
        "25 windows of 5 cells do not fit into 28",
    ),
    "fractional, samples": (
        lambda: F.fractional_max_pool2d(x, 2, 2, _random_samples=torch.rand(8, 1, 3)),
        RuntimeError,
        "Expect _random_samples to be (8, 1, 2), got (8, 1, 3)",
    ),
    "fractional, dtype of samples": (
        lambda: F.fractional_max_pool2d(x, 2, 2, _random_samples=torch.rand(8, 1, 2).double()),
        RuntimeError,
        "_random_samples must be torch.float32, as input is, got torch.float64",
    ),
    "unpool, dtype": (
        lambda: F.max_unpool2d(x, x, 2),
        RuntimeError,
        "elements in indices should be type int64 but got: torch.float32",
    ),
    "unpool, shape": (lambda: F.max_unpool2d(x, x[:1].long(), 2), RuntimeError, "Expected shape of indices to be"),
    "unpool, dimensions": (
        lambda: F.max_unpool2d(x[0, 0], x[0, 0].long(), 2),
        RuntimeError,
        "input must have 3 or 4 dimensions, got 2",
    ),
    "unpool, place": (
        lambda: F.max_unpool1d(x[:, 0, :1], x[:, 0, :1].long() + 56, 2),
        RuntimeError,
        "Found an invalid max index: 56 (output volumes are of size 56)",
    ),
    "unpool, size": (
        lambda: F.max_unpool2d(x, x.long(), 2, output_size=(1, 1, 56, 58)),
        ValueError,
        "invalid output_size (56, 58): dim 1 must be between 54 and 58",
    ),
    "unpool, sizes": (
        lambda: F.max_unpool2d(x, x.long(), 2, output_size=(56,)),
        ValueError,
        "output_size must have 2 or 4 elements, got 1",
    ),
    "resize, neither": (lambda: F.interpolate(x), ValueError, "either size or scale_factor should be defined"),
    "resize, both": (lambda: F.interpolate(x, 2, 2.0), ValueError, "only one of size or scale_factor"),
    "resize, sizes": (
        lambda: F.interpolate(x, scale_factor=(1.0,)),
        ValueError,
        "but got input with spatial dimensions of [28, 28] and scale_factor of shape (1.0,).",
    ),
    "resize, two dimensions": (lambda: F.interpolate(x[0, 0], scale_factor=2), NotImplementedError, "got 2"),
    "resize, Tensors": (
        lambda: F.interpolate(x, scale_factor=(torch.tensor(2.0), 2)),
        TypeError,
        "scale_factor must be of numbers, not Tensors",
    ),
    "resize, floats": (lambda: F.interpolate(x, 2.5), TypeError, "expected size to be one of int or Tuple[int]"),
    "resize, nothing": (lambda: F.interpolate(x, 0), RuntimeError, "input and output sizes should be greater than 0"),
    "resize, corners": (
        lambda: F.interpolate(x, 2, align_corners=True),
        ValueError,
        "align_corners can be set for the modes that interpolate, not for nearest",
    ),
    "resize, recompute": (
        lambda: F.interpolate(x, 2, recompute_scale_factor=True),
        ValueError,
        "recompute_scale_factor is not meaningful with an explicit size",
    ),
    "resize, antialias": (
        lambda: F.interpolate(x, 2, antialias=True),
        ValueError,
        "antialias is for bilinear, bicubic and lanczos of 4-D input, got nearest and 4-D",
    ),
    "resize, mode": (lambda: F.interpolate(x, 2, mode="cubic"), NotImplementedError, "mode 'cubic' of 4-D input"),
    "resize, dimensions": (
        lambda: F.interpolate(x, 2, mode="linear"),
        NotImplementedError,
        "Got 4D input, but linear mode needs 3D input",
    ),
    "resize, lanczos": (lambda: F.interpolate(x, 2, mode="lanczos"), ValueError, "'lanczos' needs antialias=True"),
    "resize, integers": (lambda: F.interpolate(x.long(), 2), RuntimeError, "is not implemented for torch.int64"),
    "grid, mode": (
        lambda: F.grid_sample(x, x, "linear"),
        ValueError,
        "expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: 'linear'",
    ),
    "grid, padding": (lambda: F.grid_sample(x, x, padding_mode="x"), ValueError, "expected padding_mode to be 'zeros'"),
    "grid, dimensions": (lambda: F.grid_sample(x, x[0]), RuntimeError, "expected grid and input to have same batch"),
    "grid, dtype": (lambda: F.grid_sample(x, x[..., :2].double()), RuntimeError, "must be of one floating-point dtype"),
    "grid, batch": (
        lambda: F.grid_sample(x, x[:1, ..., :2]),
        RuntimeError,
        "expected grid and input to have same batch",
    ),
    "grid, last": (lambda: F.grid_sample(x, x), RuntimeError, "expected grid to have size 2 in last dimension"),
    "grid, empty": (lambda: F.grid_sample(x[:, :, :0], x[..., :2]), RuntimeError, "non-empty spatial dimensions"),
    "grid, bicubic": (
        lambda: F.grid_sample(x[None], x[None, ..., :3].expand(1, 8, 1, 28, 3)[..., :3], "bicubic"),
        RuntimeError,
        "bicubic interpolation only supports 4D input",
    ),
    "affine, dtype": (lambda: F.affine_grid(x.long(), (1, 1, 2, 2)), ValueError, "Expected theta to have floating"),
    "affine, dimensions": (lambda: F.affine_grid(x, (1, 2)), NotImplementedError, "only supports 4D and 5D sizes"),
    "affine, theta": (
        lambda: F.affine_grid(x, (8, 1, 2, 2)),
        ValueError,
        "Expected a batch of 2D affine matrices of shape Nx2x3 for size (8, 1, 2, 2). Got ",
    ),
    "affine, size": (
        lambda: F.affine_grid(torch.zeros(1, 2, 3), (1, 1, 0, 2)),
        ValueError,
        "Expected non-zero, positive output size. Got (1, 1, 0, 2)",
    ),
    "affine, batch": (
        lambda: F.affine_grid(torch.zeros(1, 2, 3), (3, 1, 2, 2)),
        RuntimeError,
        "theta must have 3 maps for size (3, 1, 2, 2), got 1",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_wrong_arguments_raise(call, kind, message):
    with scope(path="features.0"), pytest.raises(kind) as error:
        call()
    assert message in str(error.value)
    assert "(features.0" in str(error.value)
