"""Transforms of values with the logarithm of their Jacobian determinants. Source: torch.distributions.transforms.

>>> t = torch.distributions.transforms.AffineTransform(1.0, 2.0)
>>> y = t(torch.tensor(3.0))
>>> y, t.inv(y), t.log_abs_det_jacobian(torch.tensor(3.0), y)
(tensor(7.), tensor(3.), tensor(0.6931))
"""

from .composition import CatTransform as CatTransform
from .composition import ComposeTransform as ComposeTransform
from .composition import IndependentTransform as IndependentTransform
from .composition import StackTransform as StackTransform
from .composition import Transform as Transform
from .composition import _InverseTransform as _InverseTransform
from .composition import identity_transform as identity_transform
from .elementwise_transforms import AbsTransform as AbsTransform
from .elementwise_transforms import AffineTransform as AffineTransform
from .elementwise_transforms import CumulativeDistributionTransform as CumulativeDistributionTransform
from .elementwise_transforms import ExpTransform as ExpTransform
from .elementwise_transforms import PowerTransform as PowerTransform
from .elementwise_transforms import SigmoidTransform as SigmoidTransform
from .elementwise_transforms import SoftplusTransform as SoftplusTransform
from .elementwise_transforms import TanhTransform as TanhTransform
from .vector_transforms import CorrCholeskyTransform as CorrCholeskyTransform
from .vector_transforms import LowerCholeskyTransform as LowerCholeskyTransform
from .vector_transforms import PositiveDefiniteTransform as PositiveDefiniteTransform
from .vector_transforms import ReshapeTransform as ReshapeTransform
from .vector_transforms import SoftmaxTransform as SoftmaxTransform
from .vector_transforms import StickBreakingTransform as StickBreakingTransform
