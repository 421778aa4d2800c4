"""__torch_function__: overrides by subclasses of Tensor, by other classes and by modes."""

from __future__ import annotations

import copy
import operator
import pickle
import textwrap
from typing import Any

import pytest

import microgad as torch
from microgad import torch_function
from microgad.nn import functional as F
from microgad.porting.torch_modules import overrides

from .processes import output_of

pytestmark = pytest.mark.torch_function


class Plain(torch.Tensor):
    pass


class Logged(torch.Tensor):
    log: list[str | None] = []

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        cls.log.append(overrides.resolve_name(func))
        return super().__torch_function__(func, types, args, kwargs or {})


class Duck:
    """Not a Tensor. It overrides two functions."""

    def __init__(self, value: float) -> None:
        self.value = value

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.mean:
            return Duck(args[0].value)
        if func is torch.Tensor.add:
            return Duck(float(args[0]) + args[1].value)
        return NotImplemented


class NamesMode(overrides.TorchFunctionMode):
    def __init__(self, log: list[Any], name: str = "") -> None:
        self.log, self.name = log, name

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.log.append(self.name + str(overrides.resolve_name(func)))
        return func(*args, **(kwargs or {}))


def names(compute: Any) -> list[str | None]:
    Logged.log.clear()
    compute()
    return list(Logged.log)


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x + 1, lambda x: 1 - x, lambda x: torch.ones(2, 2) * x, lambda x: torch.exp(x), lambda x: x.sum(),
        lambda x: x[0], lambda x: F.relu(x), lambda x: torch.stack([torch.ones(2, 2), x]), torch.nn.Linear(2, 2),
        lambda x: x.T, lambda x: x.detach(), lambda x: x.split(1)[1], lambda x: x.max(0).values, lambda x: x.data,
        lambda x: torch.linalg.inv(x), lambda x: torch.nn.Parameter(torch.ones(2, 2)) @ x, lambda x: x.double(),
        lambda x: torch.fft.fft(x), lambda x: x.add_(1), lambda x: torch.masked.sum(x, 0, mask=x > 1),
        lambda x: torch.masked.median(x, 0, mask=x > 1), lambda x: torch.masked.var(x, mask=x > 1),
        lambda x: torch.masked.softmin(x, 0, mask=x > 1), lambda x: torch.masked.normalize(x, 2.0, 0, mask=x > 1),
    ],
)  # fmt: skip
def test_results_have_the_class_of_their_subclass_inputs(compute: Any) -> None:
    assert type(compute(torch.tensor([[1.0, 2.0], [3.0, 5.0]]).as_subclass(Plain))) is Plain


@pytest.mark.parametrize("write", [lambda x: x[:2].mul_(3), lambda x: x.as_subclass(torch.Tensor)[:2].mul_(3)])
def test_a_write_through_a_view_of_a_subclass_propagates_gradients(write: Any) -> None:
    leaf = torch.ones(3).as_subclass(Plain).requires_grad_()
    x = leaf * 1
    view = x[1:]
    write(x)
    assert (view.tolist(), view._base is x._base) == ([3, 1], True)
    x.sum().backward(retain_graph=True)
    assert leaf.grad.tolist() == [3, 3, 1]
    leaf.grad = None
    view.sum().backward()
    assert leaf.grad.tolist() == [0, 3, 1]
    base, factor = torch.ones(2), torch.ones(2, requires_grad=True)
    base.as_subclass(Plain).mul_(factor * 2)
    base.sum().backward()
    assert factor.grad.tolist() == [2, 2]


def test_constructors_of_subclasses_return_no_views() -> None:
    x = torch.ones(2)
    new = Plain([1.0]), Plain(2, 3), torch.Tensor(2), torch.Tensor._make_subclass(Plain, x)
    assert [t._is_view() for t in new] == [False] * 4
    assert x.as_subclass(Plain)._is_view()
    with pytest.raises(RuntimeError, match="a view of a leaf"):
        Plain(x.requires_grad_()).add_(1)


