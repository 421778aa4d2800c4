"""torch.nn._reduction: the names and numbers of reductions, for losses copied from PyTorch's source."""

from __future__ import annotations

import warnings

from ..ops.loss.reduction import REDUCTIONS, legacy_reduction, resolve_reduction


def get_enum(reduction: str) -> int:
    """Return the number of a reduction: 0 for "none", 1 for "mean", 2 for "sum".

    Raises ValueError for other names. Source: torch.nn._reduction.get_enum.
    """
    return REDUCTIONS.index(resolve_reduction(None, None, reduction))


def legacy_get_string(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> str:
    """Return the name of the reduction that the deprecated arguments mean. Source: torch.nn._reduction."""
    with warnings.catch_warnings():
        if not emit_warning:
            warnings.simplefilter("ignore")
        return legacy_reduction(size_average, reduce) or "mean"


def legacy_get_enum(size_average: bool | None, reduce: bool | None, emit_warning: bool = True) -> int:
    """Return the number of the reduction that the deprecated arguments mean. Source: torch.nn._reduction."""
    return get_enum(legacy_get_string(size_average, reduce, emit_warning))
