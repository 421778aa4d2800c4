"""The enumerations of torchvision's pretrained weights, with their preprocessing and the names of their files."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import UnsupportedError
from ..serialization import load
from ..transforms.images import InterpolationMode
from ..transforms.presets import ImageClassification
from ..utils.cache import get_dir

# Model, version, file, crop size, resize size, interpolation if not bilinear, mean and standard deviation of channels
# if not ImageNet's.
_TABLE = """
AlexNet V1 alexnet-owt-7be5be79 224 256
ConvNeXt_Base V1 convnext_base-6075fbad 224 232
ConvNeXt_Large V1 convnext_large-ea097f82 224 232
ConvNeXt_Small V1 convnext_small-0c510722 224 230
ConvNeXt_Tiny V1 convnext_tiny-983f1562 224 236
DenseNet121 V1 densenet121-a639ec97 224 256
DenseNet161 V1 densenet161-8d451a50 224 256
DenseNet169 V1 densenet169-b2777c0a 224 256
DenseNet201 V1 densenet201-c1103571 224 256
EfficientNet_B0 V1 efficientnet_b0_rwightman-7f5810bc 224 256 bicubic
EfficientNet_B1 V1 efficientnet_b1_rwightman-bac287d4 240 256 bicubic
EfficientNet_B1 V2 efficientnet_b1-c27df63c 240 255
EfficientNet_B2 V1 efficientnet_b2_rwightman-c35c1473 288 288 bicubic
EfficientNet_B3 V1 efficientnet_b3_rwightman-b3899882 300 320 bicubic
EfficientNet_B4 V1 efficientnet_b4_rwightman-23ab8bcd 380 384 bicubic
EfficientNet_B5 V1 efficientnet_b5_lukemelas-1a07897c 456 456 bicubic
EfficientNet_B6 V1 efficientnet_b6_lukemelas-24a108a5 528 528 bicubic
EfficientNet_B7 V1 efficientnet_b7_lukemelas-c5b4e57e 600 600 bicubic
EfficientNet_V2_L V1 efficientnet_v2_l-59c71312 480 480 bicubic 0.5
EfficientNet_V2_M V1 efficientnet_v2_m-dc08266a 480 480
EfficientNet_V2_S V1 efficientnet_v2_s-dd5fe13b 384 384
GoogLeNet V1 googlenet-1378be20 224 256
Inception_V3 V1 inception_v3_google-0cc3c7bd 299 342
MNASNet0_5 V1 mnasnet0.5_top1_67.823-3ffadce67e 224 256
MNASNet0_75 V1 mnasnet0_75-7090bc5f 224 232
MNASNet1_0 V1 mnasnet1.0_top1_73.512-f206786ef8 224 256
MNASNet1_3 V1 mnasnet1_3-a4c69d6f 224 232
MaxVit_T V1 maxvit_t-bc5ab103 224 224 bicubic
MobileNet_V2 V1 mobilenet_v2-b0353104 224 256
MobileNet_V2 V2 mobilenet_v2-7ebf99e0 224 232
MobileNet_V3_Large V1 mobilenet_v3_large-8738ca79 224 256
MobileNet_V3_Large V2 mobilenet_v3_large-5c1a4163 224 232
MobileNet_V3_Small V1 mobilenet_v3_small-047dcff4 224 256
RegNet_X_16GF V1 regnet_x_16gf-2007eb11 224 256
RegNet_X_16GF V2 regnet_x_16gf-ba3796d7 224 232
RegNet_X_1_6GF V1 regnet_x_1_6gf-e3633e7f 224 256
RegNet_X_1_6GF V2 regnet_x_1_6gf-a12f2b72 224 232
RegNet_X_32GF V1 regnet_x_32gf-9d47f8d0 224 256
RegNet_X_32GF V2 regnet_x_32gf-6eb8fdc6 224 232
RegNet_X_3_2GF V1 regnet_x_3_2gf-f342aeae 224 256
RegNet_X_3_2GF V2 regnet_x_3_2gf-7071aa85 224 232
RegNet_X_400MF V1 regnet_x_400mf-adf1edd5 224 256
RegNet_X_400MF V2 regnet_x_400mf-62229a5f 224 232
RegNet_X_800MF V1 regnet_x_800mf-ad17e45c 224 256
RegNet_X_800MF V2 regnet_x_800mf-94a99ebd 224 232
RegNet_X_8GF V1 regnet_x_8gf-03ceed89 224 256
RegNet_X_8GF V2 regnet_x_8gf-2b70d774 224 232
RegNet_Y_128GF SWAG_E2E_V1 regnet_y_128gf_swag-c8ce3e52 384 384 bicubic
RegNet_Y_128GF SWAG_LINEAR_V1 regnet_y_128gf_lc_swag-cbe8ce12 224 224 bicubic
RegNet_Y_16GF V1 regnet_y_16gf-9e6ed7dd 224 256
RegNet_Y_16GF V2 regnet_y_16gf-3e4a00f9 224 232
RegNet_Y_16GF SWAG_E2E_V1 regnet_y_16gf_swag-43afe44d 384 384 bicubic
RegNet_Y_16GF SWAG_LINEAR_V1 regnet_y_16gf_lc_swag-f3ec0043 224 224 bicubic
RegNet_Y_1_6GF V1 regnet_y_1_6gf-b11a554e 224 256
RegNet_Y_1_6GF V2 regnet_y_1_6gf-0d7bc02a 224 232
RegNet_Y_32GF V1 regnet_y_32gf-4dee3f7a 224 256
RegNet_Y_32GF V2 regnet_y_32gf-8db6d4b5 224 232
RegNet_Y_32GF SWAG_E2E_V1 regnet_y_32gf_swag-04fdfa75 384 384 bicubic
RegNet_Y_32GF SWAG_LINEAR_V1 regnet_y_32gf_lc_swag-e1583746 224 224 bicubic
RegNet_Y_3_2GF V1 regnet_y_3_2gf-b5a9779c 224 256
RegNet_Y_3_2GF V2 regnet_y_3_2gf-9180c971 224 232
RegNet_Y_400MF V1 regnet_y_400mf-c65dace8 224 256
RegNet_Y_400MF V2 regnet_y_400mf-e6988f5f 224 232
RegNet_Y_800MF V1 regnet_y_800mf-1b27b58c 224 256
RegNet_Y_800MF V2 regnet_y_800mf-58fc7688 224 232
RegNet_Y_8GF V1 regnet_y_8gf-d0d0e4a8 224 256
RegNet_Y_8GF V2 regnet_y_8gf-dc2b1b54 224 232
ResNet101 V1 resnet101-63fe2227 224 256
ResNet101 V2 resnet101-cd907fc2 224 232
ResNet152 V1 resnet152-394f9c45 224 256
ResNet152 V2 resnet152-f82ba261 224 232
ResNet18 V1 resnet18-f37072fd 224 256
ResNet34 V1 resnet34-b627a593 224 256
ResNet50 V1 resnet50-0676ba61 224 256
ResNet50 V2 resnet50-11ad3fa6 224 232
ResNeXt101_32X8D V1 resnext101_32x8d-8ba56ff5 224 256
ResNeXt101_32X8D V2 resnext101_32x8d-110c445d 224 232
ResNeXt101_64X4D V1 resnext101_64x4d-173b62eb 224 232
ResNeXt50_32X4D V1 resnext50_32x4d-7cdf4587 224 256
ResNeXt50_32X4D V2 resnext50_32x4d-1a0047aa 224 232
ShuffleNet_V2_X0_5 V1 shufflenetv2_x0.5-f707e7126e 224 256
ShuffleNet_V2_X1_0 V1 shufflenetv2_x1-5666bf0f80 224 256
ShuffleNet_V2_X1_5 V1 shufflenetv2_x1_5-3c479a10 224 232
ShuffleNet_V2_X2_0 V1 shufflenetv2_x2_0-8be3c8ee 224 232
SqueezeNet1_0 V1 squeezenet1_0-b66bff10 224 256
SqueezeNet1_1 V1 squeezenet1_1-b8a52dc0 224 256
Swin_B V1 swin_b-68c6b09e 224 238 bicubic
Swin_S V1 swin_s-5e29d889 224 246 bicubic
Swin_T V1 swin_t-704ceda3 224 232 bicubic
Swin_V2_B V1 swin_v2_b-781e5279 256 272 bicubic
Swin_V2_S V1 swin_v2_s-637d8ceb 256 260 bicubic
Swin_V2_T V1 swin_v2_t-b137f0e2 256 260 bicubic
VGG11 V1 vgg11-8a719046 224 256
VGG11_BN V1 vgg11_bn-6002323d 224 256
VGG13 V1 vgg13-19584684 224 256
VGG13_BN V1 vgg13_bn-abd245e5 224 256
VGG16 V1 vgg16-397923af 224 256
VGG16_BN V1 vgg16_bn-6c64b313 224 256
VGG19 V1 vgg19-dcbb9e9d 224 256
VGG19_BN V1 vgg19_bn-c79401a0 224 256
ViT_B_16 V1 vit_b_16-c867db91 224 256
ViT_B_16 SWAG_E2E_V1 vit_b_16_swag-9ac1b537 384 384 bicubic
ViT_B_16 SWAG_LINEAR_V1 vit_b_16_lc_swag-4e70ced5 224 224 bicubic
ViT_B_32 V1 vit_b_32-d86f8d99 224 256
ViT_H_14 SWAG_E2E_V1 vit_h_14_swag-80465313 518 518 bicubic
ViT_H_14 SWAG_LINEAR_V1 vit_h_14_lc_swag-c1eb923e 224 224 bicubic
ViT_L_16 V1 vit_l_16-852ce7e3 224 242
ViT_L_16 SWAG_E2E_V1 vit_l_16_swag-4f3808c9 512 512 bicubic
ViT_L_16 SWAG_LINEAR_V1 vit_l_16_lc_swag-4d563306 224 224 bicubic
ViT_L_32 V1 vit_l_32-c7638314 224 256
Wide_ResNet101_2 V1 wide_resnet101_2-32ee1156 224 256
Wide_ResNet101_2 V2 wide_resnet101_2-d733dc28 224 232
Wide_ResNet50_2 V1 wide_resnet50_2-95faca4d 224 256
Wide_ResNet50_2 V2 wide_resnet50_2-9ba9bcbe 224 232
"""


@dataclass
class Weights:
    """Weights of a model: the name of the file, the preprocessing, metadata. Source: torchvision.models.Weights.

    >>> torch.models.ResNet18_Weights.DEFAULT.value.file
    'resnet18-f37072fd.pth'
    """

    file: str
    transforms: Any = field(compare=False)
    meta: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def url(self) -> str:
        """Where the file can be downloaded."""
        return f"https://download.pytorch.org/models/{self.file}"


class WeightsEnum(Enum):
    """Base of the enumerations of a model's weights. Source: torchvision.models.WeightsEnum.

    >>> torch.models.ResNet18_Weights.DEFAULT
    ResNet18_Weights.IMAGENET1K_V1
    """

    if TYPE_CHECKING:  # members, which differ between models
        _value_: Weights
        DEFAULT: ClassVar[WeightsEnum]
        IMAGENET1K_V1: ClassVar[WeightsEnum]
        IMAGENET1K_V2: ClassVar[WeightsEnum]

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    @property
    def url(self) -> str:
        """Where the file can be downloaded; torch.hub.load_state_dict_from_url takes it from the cache."""
        return self.value.url

    @property
    def transforms(self) -> Any:
        """A function that makes the module for preprocessing."""
        return self.value.transforms

    @property
    def meta(self) -> dict[str, Any]:
        """Metadata of the weights: an empty dict, since microgad has none."""
        return self.value.meta

    @classmethod
    def verify(cls, obj: Any) -> Any:
        """Return the member for a name, a member or None. Raises KeyError or TypeError for others."""
        if isinstance(obj, str):
            return cls[obj.removeprefix(f"{cls.__name__}.")]
        if obj is not None and not isinstance(obj, cls):
            raise TypeError(
                f"Invalid Weight class provided; expected {cls.__name__} but received {type(obj).__name__}."
            )
        return obj

    def get_state_dict(self, *args: Any, **options: Any) -> dict[str, Any]:
        """Load the weights from PyTorch's cache. Raises NotImplementedError if the file isn't there."""
        path = os.path.join(get_dir(), "checkpoints", self.value.file)
        if not os.path.isfile(path):
            raise UnsupportedError(
                f"{self!r} would be downloaded, which microgad doesn't do: put {self.value.file} into "
                f"{os.path.dirname(path)}, or load_state_dict(torch.load(file))"
            )
        return load(path)


@functools.cache
def enums() -> dict[str, type[WeightsEnum]]:
    """Return the enumerations of the weights of all models, by name.

    >>> enums()["AlexNet_Weights"].DEFAULT
    AlexNet_Weights.IMAGENET1K_V1
    """
    versions: dict[str, dict[str, Weights]] = {}
    for line in _TABLE.split("\n")[1:-1]:
        model, version, file, crop, resize, *rest = line.split()
        how: dict[str, Any] = {"crop_size": int(crop), "resize_size": int(resize)}
        if "bicubic" in rest:
            how["interpolation"] = InterpolationMode.BICUBIC
        if "0.5" in rest:
            how |= {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
        found = versions.setdefault(f"{model}_Weights", {})
        found[f"IMAGENET1K_{version}"] = Weights(f"{file}.pth", functools.partial(ImageClassification, **how))
    for found in versions.values():
        plain = [name for name in found if name in ("IMAGENET1K_V1", "IMAGENET1K_V2")]
        found["DEFAULT"] = found[plain[-1] if plain else next(iter(found))]
    make: Any = WeightsEnum
    made = {name: make(name, found, module=__package__) for name, found in versions.items()}
    for name, enum in made.items():
        enum.__doc__ = f"Trained weights: see `get_model_weights`. Source: torchvision.models.{name}."
    return made


def weights_of_model(name: str) -> type[WeightsEnum]:
    """Return the enumeration of a model's weights. Raises ValueError if there is none."""
    for found, enum in enums().items():
        if found.removesuffix("_Weights").replace("_", "").lower() == name.replace("_", ""):
            return enum
    raise ValueError(f"Unknown model {name}")


def get_weight(name: str) -> WeightsEnum:
    """Return a member by a name like "ResNet18_Weights.DEFAULT". Raises ValueError or KeyError if unknown.

    Source: torchvision.models.get_weight.

    >>> torch.models.get_weight("ResNet50_Weights.IMAGENET1K_V2")
    ResNet50_Weights.IMAGENET1K_V2
    """
    enum, dot, member = name.partition(".")
    if not dot or enum not in enums():
        raise ValueError(f"Invalid weight name provided: {name!r}")
    return enums()[enum][member]


def get_model_weights(name: Any) -> type[WeightsEnum]:
    """Return the enumeration of a model's weights, for its name or builder. Raises ValueError if there is none.

    Source: torchvision.models.get_model_weights.

    >>> list(torch.models.get_model_weights("resnet50"))
    [ResNet50_Weights.IMAGENET1K_V1, ResNet50_Weights.IMAGENET1K_V2]
    """
    return weights_of_model(name.lower() if isinstance(name, str) else name.__name__)
