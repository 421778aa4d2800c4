"""Normalization: of channels over a batch, of rows and groups, of a place by those around it."""

# isort: skip_file
from __future__ import annotations

from .batch import BatchNorm, FixedBatchNorm, batch_norm, instance_norm
from .local_response import local_response_norm
from .group import GroupNorm, LayerNorm, RmsNorm, group_norm, layer_norm, rms_norm
