"""Recurrent layers, cells and packed sequences: values, gradients, copies and errors."""

import copy
import itertools
import pickle

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.nn.utils import rnn


@pytest.mark.parametrize("lengths", [(2, 4, 3), (30, 50, 40)])  # for many rows weights are copied
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_packed_batch_equals_its_sequences_one_by_one(kind, lengths):
    layer = getattr(nn, kind)(2, 3, 2, bidirectional=True)
    sequences = [torch.rand(n, 2) for n in lengths]
    packed, last = layer(rnn.pack_sequence(sequences, enforce_sorted=False))
    for i, (x, out) in enumerate(zip(sequences, rnn.unpack_sequence(packed), strict=True)):
        alone, state = layer(x)
        assert out.allclose(alone, atol=1e-6)
        for batched, one in zip(*((s,) if kind != "LSTM" else s for s in (last, state)), strict=True):
            assert batched[:, i].allclose(one, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "options"),
    [*itertools.product(["RNN", "LSTM", "GRU"], [{}, {"bias": False}]),
     ("LSTM", {"proj_size": 2}), ("LSTM", {"proj_size": 2, "bias": False})],
)  # fmt: skip
def test_two_layers_equal_one_after_the_other_with_dropout_between_them(kind, options):
    cls, x = getattr(nn, kind), torch.rand(5, 2, 3)
    both = cls(3, 4, 2, bidirectional=True, dropout=0.5, **options)
    layers = [cls(n, 4, bidirectional=True, **options) for n in (3, 2 * options.get("proj_size", 4))]
    with torch.no_grad():
        for a, b in zip(both.parameters(), (p for layer in layers for p in layer.parameters()), strict=True):
            b.copy_(a)
    torch.manual_seed(1)
    out, state = both(x)
    torch.manual_seed(1)
    first, below = layers[0](x)
    expected, above = layers[1](nn.functional.dropout(first))
    assert torch.equal(out, expected)
    for a, *parts in zip(*(s if kind == "LSTM" else (s,) for s in (state, below, above)), strict=True):
        assert torch.equal(a, torch.cat(parts))


def test_unpad_sequence_inverts_pad_sequence():
    sequences = [torch.arange(float(n)) for n in (3, 1, 2)]
    padded = rnn.pad_sequence(sequences, batch_first=True, padding_value=-1)
    assert padded.tolist() == [[0, 1, 2], [0, -1, -1], [0, 1, -1]]
    back = rnn.unpad_sequence(padded, torch.tensor([3, 1, 2]), batch_first=True)
    assert [x.tolist() for x in back] == [x.tolist() for x in sequences]


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("batch_first", [False, True])
def test_sequences_are_padded_alike_with_and_without_gradient(rng, batch_first, side):
    arrays = [rng.normal(size=(n, 2)) for n in (3, 0, 5)]
    arrays[1] = arrays[1].astype(np.float32)
    padded, recorded = (
        rnn.pad_sequence([torch.tensor(x, requires_grad=grad) for x in arrays], batch_first, -1.0, side)
        for grad in (False, True)
    )
    assert recorded.requires_grad
    assert not padded.requires_grad
    assert torch.equal(padded, recorded)
    for x, row in zip(arrays, padded if batch_first else padded.transpose(0, 1), strict=True):
        inside = slice(len(x)) if side == "right" else slice(5 - len(x), 5)
        assert row[inside].tolist() == x.tolist()
        assert int((row == -1).sum()) == 2 * (5 - len(x))


def test_gradients_propagate_through_packing():
    x = torch.ones(3, 2, 1, requires_grad=True)
    packed = rnn.pack_padded_sequence(x, [1, 3], enforce_sorted=False)
    out, lengths = rnn.pad_packed_sequence(packed)
    (out * 2).sum().backward()
    assert x.grad.squeeze(-1).tolist() == [[2, 2], [0, 2], [0, 2]]
    assert lengths.tolist() == [1, 3]


