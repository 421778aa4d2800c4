"""safetensors.torch: safetensors files of Tensors and of modules' state dicts."""

from ...serialization.safetensors import (
    load,
    load_file,
    load_model,
    safe_open,
    save,
    save_file,
    save_model,
    storage_ptr,
    storage_size,
)

__all__ = [
    "load", "load_file", "load_model", "safe_open", "save", "save_file", "save_model", "storage_ptr", "storage_size",
]  # fmt: skip
