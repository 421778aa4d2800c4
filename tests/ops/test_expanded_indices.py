"""An index that is expanded moves whole slices, with the results of the same index spelled out."""

from __future__ import annotations

import numpy as np
import pytest

import microgad as torch
from microgad.ops.indexing.gather import index_along

from ..times import assert_takes

SHAPE, COUNT = (3, 4, 2, 5), 6
OPERATIONS = {
    "gather": lambda x, axis, index, source: x.gather(axis, index),
    "scatter": lambda x, axis, index, source: x.scatter(axis, index, source),
    "scatter of a number": lambda x, axis, index, source: x.scatter(axis, index, 2.0),
    "scatter_add": lambda x, axis, index, source: x.scatter_add(axis, index, source),
    "scatter_add_": lambda x, axis, index, source: (x * 1).scatter_add_(axis, index, source),
    "multiply by a number": lambda x, axis, index, source: x.scatter(axis, index, 3.0, reduce="multiply"),
    "mean": lambda x, axis, index, source: x.scatter_reduce(axis, index, source, "mean", include_self=False),
    "prod": lambda x, axis, index, source: x.scatter_reduce(axis, index, source, "prod"),
    "amax": lambda x, axis, index, source: x.scatter_reduce(axis, index, source, "amax"),
}


@pytest.fixture
def whole_slices(monkeypatch):
    """Few places count as many."""
    monkeypatch.setitem(index_along.__globals__, "FEW", 0)


@pytest.mark.usefixtures("whole_slices")
@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("axis", range(4))
@pytest.mark.parametrize("expanded", [(0,), (3,), (1, 2), (0, 1), (2, 3), (0, 3), (0, 1, 2, 3)])
def test_results_are_those_of_the_index_spelled_out(name, axis, expanded):
    rng = np.random.default_rng(0)
    whole = [COUNT if i == axis else n for i, n in enumerate(SHAPE)]
    narrow = [1 if i in expanded and i != axis else n for i, n in enumerate(whole)]
    index = torch.tensor(rng.integers(0, SHAPE[axis], narrow)).expand(whole)
    x, source = (torch.tensor(rng.normal(size=size), requires_grad=True) for size in (SHAPE, whole))
    results = []
    for given in (index, index.clone().contiguous()):
        out = OPERATIONS[name](x, axis, given, source)
        wanted = [x] if "number" in name or name == "gather" else [x, source]
        results.append([out, *torch.autograd.grad((out * out).sum(), wanted)])
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected)
        assert found.stride() == expected.stride()


@pytest.mark.usefixtures("whole_slices")
def test_the_index_is_of_whole_slices():
    index = np.broadcast_to(np.array([[2], [0]]), (2, 5))
    assert [type(i) for i in index_along(0, index, (3, 5))] == [np.ndarray, slice]
    assert [type(i) for i in index_along(1, index.T, (5, 3))] == [slice, np.ndarray]
    deep = np.broadcast_to(np.array([[[2], [0]]]), (4, 2, 5))
    assert [type(i) for i in index_along(1, deep, (4, 3, 5))] == [slice, np.ndarray, slice]
    rows = np.broadcast_to(np.zeros((4, 2, 1), int), (4, 2, 5))
    assert [type(i) for i in index_along(1, rows, (4, 3, 5))] == [np.ndarray, np.ndarray, slice]
    assert type(index_along(0, np.broadcast_to(np.array([[2], [0]]), (2, 4)), (3, 5))) is np.ndarray  # a part of a row


@pytest.mark.host("times of NumPy")
def test_few_rows_are_added_as_fast_as_by_the_index_spelled_out():
    x, index = torch.ones(32, 32), torch.arange(32)[:, None].expand(32, 32)
    assert type(index_along(0, index.numpy(), (32, 32))) is np.ndarray

    def calls(index):
        return lambda: [x.scatter_add(0, index, x) for _ in range(20)]

    assert_takes(1.3, calls(index), calls(index.contiguous()))
