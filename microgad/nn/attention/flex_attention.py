"""torch.nn.attention.flex_attention: attention with user-defined functions for the scores and the mask."""

from __future__ import annotations

import functools
import inspect
import itertools
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from ...dtypes import float32, promote_types
from ...errors import ArgumentError, CallError, UnsupportedError
from ...lazy import define_getattr as _define_getattr
from ...ops.creation import arange, full, zeros
from ...ops.elementwise import isneginf, where
from ...ops.linalg import matmul
from ...ops.movement import broadcast_to, pad
from ...ops.reduction import amax
from ...ops.softmax import logsumexp, softmax
from ...state import composite
from ...tensor import Tensor
from ...type_aliases import Device

__all__ = [
    "AuxOutput", "AuxRequest", "BlockMask", "FlexKernelOptions", "and_masks", "create_block_mask", "create_mask",
    "flex_attention", "noop_mask", "or_masks",
]  # fmt: skip

Mod = Callable[..., Tensor]


class AuxRequest(NamedTuple):
    """The auxiliary results that `flex_attention` is asked to return.

    Source: torch.nn.attention.flex_attention.AuxRequest.

    >>> from microgad.nn.attention.flex_attention import AuxRequest, flex_attention
    >>> x = torch.zeros(1, 1, 2, 4)
    >>> flex_attention(x, x, x, return_aux=AuxRequest(lse=True))[1].lse
    tensor([[[0.6931, 0.6931]]])
    """

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """The auxiliary results of `flex_attention`: (B, H, L) each, or None if not requested.

    Source: torch.nn.attention.flex_attention.AuxOutput.

    >>> from microgad.nn.attention.flex_attention import AuxOutput
    >>> AuxOutput()
    AuxOutput(lse=None, max_scores=None)
    """

    lse: Tensor | None = None
    max_scores: Tensor | None = None


