"""Layers that are one operation, recorded as what they are made of."""

from __future__ import annotations

from contextlib import AbstractContextManager

from .. import state


def fine() -> AbstractContextManager[None]:
    """In a block, record recurrent layers, attention, batch norm and their kin step by step, to be looked at.

    It holds for all Functions that are one operation for speed and have a `decomposition`: that is recorded in their
    place, where a gradient is wanted. Values and gradients differ by rounding, and time and memory are worse.

    >>> x = torch.ones(2, 3, 4, requires_grad=True)
    >>> with torch.graph.fine():
    ...     y = F.scaled_dot_product_attention(x, x, x)
    >>> [op.name for op in y.graph().tape]
    ['Mul', 'Permute', 'MatMul', 'Softmax', 'MatMul']
    """
    return state.scope(fine=True)
