"""No other way than NumPy's plain call takes longer than it: they are chosen by size and layout, and must pay.

The arrays are so large that a call's overhead matters little, and so small that a test takes few milliseconds.
"""

import numpy as np
import pytest

import microgad as torch
from microgad.function import Function
from microgad.ops.indexing import GetItem

from .times import assert_takes

OVERHEAD = 30e-6  # seconds that a call of an operation may take longer than NumPy's

pytestmark = pytest.mark.host("the ways are NumPy's")


def draw(*shape, dtype="float32"):
    return np.random.default_rng(0).uniform(0.9, 1.1, shape).astype(dtype)


def windows(x, size):
    return np.lib.stride_tricks.sliding_window_view(x, size)


# How the input lies, and the axes that are reduced.
LAYOUTS = {
    "matrix, rows": (draw(200, 400), 1),
    "matrix, columns": (draw(200, 400), 0),
    "matrix, all": (draw(200, 400), None),
    "transposed, rows": (draw(400, 200).T, 1),
    "narrow, rows": (draw(20_000, 3), 1),
    "narrow, columns": (draw(20_000, 3), 0),
    "rows of 40 of 80": (draw(1500, 80)[:, :40], 1),
    "columns of 40 of 80": (draw(1500, 80)[:, :40], 0),
    "all of 40 of 80": (draw(1500, 80)[:, :40], None),
    "rows of 64 of 100": (draw(512, 100)[:, :64], 1),
    "rows of 1000 of 1001": (draw(80, 1001)[:, :1000], 1),
    "long rows with gaps": (draw(16, 4096)[:, :2053], 1),
    "3 of 4 columns, rows": (draw(10_000, 4)[:, :3], 1),
    "3 of 4 columns, columns": (draw(10_000, 4)[:, :3], 0),
    "every other column, rows": (draw(600, 200)[:, ::2], 1),
    "every other column, all": (draw(600, 200)[:, ::2], None),
    "every other place": (draw(60, 60, 60)[::2, ::2, ::2], (0, 2)),
    "reversed": (draw(600, 100)[::-1, ::-1], 1),
    "images": (draw(8, 4, 40, 40), (2, 3)),
    "images, channels": (draw(8, 4, 40, 40), (0, 2, 3)),
    "images, channels last": (draw(8, 40, 40, 3).transpose(0, 3, 1, 2), (0, 2, 3)),
    "small images": (draw(32, 64, 7, 7), (2, 3)),
    "crops": (draw(32, 16, 14, 14)[:, :, 1:-1, 1:-1], (2, 3)),
    "crops, channels": (draw(32, 16, 14, 14)[:, :, 1:-1, 1:-1], (0, 2, 3)),
    "crops of large images": (draw(2, 3, 128, 128)[:, :, 2:-2, 2:-2], (2, 3)),
    "narrow crops": (draw(32, 16, 28, 6)[..., 1:-1], (2, 3)),
    "real parts": (draw(32, 16, 20, 20, dtype="complex64").real, (0, 2, 3)),
    "heads": (draw(8, 64, 4, 32).transpose(0, 2, 1, 3), 2),
    "expanded": (np.broadcast_to(draw(300, 1), (300, 300)), 1),
    "windows": (windows(draw(20_000), 5), 1),
    "integers": (draw(1500, 80, dtype="int64")[:, :40], 1),
    "booleans": (draw(300, 300) > 1, None),
    "booleans, rows": (draw(300, 300) > 1, 1),
    "booleans with gaps": ((draw(1500, 80) > 1)[:, ::2], 1),
    "half precision": (draw(100, 200, dtype="float16"), 1),
}


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        (name, layout)
        for name in ("sum", "amax", "prod")
        for layout, (_, axis) in LAYOUTS.items()
        if not (name == "prod" and isinstance(axis, tuple))
    ],
)
def test_reductions_take_no_longer_than_numpys(name, layout):
    x, axis = LAYOUTS[layout]
    given = torch.tensor(x[:, :1]).expand(x.shape) if 0 in x.strides else torch.as_tensor(x)
    dim = () if axis is None else (axis,)  # prod refuses a dim of None
    assert_takes(1.5, lambda: getattr(given, name)(*dim), lambda: getattr(np, name)(x, axis), OVERHEAD)


def runs(n, length):
    return np.arange(n) % (2 * length) < length


WHERE = {
    f"{n}, {kind}": (condition, draw(n), other)
    for n in (6_000, 12_000, 30_000)
    for kind, condition, other in (
        ("half", draw(n) > 1, draw(n)),
        ("few", draw(n) > 1.08, draw(n)),
        ("runs", runs(n, 300), draw(n)),
        ("runs, number", runs(n, 300), 0.0),
    )
}


