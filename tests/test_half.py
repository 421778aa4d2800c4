"""float16: operations compute in float32 and round once. NumPy itself adds up in float16, in which 2048 + 1 is 2048."""

import copy
import math

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.dtypes.conversions import convert
from microgad.function import half as float16
from microgad.nn import functional as F

from .times import assert_takes


def ones(*shape, **options):
    return torch.ones(*shape, dtype=torch.half, **options)


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda x: x.sum(0), 5000),
        (lambda x: x.mean(0), 1),
        (lambda x: x.var(0), 0),
        (lambda x: x.cumsum(0)[-1], 5000),
        (lambda x: torch.linalg.vector_norm(x, 1, dim=0), 5000),
        (lambda x: (100 * x).mean(), 100),
        (lambda x: F.l1_loss(100 * x, 0 * x), 100),
        (lambda x: F.avg_pool2d(x.view(1, 1, 5000, 3), (5000, 1)), 1),
        (lambda x: F.softmax(x, 0) * 5000, 1),
        (lambda x: torch.std_mean(x, 0)[1], 1),
        (lambda x: F.embedding_bag(torch.arange(5000), x, torch.tensor([0]), mode="sum"), 5000),
        (lambda x: F.embedding_bag(torch.arange(5000), x, torch.tensor([0])), 1),
    ],
)
def test_sums_and_means_accumulate_in_float32(compute, expected):
    result = compute(ones(5000, 3))
    assert result.dtype == torch.half
    assert result.float().flatten().tolist() == pytest.approx([expected] * result.numel(), rel=1e-3)


def test_a_standard_deviation_is_finite_where_the_variance_is_too_large():
    x = torch.tensor([60000.0, -60000.0]).half()
    assert x.std(correction=0).item() == 60000
    assert torch.isinf(x.var())


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda x: F.grid_sample(x[:9].view(1, 1, 3, 3), torch.zeros(1, 1, 1, 2).half(), align_corners=False), 1),
        (lambda x: torch.linalg.vector_norm(9 * x, 6), 9 * 15 ** (1 / 6)),
        (lambda x: torch.dist(9 * x, 0 * x, 4), 9 * 15**0.25),
        (lambda x: F.normalize(9 * x, p=6, dim=0)[0], 15 ** (-1 / 6)),
        (lambda x: F.mse_loss(100 * x, -100 * x), 40000),
        (lambda x: (300 * x).norm(), 300 * 15**0.5),
        (lambda x: F.cosine_similarity(300 * x, 301 * x, 0), 1),
    ],
)
def test_intermediate_results_do_not_overflow(compute, expected):
    result = compute(ones(15))
    assert result.dtype == torch.half
    assert result.item() == pytest.approx(expected, rel=2e-3)


def test_only_a_gpu_multiplies_matrices_in_float16(monkeypatch):
    seen, matmul = [], np.matmul
    monkeypatch.setattr(np, "matmul", lambda a, b: seen.extend((a.dtype, b.dtype)) or matmul(a, b))
    x = ones(2, 3, requires_grad=True)
    (F.linear(x @ ones(3, 3), ones(3, 3), ones(3)).sum() + torch.einsum("ab,cb->ac", x, x).sum()).backward()
    assert set(seen) == {np.dtype("float16" if x.is_cuda else "float32")}
    assert x.grad.dtype == torch.half


def test_cumulative_results_are_rounded_from_float32_as_in_pytorch():
    x = np.random.default_rng(0).normal(size=5000).astype(np.float16)
    for name, scan in (("cumsum", np.cumsum), ("cumprod", np.cumprod), ("logcumsumexp", np.logaddexp.accumulate)):
        expected = scan(x.astype(np.float32)).astype(np.float16)
        np.testing.assert_array_equal(getattr(torch.tensor(x, device="cpu"), name)(0).array, expected)


