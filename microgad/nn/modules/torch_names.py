"""PyTorch's modules of the layers, which files name, and which layers are said to be of under as_torch."""

from functools import cache
from types import ModuleType

from .. import modules
from .module import Module

# PyTorch's modules of layers, where ours have other names.
_OTHERS = {"ChannelShuffle": "channelshuffle", "Flatten": "flatten", "Unflatten": "flatten"}
# Our modules of layers that PyTorch doesn't have. Those that it has import their classes.
_OWN = {
    "layer_helpers", "lazy_layers", "loss_base", "margin_losses", "parameter_containers", "recurrent_weights",
    "softmax",
}  # fmt: skip


@cache
def layer_modules() -> dict[type, str]:
    """Return the name of PyTorch's module for each layer: that of ours, if PyTorch has it, or one that imports it."""
    files = {name: vars(x) for name, x in vars(modules).items() if isinstance(x, ModuleType) and name not in _OWN}
    found: dict[type, str] = {}
    for file, content in files.items():
        for name, kind in content.items():
            if isinstance(kind, type) and issubclass(kind, Module) and not name.startswith("_"):
                own = _OTHERS.get(name, kind.__module__.rpartition(".")[2])
                found.setdefault(kind, f"torch.nn.modules.{own if name in files.get(own, ()) else file}")
    return found
