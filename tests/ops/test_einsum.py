"""einsum: views, the order of contractions, and errors of its equations."""

import numpy as np
import pytest

import microgad as torch


def test_einsum_of_one_operand_is_a_view_of_it():
    x = torch.ones(2, 3, requires_grad=True)
    y = torch.einsum("ij->ij", x)
    assert y._base is x
    (y * 2).sum().backward()
    assert (x.is_leaf, y.is_leaf, x.grad.tolist()) == (True, False, [[2, 2, 2]] * 2)


def test_the_letters_of_an_implicit_result_are_sorted_with_capitals_first():
    x = torch.arange(6.0).reshape(1, 2, 3)
    assert torch.equal(torch.einsum("aCB", x), x.permute(2, 1, 0))
    assert torch.equal(torch.einsum("bA,bc", x[0], x[0]), x[0].T @ x[0])


def test_einsum_takes_the_cheapest_order():
    rng = np.random.default_rng(0)
    a, b, c = (torch.tensor(rng.standard_normal(shape)) for shape in ((50, 2), (2, 50), (50, 1)))
    with torch.no_grad():
        np.testing.assert_allclose(torch.einsum("ij,jk,kl->il", a, b, c).array, (a @ (b @ c)).array, 1e-10, 1e-10)
    assert contracted_sizes("ij,jk,kl->il", a, b, c) == [(2, 1), (50, 1)]


def contracted_sizes(equation, *operands):
    """The shapes of the intermediate and final contractions."""
    result = torch.einsum(equation, *[x.requires_grad_() for x in operands])
    found, nodes = [], [result.node]
    while nodes:
        node = nodes.pop()
        if type(node).__name__ == "Contract":
            found.append(node.shape)
        nodes += [edge for edge in node.edges if edge is not None]
    return found[::-1]


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("ij,jk->iz", "subscript z does not appear"),
        ("ij,jk->ii", "i appears more than once"),
        ("i.j,jk", "not part of any ellipsis"),
        ("ij", "more operands"),
        ("ijk,jk", r"number of subscripts .* \(3\) does not match"),
        ("ii,jk", "repeated for operand 0 but the sizes don't match"),
        ("ij,ik", "does not broadcast"),
    ],
)
def test_wrong_equations_of_einsum_raise(equation, message):
    with pytest.raises(RuntimeError, match=message):
        torch.einsum(equation, torch.ones(2, 3), torch.ones(3, 4))
