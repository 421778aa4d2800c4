"""Special functions, one file per family. They are all imported here."""

# isort: skip_file
from .airy import AiryAi, airy_ai
from .bessel import (
    BesselJ0, BesselJ1, BesselY0, BesselY1, SphericalBesselJ0, bessel_j0, bessel_j1, bessel_y0, bessel_y1,
    spherical_bessel_j0,
)  # fmt: skip
from .entropy import Entr, XLog1PY, entr, xlog1py
from .error_function import Erf, Erfc, Erfcx, ErfcxDerivative, ErfcxSlope, erf, erfc, erfcx
from .gamma import Lgamma, Digamma, Polygamma, lgamma, digamma, polygamma, mvlgamma
from .incomplete_gamma import GammaDensity, Igamma, Igammac, igamma, igammac
from .modified_bessel import (
    I0, I0e, I0eDerivative, I1, I1e, BesselIOverPower, ModifiedI0, ModifiedI1, ModifiedK0, ModifiedK1, ScaledK0,
    ScaledK1, i0, i0e, i1, i1e, modified_bessel_i0, modified_bessel_i1, modified_bessel_k0, modified_bessel_k1,
    scaled_modified_bessel_k0, scaled_modified_bessel_k1,
)  # fmt: skip
from .normal import Ndtr, LogNdtr, ndtr, log_ndtr
from .orthogonal_polynomials import (
    ChebyshevT, ChebyshevU, ChebyshevV, ChebyshevW, ShiftedChebyshevT, ShiftedChebyshevU, ShiftedChebyshevV,
    ShiftedChebyshevW, HermiteH, HermiteHe, LaguerreL, LegendreP, chebyshev_polynomial_t, chebyshev_polynomial_u,
    chebyshev_polynomial_v, chebyshev_polynomial_w, shifted_chebyshev_polynomial_t, shifted_chebyshev_polynomial_u,
    shifted_chebyshev_polynomial_v, shifted_chebyshev_polynomial_w, hermite_polynomial_h, hermite_polynomial_he,
    laguerre_polynomial_l, legendre_polynomial_p,
)  # fmt: skip
from .quantile import Erfinv, Ndtri, erfinv, ndtri
from .zeta import Zeta, zeta
