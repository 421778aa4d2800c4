"""The memory layouts of results whose operands differ in theirs, and the masks that dropout then draws."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")
import microgad  # noqa: E402

BINARY = {
    "add": lambda t, a, b: a + b,
    "mul of another dtype": lambda t, a, b: a * b.double(),
    "less": lambda t, a, b: a < b,
    "maximum": lambda t, a, b: t.maximum(a, b),
    "where": lambda t, a, b: t.where(a > 0.5, a, b),
    "lerp": lambda t, a, b: t.lerp(a, b, 0.3),
    "clamp": lambda t, a, b: a.clamp(b, b + 1),
    "hermite_polynomial_h": lambda t, a, b: t.special.hermite_polynomial_h(a, b),
    "addcmul": lambda t, a, b: a.addcmul(b, b),
    "in a row": lambda t, a, b: (a + b).exp() * b,
    "half": lambda t, a, b: a.half() * b.half(),
    "clone": lambda t, a, b: a.clone() / 2,
    "integer": lambda t, a, b: t.atan2(a, t.ones(3, 3, dtype=t.long).t().expand(3, 3, 3)),
    "double": lambda t, a, b: a * t.ones(3, 3).double().t().expand(3, 3, 3) + b,
    "half, alone": lambda t, a, b: (a.half() * 2).exp(),
}
LAYOUTS = [
    (0, 1, 2),
    (0, 2, 1),
    (1, 2, 0),
    (2, 1, 0),
    "expanded",
    "a row",
    "a column",
    "a matrix",
    "turned columns",
    "turned expanded",
]


def laid_out(t, layout):
    """Random numbers with one of the LAYOUTS."""
    x = t.rand(3, 3, 3)
    special = {
        "expanded": x[:1].expand(3, 3, 3),
        "a row": x[0, 0],
        "a column": x[:, :1, :1],
        "a matrix": x[0],
        "turned columns": x[0].t().unsqueeze(1),
        "turned expanded": x[0].t().expand(3, 3, 3),
    }
    return special[layout] if layout in special else x.permute(layout)


@pytest.mark.parametrize("name", ["half", "double", "bool", "sigmoid", "zeros_like", "empty_like", "gelu", "silu"])
def test_results_for_turned_expanded_tensors_have_torchs_strides(name):
    strides = []
    for t in (torch, microgad):
        f = next(getattr(place, name) for place in (t.Tensor, t, t.nn.functional) if hasattr(place, name))
        sizes = itertools.product((1, 2), (1, 3), (1, 4))
        bases = [t.ones(size).expand(2, 3, 4) for size in sizes]
        results = [f(x.permute(axes)) for x in bases for axes in itertools.permutations(range(3))]
        strides.append([y.stride() for y in results])
    assert strides[0] == strides[1]


@pytest.mark.parametrize("name", BINARY)
def test_binary_operations_on_operands_with_different_strides(name):
    for first, second in itertools.product(LAYOUTS, LAYOUTS):
        if (name, first, second) == ("addcmul", "turned columns", "expanded"):
            continue  # addcmul is two operations here
        strides = []
        for t in (torch, microgad):
            y = BINARY[name](t, laid_out(t, first), laid_out(t, second))
            strides.append([s for s, n in zip(y.stride(), y.shape, strict=True) if n > 1])
        assert strides[0] == strides[1], (first, second)


@pytest.mark.parametrize("equation", ["ij,jk->kij", "ij,kl->ikjl", "bij,bjk->bkij", "ij,ij->ji", "jk,i", "outer"])
def test_products_without_a_sum(equation):
    terms = ["bij", "kl"] if equation == "outer" else equation.partition("->")[0].split(",")
    for turned in itertools.product((False, True), repeat=2):
        strides = []
        for t in (torch, microgad):
            shapes = [["bijkl".index(label) + 2 for label in term] for term in terms]
            x, y = (
                t.ones(n[::-1]).permute(*range(len(n))[::-1]) if turn else t.ones(n)
                for n, turn in zip(shapes, turned, strict=True)
            )
            strides.append((t.tensordot(x, y, 0) if equation == "outer" else t.einsum(equation, x, y)).stride())
        assert strides[0] == strides[1], turned


def test_axes_of_one_element_keep_their_place_in_products():
    strides = [t.einsum(",fac->caf", t.ones(()), t.ones(1, 3, 1)).stride() for t in (torch, microgad)]
    assert strides[0] == strides[1]


PER_MATRIX = {
    "det": lambda t, x: t.linalg.det(x),
    "slogdet": lambda t, x: t.linalg.slogdet(x),
    "svd": lambda t, x: t.linalg.svd(x),
    "svdvals": lambda t, x: t.linalg.svdvals(x),
    "eig": lambda t, x: t.linalg.eig(x),
    "eigvals": lambda t, x: t.linalg.eigvals(x),
    "eigh": lambda t, x: t.linalg.eigh(x),
    "eigvalsh": lambda t, x: t.linalg.eigvalsh(x),
    "cond": lambda t, x: t.linalg.cond(x),
    "matrix_rank": lambda t, x: t.linalg.matrix_rank(x),
    "pinv": lambda t, x: t.linalg.pinv(x),
    "pinv of Hermitian": lambda t, x: t.linalg.pinv(x, hermitian=True),
    "solve of one vector": lambda t, x: t.linalg.solve(x, t.ones(3)),
}


@pytest.mark.parametrize("name", PER_MATRIX)
def test_results_for_turned_batches_of_matrices_have_torchs_strides(name):
    strides = []
    for t in (torch, microgad):
        t.manual_seed(0)
        for x in (t.rand(3, 3, 4, 2).permute(3, 2, 0, 1), t.rand(2, 4, 3, 3).mT, t.rand(1, 3, 3)):
            y = PER_MATRIX[name](t, x)
            strides.append([y.stride()] if isinstance(y, t.Tensor) else [part.stride() for part in y])
    assert strides[:3] == strides[3:]


@pytest.mark.parametrize("n", [8, 64, 512])
def test_sums_with_a_batch_of_one_have_torchs_strides(n):
    """The stride of the one image decides whether the next convolution makes a channels-last result."""
    strides = []
    for lib in (torch, microgad):
        x, y = lib.ones(512).as_strided((1, 8, 8, 8), (n, 1, 64, 8)), lib.ones(1, 8, 8, 8)
        strides.append([out.stride() for out in (x + y, y + x, x * x, lib.lerp(x, y, 0.5), lib.addcmul(x, y, y))])
    assert strides[0] == strides[1]


def test_dropout_after_a_transposed_operand_draws_torchs_mask():
    found = []
    for t in (torch, microgad):
        t.manual_seed(0)
        patches, place = t.ones(2, 6, 5).transpose(1, 2), t.zeros(1, 5, 6)
        found.append(t.nn.functional.dropout(patches + place).tolist())
    assert found[0] == found[1]


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writ")
def test_copies_of_data_have_torchs_strides():
    a = np.arange(24.0).reshape(2, 3, 4)
    arrays = [
        a, a.transpose(1, 2, 0), a[:, :, ::2], np.broadcast_to(a[0, 0], (2, 4)), np.broadcast_to(a[:, :1], (2, 5, 4)),
        np.broadcast_to(a[0].T[:, :, None], (4, 3, 2)), np.broadcast_to(a.transpose(2, 0, 1)[:, None], (4, 7, 2, 3)),
    ]  # fmt: skip
    for t in (torch, microgad):
        makers = (t.tensor, t.Tensor, t.ones(1).new_tensor, lambda x, t=t: t.as_tensor(x, dtype=t.int32))
        strides = [make(x).stride() for make in makers for x in arrays]
        strides += [t.asarray(t.as_tensor(x.copy()).expand(2, *x.shape), copy=True).stride() for x in arrays]
        if t is torch:
            expected = strides
    assert strides == expected


def test_nonzero_static_pads_in_row_major_order():
    strides = [t.nonzero_static(t.tensor([[0, 1, 0], [1, 0, 1]]), size=5).stride() for t in (torch, microgad)]
    assert strides[0] == strides[1]
