"""torch._inductor: what programs set of PyTorch's compiler, without effect."""

from types import SimpleNamespace

from ...lazy import define_getattr as _define_getattr
from .compiler import cudagraph_mark_step_begin as cudagraph_mark_step_begin

config = SimpleNamespace(triton=SimpleNamespace())

_define_getattr(globals())
