"""AutoAugment, RandAugment, TrivialAugmentWide and AugMix: augmentation by several random operations."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..generator import dirichlet
from ..ops import creation
from ..ops.random import rand, randint
from ..tensor import Tensor
from . import functional as F
from .base import ReprTransform, random_int, tensor_fill
from .images import InterpolationMode


class AutoAugmentPolicy(Enum):
    """The data sets that AutoAugment has policies for. Source: torchvision.transforms.AutoAugmentPolicy.

    >>> torch.transforms.AutoAugmentPolicy("svhn")
    <AutoAugmentPolicy.SVHN: 'svhn'>
    """

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# From Cubuk et al. (2018): pairs of operations, each with a probability and the index of a magnitude (- for none).
_POLICIES = {
    AutoAugmentPolicy.IMAGENET: """
        Posterize 0.4 8 Rotate 0.6 9; Solarize 0.6 5 AutoContrast 0.6 -;
        Equalize 0.8 - Equalize 0.6 -; Posterize 0.6 7 Posterize 0.6 6;
        Equalize 0.4 - Solarize 0.2 4; Equalize 0.4 - Rotate 0.8 8;
        Solarize 0.6 3 Equalize 0.6 -; Posterize 0.8 5 Equalize 1 -;
        Rotate 0.2 3 Solarize 0.6 8; Equalize 0.6 - Posterize 0.4 6;
        Rotate 0.8 8 Color 0.4 0; Rotate 0.4 9 Equalize 0.6 -;
        Equalize 0 - Equalize 0.8 -; Invert 0.6 - Equalize 1 -;
        Color 0.6 4 Contrast 1 8; Rotate 0.8 8 Color 1 2;
        Color 0.8 8 Solarize 0.8 7; Sharpness 0.4 7 Invert 0.6 -;
        ShearX 0.6 5 Equalize 1 -; Color 0.4 0 Equalize 0.6 -;
        Equalize 0.4 - Solarize 0.2 4; Solarize 0.6 5 AutoContrast 0.6 -;
        Invert 0.6 - Equalize 1 -; Color 0.6 4 Contrast 1 8;
        Equalize 0.8 - Equalize 0.6 -;
    """,
    AutoAugmentPolicy.CIFAR10: """
        Invert 0.1 - Contrast 0.2 6; Rotate 0.7 2 TranslateX 0.3 9;
        Sharpness 0.8 1 Sharpness 0.9 3; ShearY 0.5 8 TranslateY 0.7 9;
        AutoContrast 0.5 - Equalize 0.9 -; ShearY 0.2 7 Posterize 0.3 7;
        Color 0.4 3 Brightness 0.6 7; Sharpness 0.3 9 Brightness 0.7 9;
        Equalize 0.6 - Equalize 0.5 -; Contrast 0.6 7 Sharpness 0.6 5;
        Color 0.7 7 TranslateX 0.5 8; Equalize 0.3 - AutoContrast 0.4 -;
        TranslateY 0.4 3 Sharpness 0.2 6; Brightness 0.9 6 Color 0.2 8;
        Solarize 0.5 2 Invert 0 -; Equalize 0.2 - AutoContrast 0.6 -;
        Equalize 0.2 - Equalize 0.6 -; Color 0.9 9 Equalize 0.6 -;
        AutoContrast 0.8 - Solarize 0.2 8; Brightness 0.1 3 Color 0.7 0;
        Solarize 0.4 5 AutoContrast 0.9 -; TranslateY 0.9 9 TranslateY 0.7 9;
        AutoContrast 0.9 - Solarize 0.8 3; Equalize 0.8 - Invert 0.1 -;
        TranslateY 0.7 9 AutoContrast 0.9 -;
    """,
    AutoAugmentPolicy.SVHN: """
        ShearX 0.9 4 Invert 0.2 -; ShearY 0.9 8 Invert 0.7 -;
        Equalize 0.6 - Solarize 0.6 6; Invert 0.9 - Equalize 0.6 -;
        Equalize 0.6 - Rotate 0.9 3; ShearX 0.9 4 AutoContrast 0.8 -;
        ShearY 0.9 8 Invert 0.4 -; ShearY 0.9 5 Solarize 0.2 6;
        Invert 0.9 - AutoContrast 0.8 -; Equalize 0.6 - Rotate 0.9 3;
        ShearX 0.9 4 Solarize 0.3 3; ShearY 0.8 8 Invert 0.7 -;
        Equalize 0.9 - TranslateY 0.6 6; Invert 0.9 - Equalize 0.6 -;
        Contrast 0.3 3 Rotate 0.8 4; Invert 0.8 - TranslateY 0 2;
        ShearY 0.7 6 Solarize 0.4 8; Invert 0.6 - Rotate 0.8 4;
        ShearY 0.3 7 TranslateX 0.9 3; ShearX 0.1 6 Invert 0.6 -;
        Solarize 0.7 2 TranslateY 0.6 7; ShearY 0.8 4 Invert 0.8 -;
        ShearX 0.7 9 TranslateY 0.8 3; ShearY 0.8 5 AutoContrast 0.7 -;
        ShearX 0.7 2 Invert 0.1 -;
    """,
}

# For each operation, its list of magnitudes (None for an operation without) and whether their sign is random.
Space = dict[str, tuple[Any, bool]]
_IDENTITY: Space = {"Identity": (None, False)}
_ENHANCEMENTS = {"Brightness": "brightness", "Color": "saturation", "Contrast": "contrast", "Sharpness": "sharpness"}


def _apply(img: Any, name: str, magnitude: float, mode: InterpolationMode, fill: Any, version: Any = F) -> Any:
    """Apply an operation by name, with the functions of `version`."""
    if name == "Identity":
        return img
    if name in ("AutoContrast", "Equalize", "Invert"):
        return getattr(version, name.lower())(img)
    if name in _ENHANCEMENTS:
        return getattr(version, f"adjust_{_ENHANCEMENTS[name]}")(img, 1.0 + magnitude)
    if name == "Rotate":
        return version.rotate(img, magnitude, mode, fill=fill)
    if name == "Posterize":
        return version.posterize(img, int(magnitude))
    if name == "Solarize":
        return version.solarize(img, magnitude)
    across = name.endswith("X")
    if name.startswith("Shear"):
        # The center is the upper left corner, as in the paper.
        degrees = math.degrees(math.atan(magnitude))
        shear = [degrees, 0.0] if across else [0.0, degrees]
        return version.affine(img, 0.0, [0, 0], 1.0, shear, mode, fill, [0, 0])
    return version.affine(img, 0.0, [int(magnitude), 0] if across else [0, int(magnitude)], 1.0, [0.0, 0.0], mode, fill)


def _max_translation(img: Any) -> tuple[float, float]:
    """Return the largest translations (x, y) of AutoAugment and RandAugment: 150 of 331 pixels, as in the papers."""
    _, height, width = F.get_dimensions(img)
    return 150.0 / 331.0 * width, 150.0 / 331.0 * height


class _Augmentation(ReprTransform):
    """Base of the augmentations, with torchvision's random draws of version 1; version 2 overrides them."""

    interpolation: InterpolationMode
    fill: Any

    def _repr_value(self, value: Any) -> Any:
        return value

    def _random_index(self, n: int) -> int:
        """Draw an integer from 0 to n - 1."""
        return random_int(0, n)

    def _random_sign(self) -> bool:
        """Draw whether a magnitude is negated."""
        return self._random_index(2) == 1

    def _augmentation_space(
        self, bins: int, shear: float, across: float, down: float, turn: float, factor: float, bits: int
    ) -> Space:
        """Return the `bins` magnitudes of each operation, and whether their sign is drawn."""

        def even(low: float, high: float) -> list[float]:
            return creation.linspace(low, high, bins).tolist()

        steps = (creation.arange(bins) / ((bins - 1) / bits)).round().tolist()
        ranges = {"ShearX": shear, "ShearY": shear, "TranslateX": across, "TranslateY": down, "Rotate": turn}
        ranges |= dict.fromkeys(_ENHANCEMENTS, factor)
        space: Space = {name: (even(0.0, most), True) for name, most in ranges.items()}
        space["Posterize"] = [8.0 - step for step in steps], False
        space["Solarize"] = even(255.0, 0.0), False
        return space | {"AutoContrast": (None, False), "Equalize": (None, False)}

    def _apply_with_magnitude(self, img: Any, space: Space, name: str, which: Any, negative: bool | None = None) -> Any:
        """Apply an operation of a space. `which` is the index of its magnitude, or a function that draws the index."""
        magnitudes, signed = space[name]
        magnitude = 0.0 if magnitudes is None else magnitudes[which(magnitudes) if callable(which) else which]
        if signed and (self._random_sign() if negative is None else negative):
            magnitude = -magnitude
        return self._apply_to_image(img, name, magnitude)

    def _apply_random(self, img: Any, space: Space, which: Any) -> Any:
        """Apply a randomly chosen operation of a space."""
        return self._apply_with_magnitude(img, space, list(space)[self._random_index(len(space))], which)

    def _apply_to_image(self, img: Any, name: str, magnitude: float) -> Any:
        return _apply(img, name, magnitude, self.interpolation, tensor_fill(self.fill, img))


