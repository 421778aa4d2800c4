"""Special functions under the names of torch.special.

They are elementwise, or broadcast two Tensors. Integers become floating-point; complex numbers raise RuntimeError, but
for exp2, expit, expm1, log1p, sinc, softmax and their kin.
"""

# isort: skip_file
from __future__ import annotations

from .lazy import define_getattr as _define_getattr
from .ops import softmax as _softmax
from .ops.elementwise import exp2, expm1, log1p, logit, round, sinc, xlogy
from .ops.elementwise import sigmoid as expit
from .ops.softmax import logsumexp
from .ops.special import (
    airy_ai, bessel_j0, bessel_j1, bessel_y0, bessel_y1, chebyshev_polynomial_t, chebyshev_polynomial_u,
    chebyshev_polynomial_v, chebyshev_polynomial_w, digamma, entr, erf, erfc, erfcx, erfinv, hermite_polynomial_h,
    hermite_polynomial_he, i0, i0e, i1, i1e, laguerre_polynomial_l, legendre_polynomial_p, log_ndtr, modified_bessel_i0,
    modified_bessel_i1, modified_bessel_k0, modified_bessel_k1, ndtr, ndtri, polygamma, scaled_modified_bessel_k0,
    scaled_modified_bessel_k1, shifted_chebyshev_polynomial_t, shifted_chebyshev_polynomial_u,
    shifted_chebyshev_polynomial_v, shifted_chebyshev_polynomial_w, spherical_bessel_j0, xlog1py, zeta,
)  # fmt: skip
from .ops.special import digamma as psi
from .ops.special import igamma as gammainc
from .ops.special import igammac as gammaincc
from .ops.special import lgamma as gammaln
from .ops.special import mvlgamma as multigammaln
from .ops.support.spelling import numpy_spelling as _numpy_spelling
from .type_aliases import Dtype, Tensor

__all__ = [
    "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "chebyshev_polynomial_t", "chebyshev_polynomial_u",
    "chebyshev_polynomial_v", "chebyshev_polynomial_w", "digamma", "entr", "erf", "erfc", "erfcx", "erfinv", "exp2",
    "expit", "expm1", "gammainc", "gammaincc", "gammaln", "hermite_polynomial_h", "hermite_polynomial_he", "i0", "i0e",
    "i1", "i1e", "laguerre_polynomial_l", "legendre_polynomial_p", "log1p", "log_ndtr", "log_softmax", "logit",
    "logsumexp", "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1", "multigammaln",
    "ndtr", "ndtri", "polygamma", "psi", "round", "scaled_modified_bessel_k0", "scaled_modified_bessel_k1",
    "shifted_chebyshev_polynomial_t", "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w", "sinc", "softmax", "spherical_bessel_j0", "xlog1py", "xlogy", "zeta",
]  # fmt: skip


@_numpy_spelling
def softmax(input: Tensor, dim: int, dtype: Dtype = None) -> Tensor:
    """Compute the softmax along dim: see `nn.functional.softmax`.

    Raises RuntimeError for integers. Source: torch.special.softmax.

    >>> torch.special.softmax(torch.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
    """
    return _softmax.softmax(input, dim, dtype=dtype)


@_numpy_spelling
def log_softmax(input: Tensor, dim: int, *, dtype: Dtype = None) -> Tensor:
    """Compute the log-softmax along dim: see `nn.functional.log_softmax`.

    Raises RuntimeError for integers. Source: torch.special.log_softmax.

    >>> torch.special.log_softmax(torch.tensor([0.0, 0.0]), 0)
    tensor([-0.6931, -0.6931])
    """
    return _softmax.log_softmax(input, dim, dtype=dtype)


_define_getattr(globals())
