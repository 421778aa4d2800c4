"""torch._inductor: settings of PyTorch's compiler that programs change. They have no effect."""

from . import compiler_settings as config  # noqa: F401
from .compiler import cudagraph_mark_step_begin as cudagraph_mark_step_begin
