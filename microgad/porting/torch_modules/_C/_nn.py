"""torch._C._nn: functions that PyTorch's modules call. Those of nn.functional have the same names here."""

from __future__ import annotations

import sys
from typing import Any

from .... import nn
from ....backend.devices import device
from ....methods.conversion import destination


def _parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
    """Parse the arguments of `Module.to` into (device, dtype, non_blocking, memory_format)."""
    given = (kwargs["tensor"],) if "tensor" in kwargs else args
    options = kwargs.get("device"), kwargs.get("dtype"), kwargs.get("non_blocking", False)
    where, dtype, non_blocking, _ = destination(given, *options)
    return None if where is None else device(where), dtype, non_blocking, kwargs.get("memory_format")


def __getattr__(name: str) -> Any:
    known = vars(nn.functional)
    return known[name] if name in known and not name.startswith("__") else getattr(sys.modules["microgad"], name)
