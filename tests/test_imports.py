"""Imports: modules import lower layers only, optional packages few times, and the engine imports no operation."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import microgad

from .processes import output_of, run

PACKAGE = Path(microgad.__file__).parent

# From the lowest layer up. A file may import modules of lower layers and its own module or package.
LAYERS = [
    ["errors", "operators"],
    ["hypothesis_types", "lazy", "pytree", "size", "state"],
    ["return_types", "duck_arrays"],
    ["backend"],
    ["dtypes"],
    ["fast_reductions", "function", "storage", "type_aliases"],
    ["generator"],
    ["engine", "torch_function"],
    ["view_writes"],
    ["batching"],
    ["gradients"],
    ["updates"],
    ["ops"],
    ["grad_fn"],
    ["dispatch", "methods"],
    ["tensor"],
    ["parameter"],
    ["autograd"],
    ["amp", "legacy"],
    ["cuda", "quasirandom", "random"],
    ["fft", "linalg", "masked", "nn", "signal", "special"],
    ["distributions", "fake_quantize", "optim", "serialization", "utils"],
    ["func", "graph", "transforms"],
    ["datasets", "models", "onnx"],
    ["profiler"],
    ["testing"],  # draws graphs of wrong gradients
    ["training"],
    ["porting"],
    ["__init__", "__main__"],
]
LAYER = {module: layer for layer, modules in enumerate(LAYERS) for module in modules}
# The calls of import_module that load a higher layer when they are reached, and why.
UPWARD = {
    ("tensor.py", "microgad.graph"): "Tensor.graph is a shortcut to the drawing",
    ("storage.py", "microgad.serialization"): "a storage in a pickle of PyTorch's is a file",
    ("hypothesis_types.py", "microgad.testing.plugins.hypothesis_plugin"): "strategies, when hypothesis draws",
    ("testing/programs/machine.py", "microgad"): "the library whose programs are run, by default",
}
# The files or folders that may import an optional package.
MAY_IMPORT = {
    "cupy": {"backend/__init__.py"},
    "cupyx": {"backend/__init__.py"},
    "graphviz": {"graph/drawing/dot.py"},
    "pygraphviz": {"graph/drawing/render.py"},
    "hypothesis": {
        "hypothesis_types.py",
        "testing/strategies",
        "testing/laws",
        "testing/programs/machine.py",
        "testing/plugins/hypothesis_plugin.py",
        "testing/cli/command.py",
    },
    "matplotlib": {"training/plots.py"},
    "tqdm": {"utils/progress_bar.py"},
    "threadpoolctl": {"training/environment.py"},
    "PIL": set(),  # by importlib, in transforms/images.py
    "tensorboardX": {"utils/tensorboard.py", "porting/torch_modules/tensorboard_summary.py"},
    "torch": {"testing/adapters/from_torch.py", "testing/programs/machine.py"},
    "scipy": {"quasirandom.py"},
    "onnx": {"onnx"},
    "google": {"onnx/loading.py"},
    "rich": {"graph/queries/tables.py"},
    "pytest": {"testing/plugins/pytest_plugin.py"},
}


@cache
def imports(file: Path) -> list[tuple[str, bool]]:
    """(module, inside TYPE_CHECKING) for each import, in microgad's own names from the package's root.

    That of a constant name by `importlib.import_module` is one, too.
    """
    found = []
    text = file.read_text()
    tree = ast.parse(text)
    typing_only = {
        node for block in tree.body if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in block.body
    }  # fmt: skip
    here = file.relative_to(PACKAGE).with_suffix("").parts
    for node in ast.walk(tree) if "import_module(" in text or "LazyModule(" in text else statements(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node in typing_only) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append((node.module or "", node in typing_only))
        elif isinstance(node, ast.ImportFrom):
            base = ["microgad", *here][: len(here) + 1 - node.level]
            if node.module:
                found.append((".".join([*base, node.module]), node in typing_only))
            else:
                found += [(".".join([*base, alias.name]), node in typing_only) for alias in node.names]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "LazyModule":
            found.append((ast.literal_eval(node.args[0]), False))
        elif isinstance(node, ast.Call) and name_of(node.func).endswith("import_module"):
            found += [(x.value, False) for x in node.args[:1] if isinstance(x, ast.Constant)]
    return found


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """The statements in a node, without their expressions, which are most of a file."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield child
            yield from statements(child)


def name_of(function: ast.expr) -> str:
    """The last name of a called function; ast.unparse takes longer than the tests."""
    return getattr(function, "attr", None) or getattr(function, "id", "")


