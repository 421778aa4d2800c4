"""`tape.replay` and `tape.gradient`: other inputs, parameters, dtypes and edits; what a tape keeps alive."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.errors import MicrogadError
from microgad.graph import Tape
from microgad.utils.checkpoint import checkpoint


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2))


def test_replay_with_other_inputs_repeats_the_random_draws(model):
    x, z = torch.rand(5, 3), torch.rand(5, 3)
    torch.manual_seed(1)
    tape = torch.trace(model, x)
    torch.manual_seed(1)
    expected = model(z)
    np.testing.assert_array_equal(
        tape.replay(inputs={"input": z}).results[0].detach().numpy(), expected.detach().numpy()
    )


def test_replay_with_other_parameters_and_dtypes(model):
    x = torch.rand(5, 3)
    model.eval()
    tape = torch.trace(model, x)
    other = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.5), nn.Linear(4, 2)).eval()
    np.testing.assert_array_equal(tape.replay(params=other).results[0].detach().numpy(), other(x).detach().numpy())
    double = tape.replay(dtype="float64").results[0]
    np.testing.assert_allclose(double.detach().numpy(), model.double()(x.double()).detach().numpy(), rtol=1e-15)


def test_replay_with_edited_results(model):
    tape = torch.trace(model.eval(), torch.rand(5, 3))
    zeroed = tape.replay(edits={"Tanh": 0.0}).results[0]
    np.testing.assert_array_equal(zeroed.detach().numpy(), np.tile(model[3].bias.detach().numpy(), (5, 1)))
    scaled = tape.replay(edits={("Linear", 0): lambda y: y * 2, "1": torch.ones(5, 4)})
    assert scaled[("Linear", 0)].tolist() == (2 * tape.replay()[("Linear", 0)]).tolist()
    scaled.results[0].sum().backward()
    assert scaled.sources["0.weight"].grad is None  # its result was replaced
    assert scaled.sources["3.weight"].grad.tolist() == [[5.0] * 4] * 2
    with pytest.raises(MicrogadError, match="a result of shape"):
        tape.replay(edits={"Tanh": torch.ones(3)})
    with pytest.raises(MicrogadError, match="no source named 'x'; it has"):
        tape.replay(inputs={"x": 1})
    with torch.record(replay=True) as nameless:
        pass
    with pytest.raises(MicrogadError, match="it has none with a name"):
        nameless.replay(inputs={"x": 1})


def test_gradient_of_any_result_with_respect_to_any_value(model):
    x = torch.rand(5, 3)
    tape = torch.trace(model.eval(), x)
    z = model[0](x).detach().requires_grad_()
    expected = torch.autograd.grad(model[1:](z).sum(), z)[0]
    np.testing.assert_array_equal(tape.gradient(("Linear", 1), ("Linear", 0)).numpy(), expected.numpy())
    x.requires_grad_()
    expected = torch.autograd.grad(model(x).sum(), x)[0]
    np.testing.assert_array_equal(tape.gradient("Linear", "input").numpy(), expected.numpy())
    seed = torch.rand(5, 2)
    expected = torch.autograd.grad(model(x), model[0].weight, seed)[0]
    np.testing.assert_array_equal(tape.gradient("Linear", "0.weight", grad=seed).numpy(), expected.numpy())
    with pytest.raises(MicrogadError, match="doesn't depend on"):
        tape.gradient(("Linear", 0), "Tanh")


def test_gradient_of_operations_recorded_under_no_grad_with_in_place_writes():
    with torch.no_grad(), torch.record(replay=True) as tape:
        y = torch.tensor([1.0, 2.0]) * 3
        y.mul_(y).add_(1)
        y.sum()
    assert tape.gradient("Sum", ("Mul", 0)).tolist() == [6.0, 12.0]
    assert tape.gradient("Sum", tape.sources[0].number).tolist() == [18.0, 36.0]


def test_a_computed_leaf_that_requires_grad_afterwards():
    x = torch.ones(3)
    with torch.record(replay=True) as tape:
        y = (x * 2).requires_grad_()
        (y * y).sum().backward()
        with torch.no_grad():
            y -= y.grad
        (y * 3).sum().backward()
    assert tape.verify()
    assert [source.kind for source in tape.sources][:2] == ["constant", "leaf"]


def test_optimizer_steps_between_backward_passes_replay():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    with torch.record(replay=True, params=model) as tape:
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(1, 2)).exp().sum().backward()
            optimizer.step()
    assert tape.verify()
    assert Tape.from_json(tape.to_json()).verify()


def test_a_write_through_a_view_that_makes_its_base_require_grad_replays():
    x, w = torch.ones(3), torch.tensor(2.0, requires_grad=True)
    with torch.record(replay=True) as tape:
        x[1:].mul_(w)
        x.sum().backward()
    assert tape.verify()


def test_checkpoints_and_second_derivatives_replay():
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.Tanh())
    x = torch.rand(2, 3, requires_grad=True)
    with torch.record(replay=True) as tape:
        checkpoint(inner, x, use_reentrant=False).sum().backward()
    assert tape.verify()
    with torch.record(replay=True) as tape:
        (g,) = torch.autograd.grad((inner(x) ** 3).sum(), x, create_graph=True)
        (g * g).sum().backward()
    assert tape.verify()
    assert Tape.from_json(tape.to_json()).verify()


LEVELS = {"nothing": {}, "stats": {"stats": True}, "source": {"source": True}, "time": {"time": True}}


def held(**level):
    """The tape of a recorded program, and weak references to the arrays of all its Tensors."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(0.5), nn.Flatten())
    x = torch.rand(2, 1, 5, 5)
    results = []
    with torch.record(**level) as tape:
        for layer in model:
            x = layer(x)
            results.append(x)
        x.sum().backward()
    tensors = [*results, *model.parameters(), *(p.grad for p in model.parameters()), *model.buffers()]
    return tape, [weakref.ref(t.array) for t in tensors]


