"""`record` and `trace`: the operations, sources, names, values and flops that they write on a tape."""

from __future__ import annotations

import copy
import gc
import inspect
import math
import sys
import weakref

import numpy as np
import pytest

import microgad as torch
from microgad import nn
from microgad.errors import MicrogadError
from microgad.grad_fn.saved_settings import SETTINGS
from microgad.grad_fn.torch_names import COMPOSITES, VARIANTS, key, snake
from microgad.graph.drawing.dot import _VIEWS, is_view
from microgad.graph.drawing.sketch import _RESIDUAL_JOINS
from microgad.graph.flops import MOVES, RULES, flops_of
from microgad.graph.formulas import function_names, loaded
from microgad.graph.queries.gradient_path import FLAT


def names(tape):
    return [op.name for op in tape]


def test_operations_without_gradients_are_recorded_too():
    x = torch.arange(6)
    with torch.record() as tape:
        (x > 2).sum()
        with torch.no_grad():
            torch.ones(2, requires_grad=True).exp()
    assert tape.op(-1).shapes == [(2,)]
    assert not tape.op(-1).kept


def test_the_tape_grows_with_each_operation_until_the_block_ends():
    x = torch.ones(2)
    with torch.record() as tape:
        x = x * 2
        assert names(tape) == ["Mul"]
    x.exp()
    assert names(tape) == ["Mul"]


def test_record_restores_no_other_state_and_blocks_may_end_in_any_order():
    first, second = torch.record(), torch.record()
    mine, other = first.__enter__(), second.__enter__()
    torch.set_grad_enabled(False)
    try:
        torch.ones(2).exp()
        first.__exit__()
        assert not torch.is_grad_enabled()
        torch.ones(2).sin()
        second.__exit__()
        torch.ones(2).cos()
    finally:
        torch.set_grad_enabled(True)
    assert (names(mine), names(other)) == (["Exp"], ["Exp", "Sin"])


def test_inputs_name_the_operations_and_sources_they_come_from():
    a, b = torch.ones(2), torch.ones(2, requires_grad=True)
    with torch.record() as tape:
        c = a * b
        d = c + c
    mul, add = tape
    assert [tape[x.source].kind for x in mul.inputs] == ["constant", "leaf"]
    assert [x.source for x in add.inputs] == [mul.number] * 2
    assert [(result.source, result.shape) for result in tape.results] == [(add.number, tuple(d.shape))]


def test_results_are_what_no_operation_read_without_running_statistics():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.ReLU())
    with torch.record() as tape:
        model(torch.randn(4, 2))
    assert [tape[result.source].name for result in tape.results] == ["Relu"]
    x = torch.ones(2)
    with torch.record() as tape:
        x.mul_(2.0)
    assert [tape[result.source].name for result in tape.results] == ["Mul"]


def test_a_python_number_is_recorded_as_a_value():
    with torch.record() as tape:
        torch.ones(2) * 3.0
    assert tape.op(0).inputs[1].value == 3.0


def test_nested_blocks_both_record():
    with torch.record() as outer:
        torch.ones(1).exp()
        with torch.record() as inner:
            torch.ones(1).log()
    assert names(outer) == ["Exp", "Log"]
    assert names(inner) == ["Log"]


def test_calls_of_a_module_are_counted():
    relu = nn.ReLU()
    model = nn.Sequential(relu, nn.Tanh(), relu)
    with torch.record() as tape:
        model(torch.ones(1))
        model(torch.ones(1))
    assert [(op.path, op.call) for op in tape] == [("0", 0), ("1", 0), ("0", 1), ("0", 2), ("1", 1), ("0", 3)]


def test_detach_is_an_operation_on_the_tape():
    x = torch.ones(2, requires_grad=True)
    with torch.record() as tape:
        y = (x * 2).detach() * x
    assert names(tape) == ["Mul", "Detach", "Mul"]
    assert tape.op(1).layouts == ["view"]
    assert tape.op(2).inputs[0].source == tape.op(1).number
    assert y.requires_grad


def test_an_unrecorded_write_makes_a_new_source():
    x = torch.ones(2)
    with torch.record(replay=True) as tape:
        x.exp()
        x.array[0] = 5.0
        x._bump()  # as an optimizer does
        x.exp()
    first, second = (tape[op.inputs[0].source] for op in tape)
    assert first.array.tolist() == [1.0, 1.0]
    assert second.array.tolist() == [5.0, 1.0]


