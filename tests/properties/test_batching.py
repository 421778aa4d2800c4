"""Slices of a Tensor that are computed together, beside what they have in common."""

from hypothesis import strategies as st

from microgad.batching.vmap import AddBatchDim, RemoveBatchDim, SumOverSlices
from microgad.func import vmap
from microgad.testing.strategies import shapes, tensors

from .registry import checks


@checks(AddBatchDim, RemoveBatchDim, SumOverSlices)
def test_slices(draw):
    x, common = draw(tensors(shapes(min_dims=1), requires_grad=True)), draw(tensors((), requires_grad=True))
    dim, out = draw(st.integers(-x.ndim, x.ndim - 1)), draw(st.integers(0, x.ndim - 1))

    def function(x, common):
        return vmap(lambda part: part.sin() * common, dim, out)(x)

    return function, x, common
