"""torch._dynamo: settings of PyTorch's compiler that programs change. They have no effect."""

from __future__ import annotations

from types import SimpleNamespace

from .compiler import allow_in_graph as allow_in_graph
from .compiler import assume_constant_result as assume_constant_result
from .compiler import disable as disable
from .compiler import is_compiling as is_compiling
from .compiler import reset as reset
from .optimized_module import OptimizedModule as OptimizedModule

eval_frame = SimpleNamespace(OptimizedModule=OptimizedModule)
config = SimpleNamespace(suppress_errors=False, cache_size_limit=8, recompile_limit=8)


def mark_dynamic(t: object, index: object = None, **options: object) -> None:
    """Do nothing. Source: torch._dynamo.mark_dynamic."""


mark_static = mark_static_address = maybe_mark_dynamic = mark_dynamic
