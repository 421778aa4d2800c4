"""__torch_function__ receives PyTorch's functions and types, in subclasses and in modes."""

from __future__ import annotations

import inspect
import operator
from types import FunctionType
from typing import Any

import pytest

import microgad
from microgad.state.links import Links
from microgad.torch_function import wrappers

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch_function

IN_PLACE_OPERATORS = [
    operator.iadd, operator.isub, operator.imul, operator.ifloordiv, operator.imod, operator.ipow, operator.iand,
    operator.ior, operator.ixor, operator.ilshift, operator.irshift,
]  # fmt: skip
PROGRAMS = [
    lambda t, x: [x + 1, 1 + x, x - 1, 1 - x, x * 2, 2 * x, x / 2, 2 / x, x @ x, 2**x, -x, abs(x)],
    lambda t, x: [x == x, x < 1, x >= 1, x % 2, ~x.bool(), x[0], 1.0 in x],
    lambda t, x: [x.T, x.mT, x.data, x.grad, x.shape, x.dtype, x.requires_grad, x.real, len(x), x.size()],
    lambda t, x: [x.sum(), t.sum(x), x.max(0), x.split(1), t.cat([x, x]), x.numpy(), float(x.sum()), bool(x.sum() > 1)],
    lambda t, x: [t.nn.functional.relu(x), t.nn.Linear(2, 2)(x), t.nn.LayerNorm(2)(x), t.nn.ReLU()(x)],
    lambda t, x: [t.softmax(x, 0), t.linalg.norm(x), t.fft.fft(x), t.special.expit(x), t.tril(x)],
    lambda t, x: [x.clone().add_(1), x.to(t.float64), x.detach(), t.ones(2, 2) + x, t.nn.Parameter(t.ones(2, 2)) * x],
    lambda t, x: [x != 1, +x, complex(x[0, 0]), 2 & x.int(), 2 | x.int(), 2 ^ x.int(), 2 << x.int(), 2 >> x.int()],
    lambda t, x: [f(x.clone().int(), 2) for f in IN_PLACE_OPERATORS] + [[1, 2, 3, 4][x.int()[0, 0]]],
    lambda t, x: [t.ones(2), t.nn.functional.cross_entropy(x, t.tensor([0, 1])), t.where(x > 2, x, 0.0)],
    lambda t, x: [setattr(x, "requires_grad", True), setattr(x, "grad", t.ones(2, 2)), delattr(x, "grad"), x.grad],
    lambda t, x: [setattr(x, "data", t.ones(2, 2)), x, t.Tensor._make_subclass(type(x), x, True)],
]


