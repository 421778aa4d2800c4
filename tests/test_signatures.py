"""What `help` and editors say of the public surface."""

from __future__ import annotations

import ast
import inspect
import operator
from pathlib import Path

import pytest

import microgad as torch

PACKAGE = Path(torch.__file__).parent


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("neg_", ""), ("mul_", "other"), ("add_", "other, *, alpha=1"), ("pow_", "exponent"), ("lerp_", "end, weight"),
        ("clamp_", "min=None, max=None"), ("masked_fill_", "mask, value"), ("transpose_", "dim0, dim1"),
        ("float", "memory_format=None"), ("addcmul_", "tensor1, tensor2, *, value=1"),
    ],
)  # fmt: skip
def test_methods_say_how_they_are_called(name: str, said: str) -> None:
    signature = inspect.signature(getattr(torch.zeros(2), name))
    named = [p.replace(annotation=p.empty) for p in signature.parameters.values() if p.name != "out"]
    assert str(signature.replace(parameters=named, return_annotation=signature.empty)) == f"({said})"


def test_copies_of_views_say_what_they_take() -> None:
    assert list(inspect.signature(torch.nn.init.uniform).parameters) == ["tensor", "a", "b", "generator"]
    assert list(inspect.signature(torch.narrow_copy).parameters) == ["input", "dim", "start", "length"]


ROOMS = """
    nn nn.functional nn.init nn.utils nn.utils.rnn optim optim.lr_scheduler linalg fft special masked signal.windows
    autograd autograd.functional utils.data distributions distributions.constraints func random serialization graph
    testing training transforms onnx
"""


@pytest.mark.parametrize("room", ["", *ROOMS.split()])
def test_dir_shows_what_is_a_rooms_own(room: str) -> None:
    module = operator.attrgetter(room)(torch) if room else torch
    shown = {name for name in dir(module) if not name.startswith("_")}
    assert shown
    assert not shown & {"annotations", "np", "Any", "TYPE_CHECKING", "Callable", "Sequence", "importlib", "math", "sys"}


def test_a_type_checker_knows_every_enum_of_weights() -> None:
    tree = ast.parse((PACKAGE / "models" / "__init__.py").read_text())
    said = {name.id for node in ast.walk(tree) if isinstance(node, ast.Assign) for name in node.targets}
    assert said == set(torch.models.weights.enums())


def bound(path: Path) -> dict[str, str]:
    """What a type checker finds under each name of a package: of `from .tensor import Tensor`, `tensor` the module."""
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


def test_no_module_hides_a_name() -> None:
    """A function that goes by the name of a module is imported after what comes from that module."""
    for path in PACKAGE.rglob("__init__.py*"):
        if path.suffix == ".pyc":
            continue
        room = "microgad." + ".".join(path.parent.relative_to(PACKAGE).parts)
        tree = ast.parse(path.read_text())
        wanted = {
            name.asname or name.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module
            for name in node.names
        }
        found = bound(path)
        hidden = {name for name in wanted if found[name] == "module" and name != "*"}
        assert not hidden, (room, hidden)
