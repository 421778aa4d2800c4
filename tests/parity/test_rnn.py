"""Recurrent layers against PyTorch's: states, packed batches, dropout masks, first and second gradients, errors."""

import copy
import itertools
import pickle
import warnings

from .side_by_side import checked_programs, state_and_gradients

program, test_program_behaves_as_in_torch = checked_programs(
    slack=4,
    messages=lambda name: name not in OTHER_MESSAGES,
    warning_classes=lambda name: not name.startswith("LSTM_projected"),  # a kernel doesn't support projections
)


def as_list(states):
    return list(states) if isinstance(states, tuple) else [states]


def recurrent_program(kind, settings, packed):
    """A program that trains a recurrent layer with and without initial states, and evaluates it."""

    def run(t, nn):
        m = getattr(nn, kind)(4, 5, **settings)
        rows = 2 if settings.get("batch_first") else 3
        x = t.rand(*((rows, 6, 4) if settings.get("batch_first") else (6, rows, 4))).requires_grad_()
        lengths = [3, 6, 4][:rows]
        directions = m.num_layers * (2 if m.bidirectional else 1)
        hx = [t.rand(directions, rows, m.proj_size or 5).requires_grad_()]
        if kind == "LSTM":
            hx.append(t.rand(directions, rows, 5).requires_grad_())
        found = []
        for states_in in (None, tuple(hx) if kind == "LSTM" else hx[0]):
            batch = x
            if packed:
                batch = nn.utils.rnn.pack_padded_sequence(x, lengths, m.batch_first, enforce_sorted=False)
            out, states = m(batch, states_in)
            if packed:
                found.append(list(out))
                out, lengths_out = nn.utils.rnn.pad_packed_sequence(out, m.batch_first, -1.0, 7)
                found.append(lengths_out)
            found += [out, as_list(states)]
            (out.cos().sum() + sum((s * s).sum() for s in as_list(states))).backward()
        found += [x.grad, [s.grad for s in hx], state_and_gradients(m), m.all_weights[0][0] is m.weight_ih_l0]
        m.eval()
        one, states = m(x[0])
        return [*found, one, as_list(states)]

    return run


@program
def dropout_of_one_layer_warns_once_for_each_class(t, nn):
    class Mine(nn.LSTM):
        pass

    with warnings.catch_warnings(record=True) as shown:
        warnings.resetwarnings()
        warnings.simplefilter("default")
        for kind in (nn.RNN, nn.LSTM, nn.GRU, Mine):
            kind(2, 3, dropout=0.5)
            kind(2, 3, dropout=0.5)
        nn.LSTM(2, 3, dropout=1.0)
    return [str(each.message) for each in shown]


SETTINGS = {
    "plain": {},
    "layers": {"num_layers": 3, "dropout": 0.4},
    "bidirectional": {"bidirectional": True, "num_layers": 2, "dropout": 0.3, "batch_first": True},
    "without_bias": {"bias": False, "batch_first": True},
}
for kind, (label, settings), packed in itertools.product(("RNN", "LSTM", "GRU"), SETTINGS.items(), (True, False)):
    program[f"{kind}_{label}{'_packed' * packed}"] = recurrent_program(kind, settings, packed)
program["RNN_relu"] = recurrent_program("RNN", {"nonlinearity": "relu", "num_layers": 2}, False)
for packed in (True, False):
    projected = {"proj_size": 2, "num_layers": 2, "bidirectional": True}
    program[f"LSTM_projected{'_packed' * packed}"] = recurrent_program("LSTM", projected, packed)


@program
def second_derivatives(t, nn):
    found = []
    for kind in ("RNN", "LSTM", "GRU"):
        m = getattr(nn, kind)(2, 3, 2, bidirectional=True).double()
        x = t.rand(3, 2, 2, dtype=t.float64, requires_grad=True)
        out, states = m(x)
        first = t.autograd.grad(out.cos().sum() + as_list(states)[0].sum(), [x, *m.parameters()], create_graph=True)
        found += [first, t.autograd.grad(sum((g * g).sum() for g in first), [x, *m.parameters()])]
    return found


@program
def cells(t, nn):
    found = []
    for kind in ("RNNCell", "LSTMCell", "GRUCell"):
        for bias in (True, False):
            m, x = getattr(nn, kind)(4, 3, bias), t.rand(2, 4, requires_grad=True)
            states = m(x)
            for _ in range(3):
                states = m(x, states)
            sum(s.sum() for s in as_list(states)).backward()
            found += [as_list(states), x.grad, state_and_gradients(m), as_list(m(x[0])), as_list(m(x[0], m(x[0])))]
    return [*found, nn.RNNCell(2, 3, nonlinearity="relu")(t.rand(1, 2)), repr(nn.RNNCell(2, 3, nonlinearity="relu"))]