class AutoAugment(_Augmentation):
    """Apply two operations of a policy that was found for a data set: Cubuk et al. (2018). For uint8 images.

    Raises ValueError for an unknown policy. Source: torchvision.transforms.AutoAugment.

    >>> torch.transforms.AutoAugment(torch.transforms.AutoAugmentPolicy.CIFAR10)
    AutoAugment(policy=AutoAugmentPolicy.CIFAR10, fill=None)
    """

    repr_names = "policy fill"

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        if policy not in _POLICIES:
            raise ArgumentError(f"AutoAugment: policy is {policy!r}, expected an AutoAugmentPolicy")
        self.policy, self.interpolation, self.fill = policy, interpolation, fill
        words = [pair.split() for pair in _POLICIES[policy].split(";") if pair.strip()]
        pairs = [(w[:3], w[3:]) for w in words]
        self.policies = [
            tuple((name, float(p), None if which == "-" else int(which)) for name, p, which in pair) for pair in pairs
        ]

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Tensor, Tensor]:
        """Draw the index of a policy's pair, two numbers to compare with the probabilities, and two signs."""
        return random_int(0, transform_num), rand(2), randint(2, (2,))

    def forward(self, img: Any) -> Any:
        number, chances, signs = self.get_params(len(self.policies))
        space = self._policy_space(img)
        for chance, sign, (name, p, which) in zip(chances, signs, self.policies[number], strict=True):
            if (chance <= p).item():
                img = self._apply_with_magnitude(img, space, name, which, negative=sign.item() == 0)
        return img

    def _policy_space(self, img: Any) -> Space:
        return self._augmentation_space(10, 0.3, *_max_translation(img), 30.0, 0.9, 4) | {"Invert": (None, False)}


