"""torchvision's transforms of version 2, for samples of any structure, with the same random draws from the same seed.

Images are PIL images and plain Tensors; there are no types for boxes, masks and videos.
Source: torchvision.transforms.v2.
"""

from ...lazy import define_getattr_in_package as _define_getattr_in_package
from ..autoaugment import AutoAugmentPolicy as AutoAugmentPolicy
from ..images import InterpolationMode as InterpolationMode
from . import functional as functional
from .autoaugment import AugMix as AugMix
from .autoaugment import AutoAugment as AutoAugment
from .autoaugment import RandAugment as RandAugment
from .autoaugment import TrivialAugmentWide as TrivialAugmentWide
from .base import Transform as Transform
from .classes import RGB as RGB
from .classes import CenterCrop as CenterCrop
from .classes import ColorJitter as ColorJitter
from .classes import ConvertImageDtype as ConvertImageDtype
from .classes import ElasticTransform as ElasticTransform
from .classes import FiveCrop as FiveCrop
from .classes import GaussianBlur as GaussianBlur
from .classes import GaussianNoise as GaussianNoise
from .classes import Grayscale as Grayscale
from .classes import Identity as Identity
from .classes import Lambda as Lambda
from .classes import LinearTransformation as LinearTransformation
from .classes import Normalize as Normalize
from .classes import Pad as Pad
from .classes import PILToTensor as PILToTensor
from .classes import RandomAdjustSharpness as RandomAdjustSharpness
from .classes import RandomAffine as RandomAffine
from .classes import RandomAutocontrast as RandomAutocontrast
from .classes import RandomChannelPermutation as RandomChannelPermutation
from .classes import RandomCrop as RandomCrop
from .classes import RandomEqualize as RandomEqualize
from .classes import RandomErasing as RandomErasing
from .classes import RandomGrayscale as RandomGrayscale
from .classes import RandomHorizontalFlip as RandomHorizontalFlip
from .classes import RandomInvert as RandomInvert
from .classes import RandomPerspective as RandomPerspective
from .classes import RandomPosterize as RandomPosterize
from .classes import RandomResize as RandomResize
from .classes import RandomResizedCrop as RandomResizedCrop
from .classes import RandomRotation as RandomRotation
from .classes import RandomShortestSize as RandomShortestSize
from .classes import RandomSolarize as RandomSolarize
from .classes import RandomVerticalFlip as RandomVerticalFlip
from .classes import RandomZoomOut as RandomZoomOut
from .classes import Resize as Resize
from .classes import ScaleJitter as ScaleJitter
from .classes import TenCrop as TenCrop
from .classes import ToDtype as ToDtype
from .classes import ToImage as ToImage
from .classes import ToPILImage as ToPILImage
from .classes import ToPureTensor as ToPureTensor
from .classes import ToTensor as ToTensor
from .containers import Compose as Compose
from .containers import RandomApply as RandomApply
from .containers import RandomChoice as RandomChoice
from .containers import RandomOrder as RandomOrder
from .mixing import CutMix as CutMix
from .mixing import MixUp as MixUp
from .photometric_distort import RandomPhotometricDistort as RandomPhotometricDistort

_define_getattr_in_package(__name__)