def test_a_parameter_that_an_optimizer_steps_counts_once():
    layer, x = nn.Linear(4, 1), torch.ones(2, 4)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    with torch.record(params=layer) as tape:
        for _ in range(3):
            layer(x).sum().backward()
            optimizer.step()
    assert repr(tape).startswith("<Tape: 6 operations, 5 parameters in 2 arrays; ")
    weights = [source for source in tape.sources if source.name == "weight"]
    assert [source.version for source in weights] == [1, 2, 3]
    for label in ("weight", "weight, version 2", "bias, version 3"):
        assert tape.draw().mermaid.count(f'("{label}")') == 1
    assert [source.version for source in torch.graph.Tape.from_json(tape.to_json()).sources] == [1, 1, 1, 2, 2, 3, 3]


def test_each_value_of_a_stepped_leaf_has_its_own_gradient():
    w = torch.tensor(1.0, requires_grad=True)
    optimizer = torch.optim.SGD([w], 0.125)
    with torch.record(params={"w": w}) as tape:
        for _ in range(2):
            optimizer.zero_grad()
            ((2 * w - 1) ** 2).backward()  # its gradient is 8w - 4
            optimizer.step()
        (w * 2).item()
    assert [x.gradient and x.gradient.mean for x in tape.sources] == [4.0, 0.0, None]


@pytest.mark.parametrize("kind", [torch.Tensor, nn.Parameter])
def test_a_leaf_that_a_step_by_hand_writes_to_stays_a_leaf(kind):
    """The next step's gradient goes to the leaf, and not to the write."""
    w = kind(torch.ones(3)).requires_grad_()
    with torch.record(replay=True, params={"w": w}) as tape:
        for _ in range(2):
            (w * w).sum().backward()
            with torch.no_grad():
                w -= 0.1 * w.grad
    write = tape["Sub"][0]
    assert [(x.source, x.written, x.wanted) for x in tape["Mul", 2].inputs] == [(w.node.number, write.number, True)] * 2
    assert 'source0 -->|"(3,)"| op4' in tape.draw().mermaid
    assert tape.verify()
    assert tape.replay()["w"].tolist() == w.tolist()
    with pytest.warns(UserWarning, match="reads a gradient of Sum"):
        edited = tape.replay(edits={write.number: torch.tensor([1.0, 2.0, 3.0])})
    assert [edited["Sum", i].item() for i in range(2)] == [3, 14]
    assert ("used 6×" in tape.draw().source) == (kind is nn.Parameter)


def test_views_read_the_result_of_a_write_to_their_base():
    x = torch.ones(3)
    with torch.record(replay=True) as tape:
        view = x[1:]
        x.mul_(2.0)
        y = view + 1
    assert names(tape) == ["GetItem", "Mul", "Add"]
    assert tape.op(2).inputs[0].source == tape.op(0).number
    assert tape.replay().results[-1].tolist() == y.tolist() == [3.0, 3.0]


def test_values_are_copies_and_lines_are_those_of_the_program():
    with torch.record(values=True, source=True) as tape:
        x = torch.ones(2) * 2
        x.mul_(0.0)
    assert tape.op(0).values[0].tolist() == [2.0, 2.0]
    assert "test_recording.py" in tape.op(0).line


def test_times_and_statistics_of_forward_and_backward():
    x = torch.tensor([1.0, -1.0, 0.0], requires_grad=True)
    with torch.record(stats=True, time=True) as tape:
        x.relu().sum().backward()
    relu, total = tape
    assert (relu.stats[0].minimum, relu.stats[0].maximum) == (0.0, 1.0)
    assert relu.stats[0].zeros == pytest.approx(2 / 3)
    assert relu.gradients[0].mean == 1.0
    assert tape.sources[0].gradient.maximum == 1.0
    assert total.seconds > 0
    assert relu.backward_seconds > 0


