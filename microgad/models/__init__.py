"""torchvision's models, with the same names of modules and parameters, so that its state_dicts load.

Images (N, 3, H, W) are floating-point; logits are (N, num_classes). Images that are too small for a model raise
RuntimeError. Source: torchvision.models.

>>> model = torch.models.squeezenet1_1(num_classes=10).eval()
>>> model(torch.zeros(1, 3, 32, 32)).shape
torch.Size([1, 10])
"""

import sys
from typing import TYPE_CHECKING

from .. import lazy as _lazy
from . import convnext as convnext
from . import densenet as densenet
from . import efficientnet as efficientnet
from . import inception as inception
from . import maxvit as maxvit
from . import mnasnet as mnasnet
from . import mobilenetv2 as mobilenetv2
from . import mobilenetv3 as mobilenetv3
from . import regnet as regnet
from . import resnet as resnet
from . import shufflenetv2 as shufflenetv2
from . import squeezenet as squeezenet
from . import swin_transformer as swin_transformer
from . import vgg as vgg
from . import vision_transformer as vision_transformer
from .alexnet import AlexNet as AlexNet
from .alexnet import alexnet as alexnet
from .builders import BUILDERS
from .builders import get_model as get_model
from .builders import get_model_builder as get_model_builder
from .builders import list_models as list_models
from .convnext import ConvNeXt as ConvNeXt
from .convnext import convnext_base as convnext_base
from .convnext import convnext_large as convnext_large
from .convnext import convnext_small as convnext_small
from .convnext import convnext_tiny as convnext_tiny
from .densenet import DenseNet as DenseNet
from .densenet import densenet121 as densenet121
from .densenet import densenet161 as densenet161
from .densenet import densenet169 as densenet169
from .densenet import densenet201 as densenet201
from .efficientnet import EfficientNet as EfficientNet
from .efficientnet import efficientnet_b0 as efficientnet_b0
from .efficientnet import efficientnet_b1 as efficientnet_b1
from .efficientnet import efficientnet_b2 as efficientnet_b2
from .efficientnet import efficientnet_b3 as efficientnet_b3
from .efficientnet import efficientnet_b4 as efficientnet_b4
from .efficientnet import efficientnet_b5 as efficientnet_b5
from .efficientnet import efficientnet_b6 as efficientnet_b6
from .efficientnet import efficientnet_b7 as efficientnet_b7
from .efficientnet import efficientnet_v2_l as efficientnet_v2_l
from .efficientnet import efficientnet_v2_m as efficientnet_v2_m
from .efficientnet import efficientnet_v2_s as efficientnet_v2_s
from .googlenet import GoogLeNet as GoogLeNet
from .googlenet import GoogLeNetOutputs as GoogLeNetOutputs
from .googlenet import _GoogLeNetOutputs as _GoogLeNetOutputs
from .googlenet import googlenet as googlenet
from .inception import Inception3 as Inception3
from .inception import InceptionOutputs as InceptionOutputs
from .inception import _InceptionOutputs as _InceptionOutputs
from .inception import inception_v3 as inception_v3
from .maxvit import MaxVit as MaxVit
from .maxvit import maxvit_t as maxvit_t
from .mnasnet import MNASNet as MNASNet
from .mnasnet import mnasnet0_5 as mnasnet0_5
from .mnasnet import mnasnet0_75 as mnasnet0_75
from .mnasnet import mnasnet1_0 as mnasnet1_0
from .mnasnet import mnasnet1_3 as mnasnet1_3
from .mobilenetv2 import MobileNetV2 as MobileNetV2
from .mobilenetv2 import mobilenet_v2 as mobilenet_v2
from .mobilenetv3 import MobileNetV3 as MobileNetV3
from .mobilenetv3 import mobilenet_v3_large as mobilenet_v3_large
from .mobilenetv3 import mobilenet_v3_small as mobilenet_v3_small
from .regnet import RegNet as RegNet
from .regnet import regnet_x_1_6gf as regnet_x_1_6gf
from .regnet import regnet_x_3_2gf as regnet_x_3_2gf
from .regnet import regnet_x_8gf as regnet_x_8gf
from .regnet import regnet_x_16gf as regnet_x_16gf
from .regnet import regnet_x_32gf as regnet_x_32gf
from .regnet import regnet_x_400mf as regnet_x_400mf
from .regnet import regnet_x_800mf as regnet_x_800mf
from .regnet import regnet_y_1_6gf as regnet_y_1_6gf
from .regnet import regnet_y_3_2gf as regnet_y_3_2gf
from .regnet import regnet_y_8gf as regnet_y_8gf
from .regnet import regnet_y_16gf as regnet_y_16gf
from .regnet import regnet_y_32gf as regnet_y_32gf
from .regnet import regnet_y_128gf as regnet_y_128gf
from .regnet import regnet_y_400mf as regnet_y_400mf
from .regnet import regnet_y_800mf as regnet_y_800mf
from .resnet import ResNet as ResNet
from .resnet import resnet18 as resnet18
from .resnet import resnet34 as resnet34
from .resnet import resnet50 as resnet50
from .resnet import resnet101 as resnet101
from .resnet import resnet152 as resnet152
from .resnet import resnext50_32x4d as resnext50_32x4d
from .resnet import resnext101_32x8d as resnext101_32x8d
from .resnet import resnext101_64x4d as resnext101_64x4d
from .resnet import wide_resnet50_2 as wide_resnet50_2
from .resnet import wide_resnet101_2 as wide_resnet101_2
from .shufflenetv2 import ShuffleNetV2 as ShuffleNetV2
from .shufflenetv2 import shufflenet_v2_x0_5 as shufflenet_v2_x0_5
from .shufflenetv2 import shufflenet_v2_x1_0 as shufflenet_v2_x1_0
from .shufflenetv2 import shufflenet_v2_x1_5 as shufflenet_v2_x1_5
from .shufflenetv2 import shufflenet_v2_x2_0 as shufflenet_v2_x2_0
from .squeezenet import SqueezeNet as SqueezeNet
from .squeezenet import squeezenet1_0 as squeezenet1_0
from .squeezenet import squeezenet1_1 as squeezenet1_1
from .swin_transformer import SwinTransformer as SwinTransformer
from .swin_transformer import swin_b as swin_b
from .swin_transformer import swin_s as swin_s
from .swin_transformer import swin_t as swin_t
from .swin_transformer import swin_v2_b as swin_v2_b
from .swin_transformer import swin_v2_s as swin_v2_s
from .swin_transformer import swin_v2_t as swin_v2_t
from .vgg import VGG as VGG
from .vgg import vgg11 as vgg11
from .vgg import vgg11_bn as vgg11_bn
from .vgg import vgg13 as vgg13
from .vgg import vgg13_bn as vgg13_bn
from .vgg import vgg16 as vgg16
from .vgg import vgg16_bn as vgg16_bn
from .vgg import vgg19 as vgg19
from .vgg import vgg19_bn as vgg19_bn
from .vision_transformer import VisionTransformer as VisionTransformer
from .vision_transformer import vit_b_16 as vit_b_16
from .vision_transformer import vit_b_32 as vit_b_32
from .vision_transformer import vit_h_14 as vit_h_14
from .vision_transformer import vit_l_16 as vit_l_16
from .vision_transformer import vit_l_32 as vit_l_32
from .weights import Weights as Weights
from .weights import WeightsEnum as WeightsEnum
from .weights import enums
from .weights import get_model_weights as get_model_weights
from .weights import get_weight as get_weight