def alive(arrays):
    gc.collect()
    return sum(ref() is not None for ref in arrays)


@pytest.mark.parametrize("level", LEVELS)
def test_a_tape_without_values_holds_no_array(level):
    tape, arrays = held(**LEVELS[level])
    assert alive(arrays) == 0
    assert len(tape) >= 6


@pytest.mark.parametrize("level", [{"values": True}, {"replay": True}, {"values": True, "replay": True, "stats": True}])
def test_recorded_values_are_copies_of_the_arrays(level):
    tape, arrays = held(**level)
    assert alive(arrays) == 0
    copies = [y for op in tape for y in op.values or ()] + [s.array for s in tape.sources if s.array is not None]
    refs = [weakref.ref(y) for y in copies]
    assert refs
    del tape, copies
    assert alive(refs) == 0


def test_a_tape_of_a_graph_holds_neither_nodes_nor_arrays():
    x = torch.rand(3, requires_grad=True)
    y = (x.exp() * x).sum()
    tape = y.graph().tape
    refs = [weakref.ref(x.array), weakref.ref(y.array), weakref.ref(y.node)]
    del x, y
    assert alive(refs) == 0
    assert len(tape) == 3


def tape_of_a_write():
    x = torch.ones(2)
    with torch.record(replay=True, params={"x": x}) as tape:
        x.add_(1)
        x * torch.full((2,), 3.0)
    return tape


def test_replay_does_not_write_to_its_inputs():
    tape, given = tape_of_a_write(), torch.zeros(2)
    assert tape.replay(inputs={"x": given}).results[0].tolist() == [3.0, 3.0]
    assert given.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("given", [[1.0, 2.0], np.array([1.0, 2.0]), (1, 2), torch.tensor([1.0, 2.0])])
def test_inputs_of_a_replay_are_cast_to_the_recorded_dtype(given):
    (found,) = tape_of_a_write().replay(inputs={"x": given}).results
    assert found.dtype == torch.float32
    assert found.tolist() == [6.0, 9.0]


def test_inputs_that_the_recorded_dtype_cannot_hold_are_refused():
    with torch.record(replay=True, params={"n": (n := torch.tensor([0, 1]))}) as tape:
        n * 2
    with pytest.raises(TypeError, match="same_kind"):
        tape.replay(inputs={"n": [0.5, 1.0]})
    with pytest.raises(TypeError, match="expected a floating-point or complex dtype, got int64"):
        tape.replay(dtype=torch.int64)


