"""torch.__config__: descriptions of the libraries and threads that compute."""

from __future__ import annotations

import numpy as np

from .settings import get_num_interop_threads, get_num_threads


def show() -> str:
    """Describe the libraries that compute. Source: torch.__config__.show.

    >>> torch.__config__.show().startswith("microgad on NumPy")
    True
    """
    return f"microgad on NumPy {np.__version__}"


def parallel_info() -> str:
    """Describe the number of threads. Source: torch.__config__.parallel_info.

    >>> "at::get_num_threads() : " in torch.__config__.parallel_info()
    True
    """
    return (
        f"ATen/Parallel:\n\tat::get_num_threads() : {get_num_threads()}\n"
        f"\tat::get_num_interop_threads() : {get_num_interop_threads()}\n"
    )