def test_gradients_of_broadcast_inputs_accumulate_in_float32():
    weight, bias = ones(3, requires_grad=True), ones(3, requires_grad=True)
    (ones(5000, 3) * weight + bias).sum().backward()
    assert weight.grad.tolist() == bias.grad.tolist() == [5000] * 3
    layer = nn.Linear(3, 2).half()
    layer(ones(5000, 3)).sum().backward()
    assert layer.bias.grad.tolist() == [5000] * 2
    assert layer.bias.grad.dtype == torch.half
    first, _ = ones(2, 3, requires_grad=True).unbind()  # a node of several results
    first.backward(ones(3))


def test_gradients_at_repeated_indices_accumulate_in_float32_under_create_graph():
    x, index = ones(1, 3, requires_grad=True), torch.zeros(5000, 3, dtype=torch.int64)
    for read in (x.gather(0, index), x[index[:, 0]], F.embedding(index[:, 0], x), x.index_select(0, index[:, 0])):
        (grad,) = torch.autograd.grad(read.sum(), x, create_graph=True)
        assert grad.tolist() == [[5000] * 3]


@pytest.mark.parametrize(
    "move",
    [
        lambda x, i: F.embedding(i, x),
        lambda x, i: x[i],
        lambda x, i: x.index_select(0, i),
        lambda x, i: x.gather(0, i[:, None]),
        lambda x, i: F.unfold(x[None, None], 1),
        lambda x, i: torch.cat([x, x]),
        lambda x, i: torch.stack([x, x]),
        lambda x, i: x.t().reshape(6),
        lambda x, i: x.t().clone(),
        lambda x, i: x.flip(0),
        lambda x, i: x.roll(1, 1),
        lambda x, i: x.rot90(),
        lambda x, i: torch.stack([x.tril(), x.triu(1)]),
        lambda x, i: torch.diag_embed(x),
        lambda x, i: x.repeat_interleave(2, 1),
        lambda x, i: F.pad(x[None], (1, 1), "reflect"),
        lambda x, i: F.channel_shuffle(x[None, :, None], 2),
        lambda x, i: torch.where(i[:, None] > 0, x, 0.5),
        lambda x, i: x.masked_scatter(i[:, None] > 0, -x.abs()),
    ],
)
def test_operations_that_only_move_values_do_not_convert_to_float32(move, monkeypatch):
    """Otherwise every step would convert a whole table of embeddings."""
    x, index = torch.arange(6.0).reshape(2, 3), torch.tensor([1, 0])
    half, expected = x.half(), move(x, index).tolist()
    monkeypatch.setattr(float16, "wide", None)
    assert move(half, index).tolist() == expected


def test_python_numbers_are_rounded_to_float16_first_unless_they_are_factors():
    x = torch.tensor([0.5, 100.0], dtype=torch.half)
    tenth = float(torch.tensor(0.1, dtype=torch.half))
    assert torch.equal(x + 0.1, (x.double() + tenth).half())
    assert torch.equal(x % 0.1, (x.double() % tenth).half())
    assert torch.equal(x * 0.1, (x.double() * 0.1).half())
    assert torch.equal(x.clone().mul_(0.1), x * 0.1)
    assert torch.equal(x.clone().add_(0.1), x + 0.1)
    y = torch.tensor([2048.0, -60000.0], dtype=torch.half)
    assert (y - 2049).tolist() == (y.clone().sub_(2049)).tolist() == [0, -62048]
    assert (y + 70000).tolist() == [math.inf, math.inf]


def test_addcmul_and_addcdiv_round_only_their_result():
    x, a, b = (torch.tensor([value], dtype=torch.half) for value in (-60000, 300, 0.003))
    assert torch.addcmul(x, a, a).tolist() == [30000]
    assert torch.addcmul(x, a, a, value=100000).tolist() == [math.inf]
    assert x.clone().addcdiv_(a, b).tolist() == [float(np.float16(-60000 + 300 / b.item()))]
    assert torch.addcmul(x, a, a).dtype == torch.half
    number = torch.tensor(10.0038)  # without dimensions, so that it is rounded to float16 first
    assert torch.addcmul(0 * a, a, number).tolist() == [3000]


