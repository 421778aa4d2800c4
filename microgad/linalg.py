"""Functions of linear algebra under the names of torch.linalg.

Matrices are (..., m, n), of float32, float64 or complex numbers; all dimensions before the last two are batches. Shapes
that don't fit raise RuntimeError, and so do integers and float16, but where a function needs only sums and products. A
matrix that can't be inverted or factorized raises LinAlgError, which is a RuntimeError.
"""

# isort: skip_file
from .errors import LinAlgError
from .lazy import define_getattr as _define_getattr
from .ops.linalg import (
    cholesky, cholesky_ex, cond, det, eig, eigh, eigvals, eigvalsh, householder_product, inv, inv_ex, ldl_factor,
    ldl_factor_ex, ldl_solve, lstsq, lu, lu_factor, lu_factor_ex, lu_solve, matmul, matrix_exp, matrix_norm,
    matrix_power, matrix_rank, multi_dot, pinv, qr, solve, solve_ex, solve_triangular, svd, svdvals, tensorinv,
    tensorsolve, vecdot, vector_norm,
)  # fmt: skip
from .ops.linalg import linalg_cross as cross
from .ops.linalg import linalg_norm as norm
from .ops.linalg import linalg_slogdet as slogdet
from .ops.linalg import linalg_vander as vander
from .ops.movement import linalg_diagonal as diagonal

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh",
    "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex", "ldl_solve", "lstsq", "lu", "lu_factor",
    "lu_factor_ex", "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot",
    "norm", "pinv", "qr", "slogdet", "solve", "solve_ex", "solve_triangular", "svd", "svdvals", "tensorinv",
    "tensorsolve", "vander", "vecdot", "vector_norm",
]  # fmt: skip

_define_getattr(globals())
