"""Helpers of the tests of windows: patches taken one by one in a loop, random arrays and leaves."""

import numpy as np

import microgad as torch


def pair(x):
    return x if isinstance(x, tuple) else (x, x)


def patches(x, kernel, stride=1, padding=0, dilation=1, value=0.0):
    """(N, C, H, W) -> (N, OH, OW, C, KH, KW): the patches that a window covers, taken in a loop."""
    (kh, kw), (sh, sw), (ph, pw), (dh, dw) = map(pair, (kernel, stride, padding, dilation))
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=value)
    rows = range(0, x.shape[2] - (kh - 1) * dh, sh)
    columns = range(0, x.shape[3] - (kw - 1) * dw, sw)
    return np.stack(
        [
            np.stack([x[:, :, i : i + (kh - 1) * dh + 1 : dh, j : j + (kw - 1) * dw + 1 : dw] for j in columns], 1)
            for i in rows
        ],
        1,
    )


def random(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def leaf(array):
    return torch.tensor(array, requires_grad=True)
