"""torch._C: names of PyTorch's C++ module that programs use. The switches of its compiler have no effect."""

import sys
from typing import Any

from .... import torch_function as _protocol
from ....autograd import no_grad, set_grad_enabled
from ....dtypes import dtype as dtype
from ....errors import UnsupportedError
from ....generator import Generator as Generator
from ....generator import default_generator as default_generator
from ....ops import movement
from ....size import Size as Size
from ....tensor import Tensor
from . import _functorch as _functorch
from . import _nn as _nn


def _jit_set_profiling_mode(profiling_flag: bool) -> bool:
    """Do nothing."""
    return False


_jit_set_profiling_executor = _jit_set_texpr_fuser_enabled = _jit_set_nvfuser_enabled = _jit_set_profiling_mode
_jit_override_can_fuse_on_cpu = _jit_override_can_fuse_on_gpu = _debug_set_autodiff_subgraph_inlining = (
    _jit_set_profiling_mode
)


def _log_api_usage_once(event: str) -> None:
    """Do nothing: usage is not logged."""


def _get_tracing_state() -> None:
    """Return None: nothing is traced."""


def _is_tracing() -> bool:
    """Return False: nothing is traced."""
    return False


def _is_torch_function_mode_enabled() -> bool:
    """Return whether a TorchFunctionMode is entered."""
    return _protocol.has_modes()


def _set_grad_enabled(mode: bool) -> None:
    """Set whether operations are recorded."""
    set_grad_enabled(mode)


def _get_privateuse1_backend_name() -> str:
    """Return the name of a device that nothing is on."""
    return "privateuseone"


def _are_functorch_transforms_active() -> bool:
    """Return False: the values of Tensors inside `vmap` can be read."""
    return False


_disabled_torch_function_impl = _protocol.disabled_torch_function
DisableTorchFunctionSubclass, DisableTorchFunction = _protocol.disable_subclasses, _protocol.disable_torch_function
TensorBase = _TensorBase = Tensor
_infer_size = movement.broadcast_shapes
_AutoDispatchBelowAutograd = no_grad  # entered by the kernels of custom operations


class Graph:
    """A compiled program. microgad has none, but annotations in libraries name it and its parts."""


class DeviceObjType:
    """The type of a device in a compiled program, for annotations. Source: torch.DeviceObjType.

    >>> isinstance(torch.device("cpu"), torch.DeviceObjType)
    False
    """


Block = Node = Value = Graph
# PyTorch's pickles name functions of these, such as torch.relu.
_VariableFunctions = _VariableFunctionsClass = sys.modules["microgad"]


class PyTorchFileReader:
    """PyTorch's reader of its files, for annotations.

    Making one raises NotImplementedError. Source: torch.PyTorchFileReader.

    >>> isinstance(open, torch.PyTorchFileReader)
    False
    """

    def __init__(self, *args: Any) -> None:
        raise UnsupportedError(
            "torch.PyTorchFileReader: microgad's own is in microgad.serialization; torch.load reads files"
        )
