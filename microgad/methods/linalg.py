"""Products of matrices and what else linear algebra has as methods."""

from __future__ import annotations

from ..ops import matmul


class Linalg:
    """Methods of linear algebra."""

    __slots__ = ()

    matmul, mm, bmm, dot, mv = matmul.matmul, matmul.matmul, matmul.matmul, matmul.matmul, matmul.matmul
