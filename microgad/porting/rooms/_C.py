"""torch._C: switches of PyTorch's compiler that programs set, without effect."""

from ...lazy import absent as _absent


def _jit_set_profiling_mode(profiling_flag: bool) -> bool:
    """No effect."""
    return False


_jit_set_profiling_executor = _jit_set_texpr_fuser_enabled = _jit_set_nvfuser_enabled = _jit_set_profiling_mode
_jit_override_can_fuse_on_cpu = _jit_override_can_fuse_on_gpu = _debug_set_autodiff_subgraph_inlining = (
    _jit_set_profiling_mode
)


def _log_api_usage_once(event: str) -> None:
    """Nothing is logged."""


_absent(globals())