@composite
def flex_attention(
    query: Tensor, key: Tensor, value: Tensor, score_mod: Mod | None = None, block_mask: BlockMask | None = None,
    scale: float | None = None, enable_gqa: bool = False, return_lse: bool = False, kernel_options: Any = None, *,
    return_aux: AuxRequest | None = None,
) -> Any:  # fmt: skip
    """Attention with modified scores: softmax(score_mod(query keyᵀ · scale, b, h, i, j)) value.

    query is (B, H, L, E), key (B, H, S, E), value (B, H, S, Ev); with enable_gqa key and value may have fewer heads,
    each shared by several of query's. Scores are -∞ where the block mask is False, and a query without any visible key
    gives 0. `score_mod` is called once, not per score: its score is (B, H, L, S), and b, h, i and j are index Tensors
    that broadcast with it, so that it can index other Tensors, as in `bias[h, i - j]`. Gradients flow through all of
    it, on the CPU, too. Unlike in PyTorch, masked blocks are computed, too.

    Raises NotImplementedError unless all are 4D, ValueError if sizes don't fit.
    Source: torch.nn.attention.flex_attention; Dong et al. (2024).

    >>> from microgad.nn.attention.flex_attention import flex_attention
    >>> x, value = torch.zeros(1, 1, 3, 2), torch.tensor([[[[1.0], [2.0], [6.0]]]])
    >>> flex_attention(x, x, value, lambda score, b, h, i, j: torch.where(i >= j, score, -torch.inf)).flatten()
    tensor([1.0000, 1.5000, 3.0000])
    """
    _check(query, key, value, block_mask, enable_gqa)
    if return_lse and return_aux is not None:
        raise ArgumentError("flex_attention: say return_aux=AuxRequest(lse=True), or return_lse, not both")
    if enable_gqa:
        key, value = (x.repeat_interleave(query.shape[1] // x.shape[1], 1) for x in (key, value))
    wide = promote_types(query.dtype, float32)  # float16 scores would be too inexact
    scores = matmul(query.to(wide), key.to(wide).transpose(-2, -1))
    scores = scores * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    positions = _positions(*scores.shape, device=query.device)
    if score_mod is not None:
        scores = score_mod(scores, *positions)
    if block_mask is not None:
        scores = where(block_mask.mask_mod(*positions), scores, -math.inf)
    top = amax(scores, -1, keepdim=True)
    weights = where(isneginf(top), 0.0, softmax(where(isneginf(top), 0.0, scores), -1))
    out = matmul(weights.to(value.dtype), value)
    asked = AuxRequest(lse=return_lse) if return_aux is None else return_aux
    lse = logsumexp(scores, -1) if asked.lse else None
    if return_aux is None:
        return (out, lse) if return_lse else out
    return out, AuxOutput(lse, top.squeeze(-1) if asked.max_scores else None)


def _check(query: Tensor, key: Tensor, value: Tensor, block_mask: BlockMask | None, enable_gqa: bool) -> None:
    if not query.ndim == key.ndim == value.ndim == 4:
        raise UnsupportedError("flex_attention: query, key and value must be 4D tensors")
    sizes = [tuple(x.shape) for x in (query, key, value)]
    shapes = f"flex_attention: query is {sizes[0]}, key {sizes[1]}, value {sizes[2]}"
    (batch, heads, q_len, width), (kv_batch, kv_heads, kv_len, _), _ = sizes
    if width != sizes[1][3]:
        raise ArgumentError(f"{shapes}: expect query and key/value to have the same embedding dimension")
    if heads != kv_heads and not (enable_gqa and heads % kv_heads == 0):
        raise ArgumentError(f"{shapes}: expect the same number of heads, or with enable_gqa=True a divisor of query's")
    if batch != kv_batch and (kv_batch != 1 or block_mask is None or block_mask.shape[0] not in (1, batch)):
        raise ArgumentError(f"{shapes}: expect the same batch size, or 1 in key and value and a block_mask of query's")
    if block_mask is not None and block_mask.shape[2:] != (q_len, kv_len):
        raise ArgumentError(
            f"{shapes}: block_mask was created for block_mask.shape={block_mask.shape} but got q_len={q_len} and "
            f"kv_len={kv_len}; create a new block mask with the correct length"
        )


def _positions(*shape: int, device: Any) -> list[Tensor]:
    """Return the index Tensors of all axes, which broadcast with each other (an open grid)."""
    each = [arange(n, device=device) for n in shape]
    return [index.reshape([-1 if i == axis else 1 for i in range(len(shape))]) for axis, index in enumerate(each)]


def create_mask(mod_fn: Mod, B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Device = None) -> Tensor:
    """Return a mask_mod's values as booleans (B, H, Q_LEN, KV_LEN), or for a score_mod where scores aren't -∞.

    B and H count as 1 if they are None. Raises TypeError for what can't be called, AssertionError for other numbers of
    arguments. Source: torch.nn.attention.flex_attention.create_mask.

    >>> from microgad.nn.attention.flex_attention import create_mask
    >>> create_mask(lambda b, h, i, j: i >= j, None, None, 2, 2)
    tensor([[[[ True, False],
              [ True,  True]]]])
    """
    shape = (1 if B is None else B, 1 if H is None else H, Q_LEN, KV_LEN)
    positions = _positions(*shape, device=device)
    if _count_arguments(mod_fn) == 5:
        return ~isneginf(mod_fn(zeros(shape, device=device), *positions))
    return broadcast_to(mod_fn(*positions), shape)


def _count_arguments(mod: Mod) -> int:
    """Return how many arguments a mask_mod (4) or score_mod (5) takes. Raises AssertionError for other numbers."""
    if not callable(mod):
        raise TypeError(f"{mod} is not a callable object")
    found = sum(p.default is p.empty for p in inspect.signature(mod).parameters.values())
    if found not in (4, 5):
        raise CallError(f"Expected 4 or 5 positional args, got {found}")
    return found


def _combine_masks(mods: tuple[Mod, ...], combine: Callable[[Any, Any], Any], start: bool) -> Mod:
    if not all(map(callable, mods)):
        raise ArgumentError(f"All inputs should be callable mask_mods: {mods}")

    def combined(b: Tensor, h: Tensor, q_idx: Tensor, kv_idx: Tensor) -> Tensor:
        masks = (mod(b, h, q_idx, kv_idx) for mod in mods)
        return functools.reduce(combine, masks, full((), start, dtype=bool, device=b.device))

    return combined


def and_masks(*mask_mods: Mod) -> Mod:
    """Return the mask_mod that is True where all of them are.

    Raises ValueError for what can't be called. Source: torch.nn.attention.flex_attention.and_masks.

    >>> def causal(batch, head, q, kv):
    ...     return q >= kv
    >>> def near(batch, head, q, kv):
    ...     return q - kv < 2
    >>> from microgad.nn.attention.flex_attention import and_masks, create_mask
    >>> create_mask(and_masks(causal, near), 1, 1, 3, 3, device="cpu")[0, 0]
    tensor([[ True, False, False],
            [ True,  True, False],
            [False,  True,  True]])
    """
    return _combine_masks(mask_mods, operator.and_, True)


def or_masks(*mask_mods: Mod) -> Mod:
    """Return the mask_mod that is True where any of them is.

    Raises ValueError for what can't be called. Source: torch.nn.attention.flex_attention.or_masks.

    >>> from microgad.nn.attention.flex_attention import or_masks
    >>> either = or_masks(lambda batch, head, q, kv: q == kv, lambda batch, head, q, kv: kv == 0)
    >>> either(*torch.tensor([0, 0, 2]), torch.arange(4))
    tensor([ True, False,  True, False])
    """
    return _combine_masks(mask_mods, operator.or_, False)


def noop_mask(batch: Tensor, head: Tensor, token_q: Tensor, token_kv: Tensor) -> Tensor:
    """The mask_mod that is True everywhere. Source: torch.nn.attention.flex_attention.noop_mask.

    >>> from microgad.nn.attention.flex_attention import create_mask, noop_mask
    >>> create_mask(noop_mask, None, None, 1, 2)
    tensor([[[[True, True]]]])
    """
    return full((), True, dtype=bool, device=batch.device)


def _no_mask_mod(*positions: Tensor) -> Tensor:
    raise ArgumentError(
        "BlockMask: a slice has no mask_mod, as its indices start at 0 again: assign one, made from the whole mask's"
    )


class BlockMask:
    """A mask given by its function `mask_mod`, and by which of its blocks are partly and fully True.

    `partial` and `full` are booleans of shape (B, H, rows, columns), an entry per block. `mask_mod` and `seq_lengths`,
    which is (L, S), may be assigned. Indexing selects batch entries, heads and rows of blocks. Source:
    torch.nn.attention.flex_attention.BlockMask; made by `create_block_mask`.

    >>> from microgad.nn.attention.flex_attention import create_block_mask
    >>> mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, 6, 6, BLOCK_SIZE=2)
    >>> mask.shape, mask.kv_num_blocks, mask.full_kv_num_blocks
    ((1, 1, 6, 6), tensor([[[1, 1, 1]]], dtype=torch.int32), tensor([[[0, 1, 2]]], dtype=torch.int32))
    >>> print(mask)
    BlockMask(shape=(1, 1, 6, 6), sparsity=33.33%,
    (0, 0)
    ██
    ████
    ██████
    )
    """

    def __init__(
        self, partial: Tensor, full: Tensor, seq_lengths: tuple[int, int], BLOCK_SIZE: tuple[int, int], mask_mod: Mod
    ) -> None:
        self.partial, self.full = partial, full
        self.seq_lengths, self.BLOCK_SIZE, self.mask_mod = seq_lengths, BLOCK_SIZE, mask_mod

    @property
    def shape(self) -> tuple[int, ...]:
        """(B, H, L, S), the shape of the dense mask."""
        return (*self.partial.shape[:2], *self.seq_lengths)

    kv_num_blocks = property(lambda self: _count_true(self.partial))
    kv_indices = property(lambda self: _true_columns_first(self.partial))
    full_kv_num_blocks = property(lambda self: _count_true(self.full))
    full_kv_indices = property(lambda self: _true_columns_first(self.full))
    q_num_blocks = property(lambda self: _count_true(self.partial.mT))
    q_indices = property(lambda self: _true_columns_first(self.partial.mT))
    full_q_num_blocks = property(lambda self: _count_true(self.full.mT))
    full_q_indices = property(lambda self: _true_columns_first(self.full.mT))

    def __getitem__(self, index: Any) -> BlockMask:
        given = index if isinstance(index, tuple) else (index,)
        kept = tuple(slice(i, i + 1 or None) if isinstance(i, int) else i for i in given)
        return BlockMask(self.partial[kept], self.full[kept], self.seq_lengths, self.BLOCK_SIZE, _no_mask_mod)

    def to(self, device: Device) -> BlockMask:
        """Move to another device."""
        return BlockMask(
            self.partial.to(device), self.full.to(device), self.seq_lengths, self.BLOCK_SIZE, self.mask_mod
        )

    def to_dense(self) -> Tensor:
        """Return an int32 Tensor with 1 for each block that is partly or fully True."""
        return (self.partial | self.full).int()

    def numel(self) -> int:
        """Return the number of entries of the dense mask."""
        return math.prod(self.shape)

    def sparsity(self) -> float:
        """Return the percentage of entries in blocks that are entirely False."""
        return 100 * (1 - int(self.to_dense().sum()) * math.prod(self.BLOCK_SIZE) / self.numel())

    def to_string(self, grid_size: int | tuple[int, int] = (20, 20), limit: int = 4) -> str:
        """Draw the blocks of up to `limit` batch entries and heads, in at most grid_size rows and columns (-1: all)."""
        blocks = self.to_dense().float()
        grid = (grid_size, grid_size) if isinstance(grid_size, int) else grid_size
        rows, columns = (1 if most < 0 else -(-n // most) for n, most in zip(blocks.shape[2:], grid, strict=True))
        drawn: list[str] = []
        for place in itertools.product(*map(range, blocks.shape[:2])):
            if len(drawn) == limit:
                drawn += ["...", "To print out more, set BlockMask.to_string(limit=N)"]
                drawn += ["You can also index (BlockMask[batch, head]) to choose a specific batch or head"]
                break
            lines = [
                "".join(_SHADES.get(part.mean().item(), "░") * 2 for part in row.split(columns, 1))
                for row in blocks[place].split(rows)
            ]
            drawn.append("\n".join([str(place), *lines, ""]))
        return "\n".join(drawn)

    def __str__(self) -> str:
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%, \n{self.to_string().strip()}\n)"

    __repr__ = __str__


_SHADES = {0.0: " ", 1.0: "█"}


def _count_true(blocks: Tensor) -> Tensor:
    """Return the number of True blocks in each row."""
    return blocks.sum(-1).int()


def _true_columns_first(blocks: Tensor) -> Tensor:
    """Return the column indices of each row, those of True blocks first."""
    return blocks.int().argsort(-1, descending=True, stable=True).int()


def create_block_mask(
    mask_mod: Mod, B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Device = None,
    BLOCK_SIZE: int | tuple[int, int] = 128, _compile: bool = False, separate_full_blocks: bool = True, **options: Any,
) -> BlockMask:  # fmt: skip
    """Make a BlockMask with blocks of BLOCK_SIZE from mask_mod(b, h, i, j).

    B and H are None if the mask is the same for all batch entries or heads. Raises as create_mask does.
    Source: torch.nn.attention.flex_attention.create_block_mask.

    >>> from microgad.nn.attention.flex_attention import create_block_mask
    >>> create_block_mask(lambda b, h, i, j: i >= j, None, None, 256, 256).sparsity()
    25.0
    """
    size = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else BLOCK_SIZE
    if _count_arguments(mask_mod) != 4:
        raise CallError("create_block_mask: mask_mod must take 4 arguments, (b, h, q_idx, kv_idx)")
    mask = create_mask(mask_mod, B, H, Q_LEN, KV_LEN, device)
    mask = pad(mask, (0, -KV_LEN % size[1], 0, -Q_LEN % size[0]))
    true_count = mask.unflatten(-1, (-1, size[1])).unflatten(-3, (-1, size[0])).sum((-3, -1))
    whole = (true_count == math.prod(size)) & separate_full_blocks
    return BlockMask((true_count > 0) & ~whole, whole, (Q_LEN, KV_LEN), size, mask_mod)


FlexKernelOptions = dict[str, Any]

_define_getattr(globals())
