"""The package safetensors, implemented by microgad's own reader and writer of these files."""

from ...serialization import FileError as SafetensorError
from ...serialization.safetensors import safe_open

__version__ = "0.8.0"  # of the package that this follows
__all__ = ["SafetensorError", "safe_open"]
