"""Downloads, checksums and archives for data sets. Source: torchvision.datasets.utils."""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import tarfile
import zipfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from .download import fetch_from

AnyPath = str | os.PathLike[str]
_COMPRESSIONS = {".bz2": "bz2", ".gz": "gzip", ".xz": "lzma"}


def calculate_md5(fpath: AnyPath, chunk_size: int = 1 << 20) -> str:
    """Return the MD5 of a file. Source: torchvision.datasets.utils.calculate_md5.

    >>> import os
    >>> torch.datasets.utils.calculate_md5(os.devnull)
    'd41d8cd98f00b204e9800998ecf8427e'
    """
    digest = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while chunk := file.read(chunk_size):
            digest.update(chunk)
    return digest.hexdigest()


def check_md5(fpath: AnyPath, md5: str, **kwargs: Any) -> bool:
    """Whether a file has this MD5. Source: torchvision.datasets.utils.check_md5."""
    return md5 == calculate_md5(fpath, **kwargs)


def check_integrity(fpath: AnyPath, md5: str | None = None) -> bool:
    """Whether there is a file, with this MD5 if one is given. Source: torchvision.datasets.utils.check_integrity.

    >>> torch.datasets.utils.check_integrity("no such file")
    False
    """
    return os.path.isfile(fpath) and (md5 is None or check_md5(fpath, md5))


def download_url(
    url: str, root: AnyPath, filename: AnyPath | None = None, md5: str | None = None, max_redirect_hops: int = 3
) -> None:
    """Download a file to a folder, under the name in the URL by default, unless it is already there.

    Raises RuntimeError for another MD5, OSError if it can't be downloaded. Source: torchvision.datasets.utils.
    """
    folder = os.path.expanduser(root)
    path = os.path.join(folder, filename or os.path.basename(url))
    os.makedirs(folder, exist_ok=True)
    if not check_integrity(path, md5):
        fetch_from(url, md5, path)


def download_and_extract_archive(
    url: str,
    download_root: AnyPath,
    extract_root: AnyPath | None = None,
    filename: AnyPath | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """Call download_url and extract_archive. Source: torchvision.datasets.utils.download_and_extract_archive."""
    folder = os.path.expanduser(download_root)
    name = filename or os.path.basename(url)
    download_url(url, folder, name, md5)
    extract_archive(os.path.join(folder, name), folder if extract_root is None else extract_root, remove_finished)


def extract_archive(from_path: AnyPath, to_path: AnyPath | None = None, remove_finished: bool = False) -> AnyPath:
    """Extract a tar or zip archive, or decompress a .gz, .bz2 or .xz file, to a folder, the archive's by default.

    Returns the path of the folder, or of the decompressed file. Raises RuntimeError for other files.
    Source: torchvision.datasets.utils.extract_archive.
    """
    folder = os.path.dirname(from_path) if to_path is None else to_path
    stem, suffix = os.path.splitext(os.path.basename(from_path))
    result = Path(folder)
    if suffix in (".tar", ".tgz", ".tbz", ".tbz2") or (suffix in _COMPRESSIONS and stem.endswith(".tar")):
        with tarfile.open(from_path) as archive:
            archive.extractall(folder, filter="data")
    elif suffix == ".zip":
        with zipfile.ZipFile(from_path) as packed:
            packed.extractall(folder)
    elif suffix in _COMPRESSIONS:
        result /= stem
        with importlib.import_module(_COMPRESSIONS[suffix]).open(from_path, "rb") as source, open(result, "wb") as file:
            shutil.copyfileobj(source, file)
    else:
        raise ArgumentError(f"extract_archive: {from_path} has no known suffix of an archive or compressed file")
    if remove_finished:
        os.remove(from_path)
    return os.fspath(result) if isinstance(from_path, str) else result


def list_dir(root: AnyPath, prefix: bool = False) -> list[str]:
    """List the folders in a folder, with its path if `prefix`. Source: torchvision.datasets.utils.list_dir."""
    root = os.path.expanduser(root)
    found = [name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name))]
    return [os.path.join(root, name) for name in found] if prefix else found


def list_files(root: AnyPath, suffix: str | tuple[str, ...], prefix: bool = False) -> list[str]:
    """List the files in a folder that end with a suffix, with its path if `prefix`.

    Source: torchvision.datasets.utils.list_files.
    """
    root = os.path.expanduser(root)
    found = [n for n in os.listdir(root) if n.endswith(suffix) and os.path.isfile(os.path.join(root, n))]
    return [os.path.join(root, name) for name in found] if prefix else found


def iterable_to_str(iterable: Iterable[Any]) -> str:
    """Join with quotes. Source: torchvision.datasets.utils.iterable_to_str.

    >>> torch.datasets.utils.iterable_to_str(["train", "test"])
    "'train', 'test'"
    """
    return "'" + "', '".join(map(str, iterable)) + "'"


def verify_str_arg(
    value: Any, arg: str | None = None, valid_values: Collection[Any] | None = None, custom_msg: str | None = None
) -> Any:
    """Return a string if it is one of `valid_values`. Raises ValueError otherwise.

    Source: torchvision.datasets.utils.verify_str_arg.

    >>> torch.datasets.utils.verify_str_arg("test", "split", ("train", "test"))
    'test'
    """
    if not isinstance(value, str):
        of = "" if arg is None else f" for argument {arg}"
        raise ArgumentError(f"Expected type str{of}, but got type {type(value)}.")
    if valid_values is not None and value not in valid_values:
        known = iterable_to_str(valid_values)
        said = f"Unknown value '{value}' for argument {arg}. Valid values are {{{known}}}."
        raise ArgumentError(said if custom_msg is None else custom_msg)
    return value
