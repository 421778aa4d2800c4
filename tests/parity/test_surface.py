"""Every public name of PyTorch exists in microgad, or its AttributeError gives the reason and the nearest name."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import re
import types
from collections.abc import Iterator
from typing import Any

import pytest

import microgad

torch = pytest.importorskip("torch")

MODULES = [
    ".", "Tensor", "nn", "nn.functional", "nn.utils", "nn.utils.rnn", "nn.utils.parametrize",
    "nn.utils.parametrizations", "nn.utils.prune", "nn.utils.stateless", "nn.init", "nn.parameter", "nn.modules",
    "nn.modules.utils", "nn.grad", "nn.parallel", "linalg", "fft", "special", "autograd", "autograd.functional",
    "autograd.graph", "autograd.function", "autograd.grad_mode", "autograd.forward_ad", "func", "utils",
    "utils.data", "utils.checkpoint", "utils.dlpack", "utils.hooks", "optim.lr_scheduler", "optim.swa_utils",
    "random", "cuda", "cuda.amp", "backends", "backends.cudnn", "backends.cuda", "backends.mkl", "backends.mps",
    "backends.openmp", "amp", "jit", "hub", "testing", "return_types", "signal", "signal.windows", "mps",
    "accelerator", "cpu", "compiler", "types", "version", "serialization", "masked",
    "optim", "distributions", "distributions.constraints", "distributions.kl", "distributions.transforms",
    "utils.flop_counter", "utils.module_tracker", "nn.attention", "nn.attention.flex_attention", "profiler",
]  # fmt: skip


def find_module(root: Any, path: str) -> Any:
    """The module or class at a path in a library."""
    for name in path.split(".") if path != "." else ():
        root = getattr(root, name, None) or importlib.import_module(f"{root.__name__}.{name}")
    return root


def public_names(module: Any) -> Iterator[str]:
    """The names that are PyTorch's own: in the module's `__all__`, or defined in the module."""
    listed = getattr(module, "__all__", None)
    for name in dir(module):
        value = getattr(module, name, None)
        home = getattr(value, "__module__", None) or ""
        if name.startswith("_") or type(value).__module__ == "typing" or type(value).__name__ == "TypeVar":
            continue
        if isinstance(value, types.ModuleType) and not value.__name__.startswith("torch."):
            continue
        if home.split(".")[0] in ("typing", "collections", "contextlib", "functools", "dataclasses", "enum", "abc"):
            continue
        if listed is None or isinstance(module, type) or name in listed or home == module.__name__:
            yield name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("path", MODULES)
def test_names_exist_or_their_error_gives_a_reason(path):
    theirs, ours = find_module(torch, path), find_module(microgad, path)
    ours = microgad.zeros(1) if path == "Tensor" else ours
    unexplained = []
    for name in public_names(theirs):
        if isinstance(getattr(theirs, name, None), types.ModuleType):  # another test may have imported it
            with contextlib.suppress(ImportError):
                importlib.import_module(f"{ours.__name__}.{name}")
        try:
            getattr(ours, name)
        except AttributeError as error:
            if not re.match(rf"microgad has no [\w.]*{name}: .", str(error)):
                unexplained.append(str(error))
        except RuntimeError:  # the property has no value for this Tensor
            assert isinstance(inspect.getattr_static(type(ours), name), property)
    assert not unexplained


def test_errors_of_missing_names_give_the_nearest_name():
    with pytest.raises(AttributeError, match=r"microgad has no is_tensr; the nearest name is is_tensor"):
        microgad.is_tensr  # noqa: B018
    with pytest.raises(AttributeError, match=r"no nn.RELU; the nearest name is ReLU"):
        microgad.nn.RELU  # noqa: B018
    with pytest.raises(AttributeError, match=r"cuda.is_avaliable: .*; the nearest name is is_available"):
        microgad.cuda.is_avaliable  # noqa: B018
    with pytest.raises(AttributeError, match=r"Tensor.crow_indices: arrays are dense; "):
        microgad.ones(1).crow_indices()


# Names in `dir` that PyTorch lacks.
OURS = {
    # PyTorch has set_vital, but doesn't list it.
    ".": "Function LinearMap Parameter as_torch empty_cache expand get_printoptions record set_vital slice summary",
    "nn": "AconA AconB AconC BentIdentity Swish TanhExp",
    "nn.functional": "acon_a acon_b acon_c bent_identity swish tanhexp",
    "autograd": "is_grad_enabled",
    "optim": "AMSBound AMSGrad AdaBelief AdaBound Eve RMSpropGraves SAM SMORMS3 SantaE SantaSSS",
    "serialization": "FileError save_npz",
    "onnx": "FileError OnnxModule UnsupportedError load",
}
SHOWN = """
    . nn nn.functional nn.init nn.utils nn.utils.rnn nn.utils.parametrize nn.utils.parametrizations nn.utils.prune
    nn.attention nn.attention.flex_attention nn.parallel nn.parameter optim optim.lr_scheduler optim.swa_utils linalg
    fft special masked signal.windows autograd autograd.functional autograd.forward_ad autograd.function
    autograd.grad_mode autograd.graph func utils.data utils.checkpoint utils.flop_counter distributions
    distributions.constraints distributions.kl random serialization onnx
"""


@pytest.mark.parametrize("path", SHOWN.split())
def test_dir_and_all_list_no_imported_helpers(path):
    theirs, ours = (importlib.import_module(f"{root}.{path}".rstrip(".")) for root in ("torch", "microgad"))
    listed = {name for name in (*dir(ours), *getattr(ours, "__all__", ())) if not name.startswith("_")}
    parts = {part.name for part in pkgutil.iter_modules(getattr(ours, "__path__", ()))}
    assert listed
    assert listed - parts - {*dir(theirs)} == {*OURS.get(path, "").split()}
