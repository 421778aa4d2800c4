"""Attributes that PyTorch's Tensor has and microgad's lacks: using one raises an AttributeError that says why."""

from __future__ import annotations

from typing import Any, NoReturn

from ..lazy import MissingName

_TABLE = """
bfloat16 ccol_indices chalf col_indices crow_indices dense_dim dequantize eig index int_repr ipu lstsq
mtia q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale q_zero_point qscheme
reinforce resize resize_as resize_as_sparse_ row_indices slice_inverse smm solve sparse_dim sparse_mask sparse_resize_
sparse_resize_and_clear_ sspaddmm storage_type symeig to_mkldnn to_padded_tensor to_sparse_bsc to_sparse_bsr
to_sparse_coo to_sparse_csc to_sparse_csr volatile xpu
"""
NAMES = frozenset(_TABLE.split())


class UnsupportedAttribute:
    """A descriptor that raises AttributeError with the reason why an attribute is missing.

    There is one for each name, since a `__getattr__` of Tensor would slow down finding `x.array`: it took a tenth of a
    small operation's time. For misspelled names Python itself suggests the nearest one.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> NoReturn:
        known = lambda: [name for name in dir(owner) if name not in NAMES]  # noqa: E731
        raise MissingName(f"Tensor.{self.name}", self.name, known).error()


class Unsupported:
    """The mixin that has a descriptor for each unsupported name, and hides these from `dir`."""

    __slots__ = ()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in NAMES]


for name in NAMES:
    setattr(Unsupported, name, UnsupportedAttribute(name))
