"""BackwardHookFunction, the node by which a module's backward hooks see gradients."""

import microgad as torch
from microgad import nn
from microgad.nn.modules.module.hooks import BackwardHookFunction
from microgad.testing.strategies import shapes, tensors

from .registry import checks


class TwoInputsAndResults(nn.Module):
    def forward(self, a, b):
        return a * b, a + torch.sin(b)


@checks(BackwardHookFunction)
def test_backward_hooks(draw):
    shape = shapes()
    a = draw(tensors(shape, requires_grad=True))
    b = draw(tensors(tuple(a.shape), requires_grad=True))
    module = TwoInputsAndResults()
    module.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    return lambda a, b: module(a, b), a, b


@checks(BackwardHookFunction)
def test_backward_hooks_that_change_gradients(draw):
    """The pre-hook doubles the gradient and the hook halves it, so that the derivative stays right."""
    x = draw(tensors(shapes(), requires_grad=True))
    module = nn.Tanh()
    module.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 2,))
    module.register_full_backward_hook(lambda module, grad_input, grad_output: (grad_input[0] / 2,))
    return lambda x: module(x), x
