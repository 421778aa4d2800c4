"""NumPy's functions that write to files. As with `.numpy()`, Tensors that require grad are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend
from .. import function as core


def _shown(x: Any) -> Any:
    """Return a Tensor's array on the CPU. Raises PyTorch's RuntimeError if it requires grad."""
    if not isinstance(x, core.Tensor):
        return x
    return np.asarray(x) if x.requires_grad else backend.to_numpy(x.array)


def _of_arrays(write: Callable[..., None]) -> Callable[..., None]:
    def written(*args: Any, **options: Any) -> None:
        write(*map(_shown, args), **{name: _shown(x) for name, x in options.items()})

    return written


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    write: _of_arrays(write) for write in (np.save, np.savetxt, np.savez, np.savez_compressed)
}
