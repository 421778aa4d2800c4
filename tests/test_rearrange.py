"""torch.func.rearrange: patterns against the same steps by hand, and patterns that it refuses."""

from __future__ import annotations

import pytest

import microgad as torch
from microgad.func import rearrange, vmap

X = torch.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("pattern", "lengths", "expected"),
    [
        ("a b c -> c b a", {}, X.permute(2, 1, 0)),
        ("a b c->(b a) c", {}, X.transpose(0, 1).reshape(6, 4)),
        ("a b (c d) -> a c b d", {"d": 2}, X.reshape(2, 3, 2, 2).transpose(1, 2)),
        ("a b (c d e) -> (e a) b d c", {"d": 2, "e": 2}, X.reshape(2, 3, 1, 2, 2).permute(4, 0, 1, 3, 2).flatten(0, 1)),
        ("... c -> c ...", {}, X.permute(2, 0, 1)),
        ("a ... -> a (...)", {}, X.flatten(1)),
        ("a ... -> (... a)", {}, X.permute(1, 2, 0).flatten()),
        ("a b c ... -> ... a b c", {}, X),
        ("a b c -> a 1 (b 1) () c", {}, X[:, None, :, None]),
    ],
)
def test_patterns(pattern, lengths, expected):
    assert torch.equal(rearrange(X, pattern, **lengths), expected)


def test_other_inputs():
    assert torch.equal(rearrange([X[0], X[1]], "a b c -> b a c"), X.transpose(0, 1))
    assert rearrange(torch.zeros(2, 1, 5), "a 1 c -> c a").shape == (5, 2)
    assert rearrange(torch.zeros(0, 3), "(a b) c -> a b c", a=2).shape == (2, 0, 3)
    assert rearrange(torch.tensor(3.0), "->").item() == 3
    assert torch.equal(vmap(lambda x: rearrange(x, "b c -> (c b)"))(X), X.transpose(1, 2).flatten(1))
    x = X.clone().requires_grad_()
    (rearrange(x, "a b c -> c (a b)") * torch.arange(6.0)).sum().backward()
    assert torch.equal(x.grad, torch.arange(6.0).reshape(2, 3, 1).expand(2, 3, 4))


@pytest.mark.parametrize(
    ("pattern", "lengths", "message"),
    [
        ("a b c", {}, "single '->' separator"),
        ("a b c -> a -> b", {}, "single '->' separator"),
        ("a b c -> a b", {}, r"only on one side .*: {'c'}"),
        ("a b -> b a", {}, r"\(2\) must be equal to the number of dimensions in the tensor \(3\)"),
        ("a b c d ... -> ... a b c d", {}, r"\(4\) must be less than or equal to .* \(3\)"),
        ("a b c -> a b c", {"d": 2}, "not found in rearrange expression: {'d'}"),
        ("a b c -> a b c", {"c": 2}, "an axis has length 4"),
        ("a b (c d) -> a b c d", {"d": 3}, "an axis has length 4"),
        ("a b (c d) -> a b c d", {}, "sizes of two dimensions at once"),
        ("a 1 c -> a c", {}, "an axis has length 3"),
        ("a b c -> ((a b) c)", {}, "one-level"),
        ("a b c -> a b (c", {}, "Imbalanced parentheses"),
        ("a b c -> a b c)", {}, "not balanced"),
        ("a a c -> a c", {}, "duplicate dimension 'a'"),
        ("_a b c -> _a b c", {}, "Invalid axis identifier: _a"),
        ("a b 4 -> a b 4", {}, "unnamed axes of size 1"),
        ("a (...) -> a (...)", {}, "parenthesis in the left side"),
        ("a b c -> ...", {}, "right side, but not left side"),
        ("... a ... -> a", {}, "only one ellipsis"),
        ("a.b c -> a.b c", {}, "dots only inside ellipsis"),
        ("a-b c -> a", {}, "Unknown character '-'"),
    ],
)
def test_refused_patterns(pattern, lengths, message):
    with pytest.raises(ValueError, match=message):
        rearrange(X, pattern, **lengths)


def test_lengths_are_integers():
    with pytest.raises(TypeError, match="must be integers"):
        rearrange(X, "a b c -> a b c", c=4.0)
