"""Products of matrices and vectors."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

import microgad as torch
from microgad.ops.linalg import Contract, Cross, Dot, Linear, MatMul, Mv, linear
from microgad.testing.strategies import broadcastable_shapes, einsum_problems, shapes, tensors

from .registry import checks


@checks(MatMul, Linear, Dot)
def test_matmul(draw):
    """Matrices, vectors, and leading axes that broadcast."""
    matching = arrays_of.mutually_broadcastable_shapes(signature=np.matmul.signature, max_side=3, max_dims=2)
    a, b = (draw(tensors(shape, requires_grad=True)) for shape in draw(matching).input_shapes)
    return draw(st.sampled_from([torch.matmul, np.matmul, lambda a, b: a @ b])), a, b


@checks(Mv)
def test_mv(draw):
    lead, n = draw(shapes(min_dims=1, max_dims=2, min_side=0, max_side=3)), draw(st.integers(0, 3))
    a, b = draw(tensors((*lead, n), requires_grad=True)), draw(tensors((n,), requires_grad=True))
    return draw(st.sampled_from([torch.matmul, np.matmul, torch.inner, linear])), a, b


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


@checks(Linear, Mv)
def test_linear_with_odd_biases_and_a_weight_of_one_dimension(draw):
    x, weight = draw(tensors((2, 3, 3), requires_grad=True)), draw(tensors((2, 3), requires_grad=True))
    if draw(st.booleans()):
        return linear, x, draw(tensors((3,), requires_grad=True)), draw(tensors((), requires_grad=True))
    return linear, x, weight, draw(tensors(draw(st.sampled_from([(), (1,), (3, 2), (3, 1)])), requires_grad=True))


@checks(Dot)
def test_dot(draw):
    n = draw(st.integers(0, 4))
    a, b = (draw(tensors((n,), requires_grad=True)) for _ in range(2))
    return draw(st.sampled_from([torch.dot, torch.vdot, np.dot, torch.inner])), a, b


@checks(Contract)
def test_einsum(draw):
    """With and without ellipses, repeated letters, sums and permuted results."""
    problem = draw(einsum_problems(requires_grad=True))
    return lambda *operands: torch.einsum(problem.equation, *operands), *problem.operands


@checks(Contract)
def test_tensordot(draw):
    a, b = draw(tensors((2, 3, 2), requires_grad=True)), draw(tensors((2, 3), requires_grad=True))
    dims = draw(st.sampled_from([0, 1, ([0, 1], [0, 1]), ([1], [-1]), ([2, -2], [0, 1]), ([], [])]))
    return lambda a, b: torch.tensordot(a, b, dims), a, b


@checks(Cross)
def test_cross(draw):
    lead = draw(broadcastable_shapes(2, min_dims=2, max_dims=2, max_side=3))
    axis = draw(st.integers(0, 2))
    a, b = (draw(tensors((*shape[:axis], 3, *shape[axis:]), requires_grad=True)) for shape in lead)
    dim = draw(st.sampled_from([axis, axis - 3]))
    return lambda a, b: torch.linalg.cross(a, b, dim=dim), a, b


@checks(MatMul)
def test_addbmm_and_baddbmm(draw):
    beta, alpha = draw(st.sampled_from([(1, 1), (0.5, 2), (0, 3)]))
    a, b = draw(tensors((2, 2, 3), requires_grad=True)), draw(tensors((2, 3, 2), requires_grad=True))
    x = draw(tensors((2, 2), requires_grad=True))
    function = draw(st.sampled_from([torch.addbmm, torch.baddbmm]))
    return lambda x, a, b: function(x, a, b, beta=beta, alpha=alpha) + 0 * x, x, a, b