def test_nan_to_num_replaces_infinity_by_the_largest_float16():
    x = torch.tensor([math.inf, -math.inf, math.nan, 1], dtype=torch.half)
    assert torch.nan_to_num(x).tolist() == x.clone().nan_to_num_().tolist() == [65504, -65504, 0, 1]
    assert torch.nan_to_num(x, posinf=3).tolist() == [3, -65504, 0, 1]


@pytest.mark.parametrize("n", [1, 10000])
def test_nextafter_gives_the_next_float16(n):
    x, up = ones(n), ones(n) * 2
    assert set(torch.nextafter(x, up).tolist()) == set(x.clone().nextafter_(up).tolist()) == {1 + 2**-10}


def test_views_of_float16_share_memory():
    x = ones(2, 3)
    x[0].t().view(3).mul_(2)
    assert x.tolist() == [[2] * 3, [1] * 3]


def test_a_result_without_dimensions_can_be_viewed_and_written_to():
    total = torch.ones(3, dtype=torch.float16).sum()
    assert total.view(1).tolist() == [3]
    assert (total.add_(1), total.masked_fill(total > 3, 0)) == (4, 0)


def test_a_copy_of_the_dtype_object_counts_as_float16():
    x = torch.from_numpy(np.ones((5000, 3), copy.deepcopy(np.dtype(np.float16)))).requires_grad_()
    assert x.array.dtype is not np.dtype(np.float16)
    assert x.sum(0).tolist() == [5000] * 3
    b = torch.from_numpy(np.zeros(3, x.array.dtype)).requires_grad_()
    (x.detach() + b).sum().backward()
    assert b.grad.tolist() == [5000] * 3


FLOAT16, FLOAT32 = np.dtype("float16"), np.dtype("float32")


def float32_patterns(rng):
    """Bits of float32 numbers: any, in float16's range, halfway between float16 numbers, small, small and halfway."""
    anything = rng.integers(0, 1 << 32, 300_000, dtype=np.uint32)
    top = int(np.float32(65519).view(np.uint32))  # larger numbers are left to NumPy
    in_range = rng.integers(0, top, 300_000, dtype=np.uint32) | anything & 0x80000000
    small = rng.integers(0x33000000 - 9, 0x38800000 + 9, 300_000, dtype=np.uint32)  # 2^-25 to 2^-14
    return anything, in_range, in_range & 0xFFFFE000 | 0x1000, small, small & 0xFFFFF000


def assert_converts_as_numpy(x, to, order="K"):
    with np.errstate(all="ignore"):
        found, expected = convert(x, to, order), x.astype(to, order)
    assert found.dtype == to
    assert found.strides == expected.strides
    np.testing.assert_array_equal(found.view(f"u{to.itemsize}"), expected.view(f"u{to.itemsize}"))


def test_conversions_give_numpys_bits(rng):
    for bits in float32_patterns(rng):
        assert_converts_as_numpy(bits.view(FLOAT32), FLOAT16)
    every = np.arange(1 << 16, dtype=np.uint16)
    assert_converts_as_numpy(every.view(FLOAT16), FLOAT32)
    assert_converts_as_numpy(every[np.isfinite(every.view(FLOAT16))].view(FLOAT16), FLOAT32)
    few = every[:9000].view(FLOAT16).copy()
    for special in (np.inf, -np.inf, np.nan, -65519, 65520, 69999, -1e30):
        wider = few.astype(FLOAT32)
        wider[-1] = special
        assert_converts_as_numpy(wider, FLOAT16)
        with np.errstate(over="ignore"):
            few[-1] = special
        assert_converts_as_numpy(few, FLOAT32)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "uint32", "int64"])