def test_gradient_refuses_unknown_keyword_arguments():
    tape = torch.trace(lambda x: (x * 3).exp().sum(), torch.zeros(2))
    with pytest.raises(TypeError, match="inptus"):
        tape.gradient("Sum", "Mul", inptus={})
    assert tape.gradient("Exp", "Mul", grad=[1, 2]).tolist() == [1.0, 2.0]


def test_parameters_that_the_tape_does_not_read_are_ignored():
    class Branched(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.other = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            return self.used(x)

    x, mine, theirs = torch.ones(1, 2), Branched(), Branched()
    tape = torch.trace(mine, x)
    assert tape.replay(params=theirs).results[0].tolist() == theirs(x).tolist()
    with pytest.raises(MicrogadError, match="no source named 'weight'"):
        tape.replay(params=nn.Linear(2, 2))


def test_gradients_of_a_program_that_writes_to_its_parameters():
    w, x = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3.0, 5.0])
    with torch.record(replay=True, params={"w": w, "x": x}) as tape:
        (w * w * x).sum().backward()
        with torch.no_grad():
            w -= 0.5 * w
        (w * w).sum()
    assert tape.gradient("Sum", "w").tolist() == [0.5, 1.0]  # of (w / 2)²
    assert tape.gradient(("Sum", 0), "x").tolist() == [1.0, 4.0]


def test_a_name_stands_for_every_value_that_came_from_outside():
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.record(replay=True, params={"w": w}) as tape:
        y = w * 2
        w.data = torch.tensor([5.0, 7.0])
        w + y
    assert tape.replay().results[0].tolist() == [7.0, 11.0]
    assert tape.replay(inputs={"w": [10.0, 20.0]}).results[0].tolist() == [30.0, 60.0]


V = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
TABLE = torch.arange(12.0).reshape(4, 3).requires_grad_()
ROWS = torch.arange(4.0)[:, None]
OFF_THE_TAPE = {  # programs that read arrays which no operation on the tape computes
    "max": lambda h: h.max(1)[0],
    "indices of min": lambda h: h.min(1)[1] * 2,
    "sort": lambda h: h.sort(0)[0] * ROWS,
    "topk": lambda h: h.topk(1)[0],
    "kthvalue": lambda h: h.kthvalue(2)[0],
    "median": lambda h: h.median(0)[0],
    "mode": lambda h: h.mode(0)[0],
    "quantile": lambda h: h.quantile(0.3),
    "argmax": lambda h: h.gather(1, h.argmax(1, keepdim=True)),
    "argsort": lambda h: TABLE[h[:, 0].argsort()],
    "a number of an index": lambda h: TABLE[h[:, 0].argmax()],
    "mask": lambda h: h[h > 0].sum(),
    "masked_fill": lambda h: TABLE.masked_fill(h[:, :1] > 0, 0.0),
    "in place": lambda h: h.clone().masked_fill_(h > 0, 7.0),
    "assignment": lambda h: assigned(h.clone(), h > 0),
    "embedding": lambda h: nn.functional.embedding((h > 0).long(), TABLE),
    "one_hot": lambda h: nn.functional.one_hot((h[:, 0] > 0).long(), 2) * h[:, :1],
    "bucketize": lambda h: TABLE[torch.bucketize(h[:, 0].contiguous(), torch.tensor([-1.0, 0.0, 1.0]))],
    "scatter": lambda h: torch.zeros(4, 3).scatter(1, h.argsort(1), TABLE),
    "index_add_": lambda h: torch.zeros(4, 3).index_add_(0, h[:, 0].argsort(), TABLE),
    "multinomial": lambda h: h[torch.multinomial(h.softmax(1), 1).flatten()],
    "bernoulli": lambda h: h * torch.bernoulli(h.sigmoid()),
    "bernoulli_": lambda h: h * torch.empty(4, 3).bernoulli_(h.sigmoid().detach()),
    "dropout": lambda h: nn.functional.dropout(h.sort(1)[0]),
    "attention": lambda h: attended(h),
    "second derivative of max": lambda h: penalty(lambda w: (h * w).max(1)[0].sum()),
    "second derivative of a mask": lambda h: penalty(lambda w: ((h * w)[h > 0] ** 2).sum()),
    "second derivative of a pool": lambda h: penalty(lambda w: nn.functional.max_pool1d((h * w)[None], 2).exp().sum()),
    "derivative of constants": lambda h: penalty(lambda w: ((h * 2) * w).sum()),
    "second derivative of cross_entropy": lambda h: penalty(lambda w: nn.functional.cross_entropy(h * w, h.argmax(1))),
    "steps with cross_entropy": lambda h: stepped(h, h.argmax(1)),
    "second derivative of logsumexp": lambda h: penalty(lambda w: (h * w).logsumexp(1).sum()),
    "second derivative of distances": lambda h: penalty(lambda w: torch.cdist(h * w, h).exp().sum()),
    "where": lambda h: h + torch.where(h > 0)[0].sum(),
    "a new leaf": lambda h: (h * 2).detach().requires_grad_().exp() * torch.arange(3.0),
    "a parameter": lambda h: nn.Parameter(h * 2).exp() * torch.arange(3.0),
    "a view that is written to": lambda h: through_a_view(lambda x: x.add_(h)).sort(0)[0] * ROWS,
    "a view that a Function marks dirty": lambda h: through_a_view(lambda x: Adding.apply(h, x)).argsort(0) * ROWS,
    "step of meta-learning": lambda h: penalty(lambda w: ((h @ w - h[:, 0] * 2) ** 2).mean()),
}


