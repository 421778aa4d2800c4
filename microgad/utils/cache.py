"""torch.hub's folder of downloaded files."""

from __future__ import annotations

import os

_chosen: list[str] = []  # by set_dir


def get_dir() -> str:
    """Return the folder set by `set_dir`, by default the folder "hub" in TORCH_HOME, an environment variable.

    The default of TORCH_HOME is "torch" in XDG_CACHE_HOME or ~/.cache. Source: torch.hub.get_dir.

    >>> torch.hub.get_dir().endswith("hub")
    True
    """
    return _chosen[-1] if _chosen else os.path.join(_get_torch_home(), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Set the folder of downloaded files. Source: torch.hub.set_dir."""
    _chosen[:] = [os.path.expanduser(d)]


def _get_torch_home() -> str:
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch")))
