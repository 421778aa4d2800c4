"""torchvision's transforms of version 2, for samples of any structure, with the same random draws from the same seed.

Images are PIL images, what ToImage makes of them, and plain Tensors. There are no types for boxes, masks and videos.
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
from .classes import ConvertImageDtype as ConvertImageDtype
from .classes import ElasticTransform as ElasticTransform
from .classes import GaussianNoise as GaussianNoise
from .classes import Identity as Identity
from .classes import Lambda as Lambda
from .classes import Pad as Pad
from .classes import PILToTensor as PILToTensor
from .classes import RandomChannelPermutation as RandomChannelPermutation
from .classes import RandomCrop as RandomCrop
from .classes import RandomErasing as RandomErasing
from .classes import RandomResize as RandomResize
from .classes import RandomShortestSize as RandomShortestSize
from .classes import RandomZoomOut as RandomZoomOut
from .classes import Resize as Resize
from .classes import ScaleJitter as ScaleJitter
from .classes import ToDtype as ToDtype
from .classes import ToImage as ToImage
from .classes import ToPILImage as ToPILImage
from .classes import ToPureTensor as ToPureTensor
from .classes import ToTensor as ToTensor
from .classes import UniformTemporalSubsample as UniformTemporalSubsample
from .containers import Compose as Compose
from .containers import RandomApply as RandomApply
from .containers import RandomChoice as RandomChoice
from .containers import RandomOrder as RandomOrder
from .derived import CenterCrop as CenterCrop
from .derived import ColorJitter as ColorJitter
from .derived import FiveCrop as FiveCrop
from .derived import GaussianBlur as GaussianBlur
from .derived import Grayscale as Grayscale
from .derived import LinearTransformation as LinearTransformation
from .derived import Normalize as Normalize
from .derived import RandomAdjustSharpness as RandomAdjustSharpness
from .derived import RandomAffine as RandomAffine
from .derived import RandomAutocontrast as RandomAutocontrast
from .derived import RandomEqualize as RandomEqualize
from .derived import RandomGrayscale as RandomGrayscale
from .derived import RandomHorizontalFlip as RandomHorizontalFlip
from .derived import RandomInvert as RandomInvert
from .derived import RandomPerspective as RandomPerspective
from .derived import RandomPosterize as RandomPosterize
from .derived import RandomResizedCrop as RandomResizedCrop
from .derived import RandomRotation as RandomRotation
from .derived import RandomSolarize as RandomSolarize
from .derived import RandomVerticalFlip as RandomVerticalFlip
from .derived import TenCrop as TenCrop
from .images import check_type as check_type
from .images import has_all as has_all
from .images import has_any as has_any
from .images import query_chw as query_chw
from .images import query_size as query_size
from .jpeg import JPEG as JPEG
from .mixing import CutMix as CutMix
from .mixing import MixUp as MixUp
from .photometric_distort import RandomPhotometricDistort as RandomPhotometricDistort

_define_getattr_in_package(__name__)
