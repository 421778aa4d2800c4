"""hypothesis strategies for the arguments of operations and layers: Tensors, shapes, axes, indices, problems, programs.

Everything shrinks to small, readable examples: few dimensions, sides of 1, zeros and multiples of 1/8, contiguous.
"""

from .convolution import ConvProblem, conv_problems
from .device import devices
from .indexing import INDEX_KINDS, indices
from .layout import LAYOUTS, laid_out, layouts
from .network import modules
from .pooling import PoolProblem, pool_problems
from .products import EinsumProblem, einsum_problems, matmul_operands
from .program import programs
from .shape import Shape, axes, broadcastable_shapes, shapes
from .tensor import broadcastable_tensors, tensors
from .values import numbers, scales, special_numbers

__all__ = [
    "INDEX_KINDS", "LAYOUTS", "ConvProblem", "EinsumProblem", "PoolProblem", "Shape", "axes", "broadcastable_shapes",
    "broadcastable_tensors", "conv_problems", "devices", "einsum_problems", "indices", "laid_out", "layouts",
    "matmul_operands", "modules", "numbers", "pool_problems", "programs", "scales", "shapes", "special_numbers",
    "tensors",
]  # fmt: skip
