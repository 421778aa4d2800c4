"""Movement operations: results that are views or copies, writes to views, in-place forms, resizing and errors."""

from __future__ import annotations

import gc
import math
import sys

import numpy as np
import pytest

import microgad as torch
from microgad.errors import ArgumentError, DimError, ShapeError
from microgad.utils.checkpoint import checkpoint

from ..times import assert_takes

F = torch.nn.functional

VIEWS = {
    "adjoint": lambda x: x.adjoint(),
    "as_strided": lambda x: x.as_strided((2, 2), (1, 4), 1),
    "atleast_3d": torch.atleast_3d,
    "broadcast_to": lambda x: torch.broadcast_to(x, (1, 3, 4)),
    "chunk": lambda x: x.chunk(2, 1)[1],
    "diagonal": lambda x: x.diagonal(1),
    "expand": lambda x: x.expand(1, -1, -1),
    "hsplit": lambda x: torch.hsplit(x, 2)[0],
    "mT": lambda x: x.mT,
    "movedim": lambda x: x.movedim(0, -1),
    "narrow": lambda x: x.narrow(0, -2, 1),
    "ravel": torch.ravel,
    "select": lambda x: x.select(1, -1),
    "slice": lambda x: torch.slice(x, 1, 0, None, 2),
    "split": lambda x: x.split([1, 3], 1)[1],
    "squeeze": lambda x: x[:1].squeeze(0),
    "split_with_sizes": lambda x: torch.split_with_sizes(x, [1, 3], 1)[1],
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "swapdims": lambda x: x.swapdims(0, 1),
    "t": torch.t,
    "tensor_split": lambda x: x.tensor_split((1,))[1],
    "unbind": lambda x: x.unbind(1)[2],
    "unflatten": lambda x: x.unflatten(1, (2, -1)),
    "unfold": lambda x: x.unfold(1, 2, 2),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "view": lambda x: x.view(2, -1),
    "view of a dtype": lambda x: x.view(torch.float32),
    "view_as": lambda x: x.view_as(torch.zeros(2, 6)),
    "vsplit": lambda x: torch.vsplit(x, 3)[2],
}
COPIES = {
    "as_strided_copy": lambda x: torch.as_strided_copy(x, (2, 2), (1, 4)),
    "diag": torch.diag,
    "diagonal_scatter": lambda x: x.diagonal_scatter(torch.zeros(3)),
    "flip": lambda x: x.flip(()),
    "narrow_copy": lambda x: x.narrow_copy(0, 0, 3),
    "pad": lambda x: F.pad(x, (0, 0)),
    "permute_copy": lambda x: torch.permute_copy(x, (0, 1)),
    "ravel of columns": lambda x: x.t().ravel(),
    "repeat": lambda x: x.repeat(1, 1),
    "repeat_interleave": lambda x: x.repeat_interleave(1, 0),
    "roll": lambda x: x.roll(0, 0),
    "rot90": lambda x: x.rot90(4),
    "select_scatter": lambda x: x.select_scatter(torch.zeros(4), 0, 0),
    "split_copy": lambda x: torch.split_copy(x, 3)[0],
    "tile": lambda x: x.tile(2, 1, 1),
    "tril": lambda x: x.tril(9),
    "unbind_copy": lambda x: torch.unbind_copy(x)[0],
}


@pytest.mark.parametrize("name", VIEWS)
def test_writes_to_views_change_their_base(name: str) -> None:
    x = torch.arange(12.0).reshape(3, 4)
    view = VIEWS[name](x)
    version = x._version
    view.fill_(-1)
    assert (x == -1).sum() == view.numel()
    assert x._version == view._version > version


@pytest.mark.parametrize("name", COPIES)
def test_writes_to_copies_do_not_change_the_input(name: str) -> None:
    x = torch.arange(12.0).reshape(3, 4)
    COPIES[name](x).fill_(-1)
    assert (x >= 0).all()


def test_writes_to_parts_of_a_split_propagate_gradients_through_the_base():
    """PyTorch raises at the write."""
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    base = x * 1
    first, second = base.split([1, 2])
    first.mul_(10)
    second.mul_(first.clone())
    (g,) = torch.autograd.grad((base * torch.tensor([1.0, 10.0, 100.0])).sum(), x)
    assert base.tolist() == [10, 20, 30]
    assert g.tolist() == [10 + 10 * (10 * 2 + 100 * 3), 10 * 10, 10 * 100]