def test_integers_become_numpys_bits(rng, dtype):
    x = np.arange(-70_000, 70_001, 3).astype(dtype)
    x[-2:] = np.asarray([0, -1]).astype(dtype)
    for each in (x, x[::2], np.resize(x, (300, 200)).T[::-1]):
        assert_converts_as_numpy(each, FLOAT16)
        assert_converts_as_numpy(each, FLOAT16, "C")


@pytest.mark.host("it is NumPy that is slow")
@pytest.mark.parametrize(("dtype", "times"), [("bool", 3), ("int64", 1), ("float32", 1.15)])
def test_conversions_to_float16_are_faster_than_numpys(dtype, times):
    x = np.ones((300, 301), dtype)[:, : 300 if dtype == "float32" else 301]  # also where there are gaps
    assert_takes(1 / times, lambda: convert(x, FLOAT16), lambda: x.astype(FLOAT16))


@pytest.mark.parametrize(
    "made",
    [
        lambda x: torch.tensor([x], dtype=torch.float16),
        lambda x: torch.tensor(np.array([x]), dtype=torch.float16),
        lambda x: torch.tensor([x], dtype=torch.float64).half(),
        lambda x: torch.full((1,), x, dtype=torch.float16),
        lambda x: torch.zeros(1, dtype=torch.float16).fill_(x),
        lambda x: torch.zeros(1, dtype=torch.float16).copy_(torch.tensor([x], dtype=torch.float64)),
    ],
)
def test_float64_is_rounded_to_float32_first_as_in_pytorch(made):
    near_a_tie = 1.1967773426534207
    assert made(near_a_tie).item() == np.float16(np.float32(near_a_tie)) != np.float16(near_a_tie)


def test_conversions_keep_the_order_in_memory(rng):
    x = rng.normal(size=(100, 200)).astype(FLOAT32)
    for each in (x, x.T, x[:, ::-1], x[::2], x.reshape(10, 10, 200).swapaxes(0, 1)):
        for order in "KC":
            assert_converts_as_numpy(each, FLOAT16, order)
            assert_converts_as_numpy(each.astype(FLOAT16), FLOAT32, order)


@pytest.mark.parametrize("create_graph", [False, True])
def test_code_of_a_program_takes_gradients_in_float16(create_graph):
    seen = []

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(w)
            return x @ w

        @staticmethod
        def backward(ctx, grad):
            return grad @ ctx.saved_tensors[0].T, None  # a product of mixed dtypes would raise

    module = nn.Tanh()
    module.register_full_backward_hook(lambda module, *grads: seen.extend(each.dtype for (each,) in grads))
    x = ones(2, 2, requires_grad=True)
    module(Product.apply(x, ones(2, 2))).sum().backward(create_graph=create_graph)
    assert [x.grad.dtype, *seen] == [torch.half] * 3


@pytest.mark.parametrize(
    "compute",
    [
        lambda half, single: F.conv1d(single(1, 1, 2), half(1, 1, 2)),
        lambda half, single: F.conv2d(half(1, 1, 2, 2), single(1, 1, 2, 2)),
        lambda half, single: F.conv1d(single(1, 1, 2), single(1, 1, 2), half(1)),
        lambda half, single: F.conv_transpose1d(single(1, 1, 2), half(1, 1, 2)),
        lambda half, single: F.batch_norm(single(2, 2), half(2), half(2)),
        lambda half, single: F.batch_norm(single(2, 2), None, None, half(2), training=True),
        lambda half, single: F.cross_entropy(single(2, 2), torch.tensor([0, 1]), half(2)),
        lambda half, single: F.nll_loss(half(2, 2), torch.tensor([0, 1]), single(2)),
    ],
)
def test_float16_beside_float32_is_refused(compute):
    compute(ones, ones)
    with pytest.raises(RuntimeError, match="expected all to have the same dtype"):
        compute(ones, torch.ones)
