"""Python numbers and 0-d Tensors as operands and arguments: out of range, of other dtypes, and invalid ones."""

from __future__ import annotations

import warnings
from enum import IntEnum
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import microgad  # noqa: E402

from .op_db.compare import same  # noqa: E402

# t is the library, F its nn.functional; b, s and i are vectors of uint8, int8 and int32, m a mask.
OUT_OF_RANGE = """
    b + 300
    b - 300
    300 - b
    b * -1
    b.add_(300)
    b.mul_(-1)
    b // 300
    300 // b
    b % 300
    -1 % b
    b & 300
    b | -1
    b << 300
    s + 300
    s * 1000
    i + 2**40
    i * 2**40
    t.tensor([1]) + 2**63
    t.tensor([1]) + 2**64
    t.tensor(200, dtype=t.uint8) + 300
    b == 456
    b < 300
    b > -1
    300 > b
    i < 2**40
    b ** 300
    300 ** b
    b.add(b, alpha=300)
    m.add(3, alpha=2)
    m.add(True, alpha=2)
    m.add(3, alpha=True)
    i.add(0.5, alpha=0.5)
    i.sub(m, alpha=2)
    i.rsub(True, alpha=2)
    b.add(b, alpha=-1)
    t.tensor([1]).add(s, alpha=300)
    b.sub_(b, alpha=300)
    t.addcmul(b, b, b, value=300)
    t.addcmul(b, b, b, value=-1)
    t.addmm(b[None], b[None, :1], b[None], alpha=300)
    t.addmm(b[None], b[None, :1], b[None], beta=-1)
    t.addmm(i[None], i[None, :1], i[None], alpha=1j)
    t.addmm(v[None], v[None, :1], v[None], beta=1j)
    t.addmv(v, t.ones(2, 2), v, alpha=2 + 0j)
    t.addcmul(v, i, i, value=0.5)
    t.addcmul(v, s, s, value=1)
    t.addcmul(i, i, i, value=1.5)
    v.clone().addcmul_(i, i, value=0.5)
    t.addcmul(v, v, v, value=1j)
    t.addcmul(i, i, i, value=1j)
    t.addcdiv(v, v, v, value=1j)
    t.add(v, v, alpha=1j)
    t.add(v, 1j, alpha=1j)
    t.sub(v, v * 1j, alpha=1j)
    t.arange(0, 1, 0.3, dtype=t.int16)
    t.arange(0, 1, 0.3, dtype=t.int64)
    b.index_add(0, t.tensor([0, 1]), b, alpha=300)
    b.index_add(0, t.tensor([0, 1]), b, alpha=-1)
    b.clamp(-1, 300)
    b.clamp(min=-1)
    s.clamp(-500, 500)
    t.where(m, b, 300)
    t.where(m, 2**40, i)
    t.where(m, b, -1)
    F.threshold(b, 3, 300)
    F.hardtanh(s, -300, 300)
    F.pad(b, (1, 1), value=300)
    F.pad(b, (1, 1), value=7.5)
    t.tensor([2**64])
    t.tensor(-2**63 - 1)
"""

# 0-d Tensors in place of numbers: n is 2, x is 0.5, g is 0.5 and requires grad.
ZERO_DIM_TENSORS = """
    t.full((2,), x)
    t.full((2,), g)
    t.full((2,), t.tensor([3.0]))
    t.arange(n)
    t.arange(t.tensor([5]))
    t.ones(2).add(t.ones(2), alpha=x)
    t.ones(2).add(t.ones(2), alpha=g)
    t.ones(2).add(t.ones(2), alpha=t.tensor([2.0]))
    b.add(b, alpha=n)
    b.add(b, alpha=x)
    t.addcmul(v, v, v, value=x)
    t.addcmul(v, v, v, value=g)
    t.addcdiv(v, v, v, value=n)
    v.index_add(0, t.tensor([1]), t.ones(1), alpha=x)
    F.leaky_relu(v, x)
    F.celu(v, x)
    F.threshold(v, x, n)
    F.hardtanh(v, -x, x)
    F.softshrink(v, x)
    F.hardshrink(v, x)
    F.hardshrink(v, v)
    F.layer_norm(v, (2,), eps=x)
    F.group_norm(v[None], n, eps=x)
    F.batch_norm(v[:, None], None, None, training=True, eps=x)
    F.embedding(n, t.ones(3, 2), padding_idx=n)
    F.cross_entropy(v, n - 1, ignore_index=n, label_smoothing=x)
    F.nll_loss(v, n - 1, ignore_index=n)
    F.pad(v, (1, 1), value=x)
    t.histc(v, bins=n, min=-n, max=n)
    t.std(v, correction=n - 1)
    t.nan_to_num(t.tensor([float("nan")]), nan=x)
    t.round(v * 1.234, decimals=n)
    t.isclose(v, v, rtol=x)
    t.logit(t.tensor([0.3]), eps=x / 10)
    t.polygamma(n, t.tensor([0.3]))
    t.cross(t.arange(3.0), t.ones(3), dim=n - 2)
    t.sum(t.ones(2, 2), 0, keepdim=t.tensor(True))
    t.hann_window(n)
    "ab" * n
    [0] * n
    t.tensor([x, n])
    t.tensor([[x, 1.5]])
    t.tensor([t.tensor(3, dtype=t.int32), 2])
    t.tensor([x.double(), 1.0])
    t.tensor([t.tensor([3]), t.tensor([4])])
    t.tensor([t.ones(2), t.ones(2)])
"""

