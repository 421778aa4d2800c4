"""Layers under their names in torchvision.ops.misc, such as FrozenBatchNorm2d. Source: torchvision.ops.misc."""

from ....models.blocks import MLP as MLP
from ....models.blocks import Conv2dNormActivation as Conv2dNormActivation
from ....models.blocks import Conv3dNormActivation as Conv3dNormActivation
from ....models.blocks import ConvNormActivation as ConvNormActivation
from ....models.blocks import FrozenBatchNorm2d as FrozenBatchNorm2d
from ....models.blocks import Permute as Permute
from ....models.blocks import SqueezeExcitation as SqueezeExcitation
from ....nn.functional import interpolate as interpolate
