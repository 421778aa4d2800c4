"""The operations that vmap records: at its inputs, at its outputs, and for an input that all examples share."""

from hypothesis import strategies as st

from microgad.autograd import Function
from microgad.batching.dims import AddBatchDim, RemoveBatchDim, SumOverSlices, WholeBatch
from microgad.func import vmap
from microgad.testing.strategies import shapes, tensors

from .registry import checks


@checks(AddBatchDim, RemoveBatchDim, SumOverSlices)
def test_vmap(draw):
    x, common = draw(tensors(shapes(min_dims=1), requires_grad=True)), draw(tensors((), requires_grad=True))
    dim, out = draw(st.integers(-x.ndim, x.ndim - 1)), draw(st.integers(0, x.ndim - 1))

    def function(x, common):
        return vmap(lambda part: part.sin() * common, dim, out)(x)

    return function, x, common


class Sine(Function):
    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved_tensors[0].cos()

    @staticmethod
    def vmap(info, in_dims, x):
        return x.sin(), in_dims[0]


@checks(WholeBatch)
def test_vmap_rule(draw):
    return vmap(Sine.apply), draw(tensors(shapes(min_dims=1), requires_grad=True))
