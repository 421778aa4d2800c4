"""The gated recurrent unit (GRU)."""

import numpy as np

from ..elementwise import Sigmoid
from ..linalg.product_kernels import product
from .base import Recurrent, flatten_rows, project_inputs


class Gru(Recurrent):
    """A GRU layer. Cho et al. (2014).

    r, z = σ(w_ih x + b_ih + w_hh h + b_hh); n = tanh(w_in x + b_in + r (w_hn h + b_hn)); h = (1 - z) n + z h.
    """

    symbol, node_name = "gru", "Stack"

    def forward(self, input, hx, w_ih, w_hh, b_ih, b_hh):
        self.check_sizes(input, hx)
        h, size = hx.copy(), hx.shape[-1]
        self.gates = project_inputs(input, w_ih, b_ih)
        if b_hh is not None:
            self.gates[:, : 2 * size] += b_hh[: 2 * size]
        w = self.recurrent_weight(w_hh)
        self.recurrent = np.empty_like(h, shape=(self.gates.shape[0], size))  # w_hn h + b_hn
        self.after = np.empty_like(self.recurrent)
        for rows, (state,), (new_state,) in self.walk((h,), (self.after,)):
            sums = product(state, w)
            rz, new = self.gates[rows, : 2 * size], self.gates[rows, 2 * size :]
            rz += sums[:, : 2 * size]
            rz *= 0.5  # σ(z) = (1 + tanh(z/2)) / 2
            np.tanh(rz, out=rz)
            rz *= 0.5
            rz += 0.5
            from_state = self.recurrent[rows]
            from_state[...] = sums[:, 2 * size :]
            if b_hh is not None:
                from_state += b_hh[2 * size :]
            new += rz[:, :size] * from_state
            np.tanh(new, out=new)
            np.subtract(state, new, out=new_state)
            new_state *= rz[:, size:]
            new_state += new
        return self.after.reshape((*input.shape[:-1], size)).copy(), h  # a copy, since users may write to it

    def backward(self, grad, input, hx, w_ih, w_hh, gates, recurrent, after):
        grad_out, grad_h, size = flatten_rows(grad[0]), grad[1].copy(), hx.shape[-1]
        r, z, n = gates[:, :size], gates[:, size : 2 * size], gates[:, 2 * size :]
        before = self.states_before(hx, after)
        new = (1 - z) * (1 - n * n)
        # The derivatives of h by the preactivations of r and z, and by w_hn h + b_hn.
        grad_gates = np.concatenate([new * recurrent * r * (1 - r), (before - n) * z * (1 - z), new * r], 1)
        for start, count in reversed(self.steps()):
            stop = start + count
            h = grad_h[:count]
            h += grad_out[start:stop]
            grad_part = grad_gates[start:stop]
            by_gate = grad_part.reshape((count, 3, size))
            by_gate *= h[:, None]
            new[start:stop] *= h
            h *= z[start:stop]
            h += np.matmul(grad_part, w_hh)
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