def test_writes_to_empty_views_have_a_gradient():
    x = torch.zeros(1, 0, 3, requires_grad=True)
    y = x * 1
    y[...].square_()
    y[0] = 2
    y.fill_(3)
    assert torch.autograd.grad(y.sum(), x)[0].shape == (1, 0, 3)


def test_a_write_through_as_strided_outside_of_a_view_has_the_right_gradient():
    leaf = torch.zeros(6, requires_grad=True)
    x = leaf * 1
    x[::2].as_strided((2,), (1,), 1).mul_(2)
    x.view(2, 3).as_strided((2,), (1,), 1).add_(1)
    assert x.tolist() == [0, 1, 1, 0, 0, 0]
    x.sum().backward()
    assert leaf.grad.tolist() == [1, 2, 2, 1, 1, 1]


def test_a_recorded_write_outside_of_a_view_as_real_raises():
    x = torch.zeros(3, dtype=torch.complex64, requires_grad=True) * 1
    with pytest.raises(RuntimeError, match="as_strided of a view"):
        torch.view_as_real(x[:2]).as_strided((2,), (1,), 4).mul_(2)


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        (lambda x: x.t_(), (3, 2)),
        (lambda x: x.unsqueeze_(1), (2, 1, 3)),
        (lambda x: x.transpose_(0, -1), (3, 2)),
        (lambda x: x.swapaxes_(0, 1), (3, 2)),
        (lambda x: x.squeeze_(), (2, 3)),
        (lambda x: x.as_strided_((2, 2), (3, 1)), (2, 2)),
    ],
)
def test_in_place_movements_make_a_tensor_a_view_of_its_own_memory(call, shape):
    x = torch.arange(6.0).reshape(2, 3)
    before, memory, version = x[1], x.data_ptr(), x._version
    assert call(x) is x
    assert (tuple(x.shape), x.data_ptr()) == (shape, memory)
    assert x._version > version
    before.fill_(-1)
    assert (x == -1).any()


