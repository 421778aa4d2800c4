"""torch._dynamo: settings of PyTorch's compiler that programs change. They have no effect."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

from . import compiler_settings as config
from .compiler import allow_in_graph as allow_in_graph
from .compiler import assume_constant_result as assume_constant_result
from .compiler import compile as _compile
from .compiler import disable as disable
from .compiler import is_compiling as is_compiling
from .compiler import list_backends as list_backends
from .compiler import reset as reset
from .compiler import set_stance as set_stance
from .optimized_module import OptimizedModule as OptimizedModule

eval_frame = exc = utils = sys.modules[__name__]  # PyTorch's modules, whose names are here
disable_cache_limit = config.patch
counters: defaultdict[str, Counter[str]] = defaultdict(Counter)


class TorchDynamoException(RuntimeError):
    """An error of the compiler, which is never raised. Source: torch._dynamo.exc.TorchDynamoException."""


Unsupported = TorchRuntimeError = TorchDynamoException


def optimize(backend: object = "inductor", **options: object) -> Callable[[Any], Any]:
    """Return `torch.compile`, whose older form this is. Source: torch._dynamo.optimize.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore"):
    ...     torch._dynamo.optimize("eager")(torch.relu) is torch.relu
    True
    """
    return _compile


def graph_break(msg: str = "") -> None:
    """Do nothing. Source: torch._dynamo.graph_break."""


def mark_dynamic(t: object, index: object = None, **options: object) -> None:
    """Do nothing. Source: torch._dynamo.mark_dynamic."""


mark_static = mark_static_address = maybe_mark_dynamic = mark_dynamic
