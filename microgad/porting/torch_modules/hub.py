"""torch.hub: models of local folders, and weights from its cache or files. Nothing is loaded from the network."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
from typing import Any, NoReturn
from urllib.parse import urlparse as urlparse
from urllib.request import url2pathname

from ... import serialization
from ...lazy import raise_missing as _refuse
from ...utils import progress_bar
from ...utils.cache import _get_torch_home as _get_torch_home
from ...utils.cache import get_dir as get_dir
from ...utils.cache import set_dir as set_dir

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")  # a file's name contains the beginning of its SHA-256


def _refuse_download() -> NoReturn:
    raise RuntimeError(
        "torch.hub: microgad doesn't download code or weights; torch.load is for files, source='local' for code"
    )


def load(repo_or_dir: Any, model: str, *args: Any, source: str = "github", **options: Any) -> Any:
    """Call a function of the hubconf.py in a local folder, for source="local".

    Raises RuntimeError for repositories of GitHub and for functions that hubconf.py lacks, ValueError for an unknown
    source. Source: torch.hub.load.

    >>> torch.hub.load("pytorch/vision", "resnet18")
    Traceback (most recent call last):
    RuntimeError: torch.hub: microgad doesn't download code or weights; torch.load is for files, source='local' for code
    """
    if source.lower() not in ("github", "local"):
        raise ValueError(f"torch.hub.load: source is {source!r}, expected 'github' or 'local'")
    if source.lower() == "github":
        _refuse_download()
    for name in ("trust_repo", "force_reload", "verbose", "skip_validation"):
        options.pop(name, None)  # they matter to downloads only
    sys.path.insert(0, os.fspath(repo_or_dir))
    try:
        spec = importlib.util.spec_from_file_location("hubconf.py", os.path.join(repo_or_dir, "hubconf.py"))
        module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        spec.loader.exec_module(module)  # type: ignore[union-attr]
        missing = [name for name in getattr(module, "dependencies", None) or () if not importlib.util.find_spec(name)]
        if missing:
            raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
        function = getattr(module, model, None)
        if not callable(function):
            raise RuntimeError(f"Cannot find callable {model} in hubconf")
        return function(*args, **options)
    finally:
        sys.path.remove(os.fspath(repo_or_dir))


def list(github: Any, *args: Any, **options: Any) -> NoReturn:
    """Raise: the repository would be downloaded. Source: torch.hub.list."""
    _refuse_download()


help = list


def download_url_to_file(url: str, dst: Any, hash_prefix: str | None = None, progress: bool = True) -> None:
    """Copy the file of a URL file://…; others raise RuntimeError, and so does another SHA-256 than hash_prefix….

    Source: torch.hub.download_url_to_file.
    """
    parts = urlparse(url)
    if parts.scheme != "file":
        _refuse_download()
    path = url2pathname(parts.path)
    if hash_prefix:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if not found.startswith(hash_prefix):
            raise RuntimeError(f'invalid hash value (expected "{hash_prefix}", got "{found}")')
    shutil.copyfile(path, dst)


def load_state_dict_from_url(
    url: str,
    model_dir: Any = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> Any:
    """Load the file of this URL in torch's cache, model_dir; a URL file://… is copied there first.

    Raises RuntimeError if it would have to be downloaded. Source: torch.hub.load_state_dict_from_url.
    """
    folder = os.path.join(get_dir(), "checkpoints") if model_dir is None else model_dir
    cached = os.path.join(folder, file_name or os.path.basename(urlparse(url).path))
    if not os.path.exists(cached):
        os.makedirs(folder, exist_ok=True)
        beginning = HASH_REGEX.search(os.path.basename(cached)) if check_hash else None
        download_url_to_file(url, cached, beginning.group(1) if beginning else None)
    return serialization.load(cached, map_location=map_location, weights_only=weights_only)


load_url = load_state_dict_from_url


def __getattr__(name: str) -> Any:
    """Return tqdm, which programs import from here."""
    return progress_bar.tqdm() if name == "tqdm" else _refuse(__name__, name)