def test_in_place_movements_of_leaves_need_no_grad():
    x = torch.zeros(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        x.t_()
    with pytest.raises(RuntimeError, match="view of a leaf"):
        x[0].unsqueeze_(0)
    for leaf in (x, torch.zeros(6).view(2, 3).requires_grad_()):
        with torch.no_grad():
            leaf.t_()
        leaf.sum().backward()
        assert leaf.is_leaf
        assert leaf.grad.shape == (3, 2)


def test_a_recorded_write_to_overlapping_windows_raises():
    x = torch.arange(4.0, requires_grad=True)
    with pytest.raises(RuntimeError, match="overlap in memory"):
        (x * 1).unfold(0, 2, 1).mul_(2)
    with torch.no_grad():
        assert x.unfold(0, 2, 1).fill_(7).tolist() == [[7, 7]] * 3
    assert torch.zeros(4).unfold(0, 2, 1).fill_(7).tolist() == [[7, 7]] * 3


@pytest.mark.parametrize("leaf", [False, True])
def test_views_of_a_tensor_transposed_under_no_grad_keep_their_gradient(leaf):
    x = torch.arange(6.0).reshape(2, 3).clone().requires_grad_()
    transposed = x if leaf else x * 1
    row = transposed[0]
    with torch.no_grad():
        transposed.t_()
    (row * row).sum().backward()
    assert x.grad.tolist() == ([[0, 0], [2, 0], [4, 0]] if leaf else [[0, 2, 4], [0, 0, 0]])


def test_a_view_changed_in_place_retains_the_gradient_of_its_new_shape():
    x = torch.ones(6, requires_grad=True) * torch.arange(6.0)
    view = x.view(2, 3)
    view.retain_grad()
    view.t_()
    (view * view).sum().backward()
    assert view.grad.tolist() == [[0, 6], [2, 8], [4, 10]]


def test_a_detached_tensor_retains_no_gradient():
    x = torch.ones(2, requires_grad=True) * 1
    x.retain_grad()
    x.detach_()
    assert not x.retains_grad
    assert x.unsqueeze_(0).shape == (1, 2)


def test_resize_keeps_memory_that_is_large_enough():
    x = torch.arange(6)
    view = x[2:]
    assert x.resize_(2, 2).tolist() == [[0, 1], [2, 3]]
    assert view.resize_(2).tolist() == [2, 3]
    with pytest.raises(RuntimeError, match="other views"):
        view.resize_(7)
    assert torch.zeros(2, 3).t().resize_(3, 2).stride() == (1, 3)
    y = torch.arange(2)
    assert y.resize_as_(torch.zeros(2, 2))[0].tolist() == [0, 1]
    with pytest.raises(RuntimeError, match="require grad"):
        torch.zeros(2, requires_grad=True).resize_(1)


@pytest.mark.parametrize("n", [16, 3])
def test_resize_in_a_memory_format(n):
    x = torch.arange(n).resize_(2, 2, 1, 2, memory_format=torch.channels_last)
    assert x.stride() == (4, 1, 4, 2)
    assert x[0, :, 0, 0].tolist() == [0, 1]
    assert torch.arange(n).resize_as_(x, memory_format=torch.channels_last).stride() == (4, 1, 4, 2)


def test_as_strided_scatter_copies_an_expanded_input():
    x = torch.tensor([[1.0], [2.0]], requires_grad=True)
    result = x.expand(2, 3).as_strided_scatter(torch.zeros(2), (2,), (2,))
    assert result.tolist() == [[0, 1, 0], [2, 2, 2]]
    assert torch.autograd.grad(result.sum(), x)[0].tolist() == [[1], [3]]


def test_as_strided_scatter_writes_to_the_memory_of_a_transposed_input():
    x, src = torch.arange(4.0).reshape(2, 2).requires_grad_(), torch.full((2,), 9.0, requires_grad=True)
    result = x.t().as_strided_scatter(src, (2,), (1,), 1)  # in memory 0, 9, 9, 3
    assert (result.tolist(), result.stride()) == ([[0, 9], [9, 3]], (1, 2))
    by_x, by_src = torch.autograd.grad(result, (x, src), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert (by_x.tolist(), by_src.tolist()) == ([[1, 0], [0, 4]], [3, 2])


def test_the_T_of_other_than_matrices_warns(monkeypatch):
    monkeypatch.setattr(torch.errors.notices, "heard", set())
    with pytest.warns(UserWarning, match="deprecated"):
        assert torch.zeros(2, 3, 4).T.shape == (4, 3, 2)
    with pytest.warns(UserWarning, match="deprecated"):
        assert torch.zeros(()).mT.shape == ()


X = torch.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: torch.cat([]), ValueError, "non-empty list"),
        (lambda: torch.cat(X), TypeError, "must be tuple of Tensors"),
        (lambda: torch.cat([torch.tensor(1.0)]), RuntimeError, "zero-dimensional tensor"),
        (lambda: torch.cat([X, X[:, :1]]), ShapeError, "Expected size 4 but got size 1 for tensor number 1"),
        (lambda: torch.cat([X, X[0]]), ShapeError, "same number of dimensions: got 2 and 1"),
        (lambda: torch.stack([X, X[0]]), ShapeError, r"equal size, but got \[3, 4\] at entry 0 and \[4\] at entry 1"),
        (lambda: X.squeeze(2), IndexError, r"squeeze: Dimension out of range .*\[-2, 1\], but got 2"),
        (lambda: X.expand(3, 5), ShapeError, r"\(5\) must match the existing size \(4\)"),
        (lambda: X.expand(-1, 3, 4), ShapeError, "expand"),
        (lambda: X.permute(0, 0), ShapeError, "permute"),
        (lambda: X.movedim((0, 0), (0, 1)), ShapeError, "repeated dim in `source`"),
        (lambda: X.unflatten(1, (3, -1)), ShapeError, "don't multiply up to the size of dim 1"),
        (lambda: X.t().view(12), ShapeError, "Use .reshape"),
        (lambda: X.view(4, 3, dtype=torch.float64), TypeError, "view: expected sizes or a dtype"),
        (lambda: torch.zeros(3).view(torch.float64), ShapeError, "divisible by 2"),
        (lambda: X.split(0), ArgumentError, "split_size can only be 0"),
        (lambda: X.split([1, 1]), ShapeError, "sum exactly to 3"),
        (lambda: X.split([1.5, 2.5]), TypeError, "int"),
        (lambda: X.reshape(2.5, 6), TypeError, "int"),
        (lambda: X.view(torch.tensor(2.5), 6), TypeError, "must be tuple of ints"),
        (lambda: X.unflatten(1, (2.0, 2)), TypeError, "int"),
        (lambda: X.expand(1.5, 3, 4), TypeError, "int"),
        (lambda: X.as_strided((1.5,), (1,)), TypeError, "int"),
        (lambda: F.pad(X, (1.5, 1)), TypeError, "int"),
        (lambda: F.pad(X, (-5, 6)), ShapeError, r"widths \(-5, 6\) cut off more than dimension 1"),
        (lambda: X.squeeze(dim=0, axis=1), TypeError, "squeeze.. got one argument by two of its names: dim, axis"),
        (lambda: X.hsplit(3), ArgumentError, "not divisible by the split_size 3"),
        (lambda: X.tensor_split(0), ArgumentError, "larger than 0"),
        (lambda: X.chunk(0), ArgumentError, "greater than 0"),
        (lambda: X.narrow(0, 4, 0), DimError, "start out of range"),
        (lambda: X.narrow(0, 1, 3), ShapeError, "exceeds dimension size"),
        (lambda: X.select(0, 3), DimError, "index 3 out of range"),
        (lambda: X.diagonal(0, 1, 1), ArgumentError, "cannot be identical"),
        (lambda: X.diagonal_scatter(torch.zeros(4)), ShapeError, r"src size = \[4\], slice size = \[3\]"),
        (lambda: X.as_strided((20, 2), (1, 2)), ShapeError, "requiring a storage of 22 elements are out of bounds"),
        (lambda: X.unfold(0, 4, 1), ShapeError, "maximum size for tensor at dimension 0 is 3 but size is 4"),
        (lambda: X.repeat(2), ShapeError, "can not be smaller"),
        (lambda: X.repeat_interleave(-1), ArgumentError, "can not be negative"),
        (lambda: X.repeat_interleave(torch.tensor([1, 2]), 0), ShapeError, "same size as input along dim"),
        (lambda: torch.repeat_interleave(torch.tensor([1, 2]), output_size=4), ArgumentError, "but repeats make 3"),
        (lambda: X[0].scatter(0, torch.tensor([0, 1]), torch.tensor(1.0)), ShapeError, "no larger size than src"),
        (lambda: X.roll((1, 2), 0), ShapeError, "must align"),
        (lambda: X.rot90(1, (0, 0)), ArgumentError, "different"),
        (lambda: X[0].tril(), ShapeError, "at least 2 dimensions"),
        (lambda: X.clone().tril_(0.5), TypeError, "'diagonal' .* must be int, not float"),
        (lambda: X.clone().triu_(True), TypeError, "'diagonal' .* must be int, not bool"),
        (lambda: X.clone().fill_diagonal_(1, 1), TypeError, "'wrap' .* must be bool, not int"),
        (lambda: X[0].trace(), ShapeError, "expected a matrix"),
        (
            lambda: torch.broadcast_shapes((2, 1), (3, 3), 4),
            ShapeError,
            r"3 at -2! Mismatching argument at index 1 had \(3, 3\); .* broadcastable to \[2, 3\]: The size of",
        ),
        (lambda: F.pad(X, (1,)), ShapeError, "divisible by 2"),
        (lambda: F.pad(X, (1, 1), "mirror"), NotImplementedError, "mode is constant"),
        (lambda: F.pad(X, (1, 1), "reflect", 1.0), ArgumentError, "doesn't take in value"),
        (lambda: F.pad(X, (1, 1, 1, 1), "reflect"), NotImplementedError, "not supported for 2D input"),
        (lambda: F.pad(X, (4, 0), "reflect"), ShapeError, "less than the corresponding input dimension"),
        (lambda: F.pad(X, (5, 0), "circular"), ShapeError, "wrapping around more than once"),
    ],
)
def test_wrong_arguments_raise(call, error, match):
    with pytest.raises(error, match=match):
        call()


