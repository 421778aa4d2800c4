"""torch.nn.utils.parametrizations: orthogonal weights, weight normalization and spectral normalization."""

from __future__ import annotations

from typing import Any, TypeVar

from ... import state
from ...dtypes.limits import finfo
from ...errors import DimError
from ...ops.creation import eye, zeros_like
from ...ops.elementwise import allclose
from ...ops.linalg import _weight_norm, geqrf, householder_product, matrix_exp, mv, norm_except_dim, solve, vdot
from ...ops.movement import cat
from ...ops.random import randn
from ...tensor import Tensor
from .. import functional as F
from ..modules.module import Module
from . import parametrize
from .normalization_helpers import check_power_iterations, output_channel_dim, random_unit_vectors

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]

M = TypeVar("M", bound=Module)
_MAPS = ("matrix_exp", "cayley", "householder")


class _Orthogonal(Module):
    """Map an unconstrained matrix to one with orthonormal rows or columns, multiplied by `base` if there is one."""

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool = True) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        wide = x.shape[-2] < x.shape[-1]
        x = x.mT if wide else x
        n, k = x.shape[-2:]
        if self.orthogonal_map == "householder":
            below = x.tril(-1)
            q = householder_product(below, 2 / (1 + (below * below).sum(-2)))
            q = q * x.diagonal(dim1=-2, dim2=-1).int().unsqueeze(-2)
        else:
            x = x.tril()
            if n != k:
                x = cat([x, x.new_zeros(n, n - k).expand(*x.shape[:-2], n, n - k)], -1)
            skew = x - x.mH
            if self.orthogonal_map == "matrix_exp":
                q = matrix_exp(skew)
            else:
                one = eye(n, dtype=skew.dtype, device=skew.device)
                q = solve(one - skew * 0.5, one + skew * 0.5)
            q = q[..., :k]
        if hasattr(self, "base"):
            q = self.base @ q
        return q.mT if wide else q

    def right_inverse(self, q: Tensor) -> Tensor:
        if q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of shape {q.shape}."
            )
        with state.scope(grad_enabled=False):
            return self._set_base(q) if hasattr(self, "base") else self._householder_vectors(q)

    def _set_base(self, weight: Tensor) -> Tensor:
        """Set `base` so that the result is `weight`, orthonormalized by QR, for the original -I, which is returned."""
        q = weight.mT if weight.shape[-2] < weight.shape[-1] else weight
        n, k = q.shape[-2:]
        if n != k:
            q = _orthonormalize(cat([q, randn(*q.shape[:-2], n, n - k, dtype=q.dtype, device=q.device)], -1))
        else:
            q = q.clone() if _is_orthogonal(q) else _orthonormalize(q)
        self.base = q
        start = zeros_like(weight)
        start.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return start

    def _householder_vectors(self, weight: Tensor) -> Tensor:
        """Return the Householder vectors whose product of reflections is `weight`, with signs on the diagonal."""
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        wide = weight.shape[-2] < weight.shape[-1]
        a, tau = geqrf(weight.mT if wide else weight)
        a.diagonal(dim1=-2, dim2=-1).sign_()
        a.diagonal(dim1=-2, dim2=-1)[tau == 0.0] *= -1
        return a.mT if wide else a


def _is_orthogonal(q: Tensor) -> bool:
    n, k = q.shape[-2:]
    return allclose(q.mH @ q, eye(k, dtype=q.dtype, device=q.device), atol=10 * n * finfo(q.dtype).eps)


def _orthonormalize(a: Tensor) -> Tensor:
    r, tau = geqrf(a)
    return householder_product(r, tau) * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def orthogonal(
    module: M, name: str = "weight", orthogonal_map: str | None = None, *, use_trivialization: bool = True
) -> M:
    """Keep a matrix's rows or columns, whichever are fewer, orthonormal.

    orthogonal_map is "matrix_exp", "cayley" or "householder"; by default the first for square or complex matrices, the
    last for others. With use_trivialization its result is multiplied by a fixed orthogonal matrix, which registration
    and assignment set. Raises ValueError for fewer than two dimensions, and for another map.
    Source: torch.nn.utils.parametrizations.orthogonal; Lezcano-Casado (2019).

    >>> layer = nn.utils.parametrizations.orthogonal(nn.Linear(3, 2))
    >>> torch.allclose(layer.weight @ layer.weight.T, torch.eye(2), atol=1e-5)
    True
    """
    weight = _weight(module, name)
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions.")
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1] or weight.is_complex()
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(
            f'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: {orthogonal_map}'
        )
    parametrization = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return parametrize.register_parametrization(module, name, parametrization, unsafe=True)


def _weight(module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


class _WeightNorm(Module):
    """Compute a weight from norms g and directions v: g v / |v|."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return _weight_norm(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Reparametrize a weight as g v / |v|, with learned norms g (original0) and directions v (original1).

    There is one norm per index along `dim`, or with dim=None a single one. Source:
    torch.nn.utils.parametrizations.weight_norm; Salimans and Kingma (2016).

    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))
    >>> layer.parametrizations.weight.original0.shape, layer.parametrizations.weight.original1.shape
    (torch.Size([2, 1]), torch.Size([2, 3]))
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def renamed(state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        """Rename the entries that a module with the older `torch.nn.utils.weight_norm` saved."""
        old = [f"{prefix}{name}_{letter}" for letter in "gv"]
        if all(key in state_dict for key in old):
            for i, key in enumerate(old):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(renamed)
    return module


class _SpectralNorm(Module):
    """Divide a weight by its largest singular value σ, estimated by power iteration at each call in training."""

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise DimError(f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got {dim})")
        check_power_iterations(n_power_iterations)
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = self._matrix(weight.detach())
            u, v = random_unit_vectors(matrix, eps)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)
            self._iterate(matrix, 15)

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.dim, 0).flatten(1)

    def _iterate(self, matrix: Tensor, count: int) -> None:
        with state.scope(grad_enabled=False):
            for _ in range(count):
                F.normalize(mv(matrix, self._v), dim=0, eps=self.eps, out=self._u)
                F.normalize(mv(matrix.mH, self._u), dim=0, eps=self.eps, out=self._v)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix, self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the next call overwrites them
        return weight / vdot(u, mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: M, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> M:
    """Divide a weight by its largest singular value, taken as a matrix with rows along `dim`.

    `dim` is 0 by default, or 1 for transposed convolutions.

    Raises ValueError if the module has no such weight. Source: torch.nn.utils.parametrizations.spectral_norm; Miyato et
    al. (2018).

    >>> _ = torch.manual_seed(0)
    >>> layer = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2))
    >>> round(torch.linalg.matrix_norm(layer.weight, 2).item(), 3)
    1.0
    """
    weight = _weight(module, name)
    dim = output_channel_dim(module) if dim is None else dim
    parametrization = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return parametrize.register_parametrization(module, name, parametrization)
