"""The older form of weight normalization, by a forward pre-hook. See also `parametrizations.weight_norm`."""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

from ...ops.linalg import _weight_norm, norm_except_dim
from ...parameter import Parameter
from ...tensor import Tensor
from ..modules.module import Module
from ..parameter import is_lazy
from .normalization_helpers import find_hook

M = TypeVar("M", bound=Module)


class WeightNorm:
    """The hook, which computes the weight `<name>` from norms `<name>_g` and directions `<name>_v`."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    @staticmethod
    def apply(module: Module, name: str, dim: int | None) -> WeightNorm:
        """Do what `weight_norm` does, and return the hook."""
        warnings.warn(
            "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.",
            FutureWarning,
            stacklevel=1,  # as in PyTorch: the default filter then shows it once
        )
        if find_hook(module._forward_pre_hooks, WeightNorm, name) is not None:
            raise RuntimeError(f"Cannot register two weight_norm hooks on the same parameter {name}")
        hook = WeightNorm(name, dim)
        weight = getattr(module, name)
        if is_lazy(weight):
            raise ValueError(
                "The module passed to `WeightNorm` can't have uninitialized parameters. Make sure to run the dummy "
                "forward before applying weight normalization"
            )
        norms = norm_except_dim(weight, 2, hook.dim).detach()  # may raise for dim: nothing is changed yet
        del module._parameters[name]
        module.register_parameter(f"{name}_g", Parameter(norms))
        module.register_parameter(f"{name}_v", Parameter(weight.detach()))
        hook(module, None)
        module.register_forward_pre_hook(hook)
        return hook

    def compute_weight(self, module: Module) -> Tensor:
        """Return g v / |v|."""
        return _weight_norm(getattr(module, f"{self.name}_v"), getattr(module, f"{self.name}_g"), self.dim)

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again, with its current value."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        del module._parameters[f"{self.name}_g"], module._parameters[f"{self.name}_v"]
        setattr(module, self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Reparametrize a weight as g v / |v|, with learned norms g (`weight_g`) and directions v (`weight_v`).

    There is one norm per index along `dim`, or with dim=None a single one. Raises RuntimeError if the weight is
    normalized already, ValueError if its shape isn't known yet. Source: torch.nn.utils.weight_norm; Salimans and Kingma
    (2016).

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore", category=FutureWarning):
    ...     layer = nn.utils.weight_norm(nn.Linear(2, 3))
    >>> [(name, tuple(p.shape)) for name, p in layer.named_parameters()]
    [('bias', (3,)), ('weight_g', (3, 1)), ('weight_v', (3, 2))]
    """
    WeightNorm.apply(module, name, dim)
    return module


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Make the weight a parameter again. Raises ValueError if `weight_norm` wasn't applied to it.

    Source: torch.nn.utils.remove_weight_norm.

    >>> import warnings
    >>> with warnings.catch_warnings(action="ignore", category=FutureWarning):
    ...     layer = nn.utils.weight_norm(nn.Linear(2, 3))
    >>> [name for name, _ in nn.utils.remove_weight_norm(layer).named_parameters()]
    ['bias', 'weight']
    """
    if (i := find_hook(module._forward_pre_hooks, WeightNorm, name)) is None:
        raise ValueError(f"weight_norm of '{name}' not found in {module}")
    module._forward_pre_hooks[i].remove(module)
    del module._forward_pre_hooks[i]
    return module
