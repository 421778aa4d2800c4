"""torch.__future__: settings of how `module.to` and similar conversions treat parameters."""

from __future__ import annotations

from ...nn.modules.module.conversion import FutureFlags as _FutureFlags


def set_overwrite_module_params_on_conversion(value: bool) -> None:
    """Set whether `module.to` and other conversions replace parameters by new ones instead of changing their data.

    Source: torch.__future__.set_overwrite_module_params_on_conversion.

    >>> layer = nn.Linear(2, 1)
    >>> weight = layer.weight
    >>> torch.__future__.set_overwrite_module_params_on_conversion(True)
    >>> layer.double().weight.dtype, weight.dtype
    (torch.float64, torch.float32)
    >>> torch.__future__.set_overwrite_module_params_on_conversion(False)
    """
    _FutureFlags.overwrite = value


def get_overwrite_module_params_on_conversion() -> bool:
    """Return the value that was set, or False. Source: torch.__future__.get_overwrite_module_params_on_conversion.

    >>> torch.__future__.get_overwrite_module_params_on_conversion()
    False
    """
    return _FutureFlags.overwrite


def set_swap_module_params_on_conversion(value: bool) -> None:
    """Turn off overwriting if True: parameters stay the same objects, as swapped parameters do in PyTorch.

    Source: torch.__future__.set_swap_module_params_on_conversion.
    """
    _FutureFlags.swap = value


def get_swap_module_params_on_conversion() -> bool:
    """Return the value that was set, or False. Source: torch.__future__.get_swap_module_params_on_conversion.

    >>> torch.__future__.get_swap_module_params_on_conversion()
    False
    """
    return _FutureFlags.swap