def test_flops_of_convolutions_products_and_recurrent_layers():
    def flops(function, *shapes):
        with torch.record() as tape:
            function(*(torch.ones(*shape) for shape in shapes))
        return sum(op.flops for op in tape)

    F = nn.functional
    for n in (1, 2, 3):
        size = (2, 3, *[5] * n)
        assert flops(getattr(F, f"conv{n}d"), size, (4, 3, *[3] * n)) == 2 * (2 * 4 * 3**n) * (3 * 3**n)
        assert flops(getattr(F, f"conv_transpose{n}d"), size, (3, 4, *[3] * n)) == 2 * (2 * 3 * 5**n) * (4 * 3**n)
        bias = 2 * 4 * 7**n
        with_bias = flops(getattr(F, f"conv_transpose{n}d"), size, (3, 4, *[3] * n), (4,))
        assert with_bias == flops(getattr(F, f"conv_transpose{n}d"), size, (3, 4, *[3] * n)) + bias
    attention = flops(F.scaled_dot_product_attention, (2, 3, 4), (2, 5, 4), (2, 5, 7))
    assert attention == 2 * (3 * 5) * (2 * 4 + 2 * 7 + 5)
    assert flops(lambda a, b: torch.einsum("bij,bjk->bik", a, b), (2, 3, 4), (2, 4, 5)) == 2 * 2 * 3 * 4 * 5
    assert flops(lambda a, b: torch.tensordot(a, b, 1), (3, 4), (4, 5)) == 2 * 3 * 4 * 5
    assert flops(torch.dot, (5,), (5,)) == 10
    for gates, layer in ((1, nn.RNN), (3, nn.GRU), (4, nn.LSTM)):
        assert flops(layer(3, 6), (5, 2, 3)) == 5 * 2 * gates * 6 * (2 * (3 + 6) + 2)
    with torch.profiler.profile(with_flops=True) as seen:
        torch.einsum("ij,kj->ik", torch.ones(3, 4), torch.ones(5, 4))
    assert sum(event.flops for event in seen.events()) == 2 * 3 * 4 * 5


def test_flops_of_operations_on_a_tape():
    with torch.record() as tape:
        nn.Conv2d(3, 8, 3)(torch.ones(2, 3, 6, 6))
        torch.ones(4, 5) @ torch.ones(5, 6)
        torch.ones(7).exp().reshape(7, 1)
    n = 2 * 8 * 4 * 4
    assert [op.flops for op in tape] == [2 * n * 27 + n, 2 * 4 * 5 * 6, 7, 0]


def test_operations_that_only_move_values_have_no_flops():
    x = torch.rand(1, 4, 2, 2, dtype=torch.complex64)
    with torch.record() as tape:
        x.index_select(1, torch.tensor([0, 2])).real.contiguous()
        torch.nn.functional.pixel_shuffle(x.abs(), 2)
    assert {op.name: op.flops for op in tape if op.flops} == {"Abs": 16}
    assert {"IndexSelect", "Real", "Shuffle"} <= {op.name for op in tape}


def test_tables_of_operations_name_only_existing_functions():
    names = {*function_names()}
    tables = (MOVES, RULES, FLAT, _VIEWS, _RESIDUAL_JOINS, VARIANTS)
    assert [name for table in tables for name in table if name not in names] == []
    said = {cls.__name__: vars(cls) for cls in loaded() if key(cls)}
    assert [name for name, facts in said.items() if facts.get("operator") == snake(name)] == []  # it needn't be said
    assert [name for name, facts in said.items() if "node_name" in facts and name in VARIANTS] == []
    modules = [vars(module).values() for name, module in [*sys.modules.items()] if name.startswith("microgad.")]
    functions, composites = [f for values in modules for f in values if inspect.isfunction(f)], set()
    for f in functions:
        if f.__code__ is torch.block_diag.__code__:  # that of all composites
            composites.add(f.__name__)
        functions += filter(None, [getattr(f, "__wrapped__", None)])
    assert [name for name in COMPOSITES if name not in composites] == []


