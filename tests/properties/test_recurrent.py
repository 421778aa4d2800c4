"""Recurrent layers: one Function computes one direction of a layer for a whole sequence."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import microgad as torch
from microgad.ops.recurrent import Gru, Lstm, Rnn
from microgad.testing.strategies import numbers, tensors

from .registry import checks

lengths = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(lambda sizes: tuple(sorted(sizes, reverse=True)))
small = numbers(-1.5, 1.5)


def recurrent_inputs(draw, gates, states, projected=False):
    """Settings and inputs: a batch of equal or packed lengths, initial states, weights, and perhaps biases."""
    sizes, wide, hidden = draw(lengths), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    kept = draw(st.integers(1, 2)) if projected else hidden
    made = functools.partial(tensors, elements=small, requires_grad=True)
    rows = draw(made((len(sizes), sizes[0], wide) if len({*sizes}) == 1 else (sum(sizes), wide)))
    shapes = [(sizes[0], kept), (sizes[0], hidden)][:states]
    weights = draw(made((gates * hidden, wide))), draw(made((gates * hidden, kept)))
    biases = (None, None)
    if draw(st.booleans()):
        biases = draw(made((gates * hidden,))), draw(made((gates * hidden,)))
    last = [draw(made((kept, hidden)))] if projected else []
    settings = {"batch_sizes": sizes, "reverse": draw(st.booleans())}
    return settings, rows, *[draw(made(shape)) for shape in shapes], *weights, *biases, *last


@checks(Rnn)
def test_rnn(draw):
    settings, *inputs = recurrent_inputs(draw, 1, 1)
    return functools.partial(Rnn.apply, relu=False, **settings), *inputs


@checks(Rnn)
def test_rnn_with_relu(draw):
    """A bias keeps the inputs of the ReLU away from its kink."""
    settings, *inputs = recurrent_inputs(draw, 1, 1)
    shift = draw(st.sampled_from([9.0, -9.0]))

    def shifted(input, hx, w_ih, w_hh, b_ih, b_hh):
        bias = torch.full((w_ih.shape[0],), shift, dtype=w_ih.dtype, device=w_ih.device)
        return Rnn.apply(input, hx, w_ih * 0.1, w_hh * 0.1, bias, b_hh, relu=True, **settings)

    return shifted, *inputs


@checks(Lstm)
def test_lstm(draw):
    settings, *inputs = recurrent_inputs(draw, 4, 2)
    return functools.partial(Lstm.apply, **settings), *inputs, None


@checks(Lstm)
def test_lstm_with_projection(draw):
    settings, *inputs = recurrent_inputs(draw, 4, 2, projected=True)
    return functools.partial(Lstm.apply, **settings), *inputs


@checks(Gru)
def test_gru(draw):
    settings, *inputs = recurrent_inputs(draw, 3, 1)
    return functools.partial(Gru.apply, **settings), *inputs


@checks(Gru)
def test_gru_where_inputs_depend_on_each_other(draw):
    """One Tensor is both weights, and the state depends on the input: only partial derivatives add up right."""
    x, w = (draw(tensors(shape, elements=small, requires_grad=True)) for shape in ((3, 2, 2), (6, 2)))
    settings = {"batch_sizes": (2,) * 3, "reverse": draw(st.booleans())}
    return lambda x, w: Gru.apply(x, x[0] * x[1], w, w, w[:, 0], w[:, 0], **settings), x, w


@given(st.data())
@pytest.mark.parametrize(("cls", "gates", "states"), [(Rnn, 1, 1), (Lstm, 4, 2), (Gru, 3, 1)])
def test_layers_equal_their_decomposition(cls, gates, states, data):
    """The reference is the decomposition, which records each operation of each step."""
    settings, *inputs = recurrent_inputs(data.draw, gates, states)
    inputs += [None] * (cls is Lstm)
    settings["relu"] = False
    node = cls()
    vars(node).update(settings)
    for a, b in zip(cls.apply(*inputs, **settings), node.decomposition(*inputs), strict=True):
        np.testing.assert_allclose(a.array, b.array, 1e-12, 1e-12)


@given(st.data())
@pytest.mark.parametrize(("op", "gates"), [("gru", 3), ("rnn_tanh", 1)])
def test_a_packed_batch_equals_its_sequences_one_by_one(op, gates, data):
    (settings, rows, state, w_ih, w_hh, *_), both = recurrent_inputs(data.draw, gates, 1), data.draw(st.booleans())
    sizes, weights = settings["batch_sizes"], [w_ih, w_hh] * (1 + both)
    run = functools.partial(getattr(torch, op), bidirectional=both, has_biases=False, num_layers=1, dropout=0.0)
    states, rows = torch.stack([state] * (1 + both)), rows.reshape(-1, rows.shape[-1])
    packed = run(rows, torch.tensor(sizes), states, weights, train=False)
    starts = np.cumsum((0, *sizes))
    for i in range(sizes[0]):
        mine = [int(start) + i for start, size in zip(starts, sizes, strict=False) if size > i]
        alone = run(rows[mine][:, None], states[:, i : i + 1], weights, train=False, batch_first=False)
        np.testing.assert_allclose(packed[0][mine].array, alone[0][:, 0].array, 1e-12, 1e-12)
        np.testing.assert_allclose(packed[1][:, i].array, alone[1][:, 0].array, 1e-12, 1e-12)
