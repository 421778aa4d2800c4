"""Indexing against PyTorch's: results, writes, gradients, and the class of errors."""

import math
from collections import deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad
from microgad.testing import strategies as s

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def converted(lib, index):
    """The index with arrays replaced by Tensors."""
    if isinstance(index, tuple):
        return tuple(converted(lib, item) for item in index)
    return lib.from_numpy(index) if isinstance(index, np.ndarray) else index


def quarters(rng, shape):
    return rng.integers(-8, 9, shape) / 4


@given(st.data())
def test_random_reads_and_writes_have_torchs_gradients(data):
    shape = data.draw(s.shapes(min_dims=1))
    index, operation = data.draw(s.indices(shape)), data.draw(st.sampled_from(["read", "write", "number", "add"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    a, target = quarters(rng, shape), tuple(torch.zeros(shape)[converted(torch, index)].shape)
    sizes = [data.draw(st.sampled_from([1, n])) for n in target]
    value = quarters(rng, sizes[data.draw(st.integers(0, len(target))) :])
    weights = quarters(rng, target if operation == "read" else shape)

    def run(lib):
        x, v = (lib.tensor(y, requires_grad=True) for y in (a, value))
        at, out = converted(lib, index), x * 1
        if operation == "read":
            out = out[at]
        elif operation == "add":
            out[at] += v
        else:
            out[at] = v if operation == "write" else 2.5
        grads = lib.autograd.grad((out * out * lib.tensor(weights)).sum(), (x, v), allow_unused=True)
        return [y.detach().numpy() for y in (out, *grads) if y is not None]

    theirs, mine = run(torch), run(microgad)
    repeated = np.zeros(shape)
    np.add.at(repeated, np.unravel_index(np.arange(repeated.size).reshape(shape)[index], shape), 1)
    # PyTorch gives a gradient to values that are overwritten
    checked = 2 if operation in ("write", "add") and repeated.max(initial=0) > 1 else 3
    for p, q in zip(theirs[:checked], mine[:checked], strict=True):
        np.testing.assert_array_equal(q, p)


READ = """
x[0, :, [1, 2]]; x[T(0), :, [1, 2]]; x[[0, 1], :, 0]; x[[0, 1], None, [1, 2]]; x[None, [0, 1], None]; x[True]
x[False]; x[T(True)]; x[T(True), [0, 1]]; x[True, :, True]; x[[0], True]; x[:, True]; x[:, False, 0]
x[None, None, ..., True, 0]; x[[]]; x[()]; x[[[0, 1], [1, 0]]]; x[[slice(0, 1), 0]]; x[[None]]; x[[T(0), T(1)]]
x[[T([0]), T([1])]]; x[range(2)]; x[[True, False]]; x[0:T(1)]; x[np.int64(0):np.int32(1)]
x[np.array([1, 0], np.int16)]; x[np.array([1, 0], np.uint8)]; x[T([1, 0], dtype=torch.uint8)]
x[T([1, 0], dtype=torch.int32)]; x[T(1, dtype=torch.int8)]; x[-1]; x[10:2]; x[-100:100:2]
x[T([True, False]), T([True, False, True])]; x[T([True, True]), :, T([True, False, True, False])]
x[0, [0, 1], [1, 2]]; x[[0, 1], 0, [1, 2]]; x[[0, 1], :, T(1)]; T(5.0)[()]; T(5.0)[...]; T(5.0)[None]; T(5.0)[True]
T(5.0)[T(True)]; x[::-1]; x[T([0.5])]; x[T([1, 0], dtype=torch.int8)]; x[1.0]; x["a"]; x[5]; x[0, 0, 0, 0]; x[[0, 5]]
x[T([0, 5])]; x[:, T([True, False])]; x[[0, 1], [0, 1, 2]]; x[T([])]; x[0:1.5]; x[T([-3])]; T(5.0)[0]; T(5.0)[T([0])]
x[{}]; x[::0]; x[T([0, 1]):]; x[0, "a"]; x[T(1.0)]; x[T([[True]])]; x[[1.0, 0.0]]; x[np.array([1.5, 0.0])]
x[np.bool_(True)]; x[T([], dtype=torch.bool)]; x[T([], dtype=torch.uint8)]; x[0, T([True, False])]; x[T([1j])]
x[None, T([True, False, True])]; x[:, None, T([True, False])]; x[T([[1, 0, 1]], dtype=torch.uint8)]
x[..., ...]; x[0, ..., ...]; x[..., 0, ...]; x[..., None, ..., ...]; x[..., ..., 0]; x[0, ..., ..., 0]
x[deque([1, 0])]; x[:, deque([True, False, True])]; x[deque([[0, 1], [1, 2]])]; x[deque([slice(1), T(0)])]
x[deque(["a"])]; x[bytearray([1, 0])]; x[b"ab"]; x[[[0]] * 32]; x[[T(0)] * 32]
"""
CALLS = """
m.gather(1, I(0, 1)); m.gather(1, T([[0, 3]])); m.gather(1, T([[0, -1]])); m.gather(2, T([[0, 1]]))
m.gather(0, T([])); m.gather(0, T([[0, 1, 0, 1]])); m.gather(0, T([[0, 1]], dtype=torch.int32))
m.gather(0, T([[0.0, 1]])); z.gather(0, T(0)); z.gather(0, I(0, 0)); z.gather(-1, T(0))
torch.func.grad(lambda x: x.gather(0, T(1)))(m[0])
m.scatter(1, T([[0, 1]]), torch.ones(1, 1)); m.scatter(1, T([[0, 1]]), 5); m.scatter(1, T([[0, 1]]), T([[1, 2]]))
n.scatter(1, T([[0, 1]]), 5.5); m.scatter(1, T([[0, 1]]), T(5.0)); m.scatter(1, T([[0, 1]]), 1j)
m.scatter(1, T([[0, 3]]), 5); m.scatter(1, T([[0, 1]]), 7, reduce="add")
m.scatter(1, T([[0, 1]]), torch.ones(1, 2) * 3, reduce="multiply"); m.scatter(1, T([[0, 1]]), 7, reduce="sum")
m.scatter(1, T([[0, 0, 1]]), 3, reduce="multiply"); m.scatter(dim=1, index=T([[0, 1]]), value=5)
z.scatter(0, T(0), 2); m.scatter_add(1, T([[0, 1], [0, 1]]), torch.ones(1, 2))
m[0].scatter(0, T(1), F(5, 6)); m[0].scatter_add(0, T(1), F(5, 6)); z.scatter_add(0, I(0, 0), F(5, 6))
b.scatter_add(1, T([[0, 0]]), b[:1, :2]); m.scatter_reduce(1, T([[0, 0]]), torch.ones(1, 2), "foo")
n.scatter_reduce(1, T([[0, 0]]), n[:1, 1:] + 2, "mean"); n.scatter_reduce(1, T([[0, 0]]), -n[:1, 1:] - 5, "mean")
b.scatter_reduce(1, T([[0, 0]]), b[:1, 1:], "prod")
n.scatter_reduce(1, T([[0, 0]]), n[:1, 1:] + 2, "mean", include_self=False)
z.scatter_reduce(0, I(0, 0), F(1, 2), "sum"); m.scatter_reduce(1, T([[0, 0]]), T([[float("nan"), 1]]), "amax")
n.scatter_reduce(1, T([[0, 0]]), n[:1, 1:], "amin"); m.index_select(1, I(0, 2)); m.index_select(1, I(0, -1))
m.index_select(1, I(9)); m.index_select(0, I(9)); m.index_select(0, I(-1)); m[0].index_select(0, I(9))
m.index_select(1, T(1)); z.index_select(0, I(0)); z.index_select(0, I(0, 0)); z.index_select(0, I(1))
m.index_select(1, T([[0]])); m.index_select(1, T([0.0])); m.index_add(1, I(0, 0), torch.ones(2, 2), alpha=2.5)
n.index_add(1, I(0, 0), torch.ones(2, 2).long(), alpha=2.5); m.index_add(1, I(0, 0), torch.ones(2, 2).double())
m.index_add(1, I(0, 0), torch.ones(2, 3)); z.index_add(0, T(0), T(2.0)); m.index_add(1, I(0, 0), torch.ones(1, 2))
m.index_add(1, I(0, 3), torch.ones(2, 2)); b.index_add(1, I(0), b[:, :1]); m.index_add(1, I(9).int(), m[:, :1])
x.index_add(1, I(9), x[:, :1]); x.index_add(2, I(9), x[:, :, :1]); x.index_add(0, I(9), x[:1])
m.index_copy(1, I(0, 0), T([[1.0, 2], [3, 4]])); m.index_copy(1, I(0, -1), torch.ones(2, 2))
z.index_copy(0, I(0), F(2)); m.index_copy(1, T([0], dtype=torch.int32), torch.ones(2, 1))
m.index_copy(1, T(0), torch.ones(2, 1)); m.index_fill(1, I(0, -1), 5); m.index_fill(1, I(0, 3), 5)
n.index_fill(1, I(0), T(5.7)); m.index_fill(1, I(0), F(5)); m.index_fill(1, I(0), 1j); z.index_fill(0, I(0, 0), 5)
b.index_fill(1, I(0), 2); m.index_put((I(0, 1),), T(1)); m.index_put((I(0, 0),), T(1.0), accumulate=True)
m.index_put([b], T(1.0)); m.index_put((I(0, 1), I(0, 1, 2)), F(1, 2)); m.index_put((I(0, 5),), T(1.0))
m.index_put((I(0, -1),), T(1.0)); m.index_put((I(0, 1),), 5.0); m.index_put(I(0, 1), T(5.0))
b.index_put((I(0, 0),), T(True), accumulate=True); m.index_reduce(1, I(0, 0), torch.ones(2, 2) * 3, "prod")
m.index_reduce(1, I(0, 0), torch.ones(2, 2) * 3, "mean", include_self=False); m.index_reduce(1, I(0), m[:, :1], "sum")
n.index_reduce(1, I(0, 0), torch.ones(2, 2).long() * -3, "mean"); m.index_reduce(1, I(0, 5), torch.ones(2, 2), "prod")
m.take(I(0, -1)); m.take(I(0, 6)); m.take(T([[0], [1]])); m.take(T([0], dtype=torch.int32)); z.take(I(0, 0))
torch.empty(0).take(I(0)); m.put(I(0, 5), T([[7.0, 8]])); m.put(I(0, 5), F(7, 8, 9))
m.put(I(0, 0), F(7, 8), accumulate=True); m.put(I(0, -1), F(7, 8)); m.put(I(0), T([7]))
torch.take_along_dim(m, T([[0], [1]]), 1); torch.take_along_dim(m, I(0, 1)); torch.take_along_dim(m, I(0, 1).int())
torch.take_along_dim(m, I(0, 1), 1); torch.take_along_dim(m, T([[3, 7, -4, -13]]), 1)
torch.take_along_dim(m, T([[0, 5]]), 0); torch.take_along_dim(m, I(0, 6))
torch.take_along_dim(m, T([[0, -1]]), 1); torch.take_along_dim(m, T([[0, 1]]), 5); m.masked_fill(b[0], 5)
m.masked_fill(torch.ones(4, 2, 3).bool(), 5); m.masked_fill_(torch.ones(4, 2, 3).bool(), 5); m.masked_fill(n, 5)
m.masked_fill(b, F(5)); n.masked_fill(b, 5.5); n.masked_fill(b, T(5.5)); m.masked_fill(b, 1j); b.masked_fill(b, 0.5)
m.masked_fill(torch.ones(4).bool(), 5); m.masked_select(b); m.masked_select(n)
m.masked_select(torch.ones(2, 2, 3).bool()); z.masked_select(T(True)); m.masked_scatter(b, F(10, 20, 30, 40))
m.masked_scatter(b, F(10)); m.masked_scatter(b, I(1, 2, 3))
m.masked_scatter(torch.ones(2, 2, 3).bool(), torch.arange(12.0)); torch.unravel_index(I(3, 7), (2, 3))
m.index_select(0, T([])); m.take(T([])); m.index_fill(0, T([]), 1); m.index_put((0, I(1)), T(1.0))
m.index_put((b.to(torch.uint8),), T(1.0)); m.index_put((b.to(torch.uint8),), T(1.0), accumulate=True)
m.index_put((b.to(torch.uint8),), F(1, 2, 3)); m.index_put((T([0.0, 1.0]),), T(1.0))
m.index_put((b,), T(7)); n.index_put((b,), F(1.5)); m.index_put((b,), I(7), accumulate=True); n.index_put((b,), T(1j))
m.index_put((b[:, 0], I(0, 1)), T(7)); m.index_put((b[:1],), T(7)); m.index_put((b,), I(1, 2))
m.scatter(1, T([]), m); torch.unravel_index(I(-1), (2, 3)); torch.unravel_index(T([3.0]), (2, 3))
torch.unravel_index(I(3), (2, -3))
torch.unravel_index(I(3), 6); torch.unravel_index(I(3), T([2, 3]))
torch._unsafe_masked_index(m, T([True, False]), [I(0, 9), I(0, 1)], 7)
"""
WRITES = """
y[0] = I(1, 2, 3, 4); y[[0]] = I(1, 2, 3, 4); y[[0, 1]] = T(5); y[T(0)] = T(5); i[0] = 1.7; i[[0]] = 1.7
i[0] = T(1.7); i[[0]] = T(1.7); y[0] = 1j; y[[0]] = 1j; y[0] = torch.ones(1, 1, 4); y[[0, 1]] = torch.ones(1, 1, 4)
y[0] = torch.ones(3); y[[0, 1]] = torch.ones(2); y[0] = torch.ones(2, 4); y[y > 5] = F(1); y[y > 5] = torch.ones(6)
y[y > 5] = torch.ones(5); y[y > 5] = I(1); y[True] = 5; y[False] = 5; y[...] = T(3); y[()] = 4; y[0, [0, 1]] = 7
y[:, None, [0]] = 7; i[0] = True; y["a"] = 1; y[9] = 1; y[[9]] = 1; y[None] = 1; y[T(True)] = 9; y[0] = None
y[0] = "a"; i[i > 3] = T(1.5); i[i > 3] = F(1.5); y[::2] = T([[1], [2]]); y[[0, 1]] = T(True)
y[0, :, None] = torch.ones(4, 1); y[[0], [0]] = T([[1.0]]); y[::-1] = 1; y[T([[0, 1]])] = torch.ones(1, 2, 4)
y[(y > 5).to(torch.uint8)] = 1; y[(y > 5).to(torch.uint8)] = F(1); y[(y > 5).to(torch.uint8)] = torch.ones(6)
y[T([1, 0, 1], dtype=torch.uint8)] = 3; y[:, T([1, 0, 1, 0], dtype=torch.uint8)] = 3; y[T([True])] = 1
y[T([1, 0, 0], dtype=torch.uint8), T([1, 0, 1, 0], dtype=torch.uint8)] = 3; y[[1.0, 0.0]] = 5; y[T([1.0])] = 5
y[T([1j])] = 5; y[T([], dtype=torch.bool)] = 5; y[np.bool_(True)] = 5; y[0, T([1, 0, 1, 0], dtype=torch.uint8)] = 3
c[0] = 300; c[[0]] = 300; c[0] = 127; u[0] = -1; i[0] = float("nan"); y[0] = 1e40
y[False] = T([7, 7])
"""


def split_calls(text):
    return [line.strip() for line in text.replace("\n", ";").split(";") if line.strip()]


def namespace(lib: Any) -> dict[str, Any]:
    m, t = lib.arange(6.0).reshape(2, 3), lib.tensor
    return {
        "torch": lib,
        "np": np,
        "deque": deque,
        "T": t,
        "I": lambda *v: t(list(v)),
        "F": lambda *v: t([float(x) for x in v]),
        "x": lib.arange(24.0).reshape(2, 3, 4),
        "m": m,
        "n": m.long(),
        "b": m > 2,
        "z": t(3.0),
        "y": lib.arange(12.0).reshape(3, 4),
        "i": lib.arange(12).reshape(3, 4),
        "c": lib.zeros(2, dtype=lib.int8),
        "u": lib.zeros(2, dtype=lib.uint8),
    }


def outcome(lib, run, code):
    scope = namespace(lib)
    try:
        result = run(code, scope)
    except Exception as error:  # the class is compared
        return error
    results = (
        result if isinstance(result, tuple) else (result,) if result is not None else tuple(scope[n] for n in "yicu")
    )
    return [(tuple(r.shape), str(r.dtype), r.numpy()) for r in results]


@pytest.mark.parametrize("code", [*split_calls(READ), *split_calls(CALLS), *split_calls(WRITES)])
def test_call_gives_torchs_result_or_error_class(code):
    run = eval if " = " not in code else exec
    theirs, mine = outcome(torch, run, code), outcome(microgad, run, code)
    if isinstance(theirs, Exception):
        assert isinstance(mine, type(theirs)), (theirs, mine)
        return
    assert not isinstance(mine, Exception), mine
    for p, q in zip(theirs, mine, strict=True):
        assert q[:2] == p[:2]
        np.testing.assert_array_equal(q[2], p[2])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "complex64"])
@pytest.mark.parametrize("columns", [2, 4, 8])
@pytest.mark.parametrize("name", ["neg_", "abs_", "square_", "sgn_", "conj_physical_"])
def test_in_place_operation_on_a_column(name, columns, dtype):
    results = []
    for lib in (torch, microgad):
        x = lib.arange(5 * columns).reshape(5, columns).to(getattr(lib, dtype))
        column = x[:, 1]
        if not (name == "abs_" and x.is_complex()):
            getattr(column, name)()
        results.append(x.numpy())
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduce", ["prod", "amax", "amin", "mean"])
def test_gradients_of_scatter_reduce_at_ties_and_zeros(reduce, include_self):
    index = np.array([[0, 0, 0], [1, 1, 2]])
    infinity = math.inf if reduce == "amin" else -math.inf
    for values in (
        [[2, 2, 1], [0, 3, 4]],
        [[0, 0, 1], [0, 0, 0]],
        [[1, 1, 1], [-1, 5, 0]],
        [[1, 2, 1], [0, 0, infinity]],
    ):
        grads = []
        for lib in (torch, microgad):
            x = lib.tensor([[2.0, 7, 7], [8, 0, 4]], requires_grad=True)
            src = lib.tensor(np.array(values, np.float32), requires_grad=True)
            out = lib.scatter_reduce(x, 1, lib.tensor(index), src, reduce, include_self=include_self)
            grads.append([g.numpy() for g in lib.autograd.grad(out.sum(), (x, src))])
        for p, q in zip(*grads, strict=True):
            np.testing.assert_allclose(q, p, rtol=1e-6)


def test_second_derivative_of_scatter_reduce_prod_of_two_zeros_raises():
    for lib in (torch, microgad):
        src = lib.tensor([0.0, 0.0], requires_grad=True)
        out = lib.ones(1).scatter_reduce(0, lib.tensor([0, 0]), src, "prod")
        with pytest.raises(RuntimeError, match=r"[Dd]ouble backward is unsupported"):
            lib.autograd.grad(lib.autograd.grad(out, src, create_graph=True)[0].sum(), src)


def test_writing_to_an_index_does_not_change_the_gradient():
    x, index = microgad.ones(3, requires_grad=True), microgad.tensor([0, 1])
    out = x[index] * microgad.tensor([1.0, 2.0])
    index[:] = 2
    assert microgad.autograd.grad(out.sum(), x)[0].tolist() == [1, 2, 0]


def test_mask_of_wrong_shape_has_torchs_message():
    messages = []
    for lib in (torch, microgad):
        for index in ([True, False, True], (0, [True]), (None, ..., [[True, False]]), [[True, False], [True, True]]):
            items = index if isinstance(index, tuple) else (index,)
            at = tuple(lib.tensor(i) if isinstance(i, list) else i for i in items)
            for run in (lambda x, at: x[at], lambda x, at: x.__setitem__(at, 3)):
                with pytest.raises(IndexError) as error:
                    run(lib.zeros(2, 3), at)
                messages.append(str(error.value))
    assert messages[len(messages) // 2 :] == messages[: len(messages) // 2]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
def test_values_of_another_dtype_are_written_at_a_bool_but_not_at_a_0d_mask(shape):
    results = []
    for lib in (torch, microgad):
        for index in (True, False, (True,), (..., True), lib.tensor(True), lib.tensor(False), (lib.tensor(True), ...)):
            for value in (lib.tensor(2.5), lib.tensor([2.5])):
                x = lib.ones(shape, dtype=lib.int64)
                try:
                    x[index] = value
                    results.append(x.tolist())
                except RuntimeError:
                    results.append("RuntimeError")
    assert results[len(results) // 2 :] == results[: len(results) // 2]
