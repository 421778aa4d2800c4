"""torch.hub: the folder of its cache. Functions that would load code or weights from the network raise."""

from __future__ import annotations

import re
from typing import Any, NoReturn
from urllib.parse import urlparse as urlparse

from ...lazy import raise_missing as _refuse
from ...utils import progress_bar
from ...utils.cache import _get_torch_home as _get_torch_home
from ...utils.cache import get_dir as get_dir
from ...utils.cache import set_dir as set_dir


def load(*args: Any, **options: Any) -> NoReturn:
    """Raise: torch.hub runs code from the network. Source: torch.hub.load.

    >>> torch.hub.load("pytorch/vision", "resnet18")
    Traceback (most recent call last):
    RuntimeError: torch.hub: microgad doesn't download code or weights; use torch.load for a local file
    """
    raise RuntimeError("torch.hub: microgad doesn't download code or weights; use torch.load for a local file")


list = help = load_state_dict_from_url = download_url_to_file = load_url = load
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # a file's name contains the beginning of its SHA-256


def __getattr__(name: str) -> Any:
    """Return tqdm, which programs import from here."""
    return progress_bar.tqdm() if name == "tqdm" else _refuse(__name__, name)
