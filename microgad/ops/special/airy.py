"""The Airy function; without a derivative, as in PyTorch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..out import into
from .numeric import pieces, polynomial, product_rest, rational, without_derivative

if TYPE_CHECKING:
    from ...tensor import Tensor

# Ai(x): by x + 5/2, -4 <= x < -1, and by x, |x| <= 1; ζ (e^ζ ⁴√x Ai(x) - 1/2√π) by 1/ζ, ζ = 2/3 x√x, x > 1
_MIDDLE = (
    -1.8583137199954636e-14, 1.8976373133134236e-13, 9.235169658526188e-14, -1.1130055379192741e-11,
    5.719679212471239e-11, 1.92133686630375e-10, -3.3523204839336792e-09, 9.081344915881073e-09, 7.50326456353984e-08,
    -6.169045389130322e-07, 3.6471212005271166e-07, 1.4567641804764538e-05, -5.981789629310357e-05,
    -0.00010140268302218441, 0.001348933825562147, -0.0020112761284529863, -0.012329183475026815, 0.04471733555068421,
    0.027319741477019037, -0.3015761505591569, 0.1404063346162078, 0.6788527342647943, -0.11232506769296609,
)  # fmt: skip
_SMALL = (
    3.0738844992312536e-12, -2.0043591014475253e-12, -1.5172076320961726e-10, 9.92159732574796e-10,
    -1.25945967037084e-12, -3.658046289235502e-08, 2.0753262980875173e-07, 2.6978835100546875e-12,
    -5.705895890550009e-06, 2.7394138916301496e-05, 2.5827461267764855e-13, -0.000513530562843955,
    0.001972378077104149, -2.905450817193319e-14, -0.02156828364939563, 0.05917134231463782, -1.864401023596863e-16,
    -0.2588194037928068, 0.3550280538878172,
)  # fmt: skip
_DECAY = (
    -0.00012267551231702841, -0.03191586877153556, -0.4899969346911019, -2.2187463606132454, -4.097343341367183,
    -3.517462900405692, -1.4610816733859358, -0.28022204923801497, -0.0195899160954025,
), (
    0.30774446996176863, 8.392664933816492, 63.87551086725186, 197.81214950831338, 290.50872313882496,
    216.09818318779725, 81.97106517342252, 14.839124950223635, 1.0,
)  # fmt: skip
# P and ζ Q by 1/ζ², x < -4: √π ⁴√-x Ai(x) = P cos χ + Q sin χ, χ = ζ - π/4
_P = (
    -1410.6346825139221, 127476.48464638634, 162147.56103923492, 43565.63293967993, 3734.6094102732163,
    112.18866829835646, 1.0,
), (131831.94196913426, 163584.34143581716, 43698.28648362925, 3738.7190965081954, 112.22580178601066, 1.0)  # fmt: skip
_Q = (
    -2120.7198760485267, 17864.237501186915, 20505.093039812484, 4646.539497621016, 339.82903920516253,
    8.854612737523347, 0.0694444444444444,
), (363714.553706315, 326400.088623654, 69423.39298243634, 4961.9244273324575, 128.05352347176748, 1.0)  # fmt: skip


def _zeta(x: Any) -> Any:
    """2/3 x√x in two parts, for e^ζ and cos ζ magnify its rounding."""
    root = np.sqrt(x)
    root_rest = ((x - root * root) - product_rest(root, root)) / (2 * root)
    product, lost = x * root, product_rest(x, root)
    zeta = product / 1.5
    return zeta, (((2 * product - 2 * zeta) - zeta) + 2 * (lost + x * root_rest)) / 3


def _decaying(x: Any) -> Any:
    x = np.minimum(x, 1e3)
    zeta, rest = _zeta(x)
    u = 1 / zeta
    out = np.exp(-zeta) * ((0.5 / math.sqrt(math.pi) + u * rational(u, *_DECAY)) / np.sqrt(np.sqrt(x)))
    return out - out * rest


def _oscillating(x: Any) -> Any:
    y = np.minimum(-x, 1e30)
    zeta, rest = _zeta(y)
    s, c = np.sin(zeta), np.cos(zeta)
    s_rest, c_rest = np.sin(rest), np.cos(rest)
    s, c = s * c_rest + s_rest * c, c * c_rest - s_rest * s
    z = 1 / (zeta * zeta)
    wave = rational(z, *_P) * (c + s) + rational(z, *_Q) / zeta * (s - c)
    return wave * (math.sqrt(0.5 / math.pi) / np.sqrt(np.sqrt(-x)))


def _airy(x: Any) -> Any:
    return pieces(
        (x,),
        ((x < -4) & (x > -math.inf), _oscillating),
        ((x >= -4) & (x < -1), lambda x: polynomial(x + 2.5, _MIDDLE)),
        (abs(x) <= 1, lambda x: polynomial(x, _SMALL)),
        (x > 1, _decaying),
    )


AiryAi = without_derivative("AiryAi", _airy)


def airy_ai(x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Airy function Ai(x). Source: torch.special.airy_ai.

    >>> torch.special.airy_ai(torch.tensor([0.0, 1.0, -3.0]))
    tensor([ 0.3550,  0.1353, -0.3788])
    """
    return into(out, AiryAi.apply(x))