# Calls that raise, whose error class is compared, and gradients of products of nonfinite values.
INVALID = """
    F.cross_entropy(t.ones(2, 2), [0, 1])
    F.nll_loss(t.ones(2, 2), [0, 1])
    F.multi_margin_loss(t.ones(2, 2), [0, 1])
    F.cosine_embedding_loss(t.ones(2, 2), t.ones(2, 2), [1, 1])
    F.ctc_loss(t.ones(2, 1, 2), [[1]], (2,), (1,))
    F.embedding([0, 1], t.ones(2, 2))
    F.conv2d([1.0], t.ones(1, 1, 1, 1))
    F.dropout([1.0])
    t.nn.LayerNorm(2)([1.0, 2.0])
    t.nn.CrossEntropyLoss()(t.ones(2, 2), [0, 1])
    i.softmax(0)
    F.gelu(i)
    F.layer_norm(i, (2,))
    F.mse_loss(i, i)
    F.max_pool1d(m[None], 2)
    F.avg_pool1d(i[None], 2)
    t.exp(m).erf() + t.ones(2, dtype=t.complex64).erf()
    m.abs()
    v & 1
    v << 1
    ~v
    t.ones(2, dtype=t.complex64) < 1
    t.ones(2, dtype=t.complex64).max()
    t.logaddexp(i, i)
    t.gcd(v, v)
    t.histc(i)
    t.ones(2, dtype="float32")
    t.zeros(2, dtype="int64")
    t.tensor([1], dtype="float32")
    t.full((2,), 1.0, dtype="float32")
    t.arange(3, dtype="float32")
    t.rand(2, dtype="float32")
    t.zeros_like(v, dtype="int64")
    v.new_zeros(2, dtype="int64")
    v.to(dtype="float32")
    v.to("float32")
    t.nn.Linear(2, 2, dtype="float32")
    t.promote_types("float32", t.int32)
    t.promote_types(t.uint64, t.int8)
    t.tensor([1], dtype=t.uint64) / t.tensor([2])
    v.set_(t.arange(3))
    t.repeat_interleave(v, True)
    v + None
    t.zeros(0, dtype=t.int64) + None
    t.zeros(0) < None
    float(t.tensor(1j))
    int(t.tensor(1j))
    t.tensor(1.0).copy_(t.ones(1))
    t.ones(1).copy_(t.ones(1, 1))
    t.linalg.vecdot(i, i)
    t.tensordot(t.ones(2, 2, 3), t.ones(2, 3, 2), ([1, 1], [0, 0]))
    t.tensordot(t.ones(2, 2), t.ones(2, 2), ([1, 0], [0, -2]))
    t.searchsorted(t.tensor(1.0), t.ones(2))
    t.histogram(t.ones(3), t.ones(1))
    t.histogram(t.ones(3), t.ones(0))
    t.gradient(t.tensor([1, 2], dtype=t.uint8))
    t.repeat_interleave(t.tensor(3))
    t.fft.fftfreq(-1)
    t.fft.fftfreq(3, dtype=t.int32)
    t.frombuffer(b"", dtype=t.uint8)
    t.frombuffer(bytearray(4), dtype=t.uint8, count=0)
    t.frombuffer([1], dtype=t.int32)
    v.type("torch.FooTensor")
    v.type("float")
    t.frombuffer(bytearray(1), dtype=t.uint8, offset=1)
    v.__delitem__(0)
    t.linalg.qr(t.ones(2, 2), out=t.ones(2))
    t.linalg.solve(t.ones(1, 1), t.ones(1), out=(t.ones(1), t.ones(1)))
    t.topk(v, 1, out=[t.ones(1)])
    prod(t, [INF, 0.0, 2.0])
    prod(t, [INF, 2.0, 3.0])
    prod(t, [INF, 0.0, 0.0])
    prod(t, [NAN, 0.0, 2.0])
    prod(t, [NAN, 0.0, 0.0])
    prod(t, [[INF, 0.0, 1.0], [0.0, 2.0, 1.0], [INF, 2.0, 1.0], [INF, INF, 0.0]], 1)
    prod(t, [[INF, 0.0], [0.0, 2.0], [3.0, 0.0]], 0)
    prod(t, [[INF, 1.0], [2.0, 2.0]], 0)
"""