@program
def functions_with_explicit_weights(t, nn):
    x, h = t.rand(2, 3), t.rand(2, 4)
    args = {n: (t.rand(n * 4, 3), t.rand(n * 4, 4), t.rand(n * 4), t.rand(n * 4)) for n in (1, 3, 4)}
    return [
        t.rnn_tanh_cell(x, h, *args[1]),
        t.rnn_relu_cell(x, h, *args[1][:2]),
        t.gru_cell(x, h, *args[3]),
        t.lstm_cell(x, (h, h), *args[4]),
        t.gru(x[:, None], h[:1, None], args[3], True, 1, 0.0, False, False, False),
        t.rnn_tanh(x, t.tensor([1, 1]), h[:1, None], args[1][:2], False, 1, 0.0, False, False),
        t.lstm(x[:, None], (h[:1, None], h[:1, None]), args[4], True, 1, 0.0, False, False, False),
    ]


@program
def weights_replaced(t, nn):
    m = nn.GRU(2, 3)
    m.weight_ih_l0 = nn.Parameter(t.ones(9, 2))
    m.flatten_parameters()
    other = {name: t.zeros_like(p) for name, p in m.named_parameters()}
    return m(t.ones(2, 1, 2)), t.func.functional_call(m, other, t.ones(2, 1, 2)), m.double()(t.ones(2, 1, 2).double())


@program
def weights_written_in_their_list(t, nn):
    """Weight drops and meta-learning write into `_flat_weights` or assign it; a changed parameter ends that."""
    x, found = t.ones(2, 1, 2), []
    for kind in ("RNN", "LSTM", "GRU"):
        m = getattr(nn, kind)(2, 2, bias=False)
        m._flat_weights[1] = m._flat_weights[1] * 0
        found += [
            m(x)[0],
            m(nn.utils.rnn.pack_sequence([x[:, 0]]))[0].data,
            list(m._flat_weights),
            copy.deepcopy(m.weight_hh_l0),
        ]
        m._flat_weights = [w * 0 for w in m._flat_weights]
        found += [m(x)[0], list(m._flat_weights)]
        m.weight_ih_l0 = nn.Parameter(t.ones_like(m.weight_ih_l0))
        found += [m(x)[0], list(m._flat_weights)]
        m._flat_weights = [t.zeros_like(w) for w in m._flat_weights]
        found += [copy.deepcopy(m)(x)[0], pickle.loads(pickle.dumps(m))(x)[0], m(x)[0], m.to(t.float32)(x)[0]]
        m._flat_weights = [t.zeros_like(w) for w in m._flat_weights]
        found += [t.func.functional_call(m, {"weight_hh_l0": t.ones_like(m.weight_hh_l0)}, x)[0], m(x)[0]]
        del m.weight_hh_l0, m.weight_ih_l0
        found += [m(x)[0], list(m._flat_weights)]
    return found


@program
def results_written_in_place(t, nn):
    found = []
    for kind in ("RNN", "GRU"):
        m = getattr(nn, kind)(2, 3, 2)
        out, state = m(t.rand(4, 1, 2))
        out.mul_(2).add_(1)
        state.mul_(3)
        (out.sum() + state.sum()).backward()
        found.append(state_and_gradients(m))
    return found


@program
def settings_by_position(t, nn):
    made = nn.RNN(2, 3, 2, "relu", False, True), nn.LSTM(2, 3, 2, False, True, 0.5, True, 1), nn.GRU(2, 3, 1, True)
    return [(repr(m), m.batch_first, m.mode) for m in made]


# Packed sequences


@program
def packing(t, nn):
    u = nn.utils.rnn
    rows = [t.arange(3.0), t.arange(2.0) + 10, t.ones(1)]
    packed = u.pack_sequence(rows)
    mixed = u.pack_sequence(rows[::-1], enforce_sorted=False)
    return [
        list(packed),
        list(mixed),
        repr(packed),
        u.pad_packed_sequence(mixed),
        u.unpack_sequence(mixed),
        u.pad_sequence(rows).view(-1),  # values in memory order, to compare the layout
        u.pad_sequence(rows, True, -1, "left").view(-1),
        u.unpad_sequence(u.pad_sequence(rows, True), t.tensor([3, 2, 1]), True),
        u.invert_permutation(t.tensor([2, 0, 1])),
        u.invert_permutation(None),
        list(packed.double()),
        packed.to("cpu") is packed,
        packed.cpu() is packed,
        packed.is_cuda,
        list(u.PackedSequence((t.ones(3), t.tensor([2, 1])))),
        list(u.PackedSequence(t.ones(3), t.tensor([2, 1]), t.tensor([1, 0]))),
    ]