def in_package(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


def test_modules_import_only_from_lower_layers() -> None:
    for file in PACKAGE.rglob("*.py"):
        own = "__main__" if file.name == "__main__.py" else file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for module, typing_only in imports(file):
            if not module.startswith("microgad") or typing_only or (in_package(file), module) in UPWARD:
                continue
            parts = module.split(".")
            target = parts[1] if len(parts) > 1 and parts[1] in LAYER else "__init__"
            if target != own and own != "__init__":
                assert LAYER[target] < LAYER[own], f"{in_package(file)} imports {module} of a layer that isn't lower"


def test_optional_packages_are_imported_only_where_they_may() -> None:
    for file in PACKAGE.rglob("*.py"):
        for module, _ in imports(file):
            allowed = MAY_IMPORT.get(module.split(".")[0])
            allows = allowed is None or any(file.is_relative_to(PACKAGE / path) for path in allowed)
            assert allows, f"{module} in {in_package(file)}"


def test_every_module_has_a_layer() -> None:
    modules = {p.stem for p in PACKAGE.iterdir() if (p.suffix == ".py" or (p / "__init__.py").exists())}
    assert modules <= set(LAYER), modules - set(LAYER)


def test_public_names_are_loaded_and_listed() -> None:
    for name in dir(microgad):
        getattr(microgad, name)
    assert {"Tensor", "relu", "float32", "load"} <= set(microgad.__all__) <= set(dir(microgad))
    modules = {name for name in dir(microgad) if isinstance(getattr(microgad, name), ModuleType)}
    assert {"nn", "optim", "random"} <= modules
    assert not {*modules, "slice"} & set(microgad.__all__)  # `from torch import *` keeps a program's own


def test_operations_are_loaded_when_they_are_called() -> None:
    code = """
import sys, microgad
later = tuple(f"microgad.{name}" for name in ("ops", "batching", "generator"))
assert not [name for name in sys.modules if name.startswith(later)]
x = microgad.ones(2)
assert (x + x).tolist() == [2, 2] and (x @ x).item() == 2 and x.reshape(1, 2).sum().item() == 2
assert "microgad.ops.special" not in sys.modules and microgad.Tensor.erf is not None
assert "microgad.ops.special" in sys.modules and vars(microgad.methods.Special)["erf"] is microgad.erf
"""
    output_of(code, folder=PACKAGE.parent)


def test_an_import_leaves_few_objects() -> None:
    """Python goes through all objects several times when a process ends.

    Python 3.13 makes 7 % more of them. Since Python 3.14 each signature with annotations has a function for these.
    """
    most = 4000 if sys.version_info < (3, 12) else 4300 if sys.version_info < (3, 14) else 5200
    code = (
        "import gc, inspect, numpy.fft; gc.collect(); n = len(gc.get_objects())\n"  # it leaves out tuples of numbers
        f"import microgad; gc.collect(); assert len(gc.get_objects()) - n < {most}"
    )
    output_of(code, folder=PACKAGE.parent)


def test_the_first_storage_of_a_program_has_its_tensors_elements() -> None:
    code = "import microgad; assert microgad.ones(2).storage().tolist() == [1, 1]"
    output_of(code, folder=PACKAGE.parent)


def test_importing_microgad_imports_nothing_optional() -> None:
    code = """
import sys, microgad, microgad.nn
assert not [name for name in sys.modules if name.startswith("microgad.testing")]
print(*sorted({m.split('.')[0] for m in sys.modules}))
"""
    loaded = set(output_of(code, folder=PACKAGE.parent).split())
    assert not loaded & {
        "graphviz",
        "pygraphviz",
        "hypothesis",
        "matplotlib",
        "tqdm",
        "cupy",
        "torch",
        "scipy",
        "pytest",
        "onnx",
        "google",
    }


def test_runs_without_ctypes_multiprocessing_mmap_and_threads() -> None:
    """Python in a browser has none of them."""
    code = """
import sys, _thread
for name in ("ctypes", "_ctypes", "multiprocessing", "_multiprocessing", "mmap"):
    sys.modules[name] = None
import numpy
def refuse(*args, **kwargs): raise RuntimeError("can't start new thread")
_thread.start_new_thread = refuse
import threading
threading._start_new_thread = refuse
import microgad as torch
from microgad import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(18, 3))
optimizer = torch.optim.Adam(net.parameters())
loss = nn.functional.cross_entropy(net(torch.rand(4, 1, 8, 8)), torch.tensor([0, 1, 2, 0]))
loss.backward()
optimizer.step()
print(loss.item())
"""
    assert 0 < float(output_of(code, folder=PACKAGE.parent)) < 10


def test_the_engine_knows_no_operation() -> None:
    """It differentiates an operation defined here twice, and imports nothing from microgad.ops."""

    class Toy(microgad.Function):
        def forward(self, x):
            return 3 * x * x

        def grad_x(self, grad, x):
            return grad * (6 * x)

    x = microgad.tensor(2.0, requires_grad=True)
    (first,) = microgad.autograd.grad(Toy.apply(x), x, create_graph=True)
    (second,) = microgad.autograd.grad(first, x)
    assert (first.item(), second.item()) == (12.0, 6.0)
    for room in ("engine", "function"):
        for file in (PACKAGE / room).rglob("*.py"):
            assert not any(module.startswith("microgad.ops") for module, _ in imports(file)), file


def test_the_core_has_fewer_than_1500_lines_of_code() -> None:
    lines = 0
    for name in (
        "errors/__init__",
        "state/__init__",
        "size",
        "backend/__init__",
        "dtypes/__init__",
        "function/__init__",
        "function/plan",
        "function/linear_map",
        "engine/walk",
        "engine/queue",
        "engine/derivatives",
        "engine/hooks",
        "gradients",
        "tensor",
    ):
        tree = ast.parse((PACKAGE / f"{name}.py").read_text())
        docs = {
            n.lineno + i
            for node in ast.walk(tree)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node)
            for n in [node.body[0]]
            for i in range((n.end_lineno or 0) - n.lineno + 1)
        }
        source = (PACKAGE / f"{name}.py").read_text().splitlines()
        lines += sum(
            1 for i, line in enumerate(source, 1) if line.strip() and not line.strip().startswith("#") and i not in docs
        )
    assert lines < 1500, lines


def test_the_doctests_of_a_file_run_alone() -> None:
    """As an editor runs them, also where the file has the name of a function that its package takes from it."""
    for file in ("microgad/ops/indexing/gather.py", "microgad/graph/tape.py"):
        out = run("-m", "pytest", "-p", "no:cacheprovider", file, folder=Path(__file__).parents[1])
        assert out.returncode == 0, out.stdout
