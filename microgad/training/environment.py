"""The environment that the last bits of a result depend on: NumPy, the CPU, and the number of BLAS threads."""

from __future__ import annotations

import os
import platform
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

Environment = dict[str, Any]


def environment() -> Environment:
    """Return NumPy's version, the machine, the CPU features that NumPy found, and the BLAS with its number of threads.

    Without threadpoolctl, the entries for BLAS are None.

    >>> sorted(torch.training.environment())
    ['BLAS', 'CPU', 'CPU cores', 'CPU features', 'NumPy', 'threads']
    """
    found: dict[str, Any] = np.show_config(mode="dicts") or {}  # type: ignore[assignment]
    simd = found.get("SIMD Extensions", {})
    blas = _blas()
    return {
        "NumPy": np.__version__,
        "CPU": platform.machine(),
        "CPU features": ", ".join([*simd.get("baseline", ()), *simd.get("found", ())]),
        "CPU cores": os.cpu_count(),
        "BLAS": blas and f"{blas['internal_api']} {blas['version']} {blas.get('architecture', '')}".rstrip(),
        "threads": blas and blas["num_threads"],
    }


def differences(saved: Environment, now: Environment) -> list[str]:
    """Describe what differs between two environments, without the number of threads if that can be set.

    >>> differences({"NumPy": "2.1.0", "CPU": "arm64"}, {"NumPy": "2.4.6", "CPU": "arm64"})
    ['NumPy: 2.1.0 then, 2.4.6 now']
    """
    settable = now.get("threads") is not None and saved.get("threads") is not None
    names = [name for name in saved if not (name == "threads" and settable)]
    return [f"{name}: {saved[name]} then, {now.get(name)} now" for name in names if saved[name] != now.get(name)]


def with_threads(count: int | None) -> AbstractContextManager[Any]:
    """In a `with` block, let BLAS use `count` threads. Does nothing if it is None or threadpoolctl is missing."""
    if count is None or _blas() is None:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    return threadpool_limits(count, user_api="blas")


def set_threads(count: int) -> None:
    """Let BLAS use `count` threads from now on, if threadpoolctl is installed."""
    if _blas() is not None:
        from threadpoolctl import threadpool_limits

        threadpool_limits(count, user_api="blas")


def _blas() -> dict[str, Any] | None:
    """Return threadpoolctl's entry for NumPy's BLAS."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return None
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return next((pool for pool in pools if "numpy" in pool["filepath"]), pools[0] if pools else None)
