"""torch.distributed.device_mesh: devices in rows and columns, which one device is not."""

from __future__ import annotations

from typing import Any

from ....errors import UnsupportedError
from ....lazy import define_getattr as _define_getattr


class DeviceMesh:
    """A name in annotations: making one is refused. Source: torch.distributed.device_mesh.DeviceMesh."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError("DeviceMesh: microgad computes in one process, on one device")


def init_device_mesh(device_type: str, mesh_shape: Any, **options: Any) -> DeviceMesh:
    """Refuse, as DeviceMesh does. Source: torch.distributed.init_device_mesh."""
    return DeviceMesh(device_type, mesh_shape, **options)


_define_getattr(globals())
