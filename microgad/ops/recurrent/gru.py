"""The gated recurrent unit (GRU)."""

import numpy as np

from ... import backend
from ..elementwise import Sigmoid
from .base import Recurrent, flatten_rows, project_inputs, repeated, resized


class Gru(Recurrent):
    """A GRU layer. Cho et al. (2014).

    r, z = σ(w_ih x + b_ih + w_hh h + b_hh); n = tanh(w_in x + b_in + r (w_hn h + b_hn)); h = (1 - z) n + z h.
    """

    symbol, node_name = "gru", "Stack"

    def forward(self, input, hx, w_ih, w_hh, b_ih, b_hh):
        self.check_sizes(input, hx)
        h, size = hx.copy(), hx.shape[-1]
        # σ(z) = (1 + tanh(z/2)) / 2
        scale = backend.like(repeated((0.5, 0.5, 1.0), size, w_hh.dtype), w_hh)
        whole = half = np.full_like(h, 0.5, shape=(len(h), 2 * size))  # an array is faster than a number
        self.gates = project_inputs(input, w_ih, b_ih)
        bias = 0
        if b_hh is not None:
            self.gates[:, : 2 * size] += b_hh[: 2 * size]
            bias = b_hh[2 * size :]
        self.gates *= scale
        rz, new = self.gates[:, : 2 * size], self.gates[:, 2 * size :]
        self.recurrent = np.empty_like(h, shape=new.shape)  # w_hn h + b_hn
        self.after = np.empty_like(self.recurrent)
        state, times_w = h, self.state_product(w_hh, scale)
        rows = rz, rz[:, :size], rz[:, size:], new, self.recurrent, self.after
        for rz, r, z, new, from_state, new_state in self.each_step(*rows):
            if len(z) != len(state):
                state, half = resized(h, state, len(z)), whole[: len(z)]
            sums = times_w(state)
            rz += sums[:, : 2 * size]
            np.tanh(rz, out=rz)
            rz *= half
            rz += half
            np.add(sums[:, 2 * size :], bias, out=from_state)
            new += r * from_state
            np.tanh(new, out=new)
            np.subtract(state, new, out=new_state)
            new_state *= z
            new_state += new
            state = new_state
        h[: len(state)] = state
        return self.after.reshape((*input.shape[:-1], size)).copy(), h  # a copy, since users may write to it

    def backward(self, grad, input, hx, w_ih, w_hh, gates, recurrent, after):
        grad_out, grad_h, size = flatten_rows(grad[0]), grad[1].copy(), hx.shape[-1]
        r, z, n = gates[:, :size], gates[:, size : 2 * size], gates[:, 2 * size :]
        before = self.states_before(hx, after)
        new = (1 - z) * (1 - n * n)
        # The derivatives of h by the preactivations of r and z, and by w_hn h + b_hn.
        grad_gates = np.concatenate([new * recurrent * r * (1 - r), (before - n) * z * (1 - z), new * r], 1)
        rows = grad_out, grad_gates, grad_gates.reshape((len(gates), 3, size)), new, z
        h = grad_h
        for grad_new, grad_part, by_gate, new_part, keep in self.each_step(*rows, backward=True):
            if len(h) != len(keep):
                h = grad_h[: len(keep)]
            h += grad_new
            by_gate *= h[:, None]
            new_part *= h
            h *= keep
            h += np.dot(grad_part, w_hh)
        grad_ih = np.concatenate([grad_gates[:, : 2 * size], new], 1)
        return self.input_gradients(input, w_ih, grad_ih, grad_gates, before, hx=lambda: grad_h)

    def decomposition(self, input, hx, w_ih, w_hh, b_ih, b_hh):
        size = hx.shape[-1]

        def step(x, h):
            from_state = project_inputs(h, w_hh, b_hh)
            r, z = (Sigmoid.apply(x[:, k] + from_state[:, k]) for k in (slice(size), slice(size, 2 * size)))
            n = np.tanh(x[:, 2 * size :] + r * from_state[:, 2 * size :])
            return ((1 - z) * n + z * h,)

        out, h = self.unroll(step, project_inputs(input, w_ih, b_ih), hx)
        return out.reshape((*input.shape[:-1], size)), h