class Adding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h, total):
        ctx.mark_dirty(total)
        total += h
        return h * 2, total

    @staticmethod
    def backward(ctx, grad, grad_total):
        return grad * 2 + grad_total, grad_total


def through_a_view(write):
    total = torch.zeros(4, 3) * 1.0
    view = total[:]
    write(total)
    return view


def assigned(h, mask):
    h[mask] = 5.0
    return h


def attended(h):
    h = h[:, None]  # one Tensor, which is projected at once
    weights = TABLE.detach().reshape(-1)[:9, None] * torch.ones(3)
    return nn.functional.multi_head_attention_forward(
        h, h, h, 3, 1, weights, None, None, None, False, 0.5, torch.eye(3), None
    )[0]


def penalty(loss):
    (g,) = torch.autograd.grad(loss(V), V, create_graph=True)
    return (V - 0.1 * g) * g


def stepped(h, target):
    w = V
    for _ in range(2):
        (g,) = torch.autograd.grad(nn.functional.cross_entropy(h * w, target), w, create_graph=True)
        w = w - g
    return h * w


def recorded_run(program, x, **options):
    torch.manual_seed(1)
    with torch.record(params={"x": x, "v": V, "table": TABLE}, replay=True, **options) as tape:
        program(x * 3).sum()
    return tape


