"""The entries of torch and torchvision in importlib.metadata under `as_torch`."""

from __future__ import annotations

from importlib.metadata import Distribution
from os import PathLike
from typing import NoReturn


class Alias(Distribution):
    """A package that microgad replaces: a name and a version without files."""

    def __init__(self, name: str, version: str) -> None:
        self._texts = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "top_level.txt": name,
        }

    def read_text(self, filename: str) -> str | None:
        """Return the text of METADATA or top_level.txt, and None for any other file."""
        return self._texts.get(filename)

    def locate_file(self, path: str | PathLike[str]) -> NoReturn:
        """Raise FileNotFoundError: the package has no files."""
        raise FileNotFoundError(path)