A = np.arange(24.0).reshape(2, 3, 4)
NUMPY_CALLS = [
    lambda a: np.reshape(a, (-1, 6), order="F"),
    lambda a: np.ravel(a, "F"),
    lambda a: np.rollaxis(a, 2, 1),
    lambda a: np.expand_dims(a, (0, -1)),
    lambda a: np.moveaxis(a, [0, 1], [-1, 0]),
    lambda a: np.concatenate([a, a], axis=None, dtype=np.float32),
    lambda a: np.block([[a[0], a[1]], [a[1], a[0]]]),
    lambda a: np.append(a, a[:1], 0),
    lambda a: np.insert(a, 1, 9.0),
    lambda a: np.insert(a, 1, np.arange(3.0), axis=2),
    lambda a: np.insert(a, [0, 2], 5.0, axis=1),
    lambda a: np.delete(a, [0, 2], 1),
    lambda a: np.resize(a, (5, 7)),
    lambda a: np.split(a, [1, 3], -1),
    lambda a: np.array_split(a, 3, 2),
    lambda a: np.unstack(a, axis=1),
    lambda a: np.pad(a, ((0, 0), (1, 2), (2, 1)), "symmetric"),
    lambda a: np.pad(a, 1, constant_values=2),
    lambda a: np.rot90(a, 3, (1, 2)),
    lambda a: np.roll(a, 1, (0, 1)),
    lambda a: np.tile(a, (2, 1, 1, 2)),
    lambda a: np.repeat(a, [1, 0, 2], axis=1),
    lambda a: np.diagonal(a, 1, 0, 2),
    lambda a: np.trace(a, 0, 1, 2),
    lambda a: np.kron(a, [1.0, 2.0]),
    lambda a: np.dstack([a, a]),
    lambda a: np.tril(a, -1),
    lambda a: np.linalg.diagonal(a, offset=1),
]