if TYPE_CHECKING:  # the classes that `enums` makes; tests/test_signatures.py compares the names
    AlexNet_Weights = GoogLeNet_Weights = Inception_V3_Weights = WeightsEnum
    ConvNeXt_Base_Weights = ConvNeXt_Large_Weights = ConvNeXt_Small_Weights = ConvNeXt_Tiny_Weights = WeightsEnum
    DenseNet121_Weights = DenseNet161_Weights = DenseNet169_Weights = DenseNet201_Weights = WeightsEnum
    EfficientNet_B0_Weights = EfficientNet_B1_Weights = EfficientNet_B2_Weights = WeightsEnum
    EfficientNet_B3_Weights = EfficientNet_B4_Weights = EfficientNet_B5_Weights = WeightsEnum
    EfficientNet_B6_Weights = EfficientNet_B7_Weights = WeightsEnum
    EfficientNet_V2_L_Weights = EfficientNet_V2_M_Weights = EfficientNet_V2_S_Weights = WeightsEnum
    MaxVit_T_Weights = WeightsEnum
    MNASNet0_5_Weights = MNASNet0_75_Weights = MNASNet1_0_Weights = MNASNet1_3_Weights = WeightsEnum
    MobileNet_V2_Weights = MobileNet_V3_Large_Weights = MobileNet_V3_Small_Weights = WeightsEnum
    RegNet_X_16GF_Weights = RegNet_X_1_6GF_Weights = RegNet_X_32GF_Weights = RegNet_X_3_2GF_Weights = WeightsEnum
    RegNet_X_400MF_Weights = RegNet_X_800MF_Weights = RegNet_X_8GF_Weights = RegNet_Y_128GF_Weights = WeightsEnum
    RegNet_Y_16GF_Weights = RegNet_Y_1_6GF_Weights = RegNet_Y_32GF_Weights = RegNet_Y_3_2GF_Weights = WeightsEnum
    RegNet_Y_400MF_Weights = RegNet_Y_800MF_Weights = RegNet_Y_8GF_Weights = WeightsEnum
    ResNeXt101_32X8D_Weights = ResNeXt101_64X4D_Weights = ResNeXt50_32X4D_Weights = WeightsEnum
    ResNet101_Weights = ResNet152_Weights = ResNet18_Weights = ResNet34_Weights = ResNet50_Weights = WeightsEnum
    ShuffleNet_V2_X0_5_Weights = ShuffleNet_V2_X1_0_Weights = ShuffleNet_V2_X1_5_Weights = WeightsEnum
    ShuffleNet_V2_X2_0_Weights = WeightsEnum
    SqueezeNet1_0_Weights = SqueezeNet1_1_Weights = WeightsEnum
    Swin_B_Weights = Swin_S_Weights = Swin_T_Weights = WeightsEnum
    Swin_V2_B_Weights = Swin_V2_S_Weights = Swin_V2_T_Weights = WeightsEnum
    VGG11_BN_Weights = VGG11_Weights = VGG13_BN_Weights = VGG13_Weights = VGG16_BN_Weights = WeightsEnum
    VGG16_Weights = VGG19_BN_Weights = VGG19_Weights = WeightsEnum
    ViT_B_16_Weights = ViT_B_32_Weights = ViT_H_14_Weights = ViT_L_16_Weights = ViT_L_32_Weights = WeightsEnum
    Wide_ResNet101_2_Weights = Wide_ResNet50_2_Weights = WeightsEnum

for _build in BUILDERS.values():  # programs import them from the models' modules too
    vars(sys.modules[_build.__module__]).update(enums())
del _build  # programs look for the functions in this module's `__dict__`
globals().update(enums())
_lazy.define_getattr_in_package(__name__)
