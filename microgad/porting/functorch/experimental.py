"""functorch.experimental: transforms that torch.func has, and a vmap in a given number of chunks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ...func import functionalize as functionalize
from ...func import hessian as hessian
from ...func import jacfwd as jacfwd
from ...func import jvp as jvp
from ...func import replace_all_batch_norm_modules_ as replace_all_batch_norm_modules_
from ...func import vmap as _vmap
from ...func.mapping import function_name as _function_name
from ...func.mapping import mapped_leaves as _mapped_leaves


def chunk_vmap(
    func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error", chunks: int = 2
) -> Callable[..., Any]:
    """Map `func` over a dimension of its arguments as `vmap` does, in `chunks` parts of at most the same size.

    Source: functorch.experimental.chunk_vmap.

    >>> from microgad.porting.functorch.experimental import chunk_vmap
    >>> chunk_vmap(torch.sum)(torch.ones(3, 2))
    tensor([2., 2., 2.])
    """

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        leaves, dims, _ = _mapped_leaves(_function_name(func), in_dims, args)
        size = next(x.shape[d] for x, d in zip(leaves, dims, strict=True) if d is not None)
        return _vmap(func, in_dims, out_dims, randomness, chunk_size=max(-(-size // chunks), 1))(*args, **kwargs)

    return mapped
