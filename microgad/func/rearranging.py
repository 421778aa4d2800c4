"""`rearrange`: a Tensor's axes split, permuted and merged as a pattern says."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ..errors import ArgumentError, DtypeError, ShapeError
from ..ops.movement import permute, reshape, stack
from ..tensor import Tensor


def rearrange(tensor: Tensor | Sequence[Tensor], pattern: str, **axes_lengths: int) -> Tensor:
    """Split, permute and merge axes: "b (h p) w -> b h (p w)" with p=2. A list of Tensors is stacked first.

    Each side of the pattern names all axes; those in parentheses are one axis of the Tensor, the last of them the
    fastest. axes_lengths has their lengths, of which one may be missing on the left. "..." are any further axes, 1 is
    an axis of length 1. Raises ValueError for a pattern that can't be read, that has a name on one side only, or that
    doesn't fit the Tensor; so also for a 1 on the left whose axis is longer, which PyTorch sums. Raises TypeError for
    lengths that aren't ints. Source: einops.

    >>> images = torch.randn(32, 30, 40, 3)
    >>> torch.func.rearrange(images, "b h w c -> b (c h w)").shape
    torch.Size([32, 3600])
    >>> torch.func.rearrange(images, "b (h h1) (w w1) c -> b h w (c h1 w1)", h1=2, w1=2).shape
    torch.Size([32, 15, 20, 12])
    """
    if not isinstance(tensor, Tensor):
        tensor = stack(tensor)
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ArgumentError("Pattern must contain a single '->' separator")
    _check_ellipsis(sides[0], sides[1], pattern)
    further = tensor.ndim - len(_groups(sides[0], []))
    left, right = (_groups(side, [f"...{i}" for i in range(further)]) for side in sides)
    _check_names(left, right, axes_lengths)
    if len(left) != tensor.ndim:
        rule = "less than or equal to" if "..." in pattern else "equal to"
        raise ShapeError(
            f"Number of dimensions in pattern ({len(left)}) must be {rule} the number of dimensions in the tensor "
            f"({tensor.ndim})"
        )
    lengths = dict(axes_lengths)
    for group, size in zip(left, tensor.shape, strict=True):
        _infer(group, size, lengths)
    names = [name for group in left for name in group]
    order = [names.index(name) for group in right for name in group]
    split = permute(reshape(tensor, [lengths[name] for name in names]), order)
    return reshape(split, [math.prod(lengths[name] for name in group) for group in right])


def _groups(side: str, further: list[str]) -> list[list[str]]:
    """Return a list of names for each axis that a side of a pattern describes: none for 1, those of `further` for ...

    Raises ValueError if it can't be read.
    """
    groups: list[list[str]] = []
    group: list[str] | None = None
    for token in re.findall(r"\.{3}|\w+|\S", side):
        if token == "(":
            if group is not None:
                raise ArgumentError("Axis composition is one-level (brackets inside brackets not allowed)")
            group = []
        elif token == ")":
            if group is None:
                raise ArgumentError("Brackets are not balanced")
            groups.append(group)
            group = None
        elif token == "..." and group is None:
            groups += [[name] for name in further]
        elif group is None:
            groups.append(_names(token))
        else:
            group += further if token == "..." else _names(token)
    if group is not None:
        raise ArgumentError(f"Imbalanced parentheses in expression: {side!r}")
    names = [name for group in groups for name in group]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"Indexing expression contains duplicate dimension {name!r}")
    return groups


def _names(token: str) -> list[str]:
    """Return the name in a list, an empty list for 1. Raises ValueError if it isn't a name."""
    if token.isdecimal():
        if int(token) != 1:
            raise ArgumentError("rearrange only supports unnamed axes of size 1")
        return []
    if not re.fullmatch(r"\w+", token):
        raise ArgumentError(f"Unknown character {token!r}")
    if not token.isidentifier() or token.startswith("_") or token.endswith("_"):
        raise ArgumentError(f"Invalid axis identifier: {token}, which must be a name without underscores at its ends")
    return [token]


def _check_ellipsis(left: str, right: str, pattern: str) -> None:
    """Raise ValueError unless each side has at most one "...", and the left outside of parentheses."""
    for side in (left, right):
        if re.findall(r"\.+", side) not in ([], ["..."]):
            raise ArgumentError("Expression may contain dots only inside ellipsis (...); only one ellipsis for tensor")
    if "..." in right and "..." not in left:
        raise ArgumentError(f"Ellipsis found in right side, but not left side of a pattern {pattern}")
    if re.search(r"\([^)]*\.\.\.", left):
        raise ArgumentError(f"Ellipsis is parenthesis in the left side is not allowed: {pattern}")


def _check_names(left: list[list[str]], right: list[list[str]], lengths: dict[str, int]) -> None:
    """Raise ValueError unless both sides have the same names, among them those of the lengths, which are ints."""
    for length in lengths.values():
        if type(length) is not int:
            raise DtypeError(f"rearrange axis lengths must be integers, got: {type(length)}")
    ours, theirs = ({name for group in side for name in group} for side in (left, right))
    if alone := ours ^ theirs:
        raise ArgumentError(f"Identifiers only on one side of rearrange expression (should be on both): {alone}")
    if unknown := lengths.keys() - ours:
        raise ArgumentError(f"Identifiers not found in rearrange expression: {unknown}")


def _infer(group: list[str], size: int, lengths: dict[str, int]) -> None:
    """Add the length that is missing in a group of axes of `size` elements. Raises ValueError if none fits."""
    missing = [name for name in group if name not in lengths]
    known = math.prod(lengths[name] for name in group if name in lengths)
    if len(missing) > 1:
        raise ShapeError(f"rearrange: cannot infer the sizes of two dimensions at once, {missing}; give one of them")
    if missing:
        lengths[missing[0]] = size // known if known else 0
        known *= lengths[missing[0]]
    if known != size:
        sizes = ", ".join(f"{name}={lengths[name]}" for name in group)
        raise ShapeError(f"rearrange: an axis has length {size}, but its pattern ({sizes}) has {known} elements")