def test_the_tables_say_nothing_of_a_programs_own_functions():
    methods = {"forward": lambda self, x: x * 2, "grad_x": lambda self, grad: grad * 2}

    def check(name, base=torch.Function, **attributes):
        x, function = torch.ones(3, requires_grad=True), type(name, (base,), methods | attributes)
        with torch.record(stats=True, params={"x": x}) as tape, torch.profiler.profile(with_flops=True) as prof:
            y = function.apply(x)
            y.sum().backward()
        assert next(event.flops for event in prof.events() if event.name == name) == 3
        assert (tape.op(0).flops, tape.op(0).own, tape.op(1).own) == (3, True, False)
        assert not tape.why_no_grad("x")
        assert not is_view(y.graph().tape.op(0))
        assert y.grad_fn.name() == (name if "Backward" in name else f"{name}Backward0")
        assert [len(y.grad_fn.next_functions), *[n for n in dir(y.grad_fn) if n.startswith("_saved_")]] == [1]

    for name in {*MOVES, *RULES, *FLAT, *VARIANTS, *SETTINGS}:
        check(name)
    check("Mine", operator="relu", node_name="Relu", saved_names={"other": "x"})
    for base in (cls for cls in [*loaded()] if cls.__name__ in ("Dropout", "LogNdtr")):
        check(f"My{base.__name__}", base)
    gc.collect()  # or other tests would find these classes by their names
    assert all(cls.__module__ != __name__ for cls in loaded())


def test_flops_of_graphs_whose_nodes_kept_only_some_inputs():
    """A node knows an input without gradient only if it keeps it, and only until backward frees it."""
    F = nn.functional
    y = F.linear(torch.ones(2, 3), torch.ones(4, 3), torch.ones(4, requires_grad=True))
    assert y.graph().tape.table(width=200).rows == [["Linear", "", "(2, 4)", "0 B", "0"]]

    def known(function, *shapes):
        """How often the flops are known, with gradients for one input at a time, before backward and after."""
        with torch.record() as tape:
            function(*(torch.ones(*shape) for shape in shapes))
        found = []
        for wanted in range(len(shapes)):
            y = function(*(torch.ones(*shape, requires_grad=i == wanted) for i, shape in enumerate(shapes)))
            found.append(flops_of(y.graph().tape.op(0)))
            y.sum().backward()
            found.append(flops_of(y.graph().tape.op(0)))
        whole, results = tape.op(0).flops, math.prod(tape.op(0).shapes[0])
        assert set(found) <= {whole, whole - results, None}  # an unknown bias counts as none
        return sum(x is not None for x in found)

    assert known(F.linear, (2, 3), (4, 3), (4,)) == 4
    assert known(torch.matmul, (2, 3), (3, 4)) == 4
    assert known(torch.dot, (3,), (3,)) == 4
    assert known(lambda a, b: torch.einsum("bij,bjk->bik", a, b), (2, 3, 4), (2, 4, 5)) == 4
    assert known(F.conv2d, (2, 3, 5, 5), (4, 3, 3, 3), (4,)) == 4
    assert known(F.conv_transpose2d, (2, 3, 5, 5), (3, 4, 3, 3), (4,)) == 2
    assert known(F.scaled_dot_product_attention, *[(2, 3, 4)] * 3) >= 4


def test_params_names_the_parameters_of_a_model():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with torch.record(params=model) as tape:
        model(torch.ones(1, 2))
    assert [s.name for s in tape.sources if s.kind == "parameter"] == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_a_tape_is_indexed_by_name_path_and_number():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    tape = torch.trace(model, torch.ones(1, 2))
    assert [op.path for op in tape["Linear"]] == ["0", "2"]
    assert tape["Linear", 1] is tape.op(2)
    assert tape["1"] == [tape.op(1)]
    assert tape["2.weight"].kind == "parameter"
    assert tape[tape.op(1).number] is tape.op(1)
    with pytest.raises(KeyError, match="nothing on the tape has the number -99; for a position, use"):
        tape[-99]
    with pytest.raises(KeyError, match="no operation, module or source is named 'Linaer'; there is Linear"):
        tape["Linaer"]


def test_trace_of_a_matrix_is_the_sum_of_its_diagonal():
    assert torch.trace(torch.tensor([[1, 2], [3, 4]])).item() == 5
    with pytest.raises(MicrogadError, match="expected a module, a function or a matrix, got int"):
        torch.trace(3)


@pytest.mark.parametrize("level", [{}, {"stats": True, "time": True, "source": True}])
def test_a_tape_without_values_keeps_no_array_alive(level):
    x = torch.ones(4, requires_grad=True)
    with torch.record(**level) as tape:
        y = (x * 2).exp()
        y.sum().backward()
        arrays = [weakref.ref(t.array) for t in (x, y, x.grad)]
        del x, y
    gc.disable()
    try:
        assert [ref() for ref in arrays] == [None] * 3
    finally:
        gc.enable()
    assert len(tape) == 3


