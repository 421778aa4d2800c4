"""torch.__config__: what is underneath, in words."""

from __future__ import annotations

import numpy as np

from .settings import get_num_interop_threads, get_num_threads


def show() -> str:
    """What computes. Source: torch.__config__.show.

    >>> torch.__config__.show().startswith("microgad on NumPy")
    True
    """
    return f"microgad on NumPy {np.__version__}"


def parallel_info() -> str:
    """How many threads there are. Source: torch.__config__.parallel_info.

    >>> "at::get_num_threads() : " in torch.__config__.parallel_info()
    True
    """
    return (
        f"ATen/Parallel:\n\tat::get_num_threads() : {get_num_threads()}\n"
        f"\tat::get_num_interop_threads() : {get_num_interop_threads()}\n"
    )
