"""torch.masked, a prototype: libraries ask whether a Tensor is a MaskedTensor; here none is, and none can be made."""

from __future__ import annotations

from typing import Any

from ...errors import UnsupportedError
from ...lazy import absent as _absent


class MaskedTensor:
    """There are none.

    >>> isinstance(torch.ones(2), torch.masked.MaskedTensor)
    False
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError(
            "torch.masked is a prototype, which microgad lacks: masked_fill, masked_select, where, nansum, nanmean"
        )


masked_tensor = as_masked_tensor = MaskedTensor


def is_masked_tensor(obj: Any) -> bool:
    """Whether it is one, which none is."""
    return isinstance(obj, MaskedTensor)


_absent(globals())
