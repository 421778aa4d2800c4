"""Transforms of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

from ..dtypes.limits import finfo
from ..errors import ArgumentError
from ..linalg import cholesky
from ..nn.functional import logsigmoid, pad, softplus
from ..size import Size
from ..tensor import Tensor
from . import constraints
from .composition import ParameterFreeTransform, Transform
from .utils import _at_least, tril_matrix_to_vec, vec_to_tril_matrix


class ReshapeTransform(Transform):
    """Reshape events from in_shape to out_shape.

    Raises ValueError for different numbers of elements. Source: torch.distributions.ReshapeTransform.

    >>> torch.distributions.ReshapeTransform((4,), (2, 2))(torch.zeros(3, 4)).shape
    torch.Size([3, 2, 2])
    """

    bijective = True
    _init_args = ("in_shape", "out_shape")

    def __init__(self, in_shape: Any, out_shape: Any, cache_size: int = 0) -> None:
        self.in_shape, self.out_shape = Size(in_shape), Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ArgumentError(f"in_shape, out_shape have different numbers of elements: {in_shape}, {out_shape}")
        super().__init__(cache_size=cache_size)

    @property
    def domain(self) -> Any:
        return constraints.independent(constraints.real, len(self.in_shape))

    @property
    def codomain(self) -> Any:
        return constraints.independent(constraints.real, len(self.out_shape))

    def _call(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[: x.dim() - len(self.in_shape)] + self.out_shape)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.reshape(y.shape[: y.dim() - len(self.out_shape)] + self.in_shape)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    def forward_shape(self, shape: Any) -> Any:
        return self._replace_suffix(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self._replace_suffix(shape, self.out_shape, self.in_shape)

    @staticmethod
    def _replace_suffix(shape: Any, old: Size, new: Size) -> Size:
        kept = len(shape) - len(old)
        if kept < 0 or tuple(shape[kept:]) != tuple(old):
            raise ValueError(f"Shape mismatch: expected {tuple(shape[max(kept, 0) :])} but got {tuple(old)}")
        return Size((*shape[:kept], *new))


class SoftmaxTransform(ParameterFreeTransform):
    """y = softmax x along the last dimension; the inverse is log y. Source: torch.distributions.SoftmaxTransform.

    >>> torch.distributions.SoftmaxTransform()(torch.tensor([0.0, 1.0]))
    tensor([0.2689, 0.7311])
    """

    domain, codomain = constraints.real_vector, constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        powers = (x - x.max(-1, True)[0]).exp()
        return powers / powers.sum(-1, True)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def _same(self, shape: Any) -> Any:
        _at_least(1, shape)
        return shape

    forward_shape = inverse_shape = _same


class StickBreakingTransform(ParameterFreeTransform):
    """Map K-1 numbers to K probabilities, each a fraction of the remainder (stick breaking).

    Source: torch.distributions.StickBreakingTransform.

    >>> torch.distributions.transforms.StickBreakingTransform()(torch.zeros(2))
    tensor([0.3333, 0.3333, 0.3333])
    """

    domain, codomain, bijective = constraints.real_vector, constraints.simplex, True

    @staticmethod
    def _left(x: Tensor) -> Tensor:
        """Return K-1, K-2, …, 1: the number of probabilities that follow each one."""
        return x.shape[-1] + 1 - x.new_ones(x.shape[-1]).cumsum(-1)

    def _call(self, x: Tensor) -> Tensor:
        share = (x - self._left(x).log()).sigmoid()
        limits = finfo(share.dtype)
        share = share.clamp(min=limits.tiny, max=1 - limits.eps)
        return pad(share, [0, 1], value=1) * pad((1 - share).cumprod(-1), [1, 0], value=1)

    def _inverse(self, y: Tensor) -> Tensor:
        kept = y[..., :-1]
        left = (1 - kept.cumsum(-1)).clamp(min=finfo(y.dtype).tiny)
        return kept.log() - left.log() + self._left(kept).log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        x = x - self._left(x).log()
        return (-x + logsigmoid(x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        _at_least(1, shape)
        return Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Any) -> Any:
        _at_least(1, shape)
        return Size((*shape[:-1], shape[-1] - 1))


class LowerCholeskyTransform(ParameterFreeTransform):
    """Map a matrix to a lower triangular one of diagonal exp(x).

    (..., n, n) -> the same. Source: torch.distributions.LowerCholeskyTransform.

    >>> torch.distributions.LowerCholeskyTransform()(torch.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """

    domain, codomain = constraints.independent(constraints.real, 2), constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + x.diagonal(dim1=-2, dim2=-1).exp().diag_embed()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + y.diagonal(dim1=-2, dim2=-1).log().diag_embed()


class PositiveDefiniteTransform(ParameterFreeTransform):
    """Map any matrix to a positive definite one.

    (..., n, n) -> the same. Source: torch.distributions.PositiveDefiniteTransform.

    >>> torch.distributions.PositiveDefiniteTransform()(torch.zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """

    domain, codomain = constraints.independent(constraints.real, 2), constraints.positive_definite

    def _call(self, x: Tensor) -> Tensor:
        root = LowerCholeskyTransform()(x)
        return root @ root.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform().inv(cholesky(y))


class CorrCholeskyTransform(Transform):
    """Map D(D-1)/2 numbers to the Cholesky factor of a D×D correlation matrix.

    tanh of each number is a partial correlation: a fraction of what remains of the row's unit length. Raises ValueError
    for other numbers. Source: torch.distributions.CorrCholeskyTransform.

    >>> torch.distributions.CorrCholeskyTransform()(torch.zeros(1))
    tensor([[1., 0.],
            [0., 1.]])
    """

    domain, codomain, bijective = constraints.real_vector, constraints.corr_cholesky, True

    def _call(self, x: Tensor) -> Tensor:
        x = x.tanh()
        eps = finfo(x.dtype).eps
        x = x.clamp(min=-1 + eps, max=1 - eps)
        shares = vec_to_tril_matrix(x, diag=-1)
        left = (1 - shares * shares).sqrt().cumprod(-1)
        shares = shares + shares.new_ones(shares.shape[-1]).diag_embed()
        return shares * pad(left[..., :-1], [1, 0], value=1)

    def _inverse(self, y: Tensor) -> Tensor:
        left = pad((1 - (y * y).cumsum(-1))[..., :-1], [1, 0], value=1)
        t = tril_matrix_to_vec(y, diag=-1) / tril_matrix_to_vec(left, diag=-1).sqrt()
        return (t.log1p() - (-t).log1p()) / 2

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor, intermediates: Any = None) -> Tensor:
        left = (1 - (y * y).cumsum(-1)).tril(-2) + y.new_ones(y.shape).triu(-1)
        stick = 0.5 * left.log().sum((-2, -1))
        return stick - 2 * (x + softplus(-2 * x) - math.log(2.0)).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        _at_least(1, shape)
        size = round((0.25 + 2 * shape[-1]) ** 0.5 + 0.5)
        if size * (size - 1) // 2 != shape[-1]:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return Size((*shape[:-1], size, size))

    def inverse_shape(self, shape: Any) -> Any:
        _at_least(2, shape)
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        return Size((*shape[:-2], shape[-1] * (shape[-1] - 1) // 2))