@pytest.mark.parametrize("function", NUMPY_CALLS)
def test_numpy_functions_of_tensors_equal_numpy_and_are_recorded(function):
    found, expected = function(torch.tensor(A, requires_grad=True)), function(A)
    assert type(found) is type(expected) or isinstance(found, torch.Tensor)
    pairs = zip(found, expected, strict=True) if isinstance(found, (list, tuple)) else [(found, expected)]
    for ours, theirs in pairs:
        assert ours.requires_grad
        np.testing.assert_array_equal(ours.detach().cpu().numpy(), theirs)
        assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.bool_])
@pytest.mark.parametrize("shape", [(3, 64, 64), (5, 1001), (1, 8192), (2, 8, 4096)])
def test_flip_of_bytes_equals_numpy(dtype, shape):
    """Rows whose length is a multiple of 8 are moved eight bytes at a time, also if they aren't aligned."""
    memory = np.random.default_rng(0).integers(0, 256, math.prod(shape) + 3).astype(np.uint8)
    for x in (memory[:-3], memory[3:]):
        x = (x % 2 if dtype is np.bool_ else x).astype(dtype, copy=False).reshape(shape)
        for axes in ((-1,), (0, -1), (0,)):
            np.testing.assert_array_equal(torch.from_numpy(x).flip(axes).numpy(), np.flip(x, axes), strict=True)


@pytest.mark.parametrize("n", [1, 3, 8, 32])
def test_a_base_forgets_views_that_were_freed(n):
    x = torch.zeros(n, 2)
    for _ in range(300):
        views = *x.unbind(), x[0]
    assert len(x._links.views) <= 8 * len(views)


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize(
    ("take", "most"), [(torch.unbind, 1), (lambda x: x.split(1), 2), (lambda x: [x[i] for i in range(len(x))], 2)]
)
def test_a_view_costs_the_garbage_collector_few_containers(take, most):
    x = torch.zeros(1000, 2, requires_grad=True)

    def containers():
        gc.collect()
        return sum(type(found) in (tuple, list, dict) for found in gc.get_objects())

    before = containers()
    views = take(x)
    most += sys.version_info >= (3, 14)  # where the collector looks at dicts of numbers, too: at a node's settings
    assert containers() - before <= most * len(views) + 100


@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_view_is_derived_again_with_the_arrays_among_its_settings_after_they_were_freed_from_its_node(checkpointed):
    class FirstRows(torch.Function):
        may_share = True

        def forward(self, x):
            return x[: len(self.like)]

        def grad_x(self, grad):
            return np.concatenate([grad, self.like * 0])

    x = torch.ones(4, 2, requires_grad=True)
    like = x.detach().array[:2]

    def run(x):
        base = x.clone()
        return base, FirstRows.apply(base, like=like)

    base, view = checkpoint(run, x, use_reentrant=False) if checkpointed else run(x)
    if not checkpointed:  # which frees them after its call, and brings them back for backward
        view.sum().backward()
    assert not hasattr(view.node, "like")
    base.mul_(3)
    assert torch.autograd.grad(view.sum(), x)[0].tolist() == [[3, 3], [3, 3], [0, 0], [0, 0]]