def test_a_subclass_may_have_a_property_named_array() -> None:
    """MONAI's MetaTensor has one, which gives the values as a NumPy array, as the attribute of Tensor does."""

    class Meta(torch.Tensor):
        @property
        def array(self) -> Any:
            return self.detach().numpy()

        @array.setter
        def array(self, values: Any) -> None:
            self.data = torch.as_tensor(values)

    x = torch.ones(2).as_subclass(Meta)
    assert type(x + 1) is Meta
    x.array = torch.tensor([2.0, 3.0]).array
    assert x.array.tolist() == x.tolist() == [2, 3]


def test_collation_keeps_subclasses() -> None:
    batch = torch.utils.data.default_collate([{"image": torch.ones(2).as_subclass(Plain)} for _ in range(3)])
    assert type(batch["image"]) is Plain
    assert batch["image"].shape == (3, 2)


def test_sizes_lists_gradients_and_results_of_parameters_have_their_usual_types() -> None:
    x = torch.ones(2, requires_grad=True)
    y = x.as_subclass(Plain) * 2
    assert y.tolist() == [2, 2]
    assert type(y.shape) is torch.Size
    y.sum().backward()
    assert type(x.grad) is torch.Tensor
    assert x.grad.tolist() == [2, 2]
    assert type(torch.nn.Parameter(torch.ones(2)) * 2) is torch.Tensor
    assert type(torch.ones(2) * 2) is torch.Tensor


def test_torch_function_is_called_for_public_functions_but_not_inside_of_them() -> None:
    x = torch.ones(2, 2).as_subclass(Logged)
    assert names(lambda: x + 1) == ["torch.Tensor.add"]
    assert names(lambda: 1 - x) == ["torch.Tensor.__rsub__"]
    assert names(lambda: torch.sum(x)) == ["torch.sum"]
    assert names(lambda: x.T.sum()) == ["torch.Tensor.T.__get__", "torch.Tensor.sum"]
    assert names(lambda: F.cross_entropy(x, torch.tensor([0, 1]))) == ["torch.nn.functional.cross_entropy"]
    assert names(lambda: torch.nn.Linear(2, 2)(x)) == ["torch.nn.functional.linear"]
    assert names(lambda: torch.cat([x, x])) == ["torch.cat"]
    assert names(lambda: [type(row) for row in x]) == ["torch.Tensor.unbind"]
    assert [type(row) for row in x] + [type(row) for row in reversed(x)] == [Logged] * 4
    assert names(lambda: torch.ones(2)) == []
    with torch._C.DisableTorchFunctionSubclass():
        assert names(lambda: x + 1) == []


def test_a_parameter_subclass_whose_torch_function_raises_can_be_constructed() -> None:
    """Libraries construct such parameters as proxies of a Tensor that they get later."""

    class Closed(torch.nn.Parameter):
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            raise TypeError("closed")

    made = [Closed(), Closed(torch.ones(2)), Closed(torch.ones(2, dtype=torch.int64), requires_grad=False)]
    with torch._C.DisableTorchFunctionSubclass():
        assert [p.requires_grad for p in made] == [True, True, False]


@pytest.mark.filterwarnings("ignore:To copy construct")
def test_data_of_a_subclass_makes_tensors_that_modes_see() -> None:
    x, log = torch.ones(2).as_subclass(Plain), []
    with NamesMode(log):
        assert type(torch.tensor(x)) is torch.Tensor
        assert type(torch.tensor([x[0], x[1]])) is torch.Tensor
        assert type(torch.as_tensor(x, dtype=torch.float64)) is torch.Tensor
        assert type(torch.asarray(x, copy=True)) is type(torch.from_dlpack(x)) is torch.Tensor
        assert torch.as_tensor(x) is x
    assert {"torch.tensor", "torch.as_tensor", "torch.asarray", "torch.from_dlpack"} <= set(log)


def test_unrelated_subclasses_together_raise() -> None:
    x, y = torch.ones(2).as_subclass(Plain), torch.ones(2).as_subclass(Logged)
    with pytest.raises(TypeError, match="unsupported operand"):
        x + y
    with pytest.raises(TypeError, match=r"no implementation found for 'torch.Tensor.__getitem__' .*Plain.*Logged"):
        x[y]
    with pytest.raises(TypeError, match=r"no implementation found for 'torch.mul' .*Plain.*Logged"):
        torch.mul(x, y)


