"""In-place updates that nothing records give the same numbers, bit for bit, as the operations that they stand for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import microgad as torch
from microgad import updates
from microgad.ops import elementwise as ops
from microgad.ops.indexing import SetItem, item

from ..memory import with_peak

UPDATES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "add_ scaled": (lambda x, a, b: x.add_(a, alpha=0.3), lambda x, a, b: x.add(a, alpha=0.3)),
    "sub_ scaled": (lambda x, a, b: x.sub_(a, alpha=0.3), lambda x, a, b: x.sub(a, alpha=0.3)),
    "addcmul_": (lambda x, a, b: x.addcmul_(a, b, value=-0.7), lambda x, a, b: x.addcmul(a, b, value=-0.7)),
    "addcmul_ of value 1": (lambda x, a, b: x.addcmul_(a, b), lambda x, a, b: x.addcmul(a, b)),
    "addcdiv_": (lambda x, a, b: x.addcdiv_(a, b, value=2), lambda x, a, b: x.addcdiv(a, b, value=2)),
    "lerp_": (lambda x, a, b: x.lerp_(a, 0.1), lambda x, a, b: x.lerp(a, 0.1)),
    "lerp_ to the end": (lambda x, a, b: x.lerp_(a, 0.9), lambda x, a, b: x.lerp(a, 0.9)),
    "add_ a number": (lambda x, a, b: x.add_(0.3), lambda x, a, b: x.add(0.3)),
    "sub_ a number": (lambda x, a, b: x.sub_(0.3), lambda x, a, b: x.sub(0.3)),
    "mul_ by a number": (lambda x, a, b: x.mul_(0.3), lambda x, a, b: x.mul(0.3)),
    "div_ by a number": (lambda x, a, b: x.div_(0.3), lambda x, a, b: x.div(0.3)),
    "add_": (lambda x, a, b: x.add_(a), lambda x, a, b: x.add(a)),
    "sub_": (lambda x, a, b: x.sub_(a), lambda x, a, b: x.sub(a)),
    "+= x": (lambda x, a, b: x.__iadd__(x), lambda x, a, b: x + x),
    "+= a number": (lambda x, a, b: x.__iadd__(0.3), lambda x, a, b: x + 0.3),
    "-= an int": (lambda x, a, b: x.__isub__(3), lambda x, a, b: x - 3),
    "*= an int": (lambda x, a, b: x.__imul__(3), lambda x, a, b: x * 3),
    "/= an int": (lambda x, a, b: x.__itruediv__(3), lambda x, a, b: x / 3),
    "div_ by 0": (lambda x, a, b: x.div_(0.0), lambda x, a, b: x.div(0.0)),
    "copy_": (lambda x, a, b: x.copy_(a), lambda x, a, b: a.clone()),
    "fill_": (lambda x, a, b: x.fill_(0.3), lambda x, a, b: x.new_full(x.shape, 0.3)),
    "fill_ with -inf": (lambda x, a, b: x.fill_(-torch.inf), lambda x, a, b: x.new_full(x.shape, -torch.inf)),
    "mul_ by inf": (lambda x, a, b: x.mul_(torch.inf), lambda x, a, b: x.mul(torch.inf)),
    "add_ scaled by NaN": (lambda x, a, b: x.add_(a, alpha=torch.nan), lambda x, a, b: x.add(a, alpha=torch.nan)),
    "lerp_ by inf": (lambda x, a, b: x.lerp_(a, torch.inf), lambda x, a, b: x.lerp(a, torch.inf)),
    "zero_": (lambda x, a, b: x.zero_(), lambda x, a, b: x.new_full(x.shape, 0.0)),
    "relu_": (lambda x, a, b: x.relu_(), lambda x, a, b: x.relu()),
    "clamp_": (lambda x, a, b: x.clamp_(-0.5, 0.5), lambda x, a, b: x.clamp(-0.5, 0.5)),
    "clamp_ by Tensors": (lambda x, a, b: x.clamp_(a, b), lambda x, a, b: x.clamp(a, b)),
    "clamp_min_": (lambda x, a, b: x.clamp_min_(0.1), lambda x, a, b: x.clamp_min(0.1)),
    "clamp_max_": (lambda x, a, b: x.clamp_max_(a), lambda x, a, b: x.clamp_max(a)),
    "hardtanh_": (
        lambda x, a, b: torch.nn.functional.hardtanh_(x, -0.2, 0.7),
        lambda x, a, b: torch.nn.functional.hardtanh(x, -0.2, 0.7),
    ),
    **{
        name: (lambda x, a, b, name=name: getattr(x, name)(), lambda x, a, b, name=name: getattr(x, name[:-1])())
        for name in ("square_", "reciprocal_", "rsqrt_", "frac_", "round_", "sign_", "deg2rad_", "rad2deg_")
    },
    **{f"pow_ {p}": (lambda x, a, b, p=p: x.pow_(p), lambda x, a, b, p=p: x.pow(p)) for p in (3, -1, -0.5, 5)},
    "out= of pow": (lambda x, a, b: torch.pow(2.0, a, out=x), lambda x, a, b: torch.pow(2.0, a)),
    "out= of clamp": (lambda x, a, b: torch.clamp(a, -0.5, 0.5, out=x), lambda x, a, b: a.clamp(-0.5, 0.5)),
    "out= of sub, in place": (lambda x, a, b: torch.sub(a, x, out=x), lambda x, a, b: a - x),
    "out= of exp": (lambda x, a, b: torch.exp(a, out=x), lambda x, a, b: a.exp()),
}


def bits(x: torch.Tensor) -> bytes:
    return x.array.tobytes()


@pytest.mark.host("the updates are for NumPy's arrays")
def test_numbers_that_are_not_finite_are_plain_and_too_large_ones_are_not() -> None:
    x = torch.zeros(3)
    for value in (-torch.inf, torch.inf, torch.nan):
        assert updates.update("fill_", updates.fill, x, value)
        assert bits(x) == bits(torch.full((3,), value))
    assert not updates.update("fill_", updates.fill, x, 1e39)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("name", UPDATES)
def test_an_update_gives_the_bits_of_its_operations(name: str, dtype: Any) -> None:
    in_place, plain = UPDATES[name]
    for shape in ((), (3,), (0, 2), (90_000,), (7, 3)):
        torch.manual_seed(0)
        x, a, b = (torch.randn(shape, dtype=dtype) for _ in range(3))
        if x.numel() > 3:
            x.view(-1)[:4] = torch.tensor([float("nan"), float("inf"), -float("inf"), -0.0])
        kept = a.clone(), b.clone()
        expected, version = plain(x, a, b), x._version
        assert in_place(x, a, b) is x
        assert bits(x) == bits(expected)
        assert x._version == version + 1
        assert [bits(a), bits(b)] == [bits(y) for y in kept]


@pytest.mark.parametrize("number", [1, 127, 128, 300, -1, True, 2.0])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.uint8, torch.bool])
def test_numbers_are_added_to_integers_in_place_as_out_of_place(dtype: Any, number: Any) -> None:
    ways = (lambda x: x.add_(number), lambda x: x + number), (lambda x: x.mul_(number), lambda x: x * number)
    for in_place, plain in ways:
        x = torch.tensor([0, 1, 100]).to(dtype)
        wanted = plain(x)
        if wanted.is_floating_point() or (dtype is torch.bool and wanted.dtype != dtype):
            with pytest.raises(RuntimeError, match="can't be cast"):
                in_place(x)
        else:
            assert bits(in_place(x)) == bits(wanted.to(dtype))


@pytest.mark.parametrize(
    "value", [2.5, 7, 300, -1, True, 1e38, float("nan"), -torch.inf, "row", "matrix", "other dtype", "itself"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int64, torch.int8, torch.uint8, torch.bool])
def test_items_written_without_a_graph_are_those_written_with_one(dtype: Any, value: Any) -> None:
    """Where an observer watches, `x[index] = value` is written by an operation, and errors are the same."""
    masks = torch.arange(12).view(3, 4) % 2 == 0, torch.tensor([True, False, True]), torch.ones(3, 4, dtype=torch.uint8)
    rows, columns = torch.tensor([2, 0, -1]), torch.tensor([[3], [0]])
    places = rows, rows.int(), (rows, columns), (rows, 1), (rows, masks[1]), rows + 1, (rows, rows, rows), rows[:0]
    parts = (slice(None), rows), (slice(1, 9), rows), (rows, slice(-2, None)), (rows, slice(None, None, 2)), (..., rows)
    lists: Any = [2, 0], [2, 0, -1], [3], [], [True, False, True], ([0, 1], [1]), ([0, 2], rows[:2]), [2**63], [1.0]
    basic = 1, -1, (1, 2), (slice(None), 1), slice(1, 3), ..., (None, 0), 7, (0, 0, 0)
    for index in (*basic, *masks, *places, *parts, *lists):
        found = []
        for watched in (False, True):
            x = torch.arange(12).reshape(3, 4).to(dtype)
            tensors = {"row": x[0, :1] + 1, "matrix": x.flip(0), "other dtype": torch.ones(4).double(), "itself": x[:1]}
            with torch.record() if watched else contextlib.nullcontext():
                try:
                    x[index] = tensors.get(value, value) if isinstance(value, str) else value
                    found.append((x.tolist(), x._version))
                except Exception as error:
                    found.append((type(error), x.tolist(), x._version))
        assert repr(found[0]) == repr(found[1])


@pytest.mark.host("the updates are for NumPy's arrays")
def test_few_places_are_written_without_an_operation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item, "_setitem", None)
    x, rows, columns = torch.zeros(3, 4), torch.tensor([0, 2]), torch.tensor([1, -1])
    x[rows] = 1.0
    x[rows, columns] = -torch.inf
    x[x == 1] = 2
    assert x.tolist() == [[2, -torch.inf, 2, 2], [0, 0, 0, 0], [2, 2, 2, -torch.inf]]
    x[rows, columns] = torch.tensor([3.0, 4.0])
    x[:, columns] = x[:, [0, 2]].clone()
    x[torch.tensor([1]), 1:3] = torch.tensor([5.0, 6.0])
    assert x.tolist() == [[2, 2, 2, 2], [0, 5, 6, 0], [2, 2, 2, 2]]
    x[[0, -1], [3, 0]] = 7.0
    x[:, [1]] = torch.tensor([8.0])
    assert x.tolist() == [[2, 8, 2, 7], [0, 8, 6, 0], [7, 8, 2, 2]]
    x[torch.tensor([True, False, True])] = 1.0
    x[x == 8] = torch.tensor([9.0])
    assert x.tolist() == [[1, 1, 1, 1], [0, 9, 6, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize(("value", "expected"), [(5, [5, 5, 5]), (torch.tensor([0, 2, 1]), [1, 0, 2])])
def test_places_in_the_targets_own_memory_are_read_before_the_write(value: Any, expected: list[int]) -> None:
    x = torch.tensor([1, 2, 0])
    x[x] = value
    assert x.tolist() == expected


def test_a_mask_that_shares_memory_with_the_target_is_read_before_the_write() -> None:
    x = torch.tensor([[False, True], [True, False]])
    x[x.T] = 0
    assert x.tolist() == [[False, False], [False, False]]


@pytest.mark.host("tracemalloc sees the host's memory")
@pytest.mark.parametrize(
    "write",
    [
        lambda x, a, b: x.square_(),
        lambda x, a, b: x.round_(),
        lambda x, a, b: x.reciprocal_(),
        lambda x, a, b: x.rsqrt_(),
        lambda x, a, b: x.deg2rad_(),
        lambda x, a, b: torch.add(a, 2.0, out=x),
        lambda x, a, b: torch.mul(a, b, out=x),
        lambda x, a, b: torch.abs(a, out=x),
        lambda x, a, b: torch.cat([a[:9], b[9:]], out=x),
        lambda x, a, b: torch.stack([a[::2], b[::2]], 1, out=x.view(-1, 2)),
    ],
)
def test_a_result_is_computed_in_the_memory_that_it_is_for(write: Callable[..., Any]) -> None:
    x, a, b = (torch.ones(50_000) for _ in range(3))
    write(x, a, b)
    _, peak = with_peak(lambda: write(x, a, b))
    assert peak < 50_000


@pytest.mark.parametrize("name", ["add_", "sub_", "addcmul_", "addcdiv_", "lerp_"])
def test_updates_of_turned_and_overlapping_tensors(name: str) -> None:
    in_place, plain = UPDATES[name]
    torch.manual_seed(0)
    base = torch.randn(6, 6) + 3
    places: list[Callable[[torch.Tensor], tuple[torch.Tensor, ...]]] = [
        lambda y: (y.T, y.T, y.T),
        lambda y: (y, y, y),
        lambda y: (y[:3], y[3:], y[3:]),
        lambda y: (y[:, 0], y[1], y[1]),
    ]
    for place in places:
        expected = plain(*place(base))
        tensors = place(base.clone())
        in_place(*tensors)
        assert np.array_equal(tensors[0].array, expected.array)


def _clip(clip: Callable[..., Any], x: torch.Tensor) -> None:
    parameter = torch.nn.Parameter(torch.zeros_like(x))
    parameter.grad = x
    clip(parameter, 1.0)


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (lambda x: x.add_(2.0).sub_(0.5).mul_(4.0).div_(2.0), 7.0),
        (lambda x: torch._foreach_mul_([x, x], 2.0), 8.0),
        (lambda x: x.copy_(torch.zeros(3, device="cpu")), 0.0),
        (lambda x: _clip(torch.nn.utils.clip_grad_norm_, x), 3**-0.5),
        (lambda x: _clip(torch.nn.utils.clip_grad_value_, x), 1.0),
    ],
)
def test_updates_by_numbers_make_no_nodes(
    program: Callable[..., Any], expected: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cls in (ops.Add, ops.Sub, ops.Mul, ops.Div, ops.Clamp, SetItem):
        monkeypatch.setattr(cls, "apply_", None)
    x = torch.full((3,), 2.0, device="cpu")
    program(x)
    np.testing.assert_allclose(x.array, [expected] * 3, rtol=1e-6)


def test_a_tensor_that_is_on_the_device_already_is_returned() -> None:
    x = torch.ones(3)
    assert x.to(torch.zeros(()).device) is x
    copy = x.to(x.device, copy=True)
    assert copy.data_ptr() != x.data_ptr()
    assert torch.equal(copy, x)


def test_updates_of_what_is_on_a_graph_are_recorded() -> None:
    w = torch.ones(3, requires_grad=True)
    y = w * 2
    y.add_(w, alpha=3)
    y.lerp_(torch.zeros(3), 0.25)
    y.sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == [3.75] * 3
    with torch.no_grad():
        w.add_(w.grad, alpha=-1)
    assert w.tolist() == [-2.75] * 3
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        w.add_(torch.ones(3), alpha=2)


def test_a_recorder_sees_the_operations_of_an_update() -> None:
    x = torch.ones(3)
    with torch.record() as tape:
        x.addcmul_(torch.ones(3), torch.ones(3), value=2)
    assert len(tape.ops) > 1


@pytest.mark.host("the memory belongs to NumPy")
@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda x: x.add_(1), "Add_"),
        (lambda x: x.mul_(2.0), "Mul_"),
        (lambda x: x.sub_(torch.ones(2, dtype=x.dtype, device="cpu")), "Sub_"),
        (lambda x: x.__setitem__(0, 1), "SetItem_"),
    ],
)
@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_an_update_that_fails_is_named(write: Callable[..., Any], name: str) -> None:
    array = np.ones(2)
    array.flags.writeable = False
    with pytest.raises(ValueError, match=f"{name}: .* read-only"):
        write(torch.from_numpy(array))


def test_the_in_place_form_takes_no_factor_that_the_operation_lacks() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'value'"):
        torch.ones(2).deg2rad_(value=2)
