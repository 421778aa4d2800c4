"""The node that a module's backward hooks stand at."""

import microgad as torch
from microgad import nn
from microgad.nn.modules.module.hooks import BackwardHookFunction
from microgad.testing.strategies import shapes, tensors

from .registry import checks


class TwoOfTwo(nn.Module):
    def forward(self, a, b):
        return a * b, a + torch.sin(b)


@checks(BackwardHookFunction)
def test_backward_hooks(draw):
    shape = shapes()
    a = draw(tensors(shape, requires_grad=True))
    b = draw(tensors(tuple(a.shape), requires_grad=True))
    module = TwoOfTwo()
    module.register_full_backward_hook(lambda module, grad_input, grad_output: None)
    return lambda a, b: module(a, b), a, b


@checks(BackwardHookFunction)
def test_backward_hooks_that_change_what_they_see(draw):
    """Doubled on the way in and halved on the way out, a gradient is what it was."""
    x = draw(tensors(shapes(), requires_grad=True))
    module = nn.Tanh()
    module.register_full_backward_pre_hook(lambda module, grad_output: (grad_output[0] * 2,))
    module.register_full_backward_hook(lambda module, grad_input, grad_output: (grad_input[0] / 2,))
    return lambda x: module(x), x
