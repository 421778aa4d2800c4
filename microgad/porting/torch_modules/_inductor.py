"""torch._inductor: settings of PyTorch's compiler that programs change. They have no effect."""

from types import SimpleNamespace

from .compiler import cudagraph_mark_step_begin as cudagraph_mark_step_begin

config = SimpleNamespace(triton=SimpleNamespace())
