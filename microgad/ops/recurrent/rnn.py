"""The Elman network: the new state is tanh or relu of a linear map of the input and the state."""

import numpy as np

from ..elementwise import Relu
from ..linalg.products import Linear
from .base import Recurrent, flatten_rows, project_inputs, resized


class Rnn(Recurrent):
    """An Elman layer: h = f(w_ih x + b_ih + w_hh h + b_hh), f being tanh or, if `relu`, relu. Elman (1990)."""

    symbol, operator, node_name = "rnn", None, "Stack"

    def forward(self, input, hx, w_ih, w_hh, b_ih, b_hh):
        self.check_sizes(input, hx)
        self.after, h, times_w = project_inputs(input, w_ih, b_ih, b_hh), hx.copy(), self.state_product(w_hh)
        state = h
        for (z,) in self.each_step(self.after):
            if len(z) != len(state):
                state = resized(h, state, len(z))
            z += times_w(state)
            state = np.maximum(z, 0, out=z) if self.relu else np.tanh(z, out=z)
        h[: len(state)] = state
        return self.after.reshape((*input.shape[:-1], hx.shape[-1])).copy(), h  # a copy, since users may write to it

    def backward(self, grad, input, hx, w_ih, w_hh, after):
        grad_out, grad_h = flatten_rows(grad[0]), grad[1].copy()
        grad_sums = (after > 0).astype(after.dtype) if self.relu else 1 - after * after
        h = grad_h
        for grad_new, grad_part in self.each_step(grad_out, grad_sums, backward=True):
            if len(h) != len(grad_part):
                h = grad_h[: len(grad_part)]
            h += grad_new
            grad_part *= h
            np.dot(grad_part, w_hh, out=h)
        return self.input_gradients(input, w_ih, grad_sums, grad_sums, self.states_before(hx, after), hx=lambda: grad_h)

    def decomposition(self, input, hx, w_ih, w_hh, b_ih, b_hh):
        def step(x, h):
            z = x + Linear.apply(h, w_hh, None)
            return (Relu.apply(z) if self.relu else np.tanh(z),)

        out, h = self.unroll(step, project_inputs(input, w_ih, b_ih, b_hh), hx)
        return out.reshape((*input.shape[:-1], hx.shape[-1])), h
