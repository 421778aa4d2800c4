"""Linear algebra: products, factorizations, linear systems, eigenvalues and singular values, norms."""

# isort: skip_file
from .chains import chain_matmul, matrix_power, multi_dot
from .cross import Cross, cross, linalg_cross
from .einsum import Contract, einsum, tensordot
from .factorizations import QR, Cholesky, cholesky, cholesky_ex, qr, torch_cholesky, torch_qr
from .matrix_functions import MatrixExp, linalg_vander, matrix_exp, vander
from .ldl import LDLFactor, ldl_factor, ldl_factor_ex, ldl_solve
from .least_squares import Pinv, Rank, lstsq, matrix_rank, pinv, pinverse
from .lu_factors import LUFactor, lu, lu_factor, lu_factor_ex, lu_solve, lu_unpack, torch_lu, torch_lu_solve
from .norms import (
    VectorNorm, _weight_norm, cond, frobenius_norm, linalg_norm, matrix_norm, norm, norm_except_dim, nuclear_norm,
    tensor_norm, vector_norm,
)  # fmt: skip
from .products import (
    Dot, Linear, MatMul, Mv, addbmm, addmm, addmv, addr, baddbmm, bmm, dot, ger, inner, linear, matmul, mm, mv, outer,
    promoted_matmul, vdot, vecdot,
)  # fmt: skip
from .householder import Geqrf, geqrf, householder_product, ormqr
from .solving import (
    Det, Inv, SLogDet, Solve, det, inv, inv_ex, inverse, linalg_slogdet, logdet, slogdet, solve, solve_ex, tensorinv,
    tensorsolve,
)  # fmt: skip
from .spectra import (
    SVD, Eig, Eigenvalues, EigenvaluesH, Eigh, SingularValues, eig, eigh, eigvals, eigvalsh, lobpcg, pca_lowrank, svd,
    svd_lowrank, svdvals, torch_svd,
)  # fmt: skip
from .triangular import SolveTriangular, cholesky_inverse, cholesky_solve, solve_triangular, triangular_solve
