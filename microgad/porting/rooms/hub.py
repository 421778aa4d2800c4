"""torch.hub: refuses. It runs code from the network."""

from __future__ import annotations

import os
import re
from typing import Any, NoReturn
from urllib.parse import urlparse as urlparse

from ...lazy import refuse as _refuse
from ...utils import bar


def load(*args: Any, **options: Any) -> NoReturn:
    """Refuse. Source: torch.hub.load.

    >>> torch.hub.load("pytorch/vision", "resnet18")
    Traceback (most recent call last):
    RuntimeError: torch.hub: microgad downloads no code and no weights; torch.load a file that is there
    """
    raise RuntimeError("torch.hub: microgad downloads no code and no weights; torch.load a file that is there")


list = help = load_state_dict_from_url = download_url_to_file = load_url = load
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # in the name of a file, the beginning of its SHA-256


def get_dir() -> str:
    """Where PyTorch keeps what it downloaded. Source: torch.hub.get_dir."""
    return os.path.join(_get_torch_home(), "hub")


def _get_torch_home() -> str:
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch")))


def __getattr__(name: str) -> Any:
    """tqdm, which programs take from here."""
    return bar.tqdm() if name == "tqdm" else _refuse(__name__, name)