def test_a_cell_is_one_step_of_its_layer():
    layer, cell = nn.LSTM(2, 3), nn.LSTMCell(2, 3)
    cell.load_state_dict({name.removesuffix("_l0"): x for name, x in layer.state_dict().items()})
    x, state = torch.rand(4, 1, 2), None
    out, _ = layer(x)
    for i in range(4):
        state = cell(x[i], state)
        assert state[0].allclose(out[i], atol=1e-6)


def test_copied_and_pickled_layers_compute_the_same():
    layer = nn.GRU(2, 3, bidirectional=True)
    x = torch.rand(4, 1, 2)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(other(x)[0].detach().cpu().numpy(), layer(x)[0].detach().cpu().numpy())
        assert other.all_weights[0][0] is not layer.all_weights[0][0]


def test_the_graph_has_one_node_for_each_layer_and_direction():
    out, _ = nn.LSTM(2, 3, 2, bidirectional=True)(torch.ones(9, 1, 2))
    assert str(torch.graph.graph(out.sum())).count("Lstm") == 4


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_a_cell_with_input_of_another_dtype_raises(cell):
    with pytest.raises(RuntimeError, match=r"of one dtype, but got torch.float64 and torch.float32"):
        cell(2, 3)(torch.ones(1, 2, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(1, 3), (2, 1, 3)])
def test_an_lstm_cell_takes_no_tensor_for_its_two_states(shape):
    with pytest.raises(TypeError, match=r"'hx' .*must be tuple of Tensors, not Tensor"):
        nn.LSTMCell(2, 3)(torch.ones(1, 2), torch.ones(shape))


@pytest.mark.parametrize("settings", [{}, {"num_layers": 2, "bidirectional": True}, {"bias": False}])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_layers_without_a_graph_compute_the_same(kind, settings):
    for dtype in (torch.float32, torch.float16):
        layer = getattr(nn, kind)(2, 3, batch_first=True, dtype=dtype, **settings)
        x = torch.rand(4, 1, 2).to(dtype)
        with torch.no_grad():
            out, states = layer(x)
        expected, others = layer(x)
        assert not out.requires_grad
        assert out.stride() == expected.stride()
        assert out.equal(expected.detach())
        for state, other in zip(*((s,) if kind != "LSTM" else s for s in (states, others)), strict=True):
            assert state.equal(other.detach())


@pytest.mark.parametrize("grad_enabled", [False, True])
def test_weights_of_another_size_raise_the_error_of_the_operation(grad_enabled):
    x, h, w = torch.ones(1, 1, 2), torch.zeros(1, 1, 3), torch.ones(9, 3)
    with torch.set_grad_enabled(grad_enabled), pytest.raises(RuntimeError, match=r"^Gru \(gru\(\)\): "):
        torch.gru(x, h, [torch.ones(10, 2), w], False, 1, 0.0, False, False, False)


def test_a_recorder_sees_the_layers_of_a_call_without_a_graph():
    with torch.no_grad(), torch.record() as tape:
        nn.GRU(2, 3, 2)(torch.ones(9, 1, 2))
    assert str(tape).count("Gru") == 2


def test_weights_can_be_written_into_their_list():
    layer, x = nn.LSTM(1, 1, bias=False), torch.ones(2, 1, 1)
    layer._flat_weights[0] = layer._flat_weights[0] * 0
    assert layer(x)[0].tolist() == [[[0]], [[0]]]
    layer.weight_hh_l0 = nn.Parameter(layer.weight_hh_l0 * 1)  # now the list is made again
    assert layer(x)[0].all()
    layer._flat_weights = [weight * 0 for weight in layer._flat_weights]
    del layer.weight_hh_l0
    assert layer(x)[0].tolist() == [[[0]], [[0]]]


def test_states_of_an_lstm_may_be_the_rows_of_one_tensor():
    model, x, states = nn.LSTM(2, 3), torch.randn(4, 2), torch.randn(2, 1, 3, requires_grad=True)
    out, _ = model(x, states)
    assert torch.equal(out, model(x, (states[0], states[1]))[0])
    out.sum().backward()
    assert states.grad.all()