# Booleans, complex numbers, empty Tensors, and parts of shapes.
DTYPES_AND_SHAPES = """
    t.tensor([1 + 2j, -1j, 0]).to(t.bool)
    t.tensor([1 + 2j, -1j, 0]).bool()
    t.tensor([1 + 2j, -1j, 0]).to(t.int64)
    v.type("torch.DoubleTensor")
    v.type("torch.BoolTensor")
    i.long().type()
    float(t.tensor(2 + 0j))
    int(t.tensor(2 + 0j))
    t.vander(m)
    t.repeat_interleave(t.tensor([1, 2], dtype=t.int32))
    t.repeat_interleave(t.tensor([2, 1]))
    t.fft.fftfreq(0)
    t.fft.fftfreq(5, d=-2)
    t.fft.rfftfreq(0)
    t.fft.fftfreq(3, d=0)
    repr(t.iinfo(t.int64))
    list(reversed(i))
    reversed(i[:, None] + v)
    reversed(x)
    t.zeros(2, dtype=t.bool).fill_(1j)
    t.tensor([1j, 0], dtype=t.bool)
    t.scalar_tensor(1j, dtype=t.bool)
    t.zeros(2, dtype=t.bool).masked_fill(m, 1j)
    t.ones(2, 2).index_add(0, n[None] - 2, t.ones(1, 2), alpha=2 + 0j)
    power(t, -1)
    power(t, -2.5)
    power(t, 2)
    m.median()
    m.median(dim=0)
    m.nanmedian()
    m.kthvalue(1)
    m.topk(1)
    m[None].trace()
    t.arange(3).cross(t.ones(3))
    t.tensor([True, False, True]).cross(t.tensor([True, False, True]))
    t.tensor([1 + 2j]).nanmean()
    t.tensor([1 + 2j]).bernoulli(0.5)
    t.zeros(0, 3).stride()
    t.zeros(2, 0, 3).stride()
    t.zeros(0, 3).stride(0)
    str(t.zeros(2, 3).shape[1:])
    str(t.zeros(2, 3).shape * 2)
    str(2 * t.zeros(2, 3).shape + (1,))
    t.zeros(2, 3).shape + [1]
    [1] + t.zeros(2, 3).shape
    t.zeros(2, 3).shape[1:].numel()
    str(t.zeros(2, 3).shape + (4,))
    str((4,) + t.zeros(2, 3).shape)
    t.zeros(2, 3).shape[1]
    t.zeros(2, 3).shape + [4]
"""


def prod(t: Any, values: Any, *dim: int) -> Any:
    """The gradient of a product."""
    x = t.tensor(values, requires_grad=True)
    return t.autograd.grad(x.prod(*dim).sum(), x)


def power(t: Any, base: Any) -> Any:
    """The gradient of a real number to complex powers."""
    x = t.tensor([0.5 + 1j, 2 - 0.3j], requires_grad=True)
    return t.autograd.grad((base**x).sum().real, x)


NUMPY_BOOLS = """
    i * np.True_
    np.True_ * i
    m + np.True_
    1 + np.True_ - i
    i ** np.True_
    i // np.True_
    m & np.True_
    i.clone().mul_(np.True_)
    v.clone().mul_(np.True_)
    i == np.True_
    m == np.True_
    t.where(m, np.True_, i)
    t.where(m, m, np.True_)
    t.masked_fill(m, m, np.True_)
    i.clamp(min=np.True_)
    s[0].clamp(i[0], 4)
    s[0].clamp(-4, i[1])
    s[0].clamp(i[0], i[0])
    s.clamp(x, 4)
    x.half().clamp(min=x, max=4)
    x.half().clamp(x.double(), np.float64(4))
    s.clamp(300 * n, 4)
    t.clamp(s[0], 3, i[0], out=t.zeros(0, dtype=t.int8))
    t.add(v, v, alpha=np.True_)
    t.arange(np.True_)
    t.full((2,), np.True_)
    t.full_like(m, np.True_)
    t.tensor([np.True_])
    t.zeros(1, dtype=t.result_type(i, np.True_))
    t.zeros(1, dtype=t.result_type(v, np.float64(1)))
    t.zeros(1, dtype=t.result_type(i, other=np.float64(1)))
"""  # as numbers they are floats

