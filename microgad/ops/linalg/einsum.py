"""Tensor contractions: einsum and tensordot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ... import dtypes
from ... import function as core
from ...backend.axis_order import laid_out_as_operands
from ...errors import ArgumentError, ShapeError
from ...function import Function
from ...state import composite
from ...type_aliases import Array, Tensor
from ..movement import diagonal, permute, reshape
from ..movement.dims import as_tuple, is_number, wrap_dims
from ..support import layouts
from ..support.out import into
from .common import check_not_bool, check_same_dtype

Labels = tuple[Any, ...]
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Contract(Function):
    """The contraction of two operands: the sum of a · b over the labels that the result does not have.

    `labels` names the axes of a, of b and of the result. A label occurs once in at least two of the three, so the
    derivatives are contractions, too.
    """

    symbol, operator, node_name, native_half = "Σ×", "einsum", "View", "cuda"

    @staticmethod
    def promote(arrays):
        """Operands without labels count like the others: they lack only axes that were summed or of size 1."""
        a, b = (x.dtype for x in arrays)
        return arrays if a == b else dtypes.cast(arrays, dtypes.promote_types(a, b).dtype)

    def forward(self, a, b):
        a_labels, b_labels, out_labels = self.labels
        groups = _groups(*self.labels)
        if groups is None:
            a, b = _align(out_labels, a_labels, a), _align(out_labels, b_labels, b)
            out = a * b
            in_rows = a.flags.c_contiguous and b.flags.c_contiguous and 1 not in out.shape  # so is the product
            return out if in_rows else laid_out_as_operands(out, (a, b))
        check_not_bool(a)
        batch, left, right, summed = groups
        a = _permute_labels(a_labels, (*batch, *left, *summed), a)
        b = _permute_labels(b_labels, (*batch, *summed, *right), b)
        first, end = len(batch), len(batch) + len(left)
        lead, rows, inner = a.shape[:first], a.shape[first:end], math.prod(a.shape[end:])
        columns = b.shape[first + len(summed) :]
        a = a.reshape((*lead, math.prod(rows), inner))
        b = b.reshape((*lead, inner, math.prod(columns)))
        if (*batch, *right, *left) == out_labels:  # (a b)ᵀ = bᵀ aᵀ, which is contiguous, as in PyTorch
            out = layouts.contiguous(np.matmul(np.swapaxes(b, -1, -2), np.swapaxes(a, -1, -2)))
            return out.reshape((*lead, *columns, *rows))
        out = layouts.contiguous(np.matmul(a, b)).reshape((*lead, *rows, *columns))
        return _permute_labels((*batch, *left, *right), out_labels, out)

    def grad_a(self, grad, b):
        a_labels, b_labels, out_labels = self.labels
        return Contract.apply(grad, b, labels=(out_labels, b_labels, a_labels))

    def grad_b(self, grad, a):
        a_labels, b_labels, out_labels = self.labels
        return Contract.apply(grad, a, labels=(out_labels, a_labels, b_labels))


@lru_cache(1000)
def _groups(a: Labels, b: Labels, out: Labels) -> tuple[Labels, Labels, Labels, Labels] | None:
    """Return a result's labels that both operands have, that only a and only b has, and the summed ones, if any."""
    summed = tuple(label for label in a if label not in out)
    batch = tuple(label for label in out if label in a and label in b)
    left, right = (tuple(label for label in out if label not in others) for others in (b, a))
    return (batch, left, right, summed) if summed else None


def _permute_labels(labels: Sequence[Any], wanted: Sequence[Any], x: Array) -> Array:
    """Permute the axes of x from the order `labels` to the order `wanted`."""
    if labels == wanted:
        return x
    order = tuple(labels.index(label) for label in wanted)
    return x if order == tuple(range(len(order))) else np.transpose(x, order)


def _align(wanted: Sequence[Any], labels: Sequence[Any], x: Array) -> Array:
    """Permute and expand x to the axes `wanted` of the result; axes that x lacks get size 1."""
    x = _permute_labels(labels, [label for label in wanted if label in labels], x)
    sizes = iter(x.shape)
    return x.reshape(tuple(next(sizes) if label in labels else 1 for label in wanted))