def test_torch_function_of_a_class_that_is_no_tensor_is_called() -> None:
    assert torch.mean(Duck(3.0)).value == 3
    assert (torch.tensor(1.0) + Duck(2.0)).value == 3
    with pytest.raises(TypeError, match=r"no implementation found for 'torch.sum'"):
        torch.sum(Duck(3.0))


def test_tensors_have_no_override_if_the_module_is_named_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "__module__", "torch")  # as in a program that imports torch
    torch_function._of_lasting.clear()
    torch_function._of_others.clear()
    assert not overrides.has_torch_function((torch.ones(1), torch.nn.Parameter(torch.ones(1))))


def test_modes_are_called_before_subclasses_and_the_innermost_first() -> None:
    log: list[Any] = []
    x = torch.ones(2).as_subclass(Plain)
    with NamesMode(log, "outer "), NamesMode(log, "inner "):
        y = torch.zeros(2) + x
    assert log == [
        "inner torch.zeros", "outer torch.zeros", "inner torch.Tensor.add", "outer torch.Tensor.add",
    ]  # fmt: skip
    assert type(y) is Plain
    torch.zeros(2)
    assert len(log) == 4
    with pytest.raises(ZeroDivisionError), NamesMode(log):
        raise ZeroDivisionError
    torch.zeros(2)
    assert len(log) == 4


