"""Embedding and EmbeddingBag, which look up rows of a table by index."""

from __future__ import annotations

from typing import Any, Self

from ...ops.creation import empty
from ...parameter import Parameter
from ...state import scope
from ...tensor import Tensor
from ...type_aliases import Device, Dtype
from .. import functional as F
from .. import init
from .module import Module


class _EmbeddingBase(Module):
    """Base class of Embedding and EmbeddingBag: the table `weight` (num_embeddings, embedding_dim)."""

    weight: Parameter
    max_norm: float | None
    norm_type: float
    scale_grad_by_freq: bool

    def _init_table(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        weight: Tensor | None,
        freeze: bool,
        device: Any,
        dtype: Any,
    ) -> None:
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        if padding_idx:  # whether there is a row 0 is checked below
            if not -num_embeddings <= padding_idx < num_embeddings:
                word = "padding_idx" if isinstance(self, EmbeddingBag) else "Padding_idx"
                raise AssertionError(
                    f"{word} must be within num_embeddings, but {padding_idx} is not within {num_embeddings}"
                )
            padding_idx %= num_embeddings
        self.padding_idx = padding_idx
        if weight is None:
            shape = num_embeddings, embedding_dim
            self.weight = Parameter(empty(shape, device=device, dtype=dtype), requires_grad=not freeze)
            self.reset_parameters()
        elif tuple(weight.shape) != (num_embeddings, embedding_dim):
            raise AssertionError(
                "Shape of weight does not match num_embeddings and embedding_dim: "
                f"{tuple(weight.shape)} is not {num_embeddings, embedding_dim}"
            )
        else:
            self.weight = Parameter(weight, requires_grad=not freeze)

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight)
        self._fill_padding_idx_with_zero()

    def _fill_padding_idx_with_zero(self) -> None:
        if self.padding_idx is not None:
            with scope(grad_enabled=False):
                self.weight[self.padding_idx].fill_(0)

    def _norm_settings(self) -> str:
        text = f", max_norm={self.max_norm}" if self.max_norm is not None else ""
        text += f", norm_type={self.norm_type}" if self.norm_type != 2 else ""
        return text + (f", scale_grad_by_freq={self.scale_grad_by_freq}" if self.scale_grad_by_freq else "")


class Embedding(_EmbeddingBase):
    """Look up rows of weight (num_embeddings, embedding_dim) by index: int (...) -> (..., embedding_dim).

    weight is drawn from N(0, 1), except for zeros in the row padding_idx, which gets no gradient. With max_norm, used
    rows with a larger norm are scaled down in place. `sparse` has no effect. The index is int64 or int32. Raises
    IndexError for an index out of range, RuntimeError for another dtype, AssertionError for a padding_idx out of range.
    Source: torch.nn.Embedding.

    >>> nn.Embedding.from_pretrained(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))(torch.tensor([1, 0]))
    tensor([[3., 4.],
            [1., 2.]])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__()
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        self._init_table(num_embeddings, embedding_dim, padding_idx, _weight, _freeze, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        settings = self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        return F.embedding(input, self.weight, *settings)

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        return text + self._norm_settings() + ", sparse=True" * self.sparse

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Self:
        """Make a layer from a table (num_embeddings, embedding_dim), which is not trained if `freeze`."""
        rows, columns = _table_shape(embeddings)
        return cls(
            rows, columns, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, _weight=embeddings,
            _freeze=freeze,
        )  # fmt: skip


class EmbeddingBag(_EmbeddingBase):
    """Sums, means or maxima of bags of rows of weight: int (B, N) -> (B, embedding_dim).

    Instead of (B, N), the input may be int (N) with offsets (B), at which the bags begin. mode is "sum", "mean" or
    "max". See Embedding. Raises RuntimeError for indices out of range, other dimensions, missing offsets or ones that
    don't begin with 0, NotImplementedError for per_sample_weights unless mode is "sum". Source: torch.nn.EmbeddingBag.

    >>> table = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> nn.EmbeddingBag.from_pretrained(table, mode="sum")(torch.tensor([0, 1, 2]), torch.tensor([0, 1]))
    tensor([[ 1.,  2.],
            [ 8., 10.]])
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Device = None,
        dtype: Dtype = None,
    ) -> None:
        super().__init__()
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self._init_table(num_embeddings, embedding_dim, padding_idx, _weight, False, device, dtype)

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return F.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.mode, self.sparse,
            per_sample_weights, self.include_last_offset, self.padding_idx,
        )  # fmt: skip

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}{self._norm_settings()}, mode={self.mode!r}"
        return text if self.padding_idx is None else f"{text}, padding_idx={self.padding_idx}"

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> Self:
        """Make a layer from a table (num_embeddings, embedding_dim), which is not trained if `freeze`."""
        rows, columns = _table_shape(embeddings)
        made = cls(
            rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse, embeddings, include_last_offset,
            padding_idx,
        )  # fmt: skip
        made.weight.requires_grad_(not freeze)
        return made


def _table_shape(embeddings: Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2:
        raise AssertionError(f"Embeddings parameter is expected to be 2-dimensional, but has {embeddings.ndim}")
    rows, columns = embeddings.shape
    return rows, columns