@composite
def einsum(equation: Any, *operands: Any) -> Tensor:
    """Return the sum of products that an equation such as `ij,jk->ik` describes. Source: torch.einsum.

    `...` stands for axes that broadcast. A letter that occurs twice in an operand takes the diagonal of those axes.
    Without `->`, the result has the axes of `...`, then the letters that occur once, sorted, capitals first. Operands
    and lists of axes may alternate instead, with a list for the result at the end.

    Raises RuntimeError if the equation does not fit the operands, and if operands of different dtypes are summed over a
    letter that both have. Their product without a sum, or with one over size 1, has the promoted dtype.

    >>> torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(3, 1))
    tensor([[3.],
            [3.]])
    >>> torch.einsum("i,j->ij", torch.arange(2), torch.tensor([0.5, 1.0]))
    tensor([[0.0000, 0.0000],
            [0.5000, 1.0000]])
    """
    if isinstance(equation, core.Tensor):
        equation, operands = _to_equation([equation, *operands])
    elif len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    if not operands:
        raise ArgumentError("einsum(): must provide at least one operand")
    terms, result = parse_equation(equation, tuple(x.ndim for x in operands))
    return _contract(
        [_take_diagonals(x, term, i) for i, (x, term) in enumerate(zip(operands, terms, strict=True))], result
    )