def test_a_function_of_the_user_can_be_overridden() -> None:
    def double(x: Any) -> Any:
        if overrides.has_torch_function_unary(x):
            return overrides.handle_torch_function(double, (x,), x)
        return 2 * x

    class Own(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return "own" if func is double else NotImplemented

    assert double(torch.ones(1)).item() == 2
    assert double(torch.ones(1).as_subclass(Own)) == "own"
    with pytest.raises(TypeError, match="no implementation found for 'double'"):
        double(Duck(1.0))
    assert not overrides.has_torch_function((torch.ones(1), torch.nn.Parameter(torch.ones(1)), 1))


@pytest.mark.host("a process of its own")
def test_functions_are_wrapped_when_the_first_subclass_is_defined() -> None:
    program = """
        import microgad as torch
        from microgad.nn.functional import relu
        answers = {torch.exp: 1, relu: 2}
        tables = {"by name": {"relu": relu}, "in a list": [torch.sin, relu]}
        def default(x, by=relu): return by(x)
        def keyword(x, *, by=relu): return by(x)
        class Layer:
            act = lambda self, x, by=relu: by(x)
            plain, static, table, method = relu, staticmethod(relu), {"relu": relu}, staticmethod(default)
        class Scale(torch.nn.Parameter): pass
        assert type(Scale(torch.ones(1)) * 2) is torch.Tensor
        assert not hasattr(torch.exp, "torch_name")
        class Plain(torch.Tensor): pass
        assert hasattr(torch.exp, "torch_name")
        x = torch.ones(1).as_subclass(Plain)
        assert type(relu(x)) is type(Layer().act(x)) is Plain
        from_tables = tables["by name"]["relu"], tables["in a list"][1], Layer.table["relu"]
        for f in (*from_tables, default, keyword, Layer.plain, Layer.static, Layer().static, Layer.method):
            assert type(f(x)) is Plain
        assert [answers[f] for f in (torch.exp, torch.Tensor.exp, relu)] == [1, 1, 2]
        assert torch.overrides.resolve_name(torch.Tensor.add) == "torch.Tensor.add"
    """
    run(program)


def run(program: str) -> None:
    output_of(textwrap.dedent(program))


DUCK = """
    {library}
    def make():
        class Duck:
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return answers.get(func, torch.overrides.resolve_name(func))
        return Duck
"""


@pytest.mark.host("a process of its own")
@pytest.mark.parametrize("library", ["import microgad as torch", "import microgad; microgad.as_torch(); import torch"])
def test_a_duck_type_overrides_from_its_first_call_on(library: str) -> None:
    run(
        DUCK.format(library=library)
        + """
    Duck = make()
    Duck.__module__ = __name__
    answers = {torch.exp: 1, torch.Tensor.add: 2}
    class Table:
        answers = {torch.log, torch.exp}
    assert torch.sub(Duck(), 1) == "torch.sub"
    assert (torch.exp(Duck()), torch.ones(2) + Duck()) == (1, 2)
    assert {torch.log, torch.exp} <= Table.answers
    """
    )


CALLS = {
    "torch.mean(duck)": "torch.mean", "torch.cat([x, duck])": "torch.cat", "x + duck": "torch.Tensor.add",
    "duck + x": "torch.Tensor.add", "duck - x": "torch.Tensor.__rsub__", "x @ duck": "torch.Tensor.matmul",
    "duck @ x": "torch.Tensor.__rmatmul__", "x == duck": "torch.Tensor.__eq__", "x != duck": "torch.Tensor.ne",
    "duck / x": "torch.Tensor.__rtruediv__", "x.__iadd__(duck)": "torch.Tensor.add_",
    "x.__imod__(duck)": "torch.Tensor.remainder_", "x.__iand__(duck)": "torch.Tensor.__iand__",
    "duck << x": "torch.Tensor.__rlshift__",
}  # fmt: skip
# Loads what the wrappers would load, and load again in each child.
LOADED = """
    import os
    from microgad.torch_function import wrappers
    for name in wrappers.CLIENTS + wrappers.MODULES:
        package = __import__(name, fromlist=["*"])
        for name in dir(package):
            getattr(package, name)
"""


@pytest.mark.host("a process of its own")
def test_a_duck_type_defined_in_a_function_overrides_too() -> None:
    """Each call is the first one of a process. One process forks, since new ones would import microgad again."""
    program = DUCK.format(library="import microgad as torch") + LOADED
    for call, name in CALLS.items():
        program += f"""
    if (child := os.fork()) == 0:
        answers, x = {{}}, torch.ones(2)
        torch.mean, torch.cat, torch.overrides
        duck = make()()
        assert [({call}), ({call})] == ["{name}"] * 2
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, "{call}"
    """
    run(program)


@pytest.mark.host("a process of its own")
@pytest.mark.parametrize("before", ["import numpy", "import microgad"])
def test_a_duck_type_may_be_defined_before_any_part_of_microgad_is_imported(before: str) -> None:
    """Parts that are loaded on first use are so while others are half loaded. One process forks for each import."""
    run(
        f"""
        {before}
        import os
        class Duck:
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return func.torch_name
        children = dict()
        for name in ["nn"] if "{before}" == "import numpy" else ["nn.functional", "utils.data", "transforms"]:
            if (child := os.fork()) == 0:
                part = __import__("microgad." + name, fromlist=["*"])
                import microgad as torch
                assert torch.mean(Duck()) == "torch.mean"
                assert name != "nn" or part.functional.relu(Duck()) == "torch.nn.functional.relu"
                os._exit(0)
            children[child] = name
        for child, name in children.items():
            assert os.waitpid(child, 0)[1] == 0, name
    """
    )


@pytest.mark.host("a process of its own")
def test_functions_are_pickled_and_saved_whether_they_are_wrapped_or_not() -> None:
    program = """
        import io, pickle
        import microgad as torch
        layers = torch.nn.ModuleList([torch.nn.TransformerEncoderLayer(4, 2)])
        class Plain(torch.Tensor): pass
        names = [torch.tanh, torch.linalg.norm, torch.softmax, torch.nn.functional.relu, torch.Tensor.add]
        assert all(pickle.loads(pickle.dumps(f)) is f and hasattr(f, "torch_name") for f in names)
        layers.append(torch.nn.TransformerEncoderLayer(4, 2, activation=torch.tanh))
        file = io.BytesIO()
        torch.save(layers, file)
        first, second = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
        x = torch.ones(1, 1, 4)
        assert first.eval()(x).tolist() == layers[0].eval()(x).tolist()
        assert second.activation(x).tolist() == x.tanh().tolist()
    """
    run(program)


@pytest.mark.parametrize("f", ["sigmoid", "absolute", "linalg.inv", "nn.functional.softmax"])
def test_wrapped_functions_are_pickled_by_name(f: str) -> None:
    found = operator.attrgetter(f)(torch)
    assert hasattr(found, "torch_name")
    assert pickle.loads(pickle.dumps(found)) is found


def test_recurrent_layers_call_torch_function() -> None:
    log: list[Any] = []
    with NamesMode(log):
        torch.nn.GRU(2, 2)(torch.ones(1, 1, 2)), torch.nn.LSTMCell(2, 2)(torch.ones(1, 2))
    assert {"torch.gru", "torch.lstm_cell"} <= set(log)


def test_layers_and_their_default_functions_call_torch_function() -> None:
    layer = torch.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True)
    assert layer.activation is F.relu
    assert pickle.loads(pickle.dumps(layer)).activation is F.relu
    x = torch.ones(1, 2, 4)
    assert type(layer(x.as_subclass(Plain))) is Plain
    assert names(lambda: layer(torch.ones(1, 2, 4))) == []
    assert "torch.nn.functional.layer_norm" in names(lambda: layer(x.as_subclass(Logged)))


