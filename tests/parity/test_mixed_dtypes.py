"""Operands of several dtypes in einsum, losses and operators: the result's dtype and the gradients are PyTorch's."""

from __future__ import annotations

import operator
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from .side_by_side import checked_programs  # noqa: E402

programs, test_program_behaves_as_in_torch = checked_programs()
EQUATIONS = (
    "i,j->ij", "i,j->", "i,j->j", "i,i->i", "i,i->", "i,j,k->ijk", "i,j,j->i", "i,j,i->j", "ij,j->i", "ij,i->ij",
)  # fmt: skip
VALUES = {"number": [1.5, -0.5, 2.0], "complex": [1.0 + 2j, -1j, 0.5], "count": [1, 2, 3], "mask": [True, False, True]}


@programs
def einsum_of_mixed_dtypes(T, nn):
    def product(equation, dtype_names):
        terms = equation.split("->")[0].split(",")
        operands = [T.tensor(VALUES[dtype_name]) for dtype_name in dtype_names]
        operands = [x.expand(3, 3) if len(term) == 2 else x for term, x in zip(terms, operands, strict=False)]
        leaves = [x.clone().requires_grad_() if x.is_floating_point() or x.is_complex() else x for x in operands]
        try:
            result = T.einsum(equation, *leaves)
        except RuntimeError:
            return "raised"
        if not result.requires_grad:
            return (result,)
        differentiated = [x for x in leaves if x.requires_grad]
        return (result, *T.autograd.grad((result * result.conj()).real.sum(), differentiated))

    dtype_names = list(VALUES)
    return [product(equation, (a, b, a)) for equation in EQUATIONS for a in dtype_names for b in dtype_names if a != b]


@programs
def a_number_among_blocks(T, nn):
    number, row, matrix = (x.requires_grad_() for x in (T.tensor(2.0).double(), T.ones(2), T.ones(2, 3)))
    made = T.block_diag(number, row, matrix)
    counts = T.block_diag(T.tensor(2), T.tensor([1.5]), T.ones(0, 2))
    return made, counts, *T.autograd.grad((made * made).sum(), (number, row, matrix))


@programs
def losses_of_a_scalar_and_a_vector(T, nn):
    def losses(x, y):
        names = ("mse_loss", "l1_loss", "smooth_l1_loss")
        return [
            (loss, *T.autograd.grad(loss, (x, y))) for loss in [getattr(nn.functional, name)(x, y) for name in names]
        ]

    vector, scalar = T.tensor([1.0, 2.0, 4.0]).requires_grad_(), T.tensor(2.5, dtype=T.float64).requires_grad_()
    return losses(vector, scalar), losses(scalar, vector)


@programs
def operators_of_tensors_and_arrays(T, nn):
    signs = [getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "eq", "iadd")]
    floats, counts, large = T.tensor([0.1, -2.7, 3.0]), T.tensor([7, -7, 2]), T.tensor([16777216.0])
    leaf = T.ones(3, requires_grad=True)
    arrays = [np.array([0.1, 1.5, -2.0]), np.float32([0.1, 1.5, -2.0]), np.array([2, -3, 1]), np.uint8([1, 2, 3])]
    warnings.simplefilter("ignore", DeprecationWarning)  # NumPy's, about PyTorch's __array_wrap__
    with T.no_grad():
        made = [sign(x.clone(), array) for sign in signs for x in (floats, counts, leaf) for array in arrays]
    made += [sign(x.clone(), np.array(0.5)) for sign in signs for x in (floats, counts, floats[0])]
    quotients = [array / x for x in (floats, counts, counts[0], counts > 0) for array in arrays]
    return (
        made,
        quotients,
        large + np.array([1]),
        np.add(large, np.array([1])),
        floats.half() * np.ones(3),
        floats * np.float64(2),
    )


@programs
def result_types_of_all_pairs(T, nn):
    """Of arrays, 0-d arrays and numbers. PyTorch alone has a complex dtype for float16."""
    names = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
    names += ["complex64", "complex128"]
    operands = [(name, T.ones(shape, dtype=getattr(T, name))) for shape in ((1,), ()) for name in names]
    others = [*operands, *((type(x).__name__, x) for x in (True, 1, 1.5, 1j))]
    return [
        str(T.result_type(x, y))
        for name, x in operands
        for other, y in others
        if not ("float16" in (name, other) and "complex" in name + other)
    ]


@programs
def numbers_and_0d_arrays_are_not_rounded_first(T, nn):
    halves, small = T.arange(1, 8, dtype=T.float16), T.arange(1, 8, dtype=T.uint8)
    third = T.tensor(1 / 3)
    return (
        halves * third,
        third * halves,
        halves / third,
        small / 300,
        300 / small,
        T.true_divide(small, -1),
        small * third,
    )


@programs
def complex_numbers_under_a_default_of_float64(T, nn):
    old = T.get_default_dtype()
    T.set_default_dtype(T.float64)
    try:
        return T.arange(3) * 1j, T.result_type(T.arange(3), 1j) == T.complex128, T.tensor(1j)
    finally:
        T.set_default_dtype(old)
