"""microgad: an autograd-graph micro-framework on NumPy and CuPy, spelled as PyTorch spells it.

>>> import microgad as torch
>>> x = torch.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])

(PYTEST_DONT_REWRITE: pytest, which `python -m microgad -m pytest` starts, would warn that this is imported already.)
"""

from os import environ as _environ
from sys import meta_path as _meta_path

from . import autograd as autograd
from . import grad_fn as grad_fn
from .errors import notices
from .lazy import TorchModuleFinder as _TorchModuleFinder
from .lazy import raise_missing as _raise_missing
from .lazy import stub_getattr as _stub_getattr
from .tensor import Tensor
from .torch_function import wrappers as _wrappers


def _missing_from_stub(name):
    """Return functions that the stub doesn't list: `torch.relu_`, made from a method, and `torch._foreach_add`."""
    if name.endswith("_") and not name.startswith("_") and hasattr(Tensor, name):
        from .methods.factories import as_function

        return as_function(getattr(Tensor, name))
    if name.startswith("_foreach_"):
        from .porting.torch_modules import foreach

        return foreach.of(name.removeprefix("_foreach_")) or _raise_missing("microgad", name)
    return _raise_missing("microgad", name)


_meta_path.insert(0, _TorchModuleFinder())
notices.quiet_numbers()
__version__ = "0.2.0.dev0"
del tensor  # noqa: F821 - the module, whose name a function has here
_loaded, __dir__ = _stub_getattr(globals(), _missing_from_stub)


def __getattr__(name):
    """Load a name on first use. By then the program may have defined a class that has a __torch_function__."""
    _wrappers.install_if_needed()
    return globals()[name] if name in globals() else _loaded(name)


_wrappers.install_if_needed()  # the program may have defined one already, and import only submodules


if _environ.get("MICROGAD_DEBUG"):  # "1" or "print": see `microgad.graph.debugging`
    from .graph.debugging import start as _start

    _start(_environ["MICROGAD_DEBUG"])
