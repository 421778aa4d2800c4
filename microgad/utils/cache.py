"""Where PyTorch keeps what it downloaded."""

from __future__ import annotations

import os

_chosen: list[str] = []  # by set_dir


def get_dir() -> str:
    """The folder that `set_dir` named, or "hub" in what TORCH_HOME says, or "torch" in XDG_CACHE_HOME or ~/.cache.

    Source: torch.hub.get_dir.

    >>> torch.hub.get_dir().endswith("hub")
    True
    """
    return _chosen[-1] if _chosen else os.path.join(_get_torch_home(), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Look for what was downloaded in another folder. Source: torch.hub.set_dir."""
    _chosen[:] = [os.path.expanduser(d)]


def _get_torch_home() -> str:
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch")))
