"""What windows, convolutions and pools refuse, and in which words."""

import numpy as np
import pytest

import microgad as torch
from microgad.ops.window import avg_pool2d, conv2d, conv_transpose2d, fold, max_pool2d, unfold
from microgad.state import scope


def random(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def leaf(array):
    return torch.tensor(array, requires_grad=True)


x, w = torch.zeros(8, 1, 28, 28), torch.zeros(10, 3, 3, 3)
REFUSED = {
    "channels": (
        lambda: conv2d(x, w),
        RuntimeError,
        (
            "Conv2d (features.0): input has 1 channel, but weight has in_channels/groups = 3 "
            "(input (8, 1, 28, 28), weight (10, 3, 3, 3))"
        ),
    ),
    "channels, groups": (
        lambda: conv2d(x, w, groups=5),
        RuntimeError,
        "weight has in_channels/groups = 3 and groups = 5",
    ),
    "filters, groups": (
        lambda: conv2d(torch.zeros(1, 9, 5, 5), w, groups=3),
        RuntimeError,
        "weight has 10 filters, which groups = 3 does not divide",
    ),
    "groups 0": (lambda: conv2d(x, w, groups=0), RuntimeError, "Conv2d (features.0): groups must be at least 1, got 0"),
    "dtype": (
        lambda: conv2d(x, w.double()[:, :1]),
        RuntimeError,
        (
            "input and weight must have one dtype, got float32 and float64 "
            "(input (8, 1, 28, 28), weight (10, 1, 3, 3) float64)"
        ),
    ),
    "bias dtype": (
        lambda: conv2d(x, w[:, :1], torch.zeros(10).double()),
        RuntimeError,
        "input and bias must have one dtype",
    ),
    "bias shape": (
        lambda: conv2d(x, w[:, :1], torch.zeros(3)),
        RuntimeError,
        "bias must have shape (10,), one for each output channel, got (3,)",
    ),
    "bool": (lambda: conv2d(x > 0, w[:, :1] > 0), RuntimeError, "input must be of real numbers, got bool"),
    "dimensions of input": (lambda: conv2d(torch.zeros(5, 5), w), RuntimeError, "got 2 and 4"),
    "dimensions of weight": (lambda: conv2d(x, w[0], padding="same"), RuntimeError, "got 4 and 3"),
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
        "Conv2d (features.0): stride must be at least 1, got (0, 1)",
    ),
    "stride's length": (
        lambda: conv2d(x, w, stride=(1, 1, 1)),
        RuntimeError,
        "stride must be an int or two ints, got (1, 1, 1)",
    ),
    "stride's type": (lambda: conv2d(x, w, stride=1.0), TypeError, "stride must be an int or two ints, got 1.0"),
    "dilation": (lambda: conv2d(x, w, dilation=0), RuntimeError, "dilation must be at least 1, got 0"),
    "padding": (lambda: conv2d(x, w, padding=-1), RuntimeError, "padding must be at least 0, got -1"),
    "padding's name": (
        lambda: conv2d(x, w, padding="full"),
        RuntimeError,
        "padding must be ints, 'same' or 'valid', got 'full'",
    ),
    "same, stride": (
        lambda: conv2d(x, w, stride=2, padding="same"),
        RuntimeError,
        "padding='same' needs stride 1, but stride is (2, 2)",
    ),
    "transposed, channels": (
        lambda: conv_transpose2d(x, w),
        RuntimeError,
        "ConvTranspose2d (features.0): input has 1 channel, but weight has in_channels = 10",
    ),
    "transposed, groups": (
        lambda: conv_transpose2d(torch.zeros(1, 10, 5, 5), w, groups=3),
        RuntimeError,
        "in_channels = 10 is not divisible by groups = 3",
    ),
    "transposed, bias": (
        lambda: conv_transpose2d(torch.zeros(1, 10, 5, 5), w, torch.zeros(10)),
        RuntimeError,
        "bias must have shape (3,), one for each output channel, got (10,)",
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
        "Unfold (features.0): input must be (N, C, H, W)",
    ),
    "unfold, kernel": (lambda: unfold(x, 29), RuntimeError, "the kernel's height is 29 but the padded input's is 28"),
    "fold, rows": (
        lambda: fold(torch.zeros(1, 13, 12), (4, 5), 2),
        RuntimeError,
        "input has 13 rows, which is no multiple of the kernel's 2·2",
    ),
    "fold, columns": (
        lambda: fold(torch.zeros(1, 12, 10), (4, 5), 2),
        RuntimeError,
        "input has 10 columns, but a kernel (2, 2) over output_size (4, 5) takes 3·4 places",
    ),
    "fold, size": (lambda: fold(torch.zeros(1, 12, 0), 1, 2), RuntimeError, "takes 0·0 places"),
    "pool, dimensions": (
        lambda: max_pool2d(torch.zeros(4, 4), 2),
        RuntimeError,
        "MaxPool2d (features.0): input must be (N, C, H, W)",
    ),
    "pool, empty plane": (lambda: max_pool2d(x[:, :, :0], 2), RuntimeError, "only N may be 0"),
    "pool, kernel": (lambda: avg_pool2d(x, 29), RuntimeError, "the kernel's height is 29 but the padded input's is 28"),
    "pool, padding": (
        lambda: max_pool2d(x, 2, padding=2),
        RuntimeError,
        "padding must be at most half of the kernel's span, but it is 2 of 2",
    ),
    "pool, nothing but padding": (
        lambda: max_pool2d(x[:, :, :2], 2, 1, (1, 0), (3, 1)),
        RuntimeError,
        "with kernel_size (2, 2), dilation (3, 1) and padding (1, 0) a window has no cell of the input",
    ),
    "pool, stride": (lambda: avg_pool2d(x, 2, 0), RuntimeError, "stride must be at least 1, got 0"),
    "pool, bool": (lambda: max_pool2d(x > 0, 2), RuntimeError, "input must be of real numbers, got bool"),
    "mean of integers": (lambda: avg_pool2d(x.long(), 2), RuntimeError, "input must be floating-point, got int64"),
    "divisor": (lambda: avg_pool2d(x, 2, divisor_override=0), RuntimeError, "divisor_override must not be 0"),
}


@pytest.mark.parametrize(("call", "kind", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(call, kind, message):
    with scope(path="features.0"), pytest.raises(kind) as error:
        call()
    assert message in str(error.value)
    assert "(features.0): " in str(error.value)
