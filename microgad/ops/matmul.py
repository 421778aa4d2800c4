"""Names that live in linalg."""

from .linalg.products import Linear as Linear
from .linalg.products import MatMul as MatMul
from .linalg.products import linear as linear
from .linalg.products import matmul as matmul
