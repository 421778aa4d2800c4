"""Boxes, region pooling, losses and layers for computer vision. Source: torchvision.ops."""

from ....lazy import define_getattr_in_package as _define_getattr_in_package
from ....models.blocks import MLP as MLP
from ....models.blocks import Conv2dNormActivation as Conv2dNormActivation
from ....models.blocks import Conv3dNormActivation as Conv3dNormActivation
from ....models.blocks import ConvNormActivation as ConvNormActivation
from ....models.blocks import FrozenBatchNorm2d as FrozenBatchNorm2d
from ....models.blocks import Permute as Permute
from ....models.blocks import SqueezeExcitation as SqueezeExcitation
from ....models.blocks import StochasticDepth as StochasticDepth
from ....models.blocks import stochastic_depth as stochastic_depth
from . import feature_pyramid_network as feature_pyramid_network
from . import misc as misc
from .boxes import batched_nms as batched_nms
from .boxes import box_area as box_area
from .boxes import box_convert as box_convert
from .boxes import box_iou as box_iou
from .boxes import clip_boxes_to_image as clip_boxes_to_image
from .boxes import complete_box_iou as complete_box_iou
from .boxes import distance_box_iou as distance_box_iou
from .boxes import generalized_box_iou as generalized_box_iou
from .boxes import masks_to_boxes as masks_to_boxes
from .boxes import nms as nms
from .boxes import remove_small_boxes as remove_small_boxes
from .deform_conv import DeformConv2d as DeformConv2d
from .deform_conv import deform_conv2d as deform_conv2d
from .drop_block import DropBlock2d as DropBlock2d
from .drop_block import DropBlock3d as DropBlock3d
from .drop_block import drop_block2d as drop_block2d
from .drop_block import drop_block3d as drop_block3d
from .feature_pyramid_network import FeaturePyramidNetwork as FeaturePyramidNetwork
from .losses import complete_box_iou_loss as complete_box_iou_loss
from .losses import distance_box_iou_loss as distance_box_iou_loss
from .losses import generalized_box_iou_loss as generalized_box_iou_loss
from .losses import sigmoid_focal_loss as sigmoid_focal_loss
from .poolers import MultiScaleRoIAlign as MultiScaleRoIAlign
from .roi_pooling import RoIAlign as RoIAlign
from .roi_pooling import RoIPool as RoIPool
from .roi_pooling import roi_align as roi_align
from .roi_pooling import roi_pool as roi_pool

_define_getattr_in_package(__name__)
