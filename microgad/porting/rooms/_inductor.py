"""torch._inductor: what programs set of PyTorch's compiler, without effect."""

from types import SimpleNamespace

from ...lazy import absent as _absent

config = SimpleNamespace(triton=SimpleNamespace())

_absent(globals())