def assert_same(found, expected):
    assert [x.shape for x in found] == [x.shape for x in expected]
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x.detach().cpu().numpy(), y.detach().cpu().numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OFF_THE_TAPE)
def test_arrays_that_were_computed_off_the_tape_are_computed_again(name):
    """With another input, with an edit, in float64, and after JSON a replay gives what the program does."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=12).astype(np.float32)
    x, y = (torch.tensor(z.reshape(4, 3)) for z in (x, rng.permutation(x)))  # a mask has as many elements
    program = OFF_THE_TAPE[name]
    tape = recorded_run(program, x)
    assert tape.verify()
    expected = recorded_run(program, y).replay().results
    assert_same(tape.replay(inputs={"x": y}).results, expected)
    assert_same(tape.replay(edits={("Mul", 0): y * 3}).results, expected)
    assert_same(Tape.from_json(tape.to_json()).replay(inputs={"x": y.cpu()}).results, expected)
    assert_same(tape.replay(dtype="float64").results, tape.replay().results)


def test_gradients_at_other_values_of_programs_that_choose_elements():
    x = torch.tensor([[1.0, 5.0], [2.0, 3.0]])
    tape = recorded_run(lambda h: h.max(1)[0], x)
    assert tape.gradient("Sum", "Mul").tolist() == [[0, 1], [0, 1]]
    assert tape.gradient("Sum", "Mul", inputs={"x": -x}).tolist() == [[1, 0], [1, 0]]


def test_gradients_of_programs_that_differentiate():
    x, factors = torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([1.0, 2.0, 3.0], requires_grad=True)

    def program(h):
        (g,) = torch.autograd.grad((h * V).logsumexp(1).sum(), V, create_graph=True)
        return g * factors

    tape = recorded_run(program, x)
    expected = recorded_run(program, -x).gradient("Sum", "v")
    assert_same([tape.gradient("Sum", "v", inputs={"x": -x})], [expected])
    with pytest.raises(MicrogadError, match=r"derivative of LogSumExp depends on .*: LogSumExp makes no graph here"):
        tape.gradient("Sum", ("Mul", -1), inputs={"x": -x})


def test_a_replay_in_another_dtype_keeps_the_precision_of_derivatives():
    x = torch.tensor([1 / 3])
    with torch.record(params={"x": x, "v": V}, replay=True) as tape:
        (g,) = torch.autograd.grad((x * 0.7 * V).sum(), V, create_graph=True)
        (g * V).sum()
    first, second = (y.item() for y in tape.replay(dtype="float64").results)
    assert second == pytest.approx(first, rel=1e-15)
    cast = torch.trace(lambda x: (x > 0).float(), torch.ones(2))
    assert cast.replay(dtype="float64").results[0].dtype == torch.float64


def test_replays_that_can_not_be_right_are_refused():
    x = torch.tensor([[1.0, -5.0], [2.0, 3.0]])
    tape = recorded_run(lambda h: h[h > 0].mean(), x)
    with pytest.raises(MicrogadError, match=r"GetItem has a result of shape \(4,\) here, and had \(3,\).*Mul"):
        tape.replay(inputs={"x": x.abs()})
    drawn = torch.Generator().manual_seed(0)
    tape = recorded_run(lambda h: h * torch.bernoulli(h.sigmoid(), generator=drawn), x)
    with pytest.raises(MicrogadError, match=r"bernoulli\(\) depends on Sigmoid.*Generator"):
        tape.replay(inputs={"x": -x})
    tape.replay()


@pytest.mark.parametrize("name", ["grad", "backward", "func", "sorted"])
def test_replays_warn_of_gradients_that_are_not_on_the_tape(name):
    """They depend on the values that are replaced, but keep those of the recording."""

    def program(h):
        leaf = h.detach().requires_grad_()
        if name == "func":
            return torch.func.grad(lambda z: (z**3).sum())(h) * 2
        if name == "backward":
            (leaf**3).sum().backward()
            return h + leaf.grad.sign()
        (g,) = torch.autograd.grad((leaf**3).sum(), leaf)
        return h * g if name == "grad" else g.sort()[0]

    x = torch.tensor([1.0, -2.0, 3.0])
    tape = recorded_run(program, x)
    assert tape.verify()
    for found, given in ((tape, -x), (Tape.from_json(tape.to_json()), -x.cpu())):
        with pytest.warns(UserWarning, match="gradient of Sum from a backward pass without create_graph"):
            found.replay(inputs={"x": given})
        assert_same(found.replay(dtype="float64").results, found.replay().results)


def test_edits_inside_a_function_that_is_called_again():
    tape = recorded_run(attended, torch.ones(4, 3))
    expected = tape.replay().results
    for number in [op.number for op in tape if op.dtypes == ["float32"]]:
        assert_same(tape.replay(edits={number: lambda y: y + y - y}).results, expected)


def test_edits_of_a_write_to_a_leaf_change_what_reads_it_later():
    def program(h):
        w = torch.zeros(4, 3, requires_grad=True)
        with torch.no_grad():
            w.add_(h)
        return w.argsort(0) * ROWS

    x = torch.arange(12.0).reshape(4, 3)
    tape, expected = recorded_run(program, x), recorded_run(program, -x).replay().results[-1]
    assert tape.replay(edits={("Add", 0): -x}).results[-1] == expected != tape.replay().results[-1]
