"""torchvision's image transforms, with the same random draws from the same seed.

An image is a PIL image (the extra `images`) or a Tensor (..., C, H, W). ToTensor accepts NumPy arrays too, without
Pillow. Source: torchvision.transforms.
"""

from typing import TYPE_CHECKING

from ..lazy import define_getattr as _define_getattr
from . import functional as functional
from .autoaugment import AugMix as AugMix
from .autoaugment import AutoAugment as AutoAugment
from .autoaugment import AutoAugmentPolicy as AutoAugmentPolicy
from .autoaugment import RandAugment as RandAugment
from .autoaugment import TrivialAugmentWide as TrivialAugmentWide
from .containers import Compose as Compose
from .containers import RandomApply as RandomApply
from .containers import RandomChoice as RandomChoice
from .containers import RandomOrder as RandomOrder
from .deterministic import CenterCrop as CenterCrop
from .deterministic import ConvertImageDtype as ConvertImageDtype
from .deterministic import FiveCrop as FiveCrop
from .deterministic import Grayscale as Grayscale
from .deterministic import Lambda as Lambda
from .deterministic import LinearTransformation as LinearTransformation
from .deterministic import Normalize as Normalize
from .deterministic import Pad as Pad
from .deterministic import PILToTensor as PILToTensor
from .deterministic import Resize as Resize
from .deterministic import TenCrop as TenCrop
from .deterministic import ToPILImage as ToPILImage
from .deterministic import ToTensor as ToTensor
from .images import InterpolationMode as InterpolationMode
from .random_color import ColorJitter as ColorJitter
from .random_color import GaussianBlur as GaussianBlur
from .random_color import RandomAdjustSharpness as RandomAdjustSharpness
from .random_color import RandomAutocontrast as RandomAutocontrast
from .random_color import RandomEqualize as RandomEqualize
from .random_color import RandomGrayscale as RandomGrayscale
from .random_color import RandomInvert as RandomInvert
from .random_color import RandomPosterize as RandomPosterize
from .random_color import RandomSolarize as RandomSolarize
from .random_crop import RandomCrop as RandomCrop
from .random_crop import RandomErasing as RandomErasing
from .random_crop import RandomResizedCrop as RandomResizedCrop
from .random_geometry import ElasticTransform as ElasticTransform
from .random_geometry import RandomAffine as RandomAffine
from .random_geometry import RandomHorizontalFlip as RandomHorizontalFlip
from .random_geometry import RandomPerspective as RandomPerspective
from .random_geometry import RandomRotation as RandomRotation
from .random_geometry import RandomVerticalFlip as RandomVerticalFlip

if TYPE_CHECKING:
    from . import v2 as v2

_define_getattr(globals(), {"v2": ".v2"})