def _to_equation(arguments: list[Any]) -> tuple[str, tuple[Any, ...]]:
    """Return the equation and the operands of alternating operands and lists of axes."""
    operands, lists = arguments[: len(arguments) // 2 * 2 : 2], arguments[1::2]
    terms = ",".join(map(_letters, lists))
    return terms + (f"->{_letters(arguments[-1])}" if len(arguments) % 2 else ""), tuple(operands)


def _letters(axes: Sequence[Any]) -> str:
    """Return the term of an equation for a list of axis numbers and Ellipsis."""
    for axis in axes:
        if axis is not Ellipsis and not 0 <= axis < len(LETTERS):
            raise ArgumentError(f"einsum(): subscripts must be in the range [0, 52), got {axis}")
    return "".join("..." if axis is Ellipsis else LETTERS[axis] for axis in axes)


@lru_cache(1000)
def parse_equation(equation: str, ndims: tuple[int, ...]) -> tuple[tuple[Labels, ...], Labels]:
    """Parse an equation into the labels of the operands and of the result; an ellipsis has the labels ..., -2, -1."""
    left, arrow, right = equation.partition("->")
    texts = left.split(",")
    if len(texts) != len(ndims):
        few = "fewer" if len(ndims) < len(texts) else "more"
        raise ArgumentError(f"einsum(): {few} operands were provided than specified in the equation")
    terms, widest = [], 0
    for i, (text, ndim) in enumerate(zip(texts, ndims, strict=True)):
        before, dots, after = _split_ellipsis(text, f"operand {i}")
        width = ndim - len(before + after)
        if width < 0 or (width and not dots):
            raise ShapeError(
                f"einsum(): the number of subscripts in the equation ({len(before + after)}) does not match the "
                f"number of dimensions ({ndim}) for operand {i}" + ("" if dots else " and no ellipsis was given")
            )
        terms.append((*before, *range(-width, 0), *after))
        widest = max(widest, width)
    letters = [label for term in terms for label in term if isinstance(label, str)]
    if not arrow:
        once = sorted(label for label in set(letters) if letters.count(label) == 1)
        return tuple(terms), (*range(-widest, 0), *once)
    before, dots, after = _split_ellipsis(right, "the output")
    for label in before + after:
        if (before + after).count(label) > 1:
            raise ArgumentError(f"einsum(): output subscript {label} appears more than once in the output")
        if label not in letters:
            raise ArgumentError(
                f"einsum(): output subscript {label} does not appear in the equation for any input operand"
            )
    return tuple(terms), (*before, *(range(-widest, 0) if dots else ()), *after)


def _split_ellipsis(text: str, where: str) -> tuple[str, str, str]:
    """Split a term into the letters before its ellipsis, the ellipsis or "", and the letters after it."""
    before, dots, after = text.partition("...")
    before, after = before.replace(" ", ""), after.replace(" ", "")
    for letter in before + after:
        if letter == ".":
            why = "for which an ellipsis was already found" if dots else "that is not part of any ellipsis"
            raise ArgumentError(f"einsum(): found '.' for {where} {why}")
        if letter not in LETTERS:
            raise ArgumentError(f"einsum(): invalid subscript for {where}: {letter} is not in [a-zA-Z]")
    return before, dots, after


def _take_diagonals(x: Tensor, term: Labels, operand: int) -> tuple[Tensor, list[Any]]:
    """Replace repeated labels of an operand by its diagonal; return the operand and its labels."""
    labels = list(term)
    for label in term:
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ShapeError(
                    f"einsum(): subscript {label} is repeated for operand {operand} but the sizes don't match, "
                    f"{x.shape[j]} != {x.shape[i]}"
                )
            x = diagonal(x, 0, i, j)
            labels = [*(labels[:i] + labels[i + 1 : j] + labels[j + 1 :]), label]
    return x, labels


def _contract(parts: list[tuple[Tensor, list[Any]]], result: Labels) -> Tensor:
    """Contract Tensors, each with the labels of its axes. The result is never an operand itself, but may be a view."""
    whole, size = parts[0][0], _label_sizes(parts)
    if len(parts) > 1:  # there is nothing to sum over axes of size 1, so that dtypes may differ, as in PyTorch
        size = {label: 0 if n == 1 and label not in result else n for label, n in size.items()}
    parts = [_drop_other_sizes(x, labels, size) for x, labels in parts]
    for group in _contraction_path(parts, result):
        chosen = [parts.pop(i) for i in sorted(group, reverse=True)][::-1]
        others = [labels for _, labels in parts]
        while len(chosen) > 1:
            a, b = chosen.pop(0), chosen.pop(0)
            needed = {label for labels in (*others, result, *(labels for _, labels in chosen)) for label in labels}
            last = not others and not chosen
            chosen.insert(0, _contract_pair(a, b, needed, result if last else None))
        parts.append(chosen[0])
    x, labels = parts[0]
    order = (*result, *(label for label in labels if label not in result))
    if tuple(labels) != order or (order == result and x is whole):
        x = permute(x, [labels.index(label) for label in order])
    return _sum_unneeded(x, list(order), set(result))[0]


def _label_sizes(parts: list[tuple[Tensor, list[Any]]]) -> dict[Any, int]:
    """Return the size of each label; axes of size 1 broadcast."""
    size: dict[Any, int] = {}
    for i, (x, labels) in enumerate(parts):
        for label, n in zip(labels, x.array.shape, strict=True):
            known = size.setdefault(label, n)
            if n not in (1, known) and known != 1:
                raise ShapeError(
                    f"einsum(): subscript {label} has size {n} for operand {i} which does not broadcast with "
                    f"previously seen size {known}"
                )
            size[label] = known if n == 1 else n
    return size


def _drop_other_sizes(x: Tensor, labels: list[Any], size: dict[Any, int]) -> tuple[Tensor, list[Any]]:
    """Remove the axes of size 1 that have another size by their label: those that broadcast, for example."""
    shape = x.array.shape
    kept = [i for i, label in enumerate(labels) if shape[i] == size[label]]
    if len(kept) == len(labels):
        return x, labels
    return reshape(x, [shape[i] for i in kept]), [labels[i] for i in kept]


def _contraction_path(parts: list[tuple[Tensor, list[Any]]], result: Labels) -> list[tuple[int, ...]]:
    """Return which operands to contract in each step: the cheapest order, or left to right if dtypes differ."""
    if len(parts) <= 2 or len({x.array.dtype for x, _ in parts}) > 1:
        return [tuple(range(len(parts)))]
    return _cheapest_path(tuple([(tuple(labels), x.array.shape) for x, labels in parts]), result)


@lru_cache(1000)
def _cheapest_path(terms: tuple[tuple[Labels, tuple[int, ...]], ...], result: Labels) -> list[tuple[int, ...]]:
    """Find the cheapest order: exactly for up to five operands, otherwise greedily."""
    names = {label: i for i, label in enumerate(dict.fromkeys(label for labels, _ in terms for label in labels))}
    arguments: list[Any] = []
    for labels, shape in terms:
        arguments += [np.broadcast_to(0, shape), [names[label] for label in labels]]
    search = "optimal" if len(terms) <= 5 else "greedy"
    path, _ = np.einsum_path(*arguments, [names[label] for label in result], optimize=search)
    return path[1:]


def _sum_unneeded(x: Tensor, labels: list[Any], needed: set[Any]) -> tuple[Tensor, list[Any]]:
    """Sum x over the axes whose labels are not needed."""
    gone = tuple(i for i, label in enumerate(labels) if label not in needed)
    return (x.sum(gone), [label for label in labels if label in needed]) if gone else (x, labels)


def _contract_pair(a: Any, b: Any, needed: set[Any], result: Labels | None) -> tuple[Tensor, list[Any]]:
    """Contract two operands, and keep the needed labels, or those of the result in its order."""
    (x, x_labels), (y, y_labels) = a, b
    x, x_labels = _sum_unneeded(x, x_labels, needed | set(y_labels))
    y, y_labels = _sum_unneeded(y, y_labels, needed | set(x_labels))
    if result is None:
        batch = [label for label in x_labels if label in y_labels and label in needed]
        only = [[label for label in p if label not in q] for p, q in ((x_labels, y_labels), (y_labels, x_labels))]
        result = (*batch, *only[0], *only[1])
    if not set(x_labels).intersection(y_labels) <= set(result):
        check_same_dtype("einsum()", x, y)
    return Contract.apply(x, y, labels=(tuple(x_labels), tuple(y_labels), tuple(result))), list(result)


@composite
def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Tensor | None = None) -> Tensor:
    """Contract axes of a with axes of b: two lists of axes, or the number of last axes of a and first axes of b.

    Raises RuntimeError if their sizes differ, or there are fewer axes. Source: torch.tensordot.

    >>> torch.tensordot(torch.ones(2, 3, 4), torch.ones(4, 3), dims=([1, 2], [1, 0]))
    tensor([12., 12.])
    """
    a_dims, b_dims = _contracted_dims(dims, a, b)
    check_same_dtype("tensordot", a, b)
    check_not_bool(a.array)
    if not a_dims:  # PyTorch multiplies matrices of one column and of one row
        a, b = a.contiguous(), b.contiguous()
    labels, others = [f"a{i}" for i in range(a.ndim)], [f"b{i}" for i in range(b.ndim)]
    for i, j in zip(a_dims, b_dims, strict=True):
        if a.shape[i] != b.shape[j] and 1 not in (a.shape[i], b.shape[j]):
            raise ShapeError(
                f"contracted dimensions need to match, but first has size {a.shape[i]} in dim {i} and second has size "
                f"{b.shape[j]} in dim {j}"
            )
        if a.shape[i] == 1 != b.shape[j]:  # it broadcasts, so the other one is summed, in its dtype
            b = b.sum(j, keepdim=True, dtype=b.dtype)
        elif b.shape[j] == 1 != a.shape[i]:
            a = a.sum(i, keepdim=True, dtype=a.dtype)
        others[j] = labels[i]
    summed = {labels[i] for i in a_dims}
    result = tuple(label for label in labels + others if label not in summed)
    return into(out, _contract([(a, labels), (b, others)], result), exact="tensordot")


def _contracted_dims(dims: Any, a: Tensor, b: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the axes of a and those of b that tensordot's `dims` says, counted from the front."""
    if isinstance(dims, core.Tensor):
        dims = dims.tolist() if dims.ndim else dims.item()
    if is_number(dims):
        if dims < 0:
            raise ArgumentError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            raise ArgumentError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        dims = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    elif not isinstance(dims, (tuple, list)) or len(dims) != 2:
        raise ArgumentError(f"tensordot expects dims to be int or two lists of ints, but got dims={dims!r}")
    a_dims, b_dims = map(as_tuple, dims)
    if len(a_dims) != len(b_dims):
        raise ArgumentError(f"both dimension lists should have same length, got {a_dims} and {b_dims}")
    of_a = wrap_dims(a_dims, a.ndim, "tensordot", wrap_scalar=False)
    return of_a, wrap_dims(b_dims, b.ndim, "tensordot", wrap_scalar=False)
