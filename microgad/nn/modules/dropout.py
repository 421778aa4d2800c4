"""Dropout layers. Inputs are floating-point; integers raise RuntimeError in training."""

from __future__ import annotations

from ...tensor import Tensor
from .. import functional as F
from .module import Module


class _DropoutNd(Module):
    """Base class of dropout layers. Raises ValueError unless p is in [0, 1]."""

    _drop: str  # its function in F, which is looked up at each call, because programs replace functions there

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._drop)(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """In training, zero each element with probability p, and divide the others by 1 - p.

    In evaluation return the input itself. Raises ValueError unless p is in [0, 1]. Of any shape; RuntimeError is raised
    for integers. Source: torch.nn.Dropout; Srivastava et al. (2014).

    >>> _ = torch.manual_seed(0)
    >>> drop = nn.Dropout(0.5)
    >>> drop(torch.ones(6)), drop.eval()(torch.ones(3))
    (tensor([0., 0., 2., 0., 0., 0.]), tensor([1., 1., 1.]))
    """

    _drop = "dropout"


class Dropout1d(_DropoutNd):
    """Dropout of whole channels of (N, C, L) or (C, L).

    Raises as Dropout does, RuntimeError for other shapes. Source: torch.nn.Dropout1d.

    >>> _ = torch.manual_seed(0)
    >>> nn.Dropout1d(0.5)(torch.ones(3, 2))
    tensor([[0., 0.],
            [0., 0.],
            [2., 2.]])
    """

    _drop = "dropout1d"


class Dropout2d(_DropoutNd):
    """Dropout of whole channels of (N, C, H, W).

    Raises as Dropout does, RuntimeError for less than two dimensions. Source: torch.nn.Dropout2d; Tompson et al.
    (2014).

    >>> nn.Dropout2d(0.0)(torch.ones(1, 1, 1, 2))
    tensor([[[[1., 1.]]]])
    """

    _drop = "dropout2d"


class Dropout3d(_DropoutNd):
    """Dropout of whole channels of (N, C, D, H, W) or (C, D, H, W). Raises as Dropout does. Source: torch.nn.Dropout3d.

    >>> nn.Dropout3d(1.0)(torch.ones(1, 1, 1, 2))
    tensor([[[[0., 0.]]]])
    """

    _drop = "dropout3d"


class AlphaDropout(_DropoutNd):
    """Dropout for SELU networks, which preserves mean and variance. As in PyTorch, `inplace` has no effect.

    Of any shape; raises as Dropout does. Source: torch.nn.AlphaDropout; Klambauer et al. (2017).

    >>> _ = torch.manual_seed(0)
    >>> nn.AlphaDropout(0.5)(torch.zeros(4))
    tensor([-0.7792, -0.7792,  0.7792, -0.7792])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """AlphaDropout of whole channels of (N, C, ...), not in place.

    Raises as Dropout does, RuntimeError for less than two dimensions. Source: torch.nn.FeatureAlphaDropout.

    >>> nn.FeatureAlphaDropout(0.5).eval()(torch.ones(1, 1, 2))
    tensor([[[1., 1.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training)
