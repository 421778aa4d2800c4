"""The matrix exponential, and Vandermonde matrices."""

from __future__ import annotations

import math

import numpy as np

from ... import dtypes
from ...errors import ArgumentError, DtypeError, ShapeError
from ...function import Function
from ...state import composite
from ...type_aliases import Tensor
from ..movement import cat, flip, unsqueeze
from ..reduction.products import cumprod
from ..support import layouts
from ..support.spelling import numpy_spelling, tensors_only
from .common import check_floating_matrices, eye, mT

# The numerator of the Padé approximant of degree 13, lowest power first, which is accurate up to the norm LARGEST
# (Higham, The scaling and squaring method for the matrix exponential revisited, 2005).
PADE = [math.factorial(26 - k) // (math.factorial(13 - k) * math.factorial(k)) for k in range(14)]
LARGEST = 5.371920351148152


class MatrixExp(Function):
    """The matrix exponential, by scaling and squaring.

    The derivative in direction G is the upper right block of exp([[A, G], [0, A]]): the same function again. It is
    linear in G, so A alone, the first `core` rows and columns, decides on the scaling: halved until a large G is small,
    A would be rounded away beside the identity.
    """

    symbol, operator = "exp(A)", "linalg_matrix_exp"
    core: int | None = None

    def forward(self, x):
        n = x.shape[-1]
        if x.size == 0:
            return x.copy()
        norm = abs(x[..., : self.core, : self.core]).sum(-2).max(-1)[..., None, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            halvings = np.maximum(np.nan_to_num(np.ceil(np.log2(norm / LARGEST)), posinf=0.0), 0)
        x = x * np.exp2(-halvings).astype(norm.dtype)
        square = np.matmul(x, x)
        odd = even = np.zeros_like(x)
        power = np.zeros_like(x) + eye(x, n)
        for k in range(0, len(PADE), 2):
            even = even + float(PADE[k]) * power
            odd = odd + float(PADE[k + 1]) * power
            power = np.matmul(power, square)
        odd = np.matmul(x, odd)
        out = np.linalg.solve(even - odd, even + odd)
        for i in range(int(halvings.max())):
            out = np.where(halvings > i, np.matmul(out, out), out)
        return layouts.row_major(out)

    def grad_x(self, grad, x):
        n, t = x.shape[-1], mT(x)
        upper, lower = np.concatenate((t, grad), -1), np.concatenate((np.zeros_like(t), t), -1)
        return MatrixExp.apply(np.concatenate((upper, lower), -2), core=self.core or n)[..., :n, n:]


@numpy_spelling
def matrix_exp(A: Tensor) -> Tensor:
    """Return the exponential of each matrix.

    (..., n, n) -> the same. Raises RuntimeError for other shapes and for integers. Source: torch.linalg.matrix_exp.

    >>> torch.linalg.matrix_exp(torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    check_floating_matrices("linalg.matrix_exp", A, square=True)
    return MatrixExp.apply(A)


@composite
def linalg_vander(x: Tensor, N: int | None = None) -> Tensor:
    """Return the powers 0 to N - 1 of each number, (..., n) -> (..., n, N). N is n by default.

    Raises RuntimeError for booleans and for N < 2. Source: torch.linalg.vander.

    >>> torch.linalg.vander(torch.tensor([2.0, 3.0]), N=3)
    tensor([[1., 2., 4.],
            [1., 3., 9.]])
    """
    if x.array.dtype.kind == "b":
        raise DtypeError("linalg.vander supports floating point, complex, and integer tensors, but got torch.bool")
    count = N if N is not None else x.shape[-1] if x.ndim else 1
    if count <= 1:
        raise ArgumentError(f"linalg.vander: N must be greater than 1, got {count}")
    return _powers(x if x.ndim else unsqueeze(x, 0), count)


@tensors_only
def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Return the powers N - 1 to 0 of each number, or 0 to N - 1 if increasing: (n) -> (n, N).

    Raises RuntimeError unless it is a vector. Source: torch.vander.

    >>> torch.vander(torch.tensor([2, 3]), 3)
    tensor([[4, 2, 1],
            [9, 3, 1]])
    """
    if x.ndim != 1:
        raise ShapeError(f"vander: x must be a one-dimensional tensor, got {x.ndim} dimensions")
    if N is not None and N < 0:
        raise ArgumentError(f"vander: N must be non-negative, got {N}")
    powers = _powers(x, x.shape[0] if N is None else N)
    return powers if increasing else flip(powers, (1,))


def _powers(x: Tensor, count: int) -> Tensor:
    x = x.to(dtypes.int64) if x.array.dtype.kind in "biu" else x
    x = unsqueeze(x, -1)
    ones = x.new_ones((*x.shape[:-1], min(count, 1)))
    return ones if count < 2 else cat((ones, cumprod(x.expand(*x.shape[:-1], count - 1), -1)), -1)
