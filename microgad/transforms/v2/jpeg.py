"""JPEG, which compresses images by a random quality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import ArgumentError, DtypeError
from ..base import random_int
from . import functional as F
from .base import FunctionTransform


class JPEG(FunctionTransform):
    """Compress by JPEG and decompress, with a quality from 1 to 100, or a random one of (least, most).

    Images are PIL images or uint8 Tensors. Raises TypeError for a quality of another type, ValueError for other
    numbers. Source: torchvision.transforms.v2.JPEG.

    >>> torch.transforms.v2.JPEG((10, 90))(torch.zeros(3, 4, 5, dtype=torch.uint8)).shape
    torch.Size([3, 4, 5])
    """

    function = staticmethod(F.jpeg)

    def __init__(self, quality: int | Sequence[int]) -> None:
        super().__init__()
        if isinstance(quality, bool) or not isinstance(quality, (int, Sequence)):
            raise DtypeError(f"JPEG: quality is {quality!r}, expected an int or two")
        ends = [quality] * 2 if isinstance(quality, int) else quality
        if len(ends) != 2 or not all(isinstance(q, int) for q in ends) or not 1 <= ends[0] <= ends[1] <= 100:
            raise ArgumentError(f"JPEG: quality is {quality!r}, expected an int from 1 to 100, or two in order")
        self.quality = ends

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return {"quality": random_int(self.quality[0], self.quality[1] + 1)}