SUBCLASSES = """
    [i * E, E - v, i ** E, i / E, i % E, i == E, i & E, b * E, E * g, i * Half(0.5), v / Half(0.5)]
    [t.where(m, E, 1), t.where(m, v, E), t.full((2,), E), v.clamp(E, 5), v.add(v, alpha=E), v.masked_fill(m, E)]
    t.zeros(1, dtype=t.result_type(s, E))
    [F.threshold(v, E, Half(3)), F.hardtanh(v, -1, E), t.logit(v / 3, Half(0.1)), F.pad(v, (1, 1), value=Half(0.5))]
    [t.addcmul(v, v, v, value=Half(0.5)), t.addcdiv(v, v, v, value=E), F.gaussian_nll_loss(v, v, v.abs(), eps=E)]
    [i * LONG, LONG * i, i / LONG, i**LONG, i // LONG, i % LONG, i == LONG, v * LONG, t.where(m, v, LONG)]
    [t.full((2,), LONG), t.arange(LONG), v.clone().fill_(LONG), v.add(v, alpha=LONG), v.clamp(0, LONG)]
    [F.threshold(v, LONG, LONG), F.hardtanh(v, -1, LONG), t.logit(v / 3, LONG / 9), F.leaky_relu(v, LONG)]
"""  # of int and float, such as members of an IntEnum

OTHER_INTEGERS = """
    [v.repeat_interleave(np.array(2)), v.repeat_interleave(TWO), t.repeat_interleave(v, np.int64(2))]
    [v.split(t.tensor([1])), t.split(v, t.tensor(1.5)), v.tensor_split(TWO), t.ones(2, 1, 1).squeeze(TWO)]
    [t.tensor(TWO, dtype=t.float32), t.tensor([TWO, 1], dtype=t.float64), t.tensor(TWO, dtype=t.bool)]
    t.zeros(t.Tensor(TWO).shape + t.Tensor(np.array(3)).shape + t.LongTensor(np.array(1)).shape)
    t.tensor(TWO)
    v.repeat_interleave("two")
    v.repeat_interleave(np.array([1.0, 2.0]))
    t.Tensor(np.array(2.0))
"""  # arrays and Tensors of one, and objects with only __index__


class Half(float):
    pass


class Two:
    def __index__(self):
        return 2


