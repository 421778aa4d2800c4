"""`fill`, grids, Cartesian products, combinations and block-diagonal matrices."""

import pytest
from hypothesis import strategies as st

import microgad as torch
from microgad.ops.creation import Fill
from microgad.ops.grids import BlockDiag
from microgad.ops.indexing import GetItem
from microgad.ops.movement import Expand
from microgad.testing.strategies import numbers, shapes, tensors

from .registry import checks

vectors = st.integers(1, 3).flatmap(lambda n: tensors((n,), requires_grad=True))


@checks(Fill)
def test_fill(draw):
    x = draw(tensors(shapes(min_side=0), requires_grad=True))
    value = draw(st.sampled_from([2.5, None]))
    return torch.fill, x, draw(tensors((), requires_grad=True)) if value is None else value


@checks(Expand)
def test_meshgrid(draw):
    indexing = draw(st.sampled_from(["ij", "xy"]))
    return lambda *vectors: torch.meshgrid(*vectors, indexing=indexing), *draw(
        st.lists(vectors, min_size=1, max_size=3)
    )


@checks(Expand)
def test_cartesian_prod(draw):
    return torch.cartesian_prod, *draw(st.lists(vectors, min_size=2, max_size=3))


@checks(GetItem)
def test_combinations(draw):
    r, repeat = draw(st.integers(1, 3)), draw(st.booleans())
    return lambda x: torch.combinations(x, r, repeat), draw(tensors((4,), elements=numbers(), requires_grad=True))


@checks(BlockDiag)
def test_block_diag(draw):
    blocks = tensors(shapes(max_dims=2), requires_grad=True)
    return torch.block_diag, *draw(st.lists(blocks, min_size=2, max_size=3))


@pytest.mark.parametrize("indexing", ["ij", "xy"])
def test_the_two_kinds_of_indexing_of_meshgrid(indexing):
    rows, columns = torch.meshgrid(torch.arange(2), torch.arange(3), indexing=indexing)
    assert tuple(rows.shape) == ((2, 3) if indexing == "ij" else (3, 2))
    assert (rows[-1, 0].item(), columns[-1, 0].item()) == ((1, 0) if indexing == "ij" else (0, 2))
