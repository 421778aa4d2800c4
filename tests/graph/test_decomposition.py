"""`fine()`: Functions that are one operation for speed are recorded as the operations that they are composed of."""

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.graph import fine
from microgad.nn import functional as F
from microgad.testing.laws.case import classes_behind

torch.manual_seed(0)
X = torch.rand(3, 4, 6, dtype=torch.float64) + 0.5
LABELS = torch.tensor([[0, 1, 2, 3, 0, 1]] * 3)


def layer(module, *more):
    """A function that applies a layer in float64."""
    module = module.double()
    return lambda x: module(x, *more)


PROGRAMS = {
    "LSTM": layer(nn.LSTM(6, 2, 2, bidirectional=True, proj_size=1)),
    "GRU": layer(nn.GRU(6, 2)),
    "RNN": layer(nn.RNN(6, 2, nonlinearity="relu")),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x * x, is_causal=True),
    "attention with weights": lambda x: multihead_attention(x, x, x),
    "Transformer": layer(nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0)),
    "BatchNorm": layer(nn.BatchNorm1d(4)),
    "LayerNorm": layer(nn.LayerNorm(6)),
    "GroupNorm": layer(nn.GroupNorm(2, 4)),
    "GELU": F.gelu,
    "GELU by tanh": lambda x: F.gelu(x, approximate="tanh"),
    "SiLU": F.silu,
    "Softplus": F.softplus,
    "Hardswish": F.hardswish,
    "prod": lambda x: x.prod(1),
    "cumprod": lambda x: x.cumprod(1),
    "logcumsumexp": lambda x: x.logcumsumexp(1),
    "pdist": lambda x: torch.nn.functional.pdist(x[0]),
    "cross entropy": lambda x: F.cross_entropy(x, LABELS),
    "an input without a gradient": lambda x: F.gelu(x.detach()) * x,
}
multihead_attention = nn.MultiheadAttention(6, 3).double()


def run(program):
    x = X.clone().requires_grad_()
    torch.manual_seed(1)
    out = program(x)
    outs = [y for y in (out if isinstance(out, tuple) else (out,)) if isinstance(y, torch.Tensor)]
    (grad,) = torch.autograd.grad(sum((y * y).sum() for y in outs), x, retain_graph=True)
    return outs, grad


@pytest.mark.parametrize("name", PROGRAMS)
def test_decompositions_have_the_results_and_gradients_of_the_whole(name):
    whole, grad = run(PROGRAMS[name])
    with fine():
        steps, grad_of_steps = run(PROGRAMS[name])
    assert all(cls.decomposed is None for cls in classes_behind(steps))
    assert name == "an input without a gradient" or any(cls.decomposed is not None for cls in classes_behind(whole))
    for a, b in zip(whole, steps, strict=True):
        np.testing.assert_allclose(a.detach().array, b.detach().array, 1e-10, 1e-12)
    np.testing.assert_allclose(grad.array, grad_of_steps.array, 1e-9, 1e-10)


def test_steps_of_a_decomposition_have_the_path_of_their_function():
    with fine():
        tape = PROGRAMS["GRU"](X.clone().requires_grad_())[0].graph().tape
    assert len([op for op in tape if op.path.endswith("Gru()")]) > 3 * 5


def test_record_sees_only_the_steps_of_a_decomposition():
    with fine(), torch.record() as tape:
        F.gelu(X.clone().requires_grad_())
    names = [op.name for op in tape]
    assert "Erfc" in names
    assert "Gelu" not in names


def test_errors_of_a_decomposition_are_those_of_the_function():
    with fine(), pytest.raises(RuntimeError, match="BatchNorm: Expected more than 1 value per channel"):
        F.batch_norm(torch.ones(1, 2, requires_grad=True), None, None, training=True)


def test_without_gradients_nothing_is_decomposed():
    with fine(), torch.no_grad(), torch.record() as tape:
        F.gelu(X)
    assert [op.name for op in tape] == ["Gelu"]
