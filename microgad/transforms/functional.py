"""The transforms as functions, with the random draws as arguments. Source: torchvision.transforms.functional."""

from ..lazy import define_getattr as _define_getattr
from .color import adjust_brightness as adjust_brightness
from .color import adjust_contrast as adjust_contrast
from .color import adjust_gamma as adjust_gamma
from .color import adjust_hue as adjust_hue
from .color import adjust_saturation as adjust_saturation
from .color import autocontrast as autocontrast
from .color import equalize as equalize
from .color import invert as invert
from .color import posterize as posterize
from .color import rgb_to_grayscale as rgb_to_grayscale
from .color import solarize as solarize
from .color import to_grayscale as to_grayscale
from .conversion import convert_image_dtype as convert_image_dtype
from .conversion import erase as erase
from .conversion import normalize as normalize
from .conversion import pil_to_tensor as pil_to_tensor
from .conversion import to_pil_image as to_pil_image
from .conversion import to_tensor as to_tensor
from .filters import adjust_sharpness as adjust_sharpness
from .filters import gaussian_blur as gaussian_blur
from .geometry import center_crop as center_crop
from .geometry import crop as crop
from .geometry import five_crop as five_crop
from .geometry import hflip as hflip
from .geometry import pad as pad
from .geometry import resize as resize
from .geometry import resized_crop as resized_crop
from .geometry import ten_crop as ten_crop
from .geometry import vflip as vflip
from .images import InterpolationMode as InterpolationMode
from .images import get_dimensions as get_dimensions
from .images import get_image_num_channels as get_image_num_channels
from .images import get_image_size as get_image_size
from .warps import affine as affine
from .warps import elastic_transform as elastic_transform
from .warps import perspective as perspective
from .warps import rotate as rotate

_define_getattr(globals())
