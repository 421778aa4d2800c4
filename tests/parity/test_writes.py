"""What may be written over between the forward and backward: a node keeps what PyTorch's keeps, or is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import microgad

from .both import Programs, leaf

FACTORS = [[1.0, -2.0, 0.5], [3.0, 0.25, -1.0], [2.0, 1.0, 4.0]]

# An operation on x (3, 3) and integers i (2, 3), all of them places of rows.
OPERATIONS: dict[str, Callable[..., Any]] = {
    "hardtanh": lambda t, x, i: t.nn.functional.hardtanh(x),
    "relu6": lambda t, x, i: t.nn.functional.relu6(x),
    "hardsigmoid": lambda t, x, i: t.nn.functional.hardsigmoid(x),
    "hardsigmoid, in place": lambda t, x, i: t.nn.functional.hardsigmoid(x, inplace=True),
    "a number over x": lambda t, x, i: 3 / x,
    "one over x": lambda t, x, i: 1 / x,
    "x over a number": lambda t, x, i: x / 3,
    "x over itself": lambda t, x, i: x / (x + 1),
    "svdvals": lambda t, x, i: t.linalg.svdvals(x),
    "eigvalsh": lambda t, x, i: t.linalg.eigvalsh(x),
    "nuclear norm": lambda t, x, i: t.linalg.matrix_norm(x, "nuc"),
    "norm": lambda t, x, i: t.linalg.matrix_norm(x, 2),
    "cond": lambda t, x, i: t.linalg.cond(x),
    "embedding": lambda t, x, i: t.nn.functional.embedding(i, x),
    "embedding, padded": lambda t, x, i: t.nn.functional.embedding(i, x, padding_idx=1),
}


@pytest.mark.parametrize("written", ["input", "result"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_write_is_refused_where_pytorch_refuses_it(name, written):
    def program(t, nn):
        x, i = leaf(t, 3, 3), t.tensor([[0, 2, 1], [2, 2, 0]])
        y = x * 1
        out = OPERATIONS[name](t, y, i)
        (y if written == "input" else out).detach().mul_(2)
        factors = t.tensor(FACTORS, dtype=t.float64)
        factors = factors[: out.shape[-1]] if out.ndim == 3 else factors[0] if out.ndim == 1 else factors
        return t.autograd.grad((out * (factors if out.ndim else 1)).sum(), x)

    slack = 1000 if "hardsigmoid" in name else 1  # torch's derivative is the float32 nearest to 1/6
    Programs({"program": program}).check("program", slack, in_words=False)


def test_relu6_in_place_keeps_only_what_became_of_its_input():
    def program(t, nn):
        x = leaf(t, 3, 3)
        y = x * 9
        out = nn.functional.relu6(y, inplace=True)
        return out is y, t.autograd.grad((out * out).sum(), x)

    Programs({"program": program}).check("program")
    y = leaf(microgad, 3, 3) * 9
    assert microgad.nn.functional.relu6(y, inplace=True).grad_fn.kept[0] is y.array


PLACES: dict[str, Callable[..., Any]] = {
    "embedding": lambda t, x, i: t.nn.functional.embedding(i, x.reshape(9, 1)),
    "embedding_bag": lambda t, x, i: t.nn.functional.embedding_bag(i, x.reshape(9, 1), mode="sum"),
    "max_unpool1d": lambda t, x, i: t.nn.functional.max_unpool1d(x[:2], i, 2),
    "gather": lambda t, x, i: x.gather(0, i),
    "index": lambda t, x, i: x[i],
    "index_select": lambda t, x, i: x.index_select(0, i[0]),
    "take": lambda t, x, i: x.take(i),
    "scatter": lambda t, x, i: t.zeros(3, 3, dtype=t.float64).scatter(0, i, x),
}


@pytest.mark.parametrize("name", PLACES)
def test_places_that_are_written_over_are_still_those_of_the_forward(name):
    """PyTorch refuses; here the gradient is that of the forward's places."""
    t = microgad

    def gradient(written):
        x, i = leaf(t, 3, 3), t.tensor([[0, 2, 1], [2, 1, 0]])
        out = PLACES[name](t, x, i)
        if written:
            i.fill_(0)
        (grad,) = t.autograd.grad((out * t.arange(1.0, out.numel() + 1).reshape(out.shape)).sum(), x)
        return grad.tolist()

    assert gradient(written=True) == gradient(written=False)


@pytest.mark.parametrize("number", [3, 0.1, 1, 2j])
def test_a_number_over_a_tensor_has_pytorchs_last_bits(number):
    def program(t, nn):
        x = t.arange(1, 200) / 7
        out = number / x
        return out.real.view(t.int32), (number / leaf(t, 3)).grad_fn.name(), (number / t.arange(1, 5)).dtype

    Programs({"program": program}).check("program")