def test_arrays_of_sources_are_kept_only_with_replay():
    noise = torch.randn(3)
    with torch.record() as tape:
        noise.exp()
    assert tape.sources[0].array is None
    with pytest.raises(MicrogadError, match="recorded without replay=True"):
        tape.replay()


def test_an_operation_that_fails_is_not_on_the_tape():
    with torch.record() as tape, pytest.raises(MicrogadError):
        torch.ones(2) + torch.ones(3)
    assert len(tape) == 0


def test_an_autograd_function_is_one_operation():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            return 2 * grad * ctx.saved_tensors[0]

    x = torch.ones(2, requires_grad=True)
    with torch.record(replay=True) as tape:
        y = Square.apply(x).sum()
    assert names(tape) == ["Square", "Sum"]
    with torch.record(replay=True) as tape:
        Square.apply(x).sum().backward()
    assert names(tape)[:2] == ["Square", "Sum"]
    assert tape.verify()
    assert np.isfinite(y.item())


@pytest.mark.parametrize("requires_grad", [False, True])
def test_an_autograd_function_may_write_to_its_input_and_return_it(requires_grad):
    class Doubled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        @staticmethod
        def backward(ctx, grad):
            return 2 * grad

    x = torch.ones(2, requires_grad=requires_grad)
    inputs = x * 1 if requires_grad else x
    with torch.record(replay=True) as tape:
        y = Doubled.apply(inputs) + 1
    assert names(tape) == ["Doubled", "Add"]
    assert tape.verify()
    assert tape.replay().results[0].tolist() == y.tolist() == [3.0, 3.0]


def test_an_autograd_function_without_tensor_results_is_not_recorded():
    class Counted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.numel()

        @staticmethod
        def backward(ctx, grad):
            return None

    with torch.record() as tape:
        assert Counted.apply(torch.ones(3)) == 3
    assert len(tape) == 0


def test_parameters_of_a_copied_module_have_names_of_their_own():
    net = torch.nn.Linear(2, 1)
    other = copy.deepcopy(net)
    with torch.record(params={"weight": net.weight, "bias": net.bias}) as tape:
        other(net(torch.ones(1, 2)) * torch.ones(1, 2)).sum()
    assert [source.name for source in tape.sources if source.kind == "parameter"] == [
        "weight", "bias", "weight (another)", "bias (another)"]  # fmt: skip
    assert tape.why_no_grad("weight").reason == "flows"


def test_bytes_in_reused_memory_of_a_deleted_leaf_are_counted():
    with torch.record() as tape:
        for _ in range(4):
            x = torch.ones(1000, requires_grad=True)
            y = x.exp()
            y.sum().backward()
            del x, y
    assert [op.bytes for op in tape if op.name == "Exp"] == [4000] * 4


def test_a_tensor_does_not_inherit_the_name_of_a_deleted_one_with_its_id():
    class Decaying(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("average", torch.ones(8))

        def forward(self, x):
            self.average = self.average * 0.5
            return [x + torch.zeros(8) for _ in range(3)]

    model = Decaying()
    with torch.record(params=model) as tape:
        model(torch.ones(8))
    assert [source.name for source in tape.sources].count("average") == 1


def test_edits_inputs_and_gradients_of_a_replay_may_be_numbers_and_lists():
    with torch.record(replay=True, params={"x": (x := torch.ones(2))}) as tape:
        (x + 1) * torch.full((2,), 3.0)
    assert tape.replay(edits={"Add": 5.0}).results[0].tolist() == [15.0, 15.0]
    assert tape.replay(inputs={"x": [1.0, 2.0]}).results[0].tolist() == [6.0, 9.0]
    assert tape.gradient("Mul", "Add", grad=[1, 2]).tolist() == [3.0, 6.0]


def test_statistics_of_float16_do_not_overflow():
    with torch.record(stats=True) as tape:
        torch.linspace(-300, 300, 1000).half().clone()
    (found,) = tape.op(-1).stats
    assert found.std == pytest.approx(173.4, rel=1e-3)
    assert found.norm == pytest.approx(5483, rel=1e-3)


def test_a_transform_leaves_no_detached_argument_behind():
    x = torch.ones(2, requires_grad=True)
    with torch.record() as tape:
        torch.func.grad(lambda x: (x**2).sum())(x)
    assert [op.name for op in tape][:3] == ["TransformArgument", "Pow", "Sum"]
