"""torch.hub: refuses. It runs code from the network."""

from __future__ import annotations

from typing import Any, NoReturn

from ...lazy import absent as _absent


def load(*args: Any, **options: Any) -> NoReturn:
    """Refuse. Source: torch.hub.load.

    >>> torch.hub.load("pytorch/vision", "resnet18")
    Traceback (most recent call last):
    RuntimeError: torch.hub: microgad downloads no code and no weights; torch.load a file that is there
    """
    raise RuntimeError("torch.hub: microgad downloads no code and no weights; torch.load a file that is there")


list = help = load_state_dict_from_url = download_url_to_file = load

_absent(globals())