@pytest.mark.host("a process of its own")
def test_layers_call_torch_function_under_as_torch() -> None:
    """There a layer's class has the __module__ of PyTorch's."""
    run("""
        import microgad; microgad.as_torch()
        import torch
        class Plain(torch.Tensor): pass
        nn, x = torch.nn, torch.ones(2, 3, 8).as_subclass(Plain)
        for layer in (nn.Dropout(0.5), nn.Conv1d(3, 2, 1), nn.MaxPool1d(2), nn.TransformerEncoderLayer(8, 2, 8)):
            assert type(layer(x)) is Plain
        log = []
        class Mode(torch.overrides.TorchFunctionMode):
            def __torch_function__(self, func, types, args=(), kwargs=None):
                log.append(func.__name__)
                return func(*args, **(kwargs or {}))
        with Mode():
            layer(x)
        assert {"relu", "dropout"} <= set(log)
    """)


def test_distributions_call_torch_function() -> None:
    """pyro finds out by the broadcasting of parameters which variables depend on each other."""
    normal = torch.distributions.Normal(torch.zeros(3).as_subclass(Plain), torch.tensor(2.0))
    assert type(normal.loc) is type(normal.scale) is type(normal.log_prob(torch.ones(3))) is Plain
    logged = torch.ones(3).as_subclass(Logged)
    assert "torch.broadcast_tensors" in names(lambda: torch.distributions.Gamma(logged, 1.0))


@pytest.mark.parametrize("name", ["ndim", "layout", "itemsize", "is_cpu", "T", "shape"])
def test_every_public_property_can_be_overridden(name: str) -> None:
    class Constant(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return overrides.resolve_name(func)

    getter = vars(torch.Tensor)[name].__get__
    assert getattr(torch.ones(1).as_subclass(Constant), name) == f"torch.Tensor.{name}.__get__"
    assert getter in overrides.get_overridable_functions()[torch.Tensor]
    assert overrides.is_tensor_method_or_property(getter)
    assert not overrides.is_tensor_method_or_property(vars(torch.Tensor)[name].__set__)


def test_overridable_functions_are_listed_under_their_own_names() -> None:
    for functions in overrides.get_overridable_functions().values():
        for f in functions:
            found: Any = operator.attrgetter(overrides.resolve_name(f).removeprefix("torch."))(torch)
            assert found == f


def test_device_queries_copies_and_formats_can_be_overridden() -> None:
    log: list[Any] = []
    x = torch.ones(2)
    with NamesMode(log):
        x.get_device(), copy.deepcopy(x), f"{x}", x.set_(x)
    outermost = ("get_device", "__deepcopy__", "__format__", "set_")
    assert all(f"torch.Tensor.{name}" in log for name in outermost)


def test_a_mode_whose_torch_function_is_a_classmethod_raises() -> None:
    class Wrong(overrides.TorchFunctionMode):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func(*args, **(kwargs or {}))

    with pytest.raises(RuntimeError, match="as a classmethod is not supported, please make it a plain method"), Wrong():
        pass


def test_broadcast_all_takes_what_overrides_functions() -> None:
    class Broadcast:
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            assert func is torch.broadcast_tensors
            return args

    x = Broadcast()
    found = torch.distributions.utils.broadcast_all(x, 2.0)
    assert found[0] is x
    assert torch.equal(found[1], torch.tensor(2.0))
