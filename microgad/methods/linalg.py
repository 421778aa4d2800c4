"""Matrix products and other linear algebra as methods."""

from typing import TYPE_CHECKING

from ..lazy import LazyModule
from .factories import by_copy

if TYPE_CHECKING:
    from ..ops import linalg
else:
    linalg = LazyModule("microgad.ops.linalg")


class Linalg:
    """Linear algebra."""

    __slots__ = ()

    matmul, mm, bmm, mv, dot, vdot = linalg.matmul, linalg.mm, linalg.bmm, linalg.mv, linalg.dot, linalg.vdot
    inner, outer, ger, cross = linalg.inner, linalg.outer, linalg.ger, linalg.cross
    addmm, addmv, addr, addbmm, baddbmm = linalg.addmm, linalg.addmv, linalg.addr, linalg.addbmm, linalg.baddbmm
    addmm_, addmv_, addr_ = by_copy(linalg.addmm), by_copy(linalg.addmv), by_copy(linalg.addr)
    addbmm_, baddbmm_ = by_copy(linalg.addbmm), by_copy(linalg.baddbmm)
    matrix_power, matrix_exp, norm = linalg.matrix_power, linalg.matrix_exp, linalg.tensor_norm
    inverse, pinverse, det, slogdet, logdet = (
        linalg.inverse, linalg.pinverse, linalg.det, linalg.slogdet, linalg.logdet
    )  # fmt: skip
    cholesky, cholesky_solve, cholesky_inverse = linalg.torch_cholesky, linalg.cholesky_solve, linalg.cholesky_inverse
    qr, svd, lu, lu_solve = linalg.torch_qr, linalg.torch_svd, linalg.torch_lu, linalg.torch_lu_solve
    triangular_solve, geqrf, ormqr = linalg.triangular_solve, linalg.geqrf, linalg.ormqr
    orgqr = linalg.householder_product