@pytest.mark.parametrize("diagonal", [-1000, -131, -130, -128, -2, 0, 1, 3, 127, 128, 500])
@pytest.mark.parametrize(
    "shape", [(3, 5), (130, 131), (300, 129), (2, 129, 200), (1, 300), (300, 1), (900, 5), (5, 900), (0, 4)]
)
def test_triangles_have_only_copies_and_zeros(rng, shape, diagonal):
    special = np.array([0, -0.0, np.nan, np.inf, -np.inf, 1, -3e-45], np.float32)
    x = rng.choice(special, shape)
    outside = np.arange(shape[-1]) - np.arange(shape[-2])[:, None]
    for name, cleared in (("tril", outside > diagonal), ("triu", outside < diagonal)):
        expected = x.copy()
        expected[..., cleared] = 0
        for t in (torch.tensor(x), torch.tensor(x.swapaxes(-1, -2).copy()).mT):
            out, written = getattr(t, name)(diagonal), getattr(t, f"{name}_")(diagonal)
            assert out.is_contiguous()
            assert written is t
            for result in (out, written):
                assert result.contiguous().cpu().numpy().tobytes() == expected.tobytes()
        mask = torch.ones(shape, dtype=torch.bool)
        assert (getattr(mask, f"{name}_")(diagonal).cpu().numpy() != cleared).all()


@pytest.mark.host("it is NumPy that is slow")
@pytest.mark.parametrize("name", ["tril", "triu"])
def test_triangles_of_tall_matrices_are_cleared_at_once(name):
    x = np.ones((30_000, 8), np.float32)
    given = torch.from_numpy(x)
    assert_takes(1 / 2, getattr(given, name), lambda: getattr(np, name)(x))


@pytest.mark.parametrize(("shape", "dim"), [((2, 90), 1), ((90, 3), 0), ((2, 70, 3), 1)])
@pytest.mark.parametrize(("size", "step"), [(1, 1), (5, 2), (20, 8), (20, 9), (16, 8), (9, 16), (30, 29), (40, 10)])
def test_gradients_of_windows_are_added_in_their_order(rng, shape, dim, size, step):
    x = torch.zeros(shape, requires_grad=True)
    y = x.unfold(dim, size, step)
    grad = rng.standard_normal(y.shape).astype(np.float32)
    grad.reshape(-1)[:4] = np.nan, np.inf, -np.inf, -0.0
    y.backward(torch.tensor(grad))
    expected = np.zeros(shape, np.float32)
    for i in range(size):
        for j in range(y.shape[dim]):
            np.moveaxis(expected, dim, 0)[j * step + i] += np.moveaxis(grad[..., i], dim, 0)[j]
    assert x.grad.is_contiguous()
    np.testing.assert_array_equal(x.grad.cpu().numpy(), expected)


def test_vstack_of_vectors_is_that_of_their_rows():
    a, b = torch.ones(3, requires_grad=True), torch.arange(3, dtype=torch.float64)
    found = torch.vstack([a, b])
    assert torch.equal(found, torch.vstack([a.unsqueeze(0), b.unsqueeze(0)]))
    (found * torch.arange(1, 7).view(2, 3)).sum().backward()
    assert a.grad.tolist() == [1, 2, 3]
    assert found.grad_fn.name() == "CatBackward0"


def test_swapdims_parts_of_given_sizes_and_shuffled_channels_are_numpys():
    x = np.arange(24.0).reshape(2, 4, 3)
    given = torch.tensor(x)
    assert torch.swapdims(given, 0, -1).tolist() == x.swapaxes(0, 2).tolist()
    parts = torch.split_with_sizes(given, [1, 0, 3], dim=1)
    assert [part.tolist() for part in parts] == [part.tolist() for part in np.split(x, [1, 1], 1)]
    shuffled = torch.native_channel_shuffle(given, 2)
    assert shuffled.tolist() == x[:, [0, 2, 1, 3]].tolist()
    with pytest.raises(RuntimeError, match="sum exactly to 4"):
        torch.split_with_sizes(given, [1, 2], dim=1)


@pytest.mark.parametrize("shape", [(3, 4), (0, 4), (3, 0)])
@pytest.mark.parametrize("dim", [0, -1])
def test_roll_along_one_dim(shape, dim):
    x = np.arange(math.prod(shape)).reshape(shape)
    for shift in (0, 1, 3, -4, 7, -(10**12)):
        np.testing.assert_array_equal(torch.tensor(x).roll(shift, dim).array, np.roll(x, shift, dim))
