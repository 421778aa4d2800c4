"""torch.functional: the functions of torch that PyTorch implements in Python."""

from ...ops.distance import cdist as cdist
from ...ops.fourier import istft as istft
from ...ops.fourier import stft as stft
from ...ops.grids import block_diag as block_diag
from ...ops.grids import cartesian_prod as cartesian_prod
from ...ops.grids import meshgrid as meshgrid
from ...ops.indexing import unravel_index as unravel_index
from ...ops.linalg import chain_matmul as chain_matmul
from ...ops.linalg import einsum as einsum
from ...ops.linalg import norm as norm
from ...ops.linalg import pca_lowrank as pca_lowrank
from ...ops.linalg import svd_lowrank as svd_lowrank
from ...ops.linalg import tensordot as tensordot
from ...ops.movement import atleast_1d as atleast_1d
from ...ops.movement import atleast_2d as atleast_2d
from ...ops.movement import atleast_3d as atleast_3d
from ...ops.movement import broadcast_shapes as broadcast_shapes
from ...ops.movement import broadcast_tensors as broadcast_tensors
from ...ops.movement import split as split
from ...ops.reduction import unique as unique
from ...ops.reduction import unique_consecutive as unique_consecutive
