"""Functions of one input, elementwise."""

import numpy as np
from hypothesis import strategies as st

import microgad as torch
from microgad.ops.elementwise import Cos, Exp, Log, Relu, Sigmoid, Sin, Sqrt, Tanh
from microgad.testing.strategies import numbers, shapes, tensors

from .registry import checks

real, positive, nonzero = numbers(), numbers(0.25, 3), numbers(away_from=[0])


def example(draw, elements, *functions):
    """A way to write the function, the last of them in place, and a Tensor."""
    function = draw(st.sampled_from(functions))
    x = draw(tensors(shapes(min_side=0), elements=elements, requires_grad=True))
    return (lambda x: function(x.clone())) if function.__name__.endswith("_") else function, x


@checks(Exp)
def test_exp(draw):
    return example(draw, real, torch.exp, np.exp, torch.Tensor.exp_)


@checks(Log)
def test_log(draw):
    return example(draw, positive, torch.log, np.log, torch.Tensor.log_)


@checks(Sqrt)
def test_sqrt(draw):
    return example(draw, positive, torch.sqrt, np.sqrt, torch.Tensor.sqrt_)


@checks(Sin)
def test_sin(draw):
    return example(draw, real, torch.sin, np.sin)


@checks(Cos)
def test_cos(draw):
    return example(draw, real, torch.cos, np.cos)


@checks(Tanh)
def test_tanh(draw):
    return example(draw, real, torch.tanh, np.tanh, torch.Tensor.tanh_)


@checks(Sigmoid)
def test_sigmoid(draw):
    return example(draw, real, torch.sigmoid, torch.Tensor.sigmoid_)


@checks(Relu)
def test_relu(draw):
    return example(draw, nonzero, torch.relu, torch.Tensor.relu_)


def test_relu_at_zero():
    x = torch.tensor([0.0, -0.0], requires_grad=True)
    (g,) = torch.autograd.grad(torch.relu(x).sum(), x, create_graph=True)
    assert g.tolist() == [0, 0]
