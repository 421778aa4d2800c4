"""Long short-term memory (LSTM)."""

from __future__ import annotations

import numpy as np

from ... import backend
from ...type_aliases import Array
from ..elementwise import Sigmoid
from ..linalg.products import Linear
from .base import Recurrent, flatten_rows, project_inputs, repeated, resized


class Lstm(Recurrent):
    """An LSTM layer: i, f, g, o = σ, σ, tanh, σ of w_ih x + b_ih + w_hh h + b_hh; c = f c + i g; h = w_hr (o tanh c).

    Hochreiter and Schmidhuber (1997); Gers et al. (2000); the optional projection w_hr is that of Sak et al. (2014).
    """

    symbol, node_name = "lstm", "MkldnnRnnLayer"

    def forward(self, input, hx, cx, w_ih, w_hh, b_ih, b_hh, w_hr):
        self.check_sizes(input, hx, cx)
        h, c, size = hx.copy(), cx.copy(), cx.shape[-1]
        # σ(z) = (1 + tanh(z/2)) / 2, so one call of tanh computes all gates.
        factors = (0.5, 0.5, 1.0, 0.5), (0.5, 0.5, 0.0, 0.5)
        scale, rest = [backend.like(repeated(x, size, w_hh.dtype), w_hh) for x in factors]
        self.gates = project_inputs(input, w_ih, b_ih, b_hh)
        self.gates *= scale
        affine = half, offset = [x[None].repeat(len(h), 0) for x in (scale, rest)]  # short rows broadcast slowly
        self.cells = np.empty_like(c, shape=(self.gates.shape[0], size))
        out = np.empty_like(h, shape=(*input.shape[:-1], hx.shape[-1]))
        hidden, cell, times_w = h, c, self.state_product(w_hh, scale)
        rows = self.gates, *split_gates(self.gates), flatten_rows(out), self.cells
        for z, i, f, g, o, new_hidden, new_cell in self.each_step(*rows):
            if len(z) != len(hidden):
                hidden, cell = resized(h, hidden, len(z)), resized(c, cell, len(z))
                half, offset = [x[: len(z)] for x in affine]
            z += times_w(hidden)
            np.tanh(z, out=z)
            z *= half
            z += offset
            np.multiply(f, cell, out=new_cell)
            new_cell += i * g
            if w_hr is None:
                np.multiply(o, np.tanh(new_cell), out=new_hidden)
            else:
                np.matmul(o * np.tanh(new_cell), w_hr.T, out=new_hidden)
            hidden, cell = new_hidden, new_cell
        h[: len(hidden)], c[: len(cell)] = hidden, cell
        return out, h, c

    def backward(self, grad, input, hx, cx, w_ih, w_hh, w_hr, gates, cells):
        grad_out, grad_h, grad_c = flatten_rows(grad[0]), grad[1].copy(), grad[2].copy()
        i, f, g, o = split_gates(gates)
        tanh_c = np.tanh(cells)
        outs = o * tanh_c if w_hr is None else np.matmul(o * tanh_c, w_hr.T)
        dh_dc = o * (1 - tanh_c * tanh_c)  # the derivative of h by c
        # The derivatives of c by the preactivations of i, f and g, and of h by that of o.
        prev_c = self.states_before(cx, cells)
        grad_gates = np.concatenate([i * (1 - i) * g, f * (1 - f) * prev_c, (1 - g * g) * i, o * (1 - o) * tanh_c], 1)
        by_gate = grad_gates.reshape((len(gates), 4, cx.shape[-1]))
        grad_rows = grad_out if w_hr is None else np.empty_like(grad_out)
        rows = grad_out, grad_rows, dh_dc, grad_gates, by_gate[:, :3], by_gate[:, 3], f
        h, c = grad_h, grad_c
        for grad_new, grad_row, slope, grad_part, of_cell, of_hidden, forget in self.each_step(*rows, backward=True):
            if len(h) != len(forget):
                h, c = grad_h[: len(forget)], grad_c[: len(forget)]
            h += grad_new
            grad_hidden = h  # of o tanh(c), before the projection
            if w_hr is not None:
                grad_row[...] = h
                grad_hidden = np.matmul(h, w_hr)
            c += grad_hidden * slope
            of_cell *= c[:, None]
            of_hidden *= grad_hidden
            c *= forget
            np.dot(grad_part, w_hh, out=h)
        return self.input_gradients(
            input, w_ih, grad_gates, grad_gates, self.states_before(hx, outs), hx=lambda: grad_h, cx=lambda: grad_c,
            w_hr=lambda: np.matmul(grad_rows.T, o * tanh_c),
        )  # fmt: skip

    def decomposition(self, input, hx, cx, w_ih, w_hh, b_ih, b_hh, w_hr):
        def step(x, h, c):
            i, f, g, o = split_gates(x + Linear.apply(h, w_hh, None))
            c = Sigmoid.apply(f) * c + Sigmoid.apply(i) * np.tanh(g)
            hidden = Sigmoid.apply(o) * np.tanh(c)
            return hidden if w_hr is None else Linear.apply(hidden, w_hr, None), c

        out, h, c = self.unroll(step, project_inputs(input, w_ih, b_ih, b_hh), hx, cx)
        return out.reshape((*input.shape[:-1], hx.shape[-1])), h, c


def split_gates(z: Array) -> list[Array]:
    """Split (N, 4 H) into the four gates (N, H)."""
    size = z.shape[1] // 4
    return [z[:, k * size : (k + 1) * size] for k in range(4)]
