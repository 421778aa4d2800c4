"""torch._C: switches of PyTorch's compiler that programs set, without effect."""

from typing import Any

from ... import torch_function as _protocol
from ...autograd import no_grad
from ...backend.devices import device
from ...dtypes import dtype as dtype
from ...errors import UnsupportedError
from ...generator import Generator as Generator
from ...lazy import define_getattr as _define_getattr
from ...methods.conversion import destination
from ...size import Size as Size
from ...tensor import Tensor


def _jit_set_profiling_mode(profiling_flag: bool) -> bool:
    """No effect."""
    return False


_jit_set_profiling_executor = _jit_set_texpr_fuser_enabled = _jit_set_nvfuser_enabled = _jit_set_profiling_mode
_jit_override_can_fuse_on_cpu = _jit_override_can_fuse_on_gpu = _debug_set_autodiff_subgraph_inlining = (
    _jit_set_profiling_mode
)


def _log_api_usage_once(event: str) -> None:
    """Nothing is logged."""


def _get_tracing_state() -> None:
    """None: nothing is traced."""


def _is_tracing() -> bool:
    """False: nothing is traced."""
    return False


def _are_functorch_transforms_active() -> bool:
    """False: `vmap` calls a function slice by slice, with Tensors whose values can be looked at."""
    return False


class _nn:
    """torch._C._nn: what modules call in PyTorch."""

    @staticmethod
    def _parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
        """(device, dtype, non_blocking, memory_format) of the arguments of `Module.to`."""
        where, dtype, flags = destination((*args, kwargs.get("tensor")), kwargs.get("device"), kwargs.get("dtype"))
        non_blocking = flags[0] if flags else kwargs.get("non_blocking", False)
        return None if where is None else device(where), dtype, non_blocking, kwargs.get("memory_format")


_disabled_torch_function_impl = _protocol.disabled_torch_function
DisableTorchFunctionSubclass, DisableTorchFunction = _protocol.disable_subclasses, _protocol.disable_torch_function
TensorBase = _TensorBase = Tensor
_AutoDispatchBelowAutograd = no_grad  # around what a kernel of a program's own operation calls


class Graph:
    """A program that PyTorch has compiled: there is none, but libraries' annotations name it, and its parts."""


class DeviceObjType:
    """A device's type in such a program: a name in annotations. Source: torch.DeviceObjType."""


Block = Node = Value = Graph


class PyTorchFileReader:
    """PyTorch's reader of its files: a name in annotations. Source: torch.PyTorchFileReader."""

    def __init__(self, *args: Any) -> None:
        raise UnsupportedError(
            "torch.PyTorchFileReader: microgad's own is in microgad.serialization; torch.load reads files"
        )


_define_getattr(globals())
