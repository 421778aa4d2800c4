"""microgad: an autograd-graph micro-framework on NumPy and CuPy, spelled as PyTorch spells it.

>>> import microgad as torch
>>> x = torch.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from __future__ import annotations

from os import environ as _environ

from . import autograd as autograd
from .errors import notices
from .lazy import names as _names
from .lazy import refuse as _refuse
from .tensor import Tensor
from .torch_function import wrappers as _wrappers


def _in_place(name):
    """`torch.relu_(x)` and its kin are methods of Tensor; `torch._foreach_add(xs, 1)` and its kin are made of them."""
    if name.endswith("_") and not name.startswith("_") and hasattr(Tensor, name):
        from .methods.forms import as_function

        return as_function(getattr(Tensor, name))
    if name.startswith("_foreach_"):
        from .porting.rooms import foreach

        return foreach.of(name.removeprefix("_foreach_")) or _refuse("microgad", name)
    return _refuse("microgad", name)


notices.quiet_numbers()
__version__ = "0.1.0"
del tensor  # noqa: F821 - the module, whose name a function has here
_loaded, __dir__ = _names(globals(), _in_place)


def __getattr__(name):
    """A name that is asked for the first time; by then a program may have made a class with a __torch_function__."""
    _wrappers.install_if_needed()
    return globals()[name] if name in globals() else _loaded(name)


if _environ.get("MICROGAD_DEBUG"):  # "1" or "print": see `microgad.graph.debugging`
    from .graph.debugging import start as _start

    _start(_environ["MICROGAD_DEBUG"])
