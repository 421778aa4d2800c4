"""What the recurrent Functions share: the order of time steps, and the gradients of weights and inputs."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ...backend.copies import copied_row_major
from ...errors import DtypeError, ShapeError
from ...fast_reductions import sum_to
from ...function import Function
from ...type_aliases import Array
from ..linalg.product_kernels import LONG, MANY_ROWS, SMALL_PRODUCT, product
from ..linalg.products import Linear

MANY_STEPS = 100  # rows of all steps together that are multiplied in the time of a copy of the weight


class Recurrent(Function):
    """One layer in one direction: rows, states (B, H), w_ih (G, I), w_hh (G, H), biases (G) -> output rows, states.

    The rows of all T time steps form one matrix: `batch_sizes[t]` rows for step t, those of the longest sequences
    first. So equal lengths, packed sequences and both directions are computed alike. A step updates the states of
    the sequences that it has rows of. The others have ended or, in reverse, not yet begun.
    """

    batch_sizes: tuple[int, ...]
    reverse: bool

    def check_sizes(self, input: Array, *states: Array) -> None:
        """Raise ShapeError if the numbers of rows or states do not fit the batch sizes."""
        rows, batch = sum(self.batch_sizes), self.batch_sizes[0]
        if math.prod(input.shape[:-1]) != rows or any(s.shape[0] != batch for s in states):
            raise ShapeError(f"expected {rows} rows of input in all, and states of {batch} sequences")

    def steps(self) -> list[tuple[int, int]]:
        """Return the first row and the number of rows of each step, in the order of computation."""
        found = [(start, stop - start) for start, stop in pairwise(accumulate(self.batch_sizes, initial=0))]
        return found[::-1] if self.reverse else found

    def each_step(self, *rows: Array, backward: bool = False) -> Iterator[tuple[Any, ...]]:
        """Yield the views of each step's rows in these arrays, in the order of computation or of backward."""
        sizes = self.batch_sizes
        if len(sizes) == 1:  # generation takes one step a call
            return iter((rows,))
        if len(set(sizes)) == 1:  # NumPy takes views of rows fastest as it iterates
            stacked = [x.reshape((len(sizes), sizes[0], *x.shape[1:])) for x in rows]
            return zip(*[x[::-1] for x in stacked] if self.reverse != backward else stacked, strict=True)
        steps = reversed(self.steps()) if backward else self.steps()
        return (tuple([x[start : start + count] for x in rows]) for start, count in steps)

    def state_product(self, w: Array, scale: Array | None = None) -> Callable[[Any], Any]:
        """Return the function h -> h wᵀ · scale for the states h of a step. Its result is valid until the next call.

        w is copied, in row-major order, where many products with few elements or many rows repay that.
        """
        n = self.batch_sizes[0]
        many = n > min(MANY_ROWS, w.shape[1] // LONG)  # rows, for which `product` doesn't take a transposed matrix
        if sum(self.batch_sizes) < MANY_STEPS or (n * w.size > SMALL_PRODUCT and not many):
            return lambda h: product(h, w.T) if scale is None else product(h, w.T) * scale
        w = copied_row_major(w.T if scale is None else (w * scale[:, None]).T)
        if n * w.size > SMALL_PRODUCT:
            return lambda h: product(h, w)
        out = np.empty_like(w, shape=(n, w.shape[1]))
        return lambda h: np.dot(h, w, out=out if len(h) == n else out[: len(h)])

    def states_before(self, first: Array, after: Array) -> Array:
        """Return the rows of a state before each step, from its initial value and its rows after each step."""
        if len(self.batch_sizes) == 1:
            return first
        n = self.batch_sizes[0]
        if len(set(self.batch_sizes)) == 1:
            return np.concatenate([after[n:], first] if self.reverse else [first, after[:-n]])
        pieces, last, known = [], 0, 0
        for start, count in self.steps():
            both = min(count, known)
            pieces.append((after[last : last + both], first[both:count]))
            last, known = start, count
        return np.concatenate([x for pair in (pieces[::-1] if self.reverse else pieces) for x in pair])

    def unroll(self, step: Callable[..., tuple[Any, ...]], rows: Any, *states: Any) -> tuple[Any, ...]:
        """Call step(rows, *states), which returns new states, for each time step; return the output and the states.

        The output is the rows of the first state. All calls are differentiable.
        """
        out = []
        for start, count in self.steps():
            new: Sequence[Any] = step(rows[start : start + count], *[s[:count] for s in states])
            out.append(new[0])
            whole = count == states[0].shape[0]
            states = tuple(new if whole else (np.concatenate([a, s[count:]]) for a, s in zip(new, states, strict=True)))
        return np.concatenate(out[::-1] if self.reverse else out), *states

    def input_gradients(
        self, input: Array, w_ih: Array, grad_ih: Array, grad_hh: Array, before: Array, **others: Any
    ) -> Any:
        """Return the gradients of all inputs, from those of the sums x w_ihᵀ + b_ih and h w_hhᵀ + b_hh of each step."""
        found = {
            "input": lambda: np.matmul(grad_ih, w_ih).reshape(input.shape),
            "w_ih": lambda: np.matmul(grad_ih.T, flatten_rows(input)),
            "w_hh": lambda: np.matmul(grad_hh.T, before),
            "b_ih": lambda: sum_to(grad_ih, grad_ih.shape[1:]),
            "b_hh": lambda: sum_to(grad_hh, grad_hh.shape[1:]),
            **others,
        }
        return tuple(found[name]() if needed else None for name, needed in zip(self.inputs, self.needs, strict=True))


def resized(states: Array, now: Array, count: int) -> Array:
    """Store the current states of the first sequences in `states`, and return those of the first `count`."""
    states[: len(now)] = now
    return states[:count]


def check_dtypes(op: str, input: Any, *others: Any) -> None:
    """Raise DtypeError if a state or a weight does not have the input's dtype."""
    for x in others:
        if x is not None and x.array.dtype is not input.array.dtype and x.dtype != input.dtype:
            raise DtypeError(
                f"{op}: expected input, states and weights of one dtype, but got {input.dtype} and {x.dtype}"
            )


@functools.lru_cache(maxsize=16)
def repeated(values: tuple[float, ...], size: int, dtype: Any) -> Any:
    """Return a number for each gate, each `size` times, on the CPU. It is the same array at each call: don't write."""
    return np.repeat(np.array(values, dtype), size)


def flatten_rows(x: Array) -> Array:
    """Flatten (..., I) into rows (N, I)."""
    return x.reshape((math.prod(x.shape[:-1]), x.shape[-1])) if x.ndim > 2 else x


def project_inputs(x: Array, w: Array, *biases: Array | None) -> Array:
    """Return x wᵀ + biases, with one matrix product for all time steps."""
    present = [b for b in biases if b is not None]
    product = Linear.apply(flatten_rows(x), w, None)
    return product + sum(present[1:], present[0]) if present else product
