"""Signatures, `dir` and static imports: what `help`, editors and type checkers show of the public names."""

from __future__ import annotations

import ast
import inspect
import operator
from pathlib import Path

import pytest

import microgad as torch

PACKAGE = Path(torch.__file__).parent


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("neg_", ""), ("mul_", "other"), ("add_", "other, *, alpha=1"), ("pow_", "exponent"), ("lerp_", "end, weight"),
        ("clamp_", "min=None, max=None"), ("masked_fill_", "mask, value"), ("transpose_", "dim0, dim1"),
        ("float", "*, memory_format=None"), ("addcmul_", "tensor1, tensor2, *, value=1"),
    ],
)  # fmt: skip
def test_methods_have_signatures(name: str, parameters: str) -> None:
    signature = inspect.signature(getattr(torch.zeros(2), name))
    shown = [p.replace(annotation=p.empty) for p in signature.parameters.values() if p.name != "out"]
    assert str(signature.replace(parameters=shown, return_annotation=signature.empty)) == f"({parameters})"


def test_deprecated_and_copying_functions_have_signatures() -> None:
    assert list(inspect.signature(torch.nn.init.uniform).parameters) == ["tensor", "a", "b", "generator"]
    assert list(inspect.signature(torch.narrow_copy).parameters) == ["input", "dim", "start", "length"]


FACTORIES = """
    arange empty empty_like empty_permuted empty_strided eye from_file full full_like linspace logspace normal ones
    ones_like rand rand_like randint randint_like randn randn_like randperm range scalar_tensor tril_indices
    triu_indices zeros zeros_like bartlett_window blackman_window hamming_window hann_window kaiser_window
    Tensor.new_empty Tensor.new_empty_strided Tensor.new_full Tensor.new_ones Tensor.new_zeros
"""
WINDOWS = "bartlett blackman cosine exponential gaussian general_cosine general_hamming hamming hann kaiser nuttall"


@pytest.mark.parametrize("name", [*FACTORIES.split(), *(f"signal.windows.{name}" for name in WINDOWS.split())])
def test_functions_that_make_tensors_name_their_options(name: str) -> None:
    parameters = inspect.signature(operator.attrgetter(name)(torch)).parameters
    assert not any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    options = ["dtype", "layout", "device", "requires_grad"] + ["pin_memory"] * (not name.startswith("signal"))
    assert [option for option in parameters if option in options] == options


MODULES = """
    nn nn.functional nn.init nn.utils nn.utils.rnn optim optim.lr_scheduler linalg fft special masked signal.windows
    autograd autograd.functional utils.data distributions distributions.constraints func random serialization graph
    testing training transforms onnx
"""


@pytest.mark.parametrize("name", ["", *MODULES.split()])
def test_dir_lists_no_tools_of_python(name: str) -> None:
    module = operator.attrgetter(name)(torch) if name else torch
    shown = {attribute for attribute in dir(module) if not attribute.startswith("_")}
    assert shown
    assert not shown & {"annotations", "np", "Any", "TYPE_CHECKING", "Callable", "Sequence", "importlib", "math", "sys"}


def test_every_enum_of_weights_is_declared_for_type_checkers() -> None:
    tree = ast.parse((PACKAGE / "models" / "__init__.py").read_text())
    declared = {name.id for node in ast.walk(tree) if isinstance(node, ast.Assign) for name in node.targets}
    assert declared == set(torch.models.weights.enums())


def names_of_package(path: Path) -> dict[str, str]:
    """Whether a type checker takes each name of a package for a module or for what is imported from one.

    `from .tensor import Tensor` binds `Tensor` and the module `tensor`.
    """
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            if node.module:
                first = node.module.split(".")[0]
                found[first] = "module"
            found |= {
                name.asname or name.name: "name" if node.module else "module" for name in node.names if name.name != "*"
            }
        elif isinstance(node, ast.Assign):
            found |= {target.id: "name" for target in node.targets if isinstance(target, ast.Name)}
    return found


def test_no_module_hides_a_function_of_its_name() -> None:
    """A function with the name of a module has to be imported after everything else of that module."""
    for path in PACKAGE.rglob("__init__.py*"):
        if path.suffix == ".pyc":
            continue
        package = "microgad." + ".".join(path.parent.relative_to(PACKAGE).parts)
        tree = ast.parse(path.read_text())
        wanted = {
            name.asname or name.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module
            for name in node.names
        }
        found = names_of_package(path)
        hidden = {name for name in wanted if found[name] == "module" and name != "*"}
        assert not hidden, (package, hidden)


def test_in_place_methods_have_their_own_names() -> None:
    for name in ("bitwise_and_", "bitwise_left_shift_", "floor_divide_", "ge_", "logical_xor_", "nextafter_", "xlogy_"):
        assert getattr(torch.Tensor, name).__name__ == name
