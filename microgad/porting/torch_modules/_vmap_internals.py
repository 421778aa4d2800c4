"""torch._vmap_internals: the vmap of before torch.func, which older libraries import from here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...func import vmap as _mapped


def _vmap(
    func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, allow_none_pass_through: bool = False
) -> Callable[..., Any]:
    return _mapped(func, in_dims, out_dims)


vmap = _vmap
