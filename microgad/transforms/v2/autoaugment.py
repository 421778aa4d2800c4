"""Augmentations of a policy, with version 2's draws."""

from __future__ import annotations

import functools
from collections.abc import Callable
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


class _Augmentation(Transform):
    """What the augmentations share: a magnitude's sign is drawn as a number."""

    interpolation: Any
    fill: Any

    def _used(self, image: Any, name: str, space: Any, number: Callable[[], int]) -> Any:
        magnitudes, signed = space.get(name, (None, False))
        magnitude = 0.0
        if magnitudes is not None:
            magnitude = magnitudes[number()]
            if signed and (rand(()) <= 0.5).item():
                magnitude *= -1
        if name == "Solarize":
            most = max_value(image.dtype) if isinstance(image, Tensor) else 255.0
            magnitude = most * magnitude
        fill = fill_for(self.fill, image)
        return first._apply(image, name, magnitude, mode_of(self.interpolation, type(self).__name__), fill, F)

    def _any(self, image: Any, space: Any, number: Callable[[], int]) -> Any:
        name = list(space)[int(randint(len(space), ()).item())]
        return self._used(image, name, space, number)


def _space(bins: int, *bounds: Any) -> Any:
    return first._space(bins, *bounds) | {"Solarize": (creation.linspace(1.0, 0.0, bins).tolist(), False)}


class AutoAugment(_Augmentation):
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
        super().__init__()
        self._policies = first.AutoAugment(policy).policies
        self.interpolation, self.fill, self.policy = interpolation, fill, policy

    def one(self, image: Any) -> Any:
        height, width = F.get_size(image)
        policy = self._policies[int(randint(len(self._policies), ()).item())]
        space = _space(10, 0.3, 150.0 / 331.0 * width, 150.0 / 331.0 * height, 30.0, 0.9, 4)
        for name, p, which in policy:
            if (rand(()) <= p).item():
                image = self._used(image, name, space, functools.partial(int, which))
        return image


class RandAugment(_Augmentation):
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
        super().__init__()
        if not isinstance(num_ops, int) or num_ops < 0:
            raise ArgumentError(f"RandAugment: num_ops is {num_ops}, expected an int of at least 0")
        self.num_ops, self.magnitude, self.num_magnitude_bins = num_ops, magnitude, num_magnitude_bins
        self.interpolation, self.fill = interpolation, fill

    def one(self, image: Any) -> Any:
        height, width = F.get_size(image)
        far = 150.0 / 331.0 * width, 150.0 / 331.0 * height
        space = first._IDENTITY | _space(self.num_magnitude_bins, 0.3, *far, 30.0, 0.9, 4)
        for _ in range(self.num_ops):
            image = self._any(image, space, lambda: self.magnitude)
        return image


class TrivialAugmentWide(_Augmentation):
    """One operation, drawn from all, of a magnitude that is drawn.

    Source: torchvision.transforms.v2.TrivialAugmentWide.

    >>> torch.transforms.v2.TrivialAugmentWide()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    shown = "interpolation fill num_magnitude_bins"

    def __init__(self, num_magnitude_bins: int = 31, interpolation: Any = "nearest", fill: Any = None) -> None:
        super().__init__()
        self.num_magnitude_bins, self.interpolation, self.fill = num_magnitude_bins, interpolation, fill

    def one(self, image: Any) -> Any:
        space = first._IDENTITY | _space(self.num_magnitude_bins, 0.99, 32.0, 32.0, 135.0, 0.99, 6)
        return self._any(image, space, lambda: int(randint(self.num_magnitude_bins, ()).item()))


class AugMix(_Augmentation):
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
        super().__init__()
        self.severity, self.mixture_width, self.chain_depth = first._severe(severity), mixture_width, chain_depth
        self.alpha, self.all_ops, self.interpolation, self.fill = alpha, all_ops, interpolation, fill

    def one(self, image: Any) -> Any:
        height, width = F.get_size(image)
        space = first._mixed_space((width / 3.0, height / 3.0), self.all_ops)
        space["Solarize"] = creation.linspace(1.0, 0.0, 10).tolist(), False

        def changed(x: Tensor) -> Tensor:
            found: Tensor = self._any(x, space, lambda: int(randint(self.severity, ()).item()))
            return found

        return first._mixture(image, self.mixture_width, self.chain_depth, self.alpha, changed)
