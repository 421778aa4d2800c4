"""The older form of spectral normalization, by a forward pre-hook. See also `parametrizations.spectral_norm`."""

from __future__ import annotations

from typing import Any, TypeVar

from ... import state
from ...ops.linalg import dot, mv, pinverse
from ...parameter import Parameter
from ...tensor import Tensor
from .. import functional as F
from ..modules.module import Module
from ..parameter import is_lazy
from .normalization_helpers import check_power_iterations, find_hook, output_channel_dim, random_unit_vectors

M = TypeVar("M", bound=Module)


class SpectralNorm:
    """The hook, which computes the weight `<name>` as `<name>_orig` / σ, with power iteration for σ."""

    def __init__(self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        check_power_iterations(n_power_iterations)
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    @staticmethod
    def apply(module: Module, name: str, n_power_iterations: int, dim: int, eps: float) -> SpectralNorm:
        """Do what `spectral_norm` does, and return the hook."""
        if find_hook(module._forward_pre_hooks, SpectralNorm, name) is not None:
            raise RuntimeError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
        hook = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        if is_lazy(weight):
            raise ValueError(
                "The module passed to `SpectralNorm` can't have uninitialized parameters. Make sure to run the dummy "
                "forward before applying spectral normalization"
            )
        u, v = random_unit_vectors(hook.reshape_weight_to_matrix(weight.detach()), eps)
        delattr(module, name)
        module.register_parameter(f"{name}_orig", weight)
        setattr(module, name, weight.detach())
        module.register_buffer(f"{name}_u", u)
        module.register_buffer(f"{name}_v", v)
        module.register_forward_pre_hook(hook)
        module._register_state_dict_hook(_Version(name))
        module._register_load_state_dict_pre_hook(_OldLayout(hook))
        return hook

    def reshape_weight_to_matrix(self, weight: Tensor) -> Tensor:
        """Return the weight as a matrix whose rows run along `dim`."""
        matrix = weight.permute(self.dim, *(d for d in range(weight.ndim) if d != self.dim))
        return matrix.reshape(matrix.shape[0], -1)

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        """Return weight / σ."""
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        matrix = self.reshape_weight_to_matrix(weight)
        if do_power_iteration:
            with state.scope(grad_enabled=False):
                for _ in range(self.n_power_iterations):
                    F.normalize(mv(matrix.T, u), dim=0, eps=self.eps, out=v)
                    F.normalize(mv(matrix, v), dim=0, eps=self.eps, out=u)
                u, v = u.clone(), v.clone()  # the next call overwrites them
        return weight / dot(u, mv(matrix, v))

    def remove(self, module: Module) -> None:
        """Make the weight a parameter again, with its current value."""
        with state.scope(grad_enabled=False):
            weight = self.compute_weight(module, do_power_iteration=False)
        for name in (self.name, *(f"{self.name}_{part}" for part in ("u", "v", "orig"))):
            delattr(module, name)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, do_power_iteration=module.training))


def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> M:
    """Divide a weight by its largest singular value, taken as a matrix with rows along `dim`.

    `dim` is 0 by default, or 1 for transposed convolutions. `weight_orig` is learned. In training, each call makes
    n_power_iterations steps of power iteration. Raises RuntimeError if the weight is normalized already, ValueError if
    it is None or its shape isn't known yet. Source: torch.nn.utils.spectral_norm; Miyato et al. (2018).

    >>> _ = torch.manual_seed(0)
    >>> layer = nn.utils.spectral_norm(nn.Linear(3, 2))
    >>> list(layer.state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    SpectralNorm.apply(module, name, n_power_iterations, output_channel_dim(module) if dim is None else dim, eps)
    return module


class _Version:
    """State dict hook that stores the layout version in the metadata, as PyTorch expects it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, module: Module, state_dict: Any, prefix: str, metadata: dict[str, Any]) -> None:
        metadata.setdefault("spectral_norm", {})[f"{self.name}.version"] = 1


class _OldLayout:
    """Hook before loading that converts the first layout of state dicts, which holds the weight / σ in place of v."""

    def __init__(self, norm: SpectralNorm) -> None:
        self.norm, self.name = norm, norm.name

    def __call__(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        metadata: dict[str, Any],
        strict: bool,
        missing: list[str],
        *_: Any,
    ) -> None:
        key = prefix + self.name
        if f"{self.name}.version" in metadata.get("spectral_norm", {}) or (
            key not in state_dict and all(f"{key}_{part}" in state_dict for part in ("orig", "u", "v"))
        ):
            return
        absent = [k for k in (f"{key}_orig", key, f"{key}_u") if k not in state_dict]
        if absent:
            missing += absent if strict else []
            return
        with state.scope(grad_enabled=False):
            original, u = state_dict[f"{key}_orig"], state_dict[f"{key}_u"]
            sigma = (original / state_dict.pop(key)).mean()
            matrix = self.norm.reshape_weight_to_matrix(original)
            v = mv(pinverse(matrix.T @ matrix), mv(matrix.T, u))  # solves W v = u
            state_dict[f"{key}_v"] = v * (sigma / dot(u, mv(matrix, v)))


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Make the weight a parameter again. Raises ValueError if `spectral_norm` wasn't applied to it.

    Source: torch.nn.utils.remove_spectral_norm.

    >>> layer = nn.utils.spectral_norm(nn.Linear(2, 3))
    >>> [name for name, _ in nn.utils.remove_spectral_norm(layer).named_parameters()]
    ['bias', 'weight']
    """
    if (i := find_hook(module._forward_pre_hooks, SpectralNorm, name)) is None:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    module._forward_pre_hooks[i].remove(module)
    del module._forward_pre_hooks[i]
    for hooks, kind in ((module._state_dict_hooks, _Version), (module._load_state_dict_pre_hooks, _OldLayout)):
        if (i := find_hook(hooks, kind, name)) is not None:
            del hooks[i]
    return module