def log_calls(library: Any, program: Any) -> tuple[list[Any], list[str]]:
    """The functions and types that __torch_function__ of a subclass received, and the classes of the results."""
    names: list[Any] = []

    class Logged(library.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            names.append((library.overrides.resolve_name(func), [t.__name__ for t in types if t is not library.Tensor]))
            return super().__torch_function__(func, types, args, kwargs or {})

    results = program(library, library.tensor([[1.0, 2.0], [3.0, 5.0]]).as_subclass(Logged))
    return names, [type(x).__name__ for x in results]


@pytest.mark.parametrize("program", PROGRAMS)
def test_overrides_see_torchs_functions_and_results_have_torchs_classes(program: Any) -> None:
    assert log_calls(microgad, program) == log_calls(torch, program)


def names_of_handlers(t: Any) -> dict[str, Any]:
    """The __name__ of the functions that __torch_function__ receives from operators and from aliases."""
    seen: dict[str, Any] = {}

    class Logged(t.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            keys = [key for key in ("__neg__", "__pos__", "__abs__", "__rdiv__") if getattr(t.Tensor, key) is func]
            seen[call] = func.__name__, keys
            return super().__torch_function__(func, types, args, kwargs or {})

    x = t.tensor([[4.0, 1.0], [1.0, 3.0]]).as_subclass(Logged)
    for call in ("x**2", "2/x", "-x", "+x", "abs(x)", "t.linalg.svd(x)", "t.fft.fft(x)", "t.special.i0(x)", "t.svd(x)",
                 "t.nn.functional.logsigmoid(x)", "t.multiply(x, x)", "x.__rdiv__(2)", "x.norm()"):  # fmt: skip
        eval(call)
    y, call = x.clone(), "x **= 2"
    y **= 2
    return seen


def test_handlers_find_functions_by_torchs_names() -> None:
    assert names_of_handlers(microgad) == names_of_handlers(torch)


@pytest.mark.parametrize("path", ["", "Tensor", "linalg", "fft", "special", "nn.functional", "nn.init", "autograd"])
def test_functions_that_can_be_overridden_have_torchs_names(path: str) -> None:
    wrappers.install()
    there, here = [operator.attrgetter(path)(x) if path else x for x in (torch, microgad)]
    functions = [(name, x) for name, x in vars(here).items() if hasattr(x, "torch_name") and hasattr(there, name)]
    assert functions
    for name, function in functions:
        if name not in {"to_dlpack", "sym_sqrt", "_no_grad_fill_", "_no_grad_normal_", "_no_grad_uniform_"}:
            assert function.__name__ == getattr(there, name).__name__


def parameters_of_subclasses(t: Any) -> Any:
    """Yield facts about a Parameter made from a Tensor subclass."""

    class Named(t.Tensor):
        def twice(self) -> Any:
            return self * 2

    source = t.ones(3).as_subclass(Named)
    p = t.nn.Parameter(source)
    layer = t.nn.Linear(3, 3)
    layer.scale = p
    yield type(p).__name__, type(p + 1).__name__, type(p.twice()).__name__, type(t.nn.Parameter(p)).__name__
    yield p.requires_grad, p.is_leaf, p.data_ptr() == source.data_ptr(), t.nn.Parameter(source, False).requires_grad
    yield [isinstance(x, t.nn.Parameter) for x in (p, source, t.nn.Parameter(t.ones(1)), t.ones(1), 3)]
    yield isinstance(t.nn.Parameter(t.ones(1)), Named), issubclass(Named, t.nn.Parameter)
    yield [name for name, _ in layer.named_parameters()], type(layer.state_dict()["scale"]).__name__, repr(p)
    optimizer = t.optim.SGD(layer.parameters(), lr=0.5)
    (layer.scale * 2).sum().backward()
    optimizer.step()
    yield layer.scale.tolist(), type(layer.scale).__name__, type(layer.double().scale).__name__


def test_parameter_keeps_the_tensor_subclass() -> None:
    assert list(parameters_of_subclasses(microgad)) == list(parameters_of_subclasses(torch))


def modes_that_return_not_implemented(t: Any) -> Any:
    """Yield results under modes that return NotImplemented, and what the modes received."""
    seen: list[Any] = []

    class Defers(t.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append((t.overrides.resolve_name(func), len(types)))
            return NotImplemented if types else func(*args, **(kwargs or {}))

    class Plain(t.Tensor):
        pass

    class Answers(t.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return "an answer"

    plain, answers = t.ones(2).as_subclass(Plain), t.ones(2).as_subclass(Answers)
    seen.clear()
    with Defers():
        yield type(t.neg(plain)).__name__, t.neg(answers)
        with Defers():
            yield t.mean(answers)
    yield seen


def test_classes_are_called_if_a_mode_returns_not_implemented() -> None:
    assert list(modes_that_return_not_implemented(microgad)) == list(modes_that_return_not_implemented(torch))


def gradients_of_subclasses(t: Any) -> Any:
    """Yield the classes of gradients by subclasses, and what a mode and another class see of `grad` and `backward`."""
    seen: list[Any] = []

    class Plain(t.Tensor):
        pass

    class Duck:
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return func.__name__

    class Mode(t.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append(func.__name__)
            return func(*args, **(kwargs or {}))

    x, w = t.ones(3).as_subclass(Plain).requires_grad_(), t.ones(3, requires_grad=True)
    y = (x * w).sum()
    yield [type(g).__name__ for g in t.autograd.grad(y, [x, w], retain_graph=True)]
    yield [type(g).__name__ for g in t.autograd.grad((2 * w).sum(), w)]
    t.autograd.backward([y], inputs=[w])
    yield type(w.grad).__name__
    yield t.autograd.grad(Duck(), [w]), t.autograd.backward([Duck()])
    with Mode():
        t.autograd.grad((2 * w).sum(), w)
    yield seen[-1]


def initializers_under_a_mode(t: Any) -> Any:
    """Yield the arguments that a mode gets from initializers; it calls none of them."""
    seen: list[Any] = []

    class Skip(t.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in (init.uniform_, init.normal_, init.constant_, init.kaiming_uniform_):
                seen.append((func.__name__, args, sorted(kwargs), kwargs["tensor"].shape))
                return kwargs["tensor"]
            return func(*args, **(kwargs or {}))

    init = t.nn.init
    with Skip():
        x = t.zeros(2, 2)
        yield init.uniform_(x, 1.0, 2.0).tolist(), init.normal_(x, 5.0).tolist(), init.constant_(x, val=2.0).tolist()
        yield init.kaiming_uniform_(x, mode="fan_out").tolist()
        layer = t.nn.Linear(2, 2)
    yield len(list(layer.parameters())), seen


@pytest.mark.parametrize("program", [gradients_of_subclasses, initializers_under_a_mode])
def test_gradients_and_initializers_can_be_overridden(program: Any) -> None:
    assert list(program(microgad)) == list(program(torch))


# Options that PyTorch's functions don't have, or (allow_unused) hand on changed.
DIFFERENT = {
    "nn.functional.l1_loss": "weight", "nn.functional.rrelu": "generator", "nn.functional.threshold": "out",
    "Tensor.lu": "out", "autograd.backward": "grad_variables", "autograd.grad": "allow_unused",
}  # fmt: skip
IN_PYTHON = [
    f"nn.functional.{name}" for name, f in vars(torch.nn.functional).items()
    if type(f) is FunctionType and name[0] != "_" and hasattr(microgad.nn.functional, name)
    and name not in ("sigmoid", "tanh", "upsample", "upsample_bilinear", "upsample_nearest")
] + [
    "cdist", "lu", "norm", "split", "stft", "tensordot", "unique", "unique_consecutive", "Tensor.backward",
    "Tensor.istft", "Tensor.lu", "Tensor.norm", "Tensor.split", "Tensor.stft", "Tensor.unique",
    "Tensor.unique_consecutive", "autograd.backward", "autograd.grad",
]  # fmt: skip


def arguments_in_a_mode(t: Any, name: str) -> Any:
    """Yield how many positional arguments a mode gets, and the options, without an option and with one by position."""
    seen: list[Any] = []

    class Skip(t.overrides.TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.append((len(args), kwargs))
            return args

    parameters = inspect.signature(operator.attrgetter(name)(microgad)).parameters.values()
    required = sum(p.default is p.empty for p in parameters)
    by_position = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
    for count in (required, min(required + 1, by_position)):
        x = t.ones(2, requires_grad=True)
        with Skip():
            operator.attrgetter(name)(t)(*[x] * required, *[True] * (count - required))
        positional, options = seen[-1]
        yield positional, {key: str(x) for key, x in (options or {}).items() if key != DIFFERENT.get(name)}


@pytest.mark.parametrize("name", IN_PYTHON)
def test_a_mode_gets_all_options_by_name(name: str) -> None:
    assert list(arguments_in_a_mode(microgad, name)) == list(arguments_in_a_mode(torch, name))


def written_results_of_copied_attributes(t: Any, copy: Any) -> list[Any]:
    """A subclass whose results get all attributes of the argument, as MONAI's do, in a view and in in-place writes."""

    class Tagged(t.Tensor):
        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = super().__torch_function__(func, types, args, kwargs or {})
            if isinstance(result, Tagged):
                copy(result, args[0])
            return result

    p = t.ones(2, requires_grad=True)
    base = p * 1
    x = base.as_subclass(Tagged)
    x.tag = 5
    y = x * 3
    y += 1
    y.mul_(2)
    (y.sum() + base.sum() * 10).backward()
    leaf = t.ones(2).as_subclass(Tagged).requires_grad_()
    (leaf * 2).sum().backward()
    return [p.grad.tolist(), vars(y), x._base is base, vars(leaf), (leaf.detach() * 3).grad]


def update(result: Any, x: Any) -> None:
    vars(result).update(vars(x))


def share(result: Any, x: Any) -> None:
    result.__dict__ = x.__dict__


@pytest.mark.parametrize("copy", [update, share])
def test_attributes_copied_to_another_tensor_are_the_programs_only(copy: Any) -> None:
    ours, theirs = (
        written_results_of_copied_attributes(microgad, copy),
        written_results_of_copied_attributes(torch, copy),
    )
    assert ours == theirs


def tensor_with_attributes(t: Any, names: list[str]) -> list[Any]:
    """What a Tensor does that has attributes of these names, in views, writes and both kinds of gradients."""
    x = t.ones(2, requires_grad=True)
    y = x * 2
    for name in names:
        setattr(y, name, 7)
    y.retain_grad()
    y.view(2, 1).mul_(3)
    y.add_(1)
    y.sum().backward()
    return [x.grad.tolist(), y.grad.tolist(), y.tolist(), y.data.tolist(), vars(y), y.detach_().requires_grad]


def test_a_program_may_give_tensors_attributes_of_any_name() -> None:
    names = [name for name in vars(Links) if name[0] != "_" and not hasattr(torch.Tensor, name)]
    assert {"base", "chain", "views"} <= set(names)
    assert tensor_with_attributes(microgad, [*names, "version"]) == tensor_with_attributes(torch, [*names, "version"])


@pytest.mark.parametrize(
    "call",
    [
        lambda x: torch.sin(x),
        lambda x: torch.nn.Linear(2, 3)(x),
        lambda x: torch.stack([torch.ones(2), x]),
        lambda x: x + torch.ones(2),
        lambda x: torch.ones(2) == x,
        lambda x: torch.ones(2, 2) @ x,
        lambda x: torch.ones(2)[x.long()],
    ],
)
@pytest.mark.parametrize("kind", [microgad.Tensor, microgad.nn.Parameter])
def test_pytorchs_functions_refuse_microgads_tensors(call: Any, kind: Any) -> None:
    with pytest.raises(TypeError, match=r"was given a microgad.*microgad.testing.torch_function"):
        call(microgad.ones(2) if kind is microgad.Tensor else microgad.ones(2).as_subclass(kind))
