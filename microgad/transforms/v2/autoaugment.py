"""Augmentations of a policy, with version 2's draws."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError
from ...ops import creation
from ...ops.random import rand, randint
from ...tensor import Tensor
from .. import autoaugment as first
from ..base import fill_for
from ..conversion import max_value
from ..pictures import mode_of
from . import functional as F
from .base import Transform


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


class AutoAugment(_Augmentation, first.AutoAugment):
    """Two operations of a policy found for a data set. Source: torchvision.transforms.v2.AutoAugment.

    >>> torch.transforms.v2.AutoAugment()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    shown = "interpolation fill policy"

    def __init__(
        self,
        policy: first.AutoAugmentPolicy = first.AutoAugmentPolicy.IMAGENET,
        interpolation: Any = "nearest",
        fill: Any = None,
    ) -> None:
        super().__init__(policy, interpolation, fill)

    def one(self, image: Any) -> Any:
        space = self._policy_space(image)
        for name, p, which in self.policies[self._number(len(self.policies))]:
            if (rand(()) <= p).item():
                image = self._changed(image, space, name, which)
        return image


class RandAugment(_Augmentation, first.RandAugment):
    """num_ops operations, drawn from all, of one magnitude. Source: torchvision.transforms.v2.RandAugment.

    >>> torch.transforms.v2.RandAugment()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    shown = "interpolation fill num_ops magnitude num_magnitude_bins"

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: Any = "nearest",
        fill: Any = None,
    ) -> None:
        if not isinstance(num_ops, int) or num_ops < 0:
            raise ArgumentError(f"RandAugment: num_ops is {num_ops}, expected an int of at least 0")
        super().__init__(num_ops, magnitude, num_magnitude_bins, interpolation, fill)

    one = first.RandAugment.forward


class TrivialAugmentWide(_Augmentation, first.TrivialAugmentWide):
    """One operation, drawn from all, of a magnitude that is drawn.

    Source: torchvision.transforms.v2.TrivialAugmentWide.

    >>> torch.transforms.v2.TrivialAugmentWide()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    shown = "interpolation fill num_magnitude_bins"

    def __init__(self, num_magnitude_bins: int = 31, interpolation: Any = "nearest", fill: Any = None) -> None:
        super().__init__(num_magnitude_bins, interpolation, fill)

    one = first.TrivialAugmentWide.forward


class AugMix(_Augmentation, first.AugMix):
    """An image mixed with what chains of operations made of it. Source: torchvision.transforms.v2.AugMix.

    Arguments: those of `transforms.AugMix`. Raises ValueError of a severity that isn't 1 to 10.

    >>> torch.transforms.v2.AugMix()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    shown = "interpolation fill severity mixture_width chain_depth alpha all_ops"

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: Any = "bilinear",
        fill: Any = None,
    ) -> None:
        super().__init__(severity, mixture_width, chain_depth, alpha, all_ops, interpolation, fill)

    one = first.AugMix.forward
