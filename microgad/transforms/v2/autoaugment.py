"""Augmentations of a policy, with version 2's draws."""

from __future__ import annotations

from typing import Any

from ...ops import creation
from ...ops.random import rand, randint
from ...tensor import Tensor
from .. import autoaugment as first
from ..base import fill_for
from ..conversion import max_value
from ..images import mode_of
from . import functional as F
from .base import Transform, second


class _Augmentation(Transform, first._Augmentation):
    """What the augmentations share: a magnitude's sign is drawn as a number, and Solarize's is of what is white."""

    shown = ""
    interpolation: Any

    def _number(self, n: int) -> int:
        return int(randint(n, ()).item())

    def _turned(self) -> bool:
        return bool((rand(()) <= 0.5).item())

    def _space(self, bins: int, *bounds: Any) -> Any:
        return super()._space(bins, *bounds) | {"Solarize": (creation.linspace(1.0, 0.0, bins).tolist(), False)}

    def _applied(self, img: Any, name: str, magnitude: float) -> Any:
        if name == "Solarize":
            magnitude *= max_value(img.dtype) if isinstance(img, Tensor) else 255.0
        mode = mode_of(self.interpolation, type(self).__name__)
        return first._apply(img, name, magnitude, mode, fill_for(self.fill, img), F)


def _augmented(self: Any, image: Any) -> Any:
    space = self._policy_space(image)
    for name, p, which in self.policies[self._number(len(self.policies))]:
        if (rand(()) <= p).item():
            image = self._changed(image, space, name, which)
    return image


AutoAugment = second(first.AutoAugment, "interpolation fill policy", _Augmentation, interpolation="nearest")
AutoAugment.one = _augmented
RandAugment = second(
    first.RandAugment, "interpolation fill num_ops magnitude num_magnitude_bins", _Augmentation, interpolation="nearest"
)
TrivialAugmentWide = second(
    first.TrivialAugmentWide, "interpolation fill num_magnitude_bins", _Augmentation, interpolation="nearest"
)
AugMix = second(
    first.AugMix,
    "interpolation fill severity mixture_width chain_depth alpha all_ops",
    _Augmentation,
    interpolation="bilinear",
)
