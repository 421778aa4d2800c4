"""Normalization layers' functions: batch and instance norm, layer, group and RMS norm, local response norm."""

# isort: skip_file
from .batch import BatchNorm, FixedBatchNorm, batch_norm, instance_norm
from .local_response import local_response_norm
from .group import GroupNorm, LayerNorm, RmsNorm, group_norm, layer_norm, rms_norm