@pytest.mark.parametrize("case", WHERE)
def test_where_takes_no_longer_than_numpys(case):
    condition, a, b = WHERE[case]
    given = torch.from_numpy(condition), torch.from_numpy(a), torch.as_tensor(b) if np.ndim(b) else b
    other = b if np.ndim(b) else np.float32(b)
    assert_takes(1.5, lambda: torch.where(*given), lambda: np.where(condition, a, other), OVERHEAD)


@pytest.mark.parametrize(
    ("matrix", "batch"),
    [
        ((256, 256), (50, 256, 4)), ((128, 128), (100, 128, 8)), ((64, 512), (32, 512, 8)), ((64, 64), (300, 64, 2)),
        ((256, 256), (50, 256, 1)),
    ],
)  # fmt: skip
def test_products_with_few_columns_take_no_longer_than_numpys(matrix, batch):
    a, b = draw(*matrix), draw(*batch)
    given = torch.from_numpy(a), torch.from_numpy(b)
    assert_takes(1.2, lambda: torch.matmul(*given), lambda: np.matmul(a, b), OVERHEAD)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32"])
@pytest.mark.parametrize("shape", [(20_000,), (16, 1000), (600, 32)])
def test_sorting_takes_no_longer_than_numpys(shape, dtype):
    x = (1000 * draw(*shape, dtype="float64")).astype(dtype)
    given = torch.from_numpy(x)
    assert_takes(2, lambda: given.argsort(stable=True), lambda: x.argsort(kind="stable"), OVERHEAD)


OPERATIONS = {
    "clamp": (lambda x: x.clamp(-1, 1), lambda x: np.clip(x, -1, 1)),
    "relu": (lambda x: x.relu(), lambda x: np.maximum(x, 0)),
    "max with indices": (lambda x: x.abs().max(-1), lambda x: (np.abs(x).max(-1), np.abs(x).argmax(-1))),
    "cube": (lambda x: x**3, lambda x: x * x * x),
    "conversions": (lambda x: x.double().half(), lambda x: x.astype("d").astype("e")),
    "argmax": (lambda x: x.argmax(-1), lambda x: x.argmax(-1)),
    "argmax of one": (lambda x: x.unsqueeze(-1).argmax(-1), lambda x: np.zeros(x.shape, int)),
    "cumsum of one": (lambda x: x.unsqueeze(-1).cumsum(-1), lambda x: x.copy()),
    "cumsum": (lambda x: x.cumsum(-1), lambda x: x.cumsum(-1, "d").astype("f")),
    "softmax": (
        lambda x: x.softmax(-1),
        lambda x: (e := np.exp(x - x.max(-1, keepdims=True))) / e.sum(-1, keepdims=True),
    ),
    "logsumexp": (lambda x: x.logsumexp(-1), lambda x: np.log(np.exp(x - x.max(-1, keepdims=True)).sum(-1))),
    "sigmoid": (lambda x: x.sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
    "norm": (lambda x: x.norm(), lambda x: np.sqrt(np.dot(row := x.ravel("K"), row))),
    "norms of rows": (lambda x: x.norm(dim=-1), lambda x: np.sqrt((x * x).sum(-1))),
    "flip": (lambda x: x.flip(-1), lambda x: x[..., ::-1].copy()),
    "var": (lambda x: x.var(-1), lambda x: x.var(-1, ddof=1)),
}


@pytest.mark.parametrize(
    "x",
    [draw(30_000), draw(300, 100), draw(10_000, 3), draw(10_000, 4)[:, :3], draw(40, 30, 25).transpose(1, 0, 2)],
    ids=["line", "rows", "narrow", "with gaps", "permuted"],
)
@pytest.mark.parametrize("name", OPERATIONS)
def test_other_operations_take_no_longer_than_numpys(name, x):
    given, (ours, numpys) = torch.from_numpy(x), OPERATIONS[name]
    assert_takes(2, lambda: ours(given), lambda: numpys(x), OVERHEAD)


def test_views_take_less_time_than_other_operations():
    x, apply = torch.from_numpy(draw(4, 4)), Function.apply.__func__
    assert_takes(
        0.85,
        lambda: [GetItem.apply(x, index=(1, ...)) for _ in range(1000)],
        lambda: [apply(GetItem, x, index=(1, ...)) for _ in range(1000)],
    )


def test_arrays_are_collated_in_the_time_in_which_they_are_stacked():
    arrays = list(draw(500, 20))
    assert_takes(3, lambda: torch.utils.data.default_collate(arrays), lambda: np.stack(arrays), OVERHEAD)