def outcome(t: Any, call: str) -> Any:
    """The result of a call, or the error that it raises."""
    values = {
        "t": t,
        "prod": prod,
        "power": power,
        "INF": float("inf"),
        "NAN": float("nan"),
        "F": t.nn.functional,
        "b": t.tensor([200, 3], dtype=t.uint8),
        "s": t.tensor([100, -3], dtype=t.int8),
        "i": t.tensor([5, -5], dtype=t.int32),
        "m": t.tensor([True, False]),
        "v": t.tensor([2.0, -1.0]),
        "a": np.ones(2, np.float32),
        "np": np,
        "Fraction": Fraction,
        "E": IntEnum("Kind", "one two").two,
        "Half": Half,
        "TWO": Two(),
        "LONG": np.longdouble(2),
        "n": t.tensor(2),
        "x": t.tensor(0.5),
        "g": t.tensor(0.5, requires_grad=True),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return eval(call, values)
        except Exception as error:
            return error


def lines(calls: str) -> list[str]:
    return [line.strip() for line in calls.strip().splitlines()]


CALLS = OUT_OF_RANGE + ZERO_DIM_TENSORS + INVALID + DTYPES_AND_SHAPES + NUMPY_BOOLS + SUBCLASSES + OTHER_INTEGERS


@pytest.mark.parametrize("call", lines(CALLS))
def test_call_gives_torchs_result_or_error_class(call):
    theirs, ours = outcome(torch, call), outcome(microgad, call)
    if isinstance(theirs, Exception):
        assert isinstance(ours, type(theirs)), ours
        return
    if isinstance(ours, Exception):
        raise ours
    same(theirs, ours)


PYTHON = True, 2, 300, 2.5, 1j
NUMPY = [kind(1) for kind in (np.float16, np.float32, np.float64, np.int8, np.int32, np.int64, np.uint8, np.complex64)]


@pytest.mark.parametrize("nest", [lambda x, y: [x, y], lambda x, y: [[x], [y]], lambda x, y: (2.5, x, y)])
def test_tensor_from_python_and_numpy_numbers(nest):
    for x in (*PYTHON, *NUMPY):
        for y in NUMPY:
            for data in (nest(x, y), nest(y, x)):
                theirs = torch.tensor(data)
                same(theirs, microgad.tensor(data))
                same(theirs, microgad.as_tensor(data))


TENSOR_DATA = """
    t.tensor([1.5, t.tensor(1.5, dtype=t.float64)])
    t.tensor([np.ones(2, np.float32), [1.5, 2]])
    t.tensor([[1.5, 2], np.ones(2)])
    t.tensor([0.5, t.tensor([2.0])])
    t.tensor([1, t.tensor([[2]], dtype=t.int8), t.tensor(True)])
    t.tensor([True, t.tensor([2])], dtype=t.bool)
    t.tensor([[0.5, 1], t.tensor([2.0, 3.0])])
    t.tensor([[0.5, 1], [t.tensor([2.0], dtype=t.float64), 3]])
    t.tensor([t.tensor([2.0]), [0.5]])
    t.tensor([[0.5], t.tensor(2.0)])
    t.tensor([0.5, t.tensor([1.0, 2.0])])
    t.tensor([0.5, [2.0]])
    t.tensor([[2.0], 0.5])
    t.tensor([[1, 2], [3]])
    t.tensor([[1, 2], []])
    t.tensor([[], [1, 2]])
    t.tensor([[], 1], dtype=t.int64)
    t.tensor([[[]], [[1j], 2, [3]]])
    t.tensor([np.array([], np.float32), np.array([1.0])])
    t.as_tensor([1, t.tensor([3])])
    t.Tensor([1, t.tensor([3])])
    t.tensor([Fraction(1, 2), 2**64, 1.5], dtype=t.float64)
    t.tensor([1.5, 2**64])
    t.tensor([1, 2**63])
    t.tensor([object()])
    t.tensor([None], dtype=t.float32)
    t.tensor([Fraction(1, 2)])
    t.tensor(np.array([1, None]))
    t.tensor(np.array([1, 2], object))
    t.tensor(np.ones(1, "M8[s]"), dtype=t.float32)
    t.from_numpy(np.array([1, None]))
    t.from_numpy(np.ones(1, "M8[s]"))
    t.as_tensor(np.ones(1, "m8[s]"))
    t.from_numpy(np.ones(1, ">f4"))
    t.as_tensor(np.ones(1, ">i8"), dtype=t.float32)
    t.linspace(-0.7, -317.2, 1, dtype=t.int8)
    t.linspace(-317.2, 0, 1, dtype=t.int8)
    t.linspace(1, float("inf"), 1)
    t.linspace(2**53 + 1, 0, 1, dtype=t.int64)
    t.logspace(2.5, 1000, 1, dtype=t.int32)
    t.logspace(2.5, 1000, 1, dtype=t.int8)
    t.logspace(0, 1e40, 1)
    t.full((2,), None)
    t.full((2,), [1.0])
    t.full_like(v, "a")
    t.full((2,), np.datetime64("2020-01-01"))
    v.add(np.datetime64("2020-01-01"))
    v.mul(np.str_("a"))
    v == np.datetime64("2020-01-01"), np.str_("a") != v, v == np.array(["a", "b"])
    v.clamp(np.timedelta64(1, "s"))
    v.clone().fill_(np.datetime64("2020-01-01"))
    v.index_fill(0, t.tensor([0], dtype=t.int32), 1.0)
    v.clone().index_fill_(0, t.tensor([0.0]), 1.0)
    t.Tensor(np.int64(3)).shape
    t.Tensor(np.int64(2), 3).shape
    t.Tensor(t.Size([2, 3])).shape
    t.Tensor(v.double())
    t.Tensor(v).fill_(7.0) + v
    t.Tensor(a).fill_(7.0) + t.tensor(a)
    t.Tensor([[1], [2.5]])
    t.Tensor(range(3))
    t.Tensor(None)
    t.Tensor(1.5)
    t.Tensor(np.float32(2))
    t.Tensor("ab")
    t.Tensor([None])
    t.Tensor(np.array([1, None]))
    t.Tensor(np.ones(1, "M8[s]"))
    t.zeros(2, device=1.5)
"""


@pytest.mark.parametrize("call", lines(TENSOR_DATA))
def test_tensor_data_gives_torchs_result_or_error_class(call):
    test_call_gives_torchs_result_or_error_class(call)
