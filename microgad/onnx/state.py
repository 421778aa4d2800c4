"""The state that tells whether a model is being exported."""

from __future__ import annotations

from contextvars import ContextVar

exporting: ContextVar[bool] = ContextVar("microgad.onnx", default=False)


def is_in_onnx_export() -> bool:
    """Whether `export` is running the model. Source: torch.onnx.is_in_onnx_export.

    >>> torch.onnx.is_in_onnx_export()
    False
    """
    return exporting.get()