@program
def packing_has_gradients(t, nn):
    u = nn.utils.rnn
    rows = [t.rand(n, 2, requires_grad=True) for n in (2, 3, 1)]
    padded, _ = u.pad_packed_sequence(u.pack_sequence(rows, enforce_sorted=False))
    (padded * padded).sum().backward()
    return [x.grad for x in rows]


for label, call in {
    "unsorted": lambda t, u: u.pack_padded_sequence(t.rand(4, 3, 2), [3, 1, 0]),
    "too_few": lambda t, u: u.pack_padded_sequence(t.rand(4, 3, 2), [3, 1]),
    "empty": lambda t, u: u.pack_padded_sequence(t.rand(4, 0, 2), []),
    "total": lambda t, u: u.pad_packed_sequence(u.pack_sequence([t.rand(3)]), total_length=2),
    "none": lambda t, u: u.pad_sequence([]),
    "number": lambda t, u: u.pad_sequence(5),
    "side": lambda t, u: u.pad_sequence([t.ones(2)], padding_side="x"),
    "alone": lambda t, u: u.PackedSequence(t.ones(3)),
}.items():
    program[f"packing_{label}"] = lambda t, nn, call=call: call(t, nn.utils.rnn)


# Errors

for label, call in {
    "mode": lambda t, nn: nn.RNN(2, 3, nonlinearity="x"),
    "projection": lambda t, nn: nn.GRU(2, 3, proj_size=1),
    "projection_too_large": lambda t, nn: nn.LSTM(2, 3, proj_size=3),
    "projection_negative": lambda t, nn: nn.LSTM(2, 3, proj_size=-1),
    "dropout": lambda t, nn: nn.LSTM(2, 3, dropout=2),
    "dropout_of_one_layer": lambda t, nn: repr(nn.LSTM(2, 3, dropout=0.5)),
    "hidden": lambda t, nn: nn.LSTM(2, 0),
    "hidden_of_another_type": lambda t, nn: nn.LSTM(2, 3.0),
    "bias": lambda t, nn: nn.LSTM(2, 3, bias=1),
    "layers": lambda t, nn: nn.LSTM(2, 3, 0),
    "dimensions": lambda t, nn: nn.GRU(2, 3)(t.rand(2)),
    "dtype": lambda t, nn: nn.GRU(2, 3)(t.rand(2, 1, 2).double()),
    "size": lambda t, nn: nn.GRU(2, 3)(t.rand(2, 1, 5)),
    "state": lambda t, nn: nn.GRU(2, 3)(t.rand(2, 1, 2), t.rand(1, 2, 3)),
    "state_dimensions": lambda t, nn: nn.GRU(2, 3)(t.rand(2, 1, 2), t.rand(1, 3)),
    "state_of_one": lambda t, nn: nn.RNN(2, 3)(t.rand(2, 2), t.rand(1, 1, 3)),
    "cell_state": lambda t, nn: nn.LSTM(2, 3)(t.rand(2, 1, 2), (t.rand(1, 1, 3), t.rand(1, 2, 3))),
    "cell_state_dimensions": lambda t, nn: nn.LSTM(2, 3)(t.rand(2, 1, 2), (t.rand(1, 3), t.rand(1, 3))),
    "length": lambda t, nn: nn.LSTM(2, 3)(t.rand(0, 1, 2)),
    "no_batch": lambda t, nn: nn.GRU(2, 3)(t.rand(2, 0, 2)),
    "cell": lambda t, nn: nn.GRUCell(2, 3)(t.rand(2, 1, 2)),
    "cell_of_state": lambda t, nn: nn.LSTMCell(2, 3)(t.rand(2, 2), (t.rand(2, 1, 3), t.rand(2, 3))),
    "cell_size": lambda t, nn: nn.GRUCell(2, 3)(t.rand(2, 5)),
    "cell_batch": lambda t, nn: nn.GRUCell(2, 3)(t.rand(2, 2), t.rand(3, 3)),
    "cell_hidden": lambda t, nn: nn.GRUCell(2, 3)(t.rand(2, 2), t.rand(2, 4)),
    "one_state": lambda t, nn: t.lstm_cell(t.rand(2, 2), (t.rand(2, 3),), t.rand(12, 2), t.rand(12, 3)),
}.items():
    program[f"wrong_{label}"] = call

# Programs whose error messages say more than PyTorch's.
OTHER_MESSAGES = {"packing_unsorted", "wrong_dimensions"}