class RandAugment(_Augmentation):
    """Apply num_ops random operations of one magnitude: Cubuk et al. (2019). For uint8 images.

    Raises ValueError if num_ops is not an int ≥ 0. Source: torchvision.transforms.RandAugment.

    >>> torch.transforms.RandAugment()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    repr_names = "num_ops magnitude num_magnitude_bins interpolation fill"

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        if not isinstance(num_ops, int) or num_ops < 0:
            raise ArgumentError(f"RandAugment: num_ops is {num_ops}, expected an int of at least 0")
        self.num_ops, self.magnitude, self.num_magnitude_bins = num_ops, magnitude, num_magnitude_bins
        self.interpolation, self.fill = interpolation, fill

    def forward(self, img: Any) -> Any:
        space = _IDENTITY | self._augmentation_space(self.num_magnitude_bins, 0.3, *_max_translation(img), 30.0, 0.9, 4)
        for _ in range(self.num_ops):
            img = self._apply_random(img, space, self.magnitude)
        return img


class TrivialAugmentWide(_Augmentation):
    """Apply one random operation of random magnitude: Müller, Hutter (2021). For uint8 images.

    Source: torchvision.transforms.TrivialAugmentWide.

    >>> torch.transforms.TrivialAugmentWide()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    repr_names = "num_magnitude_bins interpolation fill"

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.num_magnitude_bins, self.interpolation, self.fill = num_magnitude_bins, interpolation, fill

    def forward(self, img: Any) -> Any:
        space = _IDENTITY | self._augmentation_space(self.num_magnitude_bins, 0.99, 32.0, 32.0, 135.0, 0.99, 6)
        return self._apply_random(img, space, lambda magnitudes: self._random_index(len(magnitudes)))


