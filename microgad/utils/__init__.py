"""torch.utils: data loading, checkpointing, benchmarks, and other tools around models."""

from __future__ import annotations

from typing import Any

from ..lazy import define_getattr as _define_getattr
from ..lazy import define_getattr_in_package as _define_getattr_in_package
from ..parameter import swap_tensors as swap_tensors
from . import _python_dispatch as _python_dispatch
from . import _pytree as _pytree
from . import backend_registration as backend_registration
from . import benchmark as benchmark
from . import checkpoint as checkpoint
from . import data as data
from . import deterministic as deterministic
from . import dlpack as dlpack
from . import hooks as hooks
from . import weak as weak


def set_module(obj: Any, mod: str) -> None:
    """Set the module that an object says it is from, for printing. Source: torch.utils.set_module."""
    if not isinstance(mod, str):
        raise TypeError("The mod argument should be a string")
    obj.__module__ = mod


_define_getattr(globals(), {name: f".{name}" for name in ("_contextlib", "_foreach_utils")})
_define_getattr_in_package(__name__)
