"""`tape.program()`: programs that need NumPy alone compute the same bytes as the tape, forward and backward."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import io
import operator
import pkgutil
import re
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import microgad as torch
from microgad import fast_reductions, models, nn
from microgad.errors import MicrogadError
from microgad.graph.replays.definitions import REPLACED_MODULES, REPLACEMENTS, Definitions, Rewriter, _statements
from microgad.graph.replays.program import ProgramWriter
from microgad.lazy import LazyModule
from microgad.ops.window.grid import _scatter_cells
from microgad.testing.programs.program import execute
from microgad.testing.strategies import programs

from ..processes import run as run_python
from .test_verifying import RandomTraining

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "pytorch").glob("*.py"))


def recorded(model, *inputs, loss=lambda y: (y * y).sum()):
    with torch.record(replay=True, params=model if isinstance(model, nn.Module) else None) as tape:
        loss(model(*inputs)).backward()
    return tape


def check_replayed(tape):
    """Assert that the program's results and gradients are those of a replay, and return its gradients."""
    writer = ProgramWriter(tape)
    replayed = writer.run({}, {})
    program = writer.program()
    assert not re.search(r"class (MetaArray|device)\b", str(program)), "a program has NumPy's arrays alone"
    unread = "symbol|operator|node_name|all_edges|saved_names|promote|, "  # attributes of Functions
    assert not re.search(rf"^    (?:{unread})+ = ", str(program), re.M)
    results, gradients = program.run()
    assert [x.tobytes() for x in results.values()] == [x.array.tobytes() for x in replayed.results]
    written = {name: writer.made[at] for name, at in writer.names.items()}
    if any(passed.bounded for passed in tape.passes):  # autograd.grad accumulates into no leaf
        return gradients
    for name, grad in gradients.items():
        if written[name].is_leaf:
            assert np.asarray(grad).tobytes() == written[name].grad.array.tobytes(), name
    return gradients


def program_gradients(tape):
    _, gradients = tape.program().run()
    return gradients


def test_a_program_has_the_gradients_of_backward():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(16, 3)
    )
    target = torch.tensor([0, 2])
    tape = recorded(model, torch.rand(2, 1, 6, 6), loss=lambda y: nn.functional.cross_entropy(y, target))
    _, gradients = tape.program().run()
    assert set(gradients) == {name for name, _ in model.named_parameters()}
    for name, p in model.named_parameters():
        assert np.asarray(gradients[name]).tobytes() == p.grad.array.tobytes()


LAYERS = {
    "lstm": (lambda: nn.LSTM(3, 4, 2, bidirectional=True), (5, 2, 3), lambda y: y[0].sum() + y[1][0].sum()),
    "gru": (lambda: nn.GRU(3, 4), (5, 2, 3), lambda y: (y[0] * y[0]).sum()),
    "transformer": (lambda: nn.TransformerEncoderLayer(8, 2, 16), (5, 2, 8), lambda y: (y * y).sum()),
    "convolutions": (
        lambda: nn.Sequential(nn.Conv1d(3, 6, 3, groups=3), nn.GELU(), nn.ConvTranspose1d(6, 2, 2, 2)), (2, 3, 8),
        lambda y: (y * y).sum()),
    "norms": (
        lambda: nn.Sequential(nn.GroupNorm(2, 4), nn.SiLU(), nn.LayerNorm(5)), (2, 4, 5), lambda y: y.exp().sum()),
    "a parameter twice": (lambda: nn.Sequential(*[nn.Linear(3, 3)] * 3), (2, 3), lambda y: y.sum()),
}  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS)
def test_programs_of_layers(layer):
    torch.manual_seed(0)
    make, shape, loss = LAYERS[layer]
    model = make()
    assert set(check_replayed(recorded(model, torch.rand(shape), loss=loss))) == set(dict(model.named_parameters()))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "squeezenet1_1"])
def test_programs_of_models(name):
    torch.manual_seed(0)
    tape = recorded(getattr(models, name)(num_classes=3), torch.rand(2, 3, 32, 32))
    assert tape.verify()
    check_replayed(tape)


def run(program, monkeypatch):
    monkeypatch.setattr(sys, "argv", [str(program)])
    text = re.sub(r"^(import|from) torch\b", r"\1 microgad", program.read_text(), flags=re.MULTILINE)
    text = re.sub(r"^import microgad$", "import microgad as torch", text, flags=re.MULTILINE)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        with torch.record(replay=True) as tape:
            exec(compile(text, str(program), "exec"), {"__name__": "__main__"})
    return tape


