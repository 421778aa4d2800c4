"""torch.distributed.device_mesh: names for annotations. Meshes need several devices."""

from __future__ import annotations

from typing import Any

from ....errors import UnsupportedError


class DeviceMesh:
    """A mesh of devices, for annotations. Creating one raises. Source: torch.distributed.device_mesh.DeviceMesh."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise UnsupportedError("DeviceMesh: microgad computes in one process, on one device")


def init_device_mesh(device_type: str, mesh_shape: Any, **options: Any) -> DeviceMesh:
    """Raise, as DeviceMesh does. Source: torch.distributed.init_device_mesh."""
    return DeviceMesh(device_type, mesh_shape, **options)
