"""Sequences of several lengths: padded to the longest, or packed, the rows of each step together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from ...dtypes import int64
from ...errors import ArgumentError, DtypeError, ShapeError
from ...lazy import define_getattr as _define_getattr
from ...ops.creation import as_tensor, full, tensor
from ...ops.movement import cat
from ...tensor import Tensor


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


def _converted_to(dtype: Any) -> Callable[[Any], PackedSequence]:
    def converted(self: PackedSequence) -> PackedSequence:
        return self.to(dtype)

    converted.__doc__ = f"The data to {np.dtype(dtype)}."
    return converted


class PackedSequence(_Packed):
    """Rows of sequences, step after step: batch_sizes[t] of them in step t, those of the longest sequence first.

    sorted_indices is how the batch was reordered for that, unsorted_indices the way back. Made by `pack_sequence` and
    `pack_padded_sequence`, and taken by the recurrent layers. Source: torch.nn.utils.rnn.PackedSequence.

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
        """The data to a dtype or a device, see `Tensor.to`, the indices to that device; self where nothing moves."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        there = [None if x is None else x.to(data.device) for x in (self.sorted_indices, self.unsorted_indices)]
        return type(self)(data, self.batch_sizes, *there)

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """To a GPU."""
        return self.to(*args, **kwargs) if args or "device" in kwargs else self.to(device="cuda", **kwargs)

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """To the CPU."""
        return self.to(*args, device="cpu", **kwargs)

    def pin_memory(self) -> PackedSequence:
        """As it is: memory is not pinned here."""
        return self

    double, float, half = _converted_to(np.float64), _converted_to(np.float32), _converted_to(np.float16)
    long, int, short = _converted_to(np.int64), _converted_to(np.int32), _converted_to(np.int16)
    char, byte = _converted_to(np.int8), _converted_to(np.uint8)

    @property
    def is_cuda(self) -> bool:
        """Whether the data are on a GPU."""
        return self.data.device.type == "cuda"

    def is_pinned(self) -> bool:
        """Never."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """Where each index stands in a permutation; None of None. Source: torch.nn.utils.rnn.invert_permutation.

    >>> nn.utils.rnn.invert_permutation(torch.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else permutation.argsort()


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """(T, B, ...), or with batch_first (B, T, ...), whose sequences have the given lengths -> packed.

    They have to be in the order of their lengths, the longest first; without enforce_sorted they are put into it.
    Raises RuntimeError for an order or lengths that don't fit. Source: torch.nn.utils.rnn.pack_padded_sequence.

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
    there = np.arange(count[0])[:, None] < count
    data = rows[: there.shape[0]][as_tensor(there, device=input.device)]
    return PackedSequence(data, tensor(there.sum(1), dtype=int64, device="cpu"), order)


def _check(input: Tensor, lengths: Any) -> None:
    if not input.numel():
        raise ShapeError("Cannot pack empty tensors.")
    steps, batch = input.shape[:2]
    if len(lengths) != batch:
        raise ShapeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} (batch_size={batch})"
        )
    if (lengths[1:] > lengths[:-1]).any():
        raise ArgumentError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True; enforce_sorted=False "
            "sorts them"
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
    """Packed -> (T, B, ...), or with batch_first (B, T, ...), and the lengths: the inverse of `pack_padded_sequence`.

    T is the greatest length, or total_length. Raises ValueError where that is less.
    Source: torch.nn.utils.rnn.pad_packed_sequence.

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
    there = np.arange(sizes[0]) < np.concatenate([sizes, np.zeros(steps - len(sizes), np.int64)])[:, None]
    data = sequence.data
    padded = full((steps, int(sizes[0]), *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    padded = padded.index_put((as_tensor(there, device=data.device),), data)
    lengths = as_tensor(there.sum(0), device="cpu")
    if batch_first:
        padded = padded.transpose(0, 1)
    back = sequence.unsorted_indices
    if back is None:
        return padded, lengths
    return padded.index_select(0 if batch_first else 1, back), lengths[back.cpu()]


def pad_sequence(
    sequences: Iterable[Tensor], batch_first: bool = False, padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:  # fmt: skip
    """Tensors (L, ...) of several lengths -> (T, B, ...), or with batch_first (B, T, ...), of the dtype of the first.

    padding_side, left or right, is where the shorter ones are filled up. Raises RuntimeError where there are none, or
    their further dimensions differ. Source: torch.nn.utils.rnn.pad_sequence.

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
    first, lengths = each[0], np.array([len(x) for x in each])
    there = np.arange(lengths.max()) < lengths[:, None]
    if padding_side == "left":
        there = there[:, ::-1]
    (batch, steps), (which, when) = there.shape, np.nonzero(there)
    sizes, places = ((batch, steps), (which, when)) if batch_first else ((steps, batch), (when, which))
    padded = full((*sizes, *first.shape[1:]), padding_value, dtype=first.dtype, device=first.device)
    rows = cat([x.to(first.dtype).expand(len(x), *first.shape[1:]) for x in each])
    return padded.index_put(tuple(as_tensor(i, device=first.device) for i in places), rows)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """(T, B, ...), or with batch_first (B, T, ...) -> its sequences, cut to their lengths: `pad_sequence`'s inverse.

    Source: torch.nn.utils.rnn.unpad_sequence.

    >>> nn.utils.rnn.unpad_sequence(torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1]), batch_first=True)
    [tensor([1, 2]), tensor([3])]
    """
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [x[:n].clone() for x, n in zip(rows, as_tensor(lengths).tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Tensors (L, ...), the longest first -> packed: `pack_padded_sequence` of them.

    Source: torch.nn.utils.rnn.pack_sequence.

    >>> nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]).data
    tensor([1, 3, 2])
    """
    lengths = [len(x) for x in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """Packed -> Tensors (L, ...): the inverse of `pack_sequence`. Source: torch.nn.utils.rnn.unpack_sequence.

    >>> nn.utils.rnn.unpack_sequence(nn.utils.rnn.pack_sequence([torch.tensor([1, 2]), torch.tensor([3])]))
    [tensor([1, 2]), tensor([3])]
    """
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


_define_getattr(globals())