@pytest.mark.parametrize("program", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_replay_and_have_programs(program, monkeypatch):
    tape = run(program, monkeypatch)
    assert tape.verify()
    check_replayed(tape)


@pytest.mark.parametrize("name", ["digamma", "igamma", "lgamma", "minimum", "polygamma", "special.zeta"])
def test_programs_of_functions_with_computed_constants_or_parts_made_elsewhere(name):
    function, x = operator.attrgetter(name)(torch), torch.linspace(1.5, 7, 6, dtype=torch.float64).requires_grad_()
    first = {"digamma": (), "lgamma": (), "polygamma": (2,)}.get(name, (x.detach().flip(0),))
    check_replayed(recorded(function, *first, x))


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_programs_of_grid_sample(mode):
    grid = torch.linspace(-1.1, 1.2, 24).reshape(2, 3, 2, 2).requires_grad_()
    image = torch.arange(40.0).reshape(2, 2, 2, 5).requires_grad_()
    tape = recorded(lambda x, at: nn.functional.grid_sample(x, at, mode, align_corners=False), image, grid)
    assert len(check_replayed(tape)) == 2


class AnyName(Definitions):
    """Definitions that only give names, and hold the classes and functions that they named."""

    def __init__(self):
        super().__init__()
        self.named = set()

    def name(self, x, called, scope, at_once):
        self.named |= {x} if isinstance(x, (type, types.FunctionType)) else set()
        return called


def rewrite(names, module, called):
    """Rewrite a class or function of a module, as for a program."""
    for node in _statements(text := inspect.getsource(module)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name == called:
            Rewriter(names, text, dict(vars(module))).of(node, called)


def test_no_variable_of_an_operation_hides_a_helper_that_its_program_calls():
    names, done = AnyName(), set()
    for found in pkgutil.walk_packages(torch.ops.__path__, "microgad.ops."):
        module = importlib.import_module(found.name)
        names.named |= {x for x in vars(module).values() if isinstance(x, type) and issubclass(x, torch.Function)}
    while new := names.named - done:
        for x in new:
            if x.__module__.startswith("microgad.ops"):
                rewrite(names, sys.modules[x.__module__], x.__name__)
        done |= new
    assert _scatter_cells in done


def test_a_variable_that_hides_a_helper_is_an_error(monkeypatch):
    module = types.ModuleType("hiding")
    module.backend = torch.backend
    monkeypatch.setattr(inspect, "getsource", lambda _: "def f(values, like):\n    return backend.like(values, like)")
    with pytest.raises(MicrogadError, match=r"program: a local variable hides like, which backend.like becomes"):
        rewrite(AnyName(), module, "f")


@pytest.mark.parametrize("name", REPLACEMENTS)
def test_a_helper_that_programs_replace_is_defined_in_a_module_where_they_look(name):
    known = [(module, vars(sys.modules[module])) for module in REPLACED_MODULES]
    assert any(name in names and getattr(names[name], "__module__", None) in (None, module) for module, names in known)


def test_a_program_with_complex_numbers():
    z = torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    with torch.record(replay=True) as tape:
        (z * z.conj() * torch.exp(z * 0.1)).abs().sum().backward()
    (grad,) = check_replayed(tape).values()
    np.testing.assert_array_equal(grad, z.grad.numpy())


def test_a_program_with_operands_of_different_dtypes():
    a, b = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([3, 4])
    c = torch.tensor([1.5], dtype=torch.float64, requires_grad=True)
    with torch.record(replay=True) as tape:
        (a * b * c + 2).sum().backward()
    assert {x.dtype.name for x in check_replayed(tape).values()} == {"float32", "float64"}


def test_a_program_with_in_place_writes():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    with torch.record(replay=True) as tape:
        y = x * 2
        y.mul_(x).add_(1)
        y.exp_()
        y.sum().backward()
    np.testing.assert_array_equal(check_replayed(tape)["leaf"], x.grad.numpy())


@pytest.mark.usefixtures("cuda")
def test_a_program_leaves_out_moves_between_devices():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.record(replay=True) as tape:
        ((x * 2).cuda().exp().to("cpu", torch.float64) * 3).sum().backward()
    np.testing.assert_array_equal(check_replayed(tape)["leaf"], x.grad.numpy())


def test_gradients_of_two_backward_passes_accumulate():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.record(replay=True) as tape:
        x.exp().sum().backward()
        x.sin().sum().backward()
    np.testing.assert_array_equal(check_replayed(tape)["leaf"], x.grad.numpy())


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(programs())
def test_programs_of_random_graphs(program):
    with torch.record(replay=True) as tape:
        execute(program, torch)
    try:
        check_replayed(tape)
    except MicrogadError as error:
        assert re.search("in-place writes to views", str(error))  # noqa: PT017


def test_programs_of_random_trainings():
    """Programs with steps, hooks, random draws and writes through views."""
    for seed in range(12):
        training = RandomTraining(seed)
        with torch.record(replay=True) as tape:
            training.run(14)
        try:
            check_replayed(tape)
        except MicrogadError as error:
            assert re.search("in-place writes to views", str(error))  # noqa: PT017


def test_derived_names_of_variables_do_not_collide():
    """The second gradient of `leaf` would be called like the first of `leaf_2`."""
    x, y = (torch.rand(2, 3, requires_grad=True) for _ in range(2))
    with torch.record(replay=True) as tape:
        (x.exp() + torch.cat([x, y])[:2]).sum().backward()
        (x.exp() * x.sum() + torch.cat([x, y * y, x])[2:4]).sum().backward()
    gradients = check_replayed(tape)
    np.testing.assert_array_equal(gradients["leaf"], x.grad.numpy())
    np.testing.assert_array_equal(gradients["leaf_2"], y.grad.numpy())


def test_gradients_of_empty_arrays_keep_their_shape():
    x = torch.rand(0, 3, requires_grad=True)
    with torch.record(replay=True) as tape:
        torch.cat([x, torch.rand(2, 3)]).sum().backward()
    assert check_replayed(tape)["leaf"].shape == (0, 3)


def test_a_program_computes_the_gradients_that_autograd_grad_returned():
    x, y = (torch.rand(3, requires_grad=True) for _ in range(2))
    with torch.record(replay=True) as tape:
        z = x * y
        expected = torch.autograd.grad(z.exp().sum(), [z, y])
    gradients = program_gradients(tape)
    assert list(gradients) == ["mul", "leaf_2"]
    for found, g in zip(gradients.values(), expected, strict=True):
        np.testing.assert_array_equal(found, g.numpy())


def test_a_program_applies_what_hooks_did_to_gradients():
    x = torch.rand(6, requires_grad=True)
    with torch.record(replay=True) as tape:
        a, b = (x * 2).chunk(2)
        a.register_hook(lambda grad: grad.clamp(-0.1, 0.1))
        c = a * b
        c.register_hook(lambda grad: grad * torch.tensor([1.0, 2.0, 3.0]))
        c.exp().sum().backward()
    np.testing.assert_array_equal(program_gradients(tape)["leaf"], x.grad.numpy())


@pytest.mark.parametrize("bounded", [False, True])
def test_a_program_applies_what_hooks_of_leaves_did_to_gradients(bounded):
    """Also those of a Tensor that was computed before the recording, and in each of two passes."""
    x, w = torch.rand(3, requires_grad=True), torch.rand(3, requires_grad=True)
    y = w.exp()
    for hooked in (x, y):
        hooked.register_hook(lambda grad: grad.clamp(max=1.0))
        hooked.register_hook(lambda grad: grad + 1)
    with torch.record(replay=True) as tape:
        for scale in (5, 0.1):
            y.retain_grad()
            loss = (x * y * scale + x).sum()
            if bounded:
                torch.autograd.backward(loss, retain_graph=True, inputs=[x, y])
            else:
                loss.backward(retain_graph=True)
    assert tape.verify()
    for read in (tape, torch.graph.Tape.from_json(tape.to_json())):
        gradients = program_gradients(read)
        np.testing.assert_array_equal(gradients["leaf"], x.grad.numpy())
        np.testing.assert_array_equal(gradients["leaf_2"], y.grad.numpy())
    assert [len(hooked.node.hooks) for hooked in (x, y)] == [2, 3]  # retain_grad's is one, too


@pytest.mark.parametrize("clear", ["w.grad = None", "w.grad.zero_()", ""])
def test_gradients_of_a_program_add_up_unless_grad_is_cleared(clear):
    w = torch.rand(3, requires_grad=True)
    with torch.record(replay=True) as tape:
        (w * w).sum().backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
        exec(clear)
        (w.exp() * w).sum().backward()
    np.testing.assert_array_equal(program_gradients(tape)["leaf"], w.grad.numpy())


def test_a_saved_program_runs_without_microgad(tmp_path, monkeypatch):
    lazy = LazyModule("microgad.fast_reductions.choice")
    monkeypatch.setattr(fast_reductions, "choice", lazy)  # as before the first reduction of a large array
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 40), nn.Tanh(), nn.Linear(40, 1))
    tape = recorded(model, torch.rand(4, 3))
    tape.program().save(tmp_path / "net.py")
    assert "microgad" not in re.sub("recorded by microgad", "", (tmp_path / "net.py").read_text())
    (tmp_path / "microgad.py").write_text("raise ImportError")
    done = run_python("net.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    grad = model[2].bias.grad
    assert f"gradient of 2.bias (1,) [{grad.item():.4f}"[:-3] in done.stdout


def test_operations_without_a_program_are_an_error():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * x

        @staticmethod
        def backward(ctx, grad):
            return grad

    with torch.record(replay=True) as tape:
        Square.apply(torch.ones(2))
    with pytest.raises(MicrogadError, match=r"program: Square is an autograd.Function"):
        tape.program()
    layer = nn.Linear(2, 2)
    layer.register_full_backward_hook(lambda *_: None)
    with pytest.raises(MicrogadError, match=r"program: backward hooks of modules aren't supported"):
        recorded(layer, torch.ones(1, 2, requires_grad=True)).program()
    leaf = torch.ones(2, requires_grad=True)
    leaf.register_post_accumulate_grad_hook(lambda leaf: None)
    with pytest.raises(MicrogadError, match=r"hooks from register_post_accumulate_grad_hook aren't supported"):
        recorded(torch.exp, leaf).program()
    with torch.record() as tape:
        torch.ones(2).exp()
    with pytest.raises(MicrogadError, match="recorded without replay=True"):
        tape.program()
