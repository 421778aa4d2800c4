"""Docstrings of the public functions and classes: what they do, their errors, an example, and where they are from.

The examples run as doctests. No test can tell whether shapes and dtypes are there, and whether a text is true.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import doctest
import importlib
import inspect
import re
import textwrap
from functools import cache
from types import CodeType
from typing import Any

import microgad
from microgad.models.builders import BUILDERS

MODULES = """
    nn nn.functional nn.init nn.utils nn.utils.rnn nn.utils.parametrize nn.utils.parametrizations nn.utils.prune
    nn.attention nn.attention.bias nn.attention.flex_attention optim optim.lr_scheduler optim.swa_utils linalg fft
    special masked signal.windows autograd autograd.functional autograd.graph autograd.forward_ad utils.data
    utils.checkpoint distributions distributions.constraints distributions.transforms func random serialization amp
    cuda profiler quasirandom transforms transforms.v2 models datasets onnx graph testing training
"""
OWN = ["graph", "testing", "training", "onnx"]  # modules whose interface isn't PyTorch's
# Variants of what has the example: their docstrings refer to it, or are made from its docstring.
VARIANTS = re.compile(
    r"_Weights$|^nn\.init\.\w*[a-z]$|^nn\.utils\.(clip_grad_norm$|prune\.[A-Z])"
    r"|^transforms\.v2\.|^onnx\.OnnxModule$"
)
NEEDS_PYTORCH = ["testing.torch_function"]  # whose tests, with PyTorch, are examples
# Functions that don't call their helpers in the way that raises.
UNREACHED = """
    masked.sum masked.prod masked.median masked.cumsum masked.cumprod fft.fftshift fft.ifftshift
    nn.utils.parametrize.register_parametrization
"""


@cache
def public() -> dict[str, Any]:
    """The functions and classes by name, each once. Of exceptions the name says enough."""
    found: dict[int, tuple[str, Any]] = {}
    for home in ["", *MODULES.split()]:
        with contextlib.suppress(ImportError):  # of an optional package
            module = importlib.import_module(f"microgad.{home}".rstrip("."))
            for name in (name for name in dir(module) if not name.startswith("_")):
                value = getattr(module, name)
                wanted = inspect.isfunction(value) or (inspect.isclass(value) and not issubclass(value, BaseException))
                if wanted and value.__module__.startswith("microgad"):
                    found.setdefault(id(value), (f"{home}.{name}".lstrip("."), value))
    return dict(found.values())


def methods() -> dict[str, Any]:
    """The methods of Tensors."""
    found = {f"Tensor.{name}": getattr(microgad.Tensor, name, None) for name in dir(microgad.Tensor) if name[0] != "_"}
    return {name: value for name, value in found.items() if inspect.isfunction(value)}


def doc(value: Any) -> str:
    """The docstring of a function, or of a class itself, not of its base."""
    return (vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__) or ""


def referred(value: Any) -> list[Any]:
    """What a docstring refers to: see `x`; raises as x does; the errors are those of x. And what a variant wraps."""
    paths = re.findall(r"(?:[Ss]ee|[Rr]aises as|[Ee]rrors are those of)\s+`?([\w.]+\w)", doc(value))
    named = [other for path in paths for name, other in public().items() if f".{name}".endswith(f".{path}")]
    return [*named, inspect.unwrap(value)]


def names_in(code: CodeType) -> set[str]:
    """The global names that a function reads, and those of the functions within it."""
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*map(names_in, inner))


def raised(function: Any, helpers: bool = True) -> set[type[BaseException]]:
    """The errors that a function raises itself, and those of private functions of its module that it calls."""
    function = inspect.unwrap(function)
    found: set[type[BaseException]] = set()
    if not inspect.isfunction(function) or not function.__code__.co_filename.endswith(".py"):
        return found
    names = names_in(function.__code__)
    if any(name.endswith("Error") for name in names):
        source = textwrap.dedent(inspect.getsource(function))
        calls = [node.exc for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Raise)]
        for call in (call for call in calls if isinstance(call, ast.Call)):
            name = ast.unparse(call.func).rpartition(".")[2]
            error = getattr(microgad.errors, name, None) or getattr(builtins, name, None)
            if isinstance(error, type) and issubclass(error, BaseException):
                found.add(error)
    for name in names if helpers else ():
        helper = function.__globals__.get(name)
        if name.startswith("_") and inspect.isfunction(helper) and helper.__module__ == function.__module__:
            found |= raised(helper, helpers=False)
    return found


def test_everything_public_has_a_docstring() -> None:
    missing = [name for name, value in public().items() if not doc(value)]
    assert not missing, "\n".join(missing)


def test_docstrings_have_an_example() -> None:
    """A builder of models has it in the docstring of its class."""
    missing = [
        name for name, value in public().items()
        if ">>>" not in doc(value) and value not in BUILDERS.values() and name not in NEEDS_PYTORCH
        and not (VARIANTS.search(name) and any(">>>" in doc(other) for other in referred(value)))
    ]  # fmt: skip
    assert not missing, "\n".join(missing)


def unbound(text: str) -> set[str]:
    """The names that an example reads, but neither binds nor has from the imports that all examples share."""
    examples = doctest.DocTestParser().get_examples(text)
    nodes = list(ast.walk(ast.parse("".join(example.source for example in examples))))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    bound = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    bound |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    bound |= {node.name or "" for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.ExceptHandler)}
    bound |= {node.asname or node.name.partition(".")[0] for node in nodes if isinstance(node, ast.alias)}
    return {node.id for node in names} - bound - {"torch", "microgad", "nn", "F", "np", *dir(builtins)}


def test_examples_run_where_they_are_pasted() -> None:
    """They name what they call as programs do, `F.dropout(x)`: as doctests they see their module's own names, too."""
    values = public() | methods()
    for name, value in public().items():
        inner = vars(value).items() if inspect.isclass(value) else ()
        values |= {f"{name}.{key}": method for key, method in inner if key[0] != "_" and inspect.isfunction(method)}
    missing = [f"{name}: {found}" for name, value in values.items() if (found := unbound(doc(value)))]
    assert not missing, "\n".join(missing)


def test_docstrings_say_where_a_name_is_from() -> None:
    """From PyTorch, from a paper (with its year), or from microgad itself."""
    said = re.compile(r"Source:|Not\s+in\s+PyTorch|microgad's own|\(\d{4}\b")
    missing = [n for n, value in public().items() if n.split(".")[0] not in OWN and not said.search(doc(value))]
    assert not missing, "\n".join(missing)


def test_docstrings_name_the_errors_that_are_raised() -> None:
    """By their class or a base class, as PyTorch's RuntimeError. For a class those of its constructor count."""
    missing = []
    for name, value in (public() | methods()).items():
        errors = raised(vars(value).get("__init__") if inspect.isclass(value) else value)
        if errors and name not in UNREACHED.split():
            text = " ".join([doc(other) for one in [value, *referred(value)] for other in [one, *referred(one)]])
            unsaid = [e for e in errors if not any(cls.__name__ in text for cls in e.__mro__[:-3])]
            missing += [f"{name}: {error.__name__}" for error in unsaid]
    assert not missing, "\n".join(missing)