class AugMix(_Augmentation):
    """Mix an image with the results of chains of random operations: Hendrycks et al. (2019). For uint8 images.

    severity: the number of magnitudes to draw from, of ten, from the smallest; mixture_width: the number of chains;
    chain_depth: the length of a chain, drawn from 1 to 3 if not positive; alpha: the parameter of the distributions of
    mixture weights; all_ops: change colors too. Raises ValueError for a severity outside of 1 to 10.
    Source: torchvision.transforms.AugMix.

    >>> torch.transforms.AugMix()(torch.zeros(3, 8, 8, dtype=torch.uint8)).shape
    torch.Size([3, 8, 8])
    """

    repr_names = "severity mixture_width chain_depth alpha all_ops interpolation fill"

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        fill: Any = None,
    ) -> None:
        super().__init__()
        if not 1 <= severity <= 10:
            raise ArgumentError(f"AugMix: severity is {severity}, expected 1 to 10")
        self.severity, self.mixture_width, self.chain_depth = severity, mixture_width, chain_depth
        self.alpha, self.all_ops, self.interpolation, self.fill = alpha, all_ops, interpolation, fill

    def forward(self, img: Any) -> Any:
        if not isinstance(img, Tensor):
            return F.to_pil_image(AugMix.forward(self, F.pil_to_tensor(img)))
        space = self._mixed_space(img)
        batch = img.reshape((1,) * (4 - img.ndim) + img.shape)  # the images of a batch differ only in their weights
        own, others = self._mixture_weights(2, batch)
        mixed = own * batch
        for part in self._mixture_weights(self.mixture_width, batch) * others:
            changed = batch
            for _ in range(self.chain_depth if self.chain_depth > 0 else 1 + self._random_index(3)):
                changed = self._apply_random(changed, space, lambda magnitudes: self._random_index(self.severity))
            mixed.add_(part * changed)
        return mixed.reshape(img.shape).to(img.dtype)

    def _mixed_space(self, img: Tensor) -> Space:
        """Return ten magnitudes of each operation; the color operations come last, or not at all unless `all_ops`."""
        _, height, width = F.get_dimensions(img)
        space = self._augmentation_space(10, 0.3, width / 3.0, height / 3.0, 30.0, 0.9, 4)
        space["Posterize"] = [bits - 4.0 for bits in space["Posterize"][0]], False
        color_operations = {name: space.pop(name) for name in _ENHANCEMENTS}
        return space | color_operations if self.all_ops else space

    def _mixture_weights(self, n: int, batch: Tensor) -> Tensor:
        """Draw n weights that sum to 1 for each image, as Tensors that broadcast over the batch."""
        drawn = dirichlet(np.full((len(batch), n), self.alpha, np.float32))
        return creation.as_tensor(drawn, device=batch.device).T.reshape(n, -1, *(1,) * (batch.ndim - 1))
