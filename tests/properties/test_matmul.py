"""Matrix products."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import microgad as torch
from microgad.ops.matmul import Linear, MatMul, linear
from microgad.testing.strategies import shapes, tensors

from .registry import checks


@checks(MatMul, Linear)
def test_matmul(draw):
    """Matrices, vectors, and leading axes that broadcast."""
    fitting = arrays_of.mutually_broadcastable_shapes(signature=np.matmul.signature, max_side=3, max_dims=2)
    a, b = (draw(tensors(shape, requires_grad=True)) for shape in draw(fitting).input_shapes)
    return draw(st.sampled_from([torch.matmul, np.matmul, lambda a, b: a @ b])), a, b


@checks(MatMul)
def test_a_matrix_times_itself(draw):
    n = draw(st.integers(1, 3))
    return torch.matmul, *[draw(tensors((n, n), requires_grad=True))] * 2


@checks(Linear)
def test_linear(draw):
    lead, n, m = draw(shapes(max_dims=2, min_side=0, max_side=3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    x, weight = draw(tensors((*lead, n), requires_grad=True)), draw(tensors((m, n), requires_grad=True))
    bias = draw(st.none() | tensors((m,), requires_grad=True))
    return (lambda x, weight: linear(x, weight), x, weight) if bias is None else (linear, x, weight, bias)
