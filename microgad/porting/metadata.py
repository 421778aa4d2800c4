"""What importlib.metadata says of torch and torchvision while microgad goes by their names."""

from __future__ import annotations

from importlib.metadata import Distribution
from os import PathLike
from typing import NoReturn


class Alias(Distribution):
    """A package that microgad stands for: its name and its version, and no files."""

    def __init__(self, name: str, version: str) -> None:
        self._texts = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "top_level.txt": name,
        }

    def read_text(self, filename: str) -> str | None:
        """METADATA and top_level.txt; None of any other file."""
        return self._texts.get(filename)

    def locate_file(self, path: str | PathLike[str]) -> NoReturn:
        """Raise FileNotFoundError: there are none."""
        raise FileNotFoundError(path)
