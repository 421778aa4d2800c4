"""Strategies of the operands of matmul and einsum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from ...tensor import Tensor
from .shape import broadcastable_shapes
from .tensor import tensors


@st.composite
def matmul_operands(draw: st.DrawFn, /, *, min_side: int = 1, max_side: int = 3, **options: Any) -> tuple[Tensor, ...]:
    """Draw two operands of matmul: vectors, matrices, and batches of matrices that broadcast.

    Options are those of `tensors`.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.matmul_operands(), lambda pair: pair[1].ndim == 2)
    (tensor([0.], dtype=torch.float64), tensor([[0.]], dtype=torch.float64))
    """
    fitting = arrays_of.mutually_broadcastable_shapes(
        signature=np.matmul.signature, max_dims=2, min_side=min_side, max_side=max_side
    )
    return tuple(draw(tensors(shape, **options)) for shape in draw(fitting).input_shapes)


@dataclass(frozen=True, eq=False)
class EinsumProblem:
    """The arguments of einsum: `einsum(problem.equation, *problem.operands)`."""

    equation: str
    operands: tuple[Tensor, ...]


@st.composite
def einsum_problems(draw: st.DrawFn, /, **options: Any) -> EinsumProblem:
    """Draw valid equations for one to three operands. Options are those of `tensors`, for all operands.

    A letter may occur twice in an operand (a diagonal), in several operands (a product), and not in the result (a sum).
    `...` stands for leading axes, which broadcast. Without "->" the result has the letters that occur once.

    >>> from hypothesis import find
    >>> find(torch.testing.strategies.einsum_problems(), lambda problem: "i" in problem.equation)
    EinsumProblem(equation='i->', operands=(tensor([0.], dtype=torch.float64),))
    """
    count = draw(st.integers(1, 3))
    terms = draw(st.tuples(*[st.lists(st.sampled_from("ijkl"), max_size=3)] * count))
    sizes = draw(st.fixed_dictionaries({letter: st.integers(1, 3) for letter in sorted(set().union(*terms))}))
    dotted = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    leading = iter(draw(broadcastable_shapes(sum(dotted), max_dims=2, max_side=2)) if any(dotted) else ())
    texts, operands = [], []
    for term, has_dots in zip(terms, dotted, strict=True):
        at = draw(st.integers(0, len(term))) if has_dots else 0
        before, after = term[:at], term[at:]
        texts.append("".join([*before, "..." * has_dots, *after]))
        extra = next(leading) if has_dots else ()
        shape = (*(sizes[letter] for letter in before), *extra, *(sizes[letter] for letter in after))
        operands.append(draw(tensors(shape, **options)))
    equation = ",".join(texts)
    if draw(st.booleans()):
        return EinsumProblem(equation, tuple(operands))
    kept = draw(st.lists(st.sampled_from(sorted(sizes)), unique=True)) if sizes else []
    if any(dotted):
        kept.insert(draw(st.integers(0, len(kept))), "...")
    return EinsumProblem(f"{equation}->{''.join(kept)}", tuple(operands))
