"""torch.nn.utils.rnn: batches of sequences of several lengths, padded or packed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from ...dtypes import int64
from ...errors import ArgumentError, DtypeError, ShapeError
from ...function.naming import with_torch_name
from ...ops.creation import as_tensor, full, tensor
from ...ops.movement import cat
from ...ops.support.bare import unrecorded
from ...tensor import Tensor
from ...type_aliases import Array

__all__ = [
    "PackedSequence", "invert_permutation", "pack_padded_sequence", "pack_sequence", "pad_packed_sequence",
    "pad_sequence", "unpack_sequence", "unpad_sequence",
]  # fmt: skip


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


def _converted_to(dtype: Any) -> Callable[[Any], PackedSequence]:
    def converted(self: PackedSequence) -> PackedSequence:
        return self.to(dtype)

    converted.__doc__ = f"Convert the data to {np.dtype(dtype)}."
    return converted


class PackedSequence(_Packed):
    """A packed batch: `data` holds the rows of all sequences step by step, batch_sizes[t] rows for step t.

    Within a step the longest sequence comes first: sorted_indices reordered the batch for this, and unsorted_indices
    restores its order. `pack_sequence` and `pack_padded_sequence` make it, and recurrent layers accept it. Source:
    torch.nn.utils.rnn.PackedSequence.

    >>> nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])])
    PackedSequence(data=tensor([1, 3, 2]), batch_sizes=tensor([2, 1]), sorted_indices=None, unsorted_indices=None)
    """

    __slots__ = ()

    def __new__(
        cls, data: Any, batch_sizes: Tensor | None = None, sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> Self:  # fmt: skip
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU: make a PackedSequence with pack_sequence or pack_padded_sequence"
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Convert the data by `Tensor.to`, and move the indices to the same device. Return self if nothing changes."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        indices = [None if x is None else x.to(data.device) for x in (self.sorted_indices, self.unsorted_indices)]
        return type(self)(data, self.batch_sizes, *indices)

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Move to a GPU."""
        return self.to(*args, **kwargs) if args or "device" in kwargs else self.to(device="cuda", **kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Move to the CPU."""
        return self.to(*args, device="cpu", **kwargs)

    def pin_memory(self) -> PackedSequence:
        """Return self: memory is not pinned here."""
        return self

    double, float, half = _converted_to(np.float64), _converted_to(np.float32), _converted_to(np.float16)
    long, int, short = _converted_to(np.int64), _converted_to(np.int32), _converted_to(np.int16)
    char, byte = _converted_to(np.int8), _converted_to(np.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return self.data.device.type == "cuda"

    def is_pinned(self) -> bool:
        """Return False: memory is not pinned here."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Return the inverse of a permutation, or None for None. Source: torch.nn.utils.rnn.invert_permutation.

    >>> nn.utils.rnn.invert_permutation(torch.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else permutation.argsort()


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack padded sequences (T, B, ...), or with batch_first (B, T, ...), which have the given lengths.

    The sequences must be sorted by length, the longest first; with enforce_sorted=False they are sorted here. Raises
    RuntimeError for an order or lengths that don't fit. Source: torch.nn.utils.rnn.pack_padded_sequence.

    >>> packed = nn.utils.rnn.pack_padded_sequence(torch.tensor([[1, 2, 0], [3, 4, 5]]), [2, 3], True, False)
    >>> packed.data, packed.sorted_indices
    (tensor([3, 1, 4, 2, 5]), tensor([1, 0]))
    """
    count = as_tensor(lengths).detach().cpu().numpy().astype(np.int64)
    if count.ndim != 1:
        raise ShapeError(f"'lengths' argument should be a 1D CPU int64 tensor, but got {count.ndim}D")
    order = None
    if not enforce_sorted:
        by_length = as_tensor(count, device="cpu").argsort(descending=True)
        count, order = count[by_length.numpy()], by_length.to(input.device)
        input = input.index_select(0 if batch_first else 1, order)
    rows = input.transpose(0, 1) if batch_first else input
    _check(rows, count)
    valid = np.arange(count[0])[:, None] < count  # (T, B)
    data = with_torch_name("PackPaddedSequence", rows[: valid.shape[0]][as_tensor(valid, device=input.device)])
    return PackedSequence(data, tensor(valid.sum(1), dtype=int64, device="cpu"), order)


def _check(input: Tensor, lengths: Array) -> None:
    if not input.numel():
        raise ShapeError("Cannot pack empty tensors.")
    steps, batch = input.shape[:2]
    if len(lengths) != batch:
        raise ShapeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} (batch_size={batch})"
        )
    if (lengths[1:] > lengths[:-1]).any():
        raise ArgumentError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence, which sort them then."
        )
    if lengths[-1] <= 0:
        raise ArgumentError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0"
        )
    if lengths[0] > steps:
        raise ArgumentError(f"pack_padded_sequence: a length is {lengths[0]}, but input has {steps} steps")


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Unpack to padded sequences (T, B, ...), or with batch_first (B, T, ...), and their lengths.

    This is the inverse of `pack_padded_sequence`. T is the greatest length, or total_length. Raises ValueError if
    total_length is less than the greatest length. Source: torch.nn.utils.rnn.pad_packed_sequence.

    >>> packed = nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])])
    >>> nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)
    (tensor([[1, 2],
            [3, 0]]), tensor([2, 1]))
    """
    sizes = sequence.batch_sizes.numpy()
    steps = len(sizes) if total_length is None else total_length
    if steps < len(sizes):
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {len(sizes)}"
        )
    valid = np.arange(sizes[0]) < np.concatenate([sizes, np.zeros(steps - len(sizes), np.int64)])[:, None]  # (T, B)
    data = sequence.data
    padded = full((steps, int(sizes[0]), *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    padded = padded.index_put((as_tensor(valid, device=data.device),), data)
    lengths = as_tensor(valid.sum(0), device="cpu")
    if batch_first:
        padded = padded.transpose(0, 1)
    order = sequence.unsorted_indices
    if order is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, order), lengths[order.cpu()]


def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:  # fmt: skip
    """Pad Tensors (L, ...) of several lengths to (T, B, ...), or with batch_first to (B, T, ...).

    The result has the dtype of the first Tensor. padding_side, "left" or "right", says where padding is added. Raises
    RuntimeError without Tensors, or if other dimensions don't fit the first's, TypeError for an element that is no
    Tensor. Source: torch.nn.utils.rnn.pad_sequence.

    >>> nn.utils.rnn.pad_sequence([torch.tensor([1, 2]), torch.tensor([3])], batch_first=True)
    tensor([[1, 2],
            [3, 0]])
    """
    if not isinstance(sequences, Iterable):
        raise DtypeError(f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}")
    each = list(sequences)
    for i, x in enumerate(each):
        if not isinstance(x, Tensor):
            raise TypeError(f"pad_sequence: expected Tensor as element {i}, but got {type(x).__name__}")
    if not each:
        raise ShapeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise ArgumentError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    if not each[0].ndim:
        raise ShapeError("pad_sequence: expected Tensors of at least one dimension")
    first, dtype, row = each[0], each[0].array.dtype, each[0].array.shape[1:]
    for i, x in enumerate(each):
        if x.array.dtype != dtype or x.array.shape[1:] != row:
            each[i] = x.to(first.dtype).expand(len(x), *row)
    lengths = [len(x) for x in each]
    batch, steps = len(each), max(lengths)
    size = (batch, steps) if batch_first else (steps, batch)
    padded = full((*size, *row), padding_value, dtype=first.dtype, device=first.device)
    if (arrays := unrecorded(*each)) is not None:
        for out, x in zip(padded.array if batch_first else padded.array.swapaxes(0, 1), arrays, strict=True):
            out[slice(len(x)) if padding_side == "right" else slice(steps - len(x), steps)] = x
        return padded
    valid = np.arange(steps) < np.array(lengths)[:, None]  # (B, T)
    which, when = np.nonzero(valid if padding_side == "right" else valid[:, ::-1])
    places = (which, when) if batch_first else (when, which)
    return padded.index_put(tuple(as_tensor(i, device=first.device) for i in places), cat(each))


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """Split (T, B, ...), or with batch_first (B, T, ...), into its sequences: the inverse of `pad_sequence`.

    Source: torch.nn.utils.rnn.unpad_sequence.

    >>> nn.utils.rnn.unpad_sequence(torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1]), batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [x[:n].clone() for x, n in zip(rows, as_tensor(lengths).tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack Tensors (L, ...), sorted by length, the longest first: see `pack_padded_sequence`.

    Raises RuntimeError if they aren't sorted. Source: torch.nn.utils.rnn.pack_sequence.

    >>> nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]).data
    tensor([1, 3, 2])
    """
    lengths = [len(x) for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Unpack to Tensors (L, ...): the inverse of `pack_sequence`. Source: torch.nn.utils.rnn.unpack_sequence.

    >>> nn.utils.rnn.unpack_sequence(nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
